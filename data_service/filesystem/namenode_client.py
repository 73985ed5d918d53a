"""The client's line to the namenode: repeats what may be repeated, until a deadline.

Theory of operation. A call whose answer was lost may have run. What reads, or tells, is simply
repeated; what changes something carries an operation id (client id, call number), and the namenode
answers a repeated one from its retry cache, so repeating has one effect. The first contact of a
client fails soon when nobody answers, so that a person learns that the cluster is down. When
somebody answers that he does not lead yet, is busy or has just started, or when this client was
served before, it is patient, and says once what it waits for.
"""

import itertools
import os
import random
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Callable, Iterator, Optional, Set, Tuple, Type

from data_service.protocol.availability_calls import AvailabilityCalls
from data_service.protocol.namenode_calls import NameNodeCalls
from zookeeper.fabric import logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import CHANGES, Call, Operation
from zookeeper.fabric.errors import (
    Busy,
    DeadlineExceeded,
    DfsError,
    InvalidArgument,
    NotLeader,
    SafeMode,
    StartingUp,
    Unavailable,
)
from zookeeper.fabric.forks import Forkable, watch
from zookeeper.fabric.identity import NAME_NODE
from zookeeper.fabric.pools import LeaderPool
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import ClientSettings, Settings
from zookeeper.fabric.waiting import tell_waiting

log = logs.get("client")

Awaited = Tuple[Type[DfsError], ...]

_OUTAGES = (Unavailable, NotLeader, Busy)
_ELSEWHERE = (Unavailable, NotLeader)
"""After these another namenode is asked."""

_SIGNS_OF_LIFE = (NotLeader, Busy, SafeMode, DeadlineExceeded)
_PAUSE_SECONDS_MIN, _PAUSE_SECONDS_MAX = 0.05, 1.0
_TAKEOVER_SECONDS = 0.25
"""The longest pause when another namenode may take over at any moment."""

_PROBE_SECONDS = 1.0
"""How long a namenode may take to say whether it leads."""

LIST_ROWS = 1000
"""Rows of one page of a long answer."""

START_SECONDS = 10.0
"""How long a client waits for a namenode that has just started to leave safe mode: usually it is a
moment, but with lost blocks it takes until somebody turns safe mode off."""

SILENT_SECONDS = 2.0
"""How long a client waits without a word about why."""

BRIEF_SECONDS = 2.0
"""How long a namenode may take to answer who does not wait for one that leads."""


class _Patience:
    """How long one call is repeated, by what it met so far."""

    def __init__(self, settings: ClientSettings, served: bool, servers: int, now: float) -> None:
        self._settings = settings
        self._patient = served
        self._servers = servers
        self._begun = now
        self._attempts = 0
        self._outage = False
        self._told = False

    def is_over(self, error: DfsError, pause: float, now: float) -> bool:
        """Whether this error is the answer, because another attempt would come too late."""
        self._attempts += 1
        self._outage = self._outage or isinstance(error, _OUTAGES)
        self._patient = self._patient or isinstance(error, _SIGNS_OF_LIFE)
        own = self._settings
        seconds = own.retry_seconds if self._patient else own.connect_seconds
        if isinstance(error, StartingUp) and not self._outage:
            seconds = min(seconds, START_SECONDS)
        return now + pause > self._begun + seconds and self._attempts >= self._servers

    def should_tell(self, now: float) -> bool:
        """Whether it is time to say what is waited for; True once."""
        if self._told or now - self._begun < SILENT_SECONDS:
            return False
        self._told = True
        return True


class Pauses:
    """The waits between the attempts of one call. None comes before the next of several namenodes
    is asked, which may lead long since; then they grow."""

    def __init__(self, servers: int) -> None:
        self._servers = servers
        self._asked = 1
        self._longest = _PAUSE_SECONDS_MAX if servers == 1 else _TAKEOVER_SECONDS
        self._next = _PAUSE_SECONDS_MIN

    def after(self, error: DfsError) -> float:
        """Seconds to wait behind an attempt that ended so."""
        if isinstance(error, _ELSEWHERE) and self._asked < self._servers:
            self._asked += 1
            return 0.0
        self._asked = 1
        pause, self._next = self._next, min(2 * self._next, self._longest)
        return pause


