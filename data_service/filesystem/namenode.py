"""The client's line to the namenode: repeats what may be repeated, until a deadline.

Theory of operation. A call whose answer was lost may have run. Reads are simply repeated; every
mutation carries an operation id (client id, call number), and the namenode answers a repeated one
from its retry cache, so repeating has one effect. The first contact of a client fails soon, so
that a person learns that the cluster is down; a client that was served before rides out an
outage, such as a restart of the namenode in the middle of a put.
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
    DfsError,
    NotLeader,
    SafeMode,
    Unavailable,
)
from zookeeper.fabric.forks import Forkable, watch
from zookeeper.fabric.remote import LeaderPool
from zookeeper.fabric.settings import Settings

log = logs.get("client")

Awaited = Tuple[Type[DfsError], ...]

_OUTAGES = (Unavailable, NotLeader, Busy)
_PAUSE_SECONDS_MIN, _PAUSE_SECONDS_MAX = 0.05, 1.0

LIST_ROWS = 1000
"""Rows of one page of a long answer."""

PARTING_SECONDS = 2.0
"""How long a client that goes waits for a namenode to hear its last words."""


class NameNodeClient(Forkable):
    """Calls to the namenode that leads; thread-safe. A forked process is another client."""

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self._settings = settings.client
        self._served = False
        self._closed = threading.Event()
        self._servers = len(settings.name_node.hosts)
        self._pool = LeaderPool(
            "name_node", settings.name_node.hosts, credentials, settings.network
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

    def close(self) -> None:
        """Close the connections; a call that waits to be repeated fails at once."""
        self._closed.set()
        self._pool.close()

    def _repeat(self, method: str, args: tuple, awaited: Awaited) -> Any:
        """Call until it is answered; errors of the kinds `awaited` are waited out as well."""
        settings = self._settings
        patience = settings.retry_seconds if self._served else settings.connect_seconds
        timeout = None if self._served else settings.connect_seconds
        deadline = time.monotonic() + patience
        pause = _PAUSE_SECONDS_MIN
        for attempt in itertools.count(1):
            try:
                result = self._pool.call(method, *args, timeout=timeout)
                self._served = True
                return result
            except (*_OUTAGES, *awaited) as error:
                late = time.monotonic() + pause > deadline and attempt >= self._servers
                if late or self._closed.is_set():
                    raise
                if isinstance(error, _OUTAGES):
                    # The namenode that comes back, or takes over, may be in safe mode first.
                    awaited = (*awaited, SafeMode)
                self._note(method, error)
            # Clients that lost the same namenode must not come back in step.
            self._closed.wait(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _PAUSE_SECONDS_MAX)

    @staticmethod
    def _note(method: str, error: DfsError) -> None:
        log.debug("call.repeated", method=method, error=error.message)
