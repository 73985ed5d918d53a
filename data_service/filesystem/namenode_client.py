"""The client's line to the namenode: repeats what may be repeated, until a deadline.

Theory of operation. A call whose answer was lost may have run. Reads are simply repeated; every
mutation carries an operation id (client id, call number), and the namenode answers a repeated one
from its retry cache, so repeating has one effect. The first contact of a client fails soon when
nobody answers, so that a person learns that the cluster is down. When somebody answers that he does
not lead yet, is busy or has just started, or when this client was served before, it is patient, and
says once what it waits for.
"""

import itertools
import os
import random
import threading
import time
from contextlib import contextmanager
from typing import Any, Iterator, Set, Tuple, Type

from zookeeper.fabric import logs
from zookeeper.fabric.auth import Credentials
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
from zookeeper.fabric.settings import ClientSettings, Settings

log = logs.get("client")

Awaited = Tuple[Type[DfsError], ...]

_OUTAGES = (Unavailable, NotLeader, Busy)
_SIGNS_OF_LIFE = (NotLeader, Busy, SafeMode, DeadlineExceeded)
_PAUSE_SECONDS_MIN, _PAUSE_SECONDS_MAX = 0.05, 1.0

LIST_ROWS = 1000
"""Rows of one page of a long answer."""

START_SECONDS = 10.0
"""How long a client waits for a namenode that has just started to leave safe mode: usually it is a
moment, but with lost blocks it takes until somebody turns safe mode off."""

SILENT_SECONDS = 2.0
"""How long a client waits without a word about why."""

PARTING_SECONDS = 2.0
"""How long a client that goes waits for a namenode to hear its last words."""


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


class NameNodeClient(Forkable):
    """Calls to the namenode that leads; thread-safe. A forked process is another client."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self._settings = settings.client
        # These wait on purpose, at the namenode, before they answer that it was in vain.
        seconds = settings.name_node.complete_timeout_seconds
        seconds += settings.network.call_timeout_seconds
        self._timeouts = {"complete": seconds, "flush": seconds}
        self._served = False
        self._closed = threading.Event()
        self._servers = len(settings.name_node.hosts)
        self._pool = LeaderPool(
            NAME_NODE, settings.name_node.hosts, credentials, settings.network
        )
        self._begin()
        watch(self)

    def _begin(self) -> None:
        self.client_id = os.urandom(16).hex()
        self._lock = threading.Lock()
        self._calls = itertools.count(1)
        self._awaited: Set[int] = set()

    def forked(self) -> None:
        """Two processes that gave one id to their calls would get each other's answers."""
        self._begin()
        closed, self._closed = self._closed.is_set(), threading.Event()
        if closed:
            self._closed.set()

    @contextmanager
    def operation(self) -> Iterator[Tuple[str, int, int]]:
        """A fresh operation id: give it to one mutation, and to every repetition of it.

        It is (client id, number, the least number of the calls that this client still waits for):
        the namenode forgets the answers to earlier ones. At the block's end nobody waits any more.
        """
        with self._lock:
            number = next(self._calls)
            self._awaited.add(number)
            operation = self.client_id, number, min(self._awaited)
        try:
            yield operation
        finally:
            with self._lock:
                self._awaited.discard(number)

    @property
    def patience_seconds(self) -> float:
        """How long an operation in progress rides out an outage."""
        return self._settings.retry_seconds

    def call(self, method: str, *args: Any) -> Any:
        """Call, and repeat while the namenode is out of reach; raises what it answered."""
        return self._repeat(method, args, ())

    def mutate(self, method: str, *args: Any) -> Any:
        """Call a mutation under one operation id, which it gets as its first argument."""
        with self.operation() as operation:
            return self.call(method, operation, *args)

    def persist(self, method: str, *args: Any, awaited: Awaited = ()) -> Any:
        """Call for a write in progress, which also waits for a restarting namenode's safe mode.

        Errors of the kinds `awaited` are waited out, too.
        """
        return self._repeat(method, args, (SafeMode, *awaited))

    def part(self, method: str, *args: Any) -> None:
        """Call once, briefly, for what the namenode finds out by itself if it does not hear it."""
        self._pool.call(method, *args, timeout=PARTING_SECONDS)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed.is_set()

    def close(self) -> None:
        """Close the connections; a call that waits to be repeated fails at once."""
        self._closed.set()
        self._pool.close()

    def _repeat(self, method: str, args: Tuple[Any, ...], awaited: Awaited) -> Any:
        """Call until it is answered; errors of the kinds `awaited` are waited out as well."""
        if self.closed:
            raise InvalidArgument(f"{method}: this FileSystem was closed: make another one")
        patience = _Patience(self._settings, self._served, self._servers, time.monotonic())
        timeout = self._timeouts.get(method)
        pause = _PAUSE_SECONDS_MIN
        while True:
            waited_out: Awaited = (*_OUTAGES, StartingUp, *awaited)
            try:
                result = self._pool.call(method, *args, timeout=timeout)
                self._served = True
                return result
            except waited_out as error:
                now = time.monotonic()
                if patience.is_over(error, pause, now) or self._closed.is_set():
                    raise
                if isinstance(error, _OUTAGES):
                    # The namenode that comes back, or takes over, may be in safe mode first.
                    awaited = (*awaited, SafeMode)
                self._note(method, error, patience.should_tell(now))
            # Clients that lost the same namenode must not come back in step.
            self._closed.wait(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _PAUSE_SECONDS_MAX)

    @staticmethod
    def _note(method: str, error: DfsError, aloud: bool) -> None:
        if aloud:
            log.warning("namenode.awaited", method=method, error=error.message)
        else:
            log.debug("call.repeated", method=method, error=error.message)