class NameNodeClient(Forkable):
    """The line to the namenode that leads; thread-safe. A forked process is another client.

    `calls` are repeated while the namenode is out of reach, and raise what it answers. Those of
    `persistent`, for a write in progress, also wait for the end of a restarted namenode's safe
    mode. Those of `brief` are made once of each namenode at most, for who would rather hear that
    none leads, and for what it finds out by itself if it does not hear it. `greeting` is said on
    each new connection, before all calls.
    """

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        greeting: Optional[Callable[[NameNodeCalls], None]] = None,
    ) -> None:
        self._settings = settings.client
        # Calls that wait on purpose, at the namenode, before they answer that it was in vain.
        self._waiting_seconds = (
            settings.name_node.complete_timeout_seconds + settings.network.call_timeout_seconds
        )
        self._served = False
        self._closed = threading.Event()
        self._servers = len(settings.name_node.hosts)
        self._pool = LeaderPool(
            NAME_NODE, settings.name_node.hosts, credentials, settings.network,
            None if greeting is None else _on_each(greeting, settings), _epoch_of,
        )  # fmt: skip
        self.calls = NameNodeCalls(self._repeat)
        self.persistent = NameNodeCalls(partial(self._repeat, awaited=(SafeMode,)))
        self.brief = NameNodeCalls(self._ask_each)
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self.client_id = os.urandom(16).hex()
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._awaited: Set[int] = set()

    def forked(self) -> None:
        """Two processes that gave one id to their calls would get each other's answers."""
        self._begin()
        closed, self._closed = self._closed.is_set(), threading.Event()
        if closed:
            self._closed.set()

    @contextmanager
    def one_change(self, *awaited: Type[DfsError]) -> Iterator[NameNodeCalls]:
        """As `persistent`, but all calls in the block are one change: the second repeats the first.

        Errors of the kinds `awaited` are waited out, too.
        """
        with self._operation() as operation:
            yield NameNodeCalls(
                partial(self._repeat, awaited=(SafeMode, *awaited), operation=operation)
            )

    @contextmanager
    def _operation(self) -> Iterator[Operation]:
        """A fresh operation id, with the least number of the calls that this client waits for: the
        namenode forgets the answers to earlier ones. At the block's end nobody waits any more."""
        with self._lock:
            number = next(self._numbers)
            self._awaited.add(number)
            operation = Operation(self.client_id, number, min(self._awaited))
        try:
            yield operation
        finally:
            with self._lock:
                self._awaited.discard(number)

    @contextmanager
    def _numbered(
        self, call: Call, args: Tuple[Any, ...], operation: Optional[Operation]
    ) -> Iterator[Tuple[Any, ...]]:
        """The arguments with the operation before them, if the call changes something."""
        if call.effect != CHANGES:
            yield args
        elif operation is not None:
            yield (operation, *args)
        else:
            with self._operation() as fresh:
                yield (fresh, *args)

    @property
    def patience_seconds(self) -> float:
        """How long an operation in progress rides out an outage."""
        return self._settings.retry_seconds

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed.is_set()

    def close(self) -> None:
        """Close the connections; a call that waits to be repeated fails at once."""
        self._closed.set()
        self._pool.close()

    def _repeat(
        self,
        call: Call,
        args: Tuple[Any, ...],
        seconds: Optional[float] = None,
        awaited: Awaited = (),
        operation: Optional[Operation] = None,
    ) -> Any:
        """Call until it is answered; errors of the kinds `awaited` are waited out as well."""
        if self.closed:
            raise InvalidArgument(f"{call.name}: this FileSystem was closed: make another one")
        patience = _Patience(self._settings, self._served, self._servers, time.monotonic())
        timeout = self._waiting_seconds if call.waits else seconds
        pauses, waited = Pauses(self._servers), False
        with self._numbered(call, args, operation) as sent:
            while True:
                waited_out: Awaited = (*_OUTAGES, StartingUp, *awaited)
                try:
                    result = self._pool.call(call.name, *sent, timeout=timeout)
                    self._served = True
                    if waited:
                        tell_waiting(False)
                    return result
                except waited_out as error:
                    now, pause = time.monotonic(), pauses.after(error)
                    if patience.is_over(error, pause, now) or self._closed.is_set():
                        raise
                    if isinstance(error, _OUTAGES):
                        # The namenode that comes back, or takes over, may be in safe mode first.
                        awaited = (*awaited, SafeMode)
                    self._note(call, error, patience.should_tell(now))
                waited = True
                tell_waiting(True)
                # Clients that lost the same namenode must not come back in step.
                self._closed.wait(pause * random.uniform(0.5, 1.0))

    def _ask_each(
        self, call: Call, args: Tuple[Any, ...], _seconds: Optional[float] = None
    ) -> Any:
        """Call until a namenode answers that leads, each once at most."""
        with self._numbered(call, args, None) as sent:
            for _ in range(self._servers - 1):
                with suppress(*_ELSEWHERE):
                    return self._pool.call(call.name, *sent, timeout=BRIEF_SECONDS)
            return self._pool.call(call.name, *sent, timeout=BRIEF_SECONDS)

    @staticmethod
    def _note(call: Call, error: DfsError, aloud: bool) -> None:
        if aloud:
            log.warning("namenode.awaited", method=call.name, error=error.message)
        else:
            log.debug("call.repeated", method=call.name, error=error.message)


def _epoch_of(remote: Remote) -> int:
    """In which epoch the namenode leads that is asked; 0 when it does not, or cannot prove it."""
    asked = AvailabilityCalls(lambda call, args, _: remote.perform(call, args, _PROBE_SECONDS))
    return asked.service_state().epoch


def _on_each(
    greeting: Callable[[NameNodeCalls], None], settings: Settings
) -> Callable[[Remote], None]:
    seconds = settings.network.call_timeout_seconds

    def greet(remote: Remote) -> None:
        greeting(NameNodeCalls(lambda call, args, _: remote.perform(call, args, seconds)))

    return greet
