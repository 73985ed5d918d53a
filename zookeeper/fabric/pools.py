"""Idle connections, kept for the next call: for many threads, and to one server or several.

Theory of operation. A connection costs a dial, a handshake and a thread at the server, more than a
small call by far; so one that ended its call well is kept. One that did not is closed: nobody can
tell what its other side still does with it. Before one that was idle is used again it is looked at,
because a call on a dead one fails as if it might have run: what the server closed shows at once,
and one that was idle for a while is asked whether it still leads anywhere.
"""

import dataclasses
import threading
import time
from collections import deque
from contextlib import nullcontext
from functools import partial
from typing import (
    Any,
    Callable,
    ContextManager,
    Deque,
    Dict,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import DeadlineExceeded, DfsError, NotLeader, Unavailable
from zookeeper.fabric.forks import Forkable, watch
from zookeeper.fabric.leader_probe import LeaderProbe
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address, NetworkSettings

PING_AFTER_SECONDS = 2.0
"""A connection that was idle for so long is asked whether it still leads anywhere."""

REMEMBERED_SECONDS = 60.0
"""No gateway forgets a connection that was idle for less."""

FIRST_PATIENCE_SECONDS = 1.0
"""How long one of several servers is waited for at first: another one may lead long since. Each
time that it is silent it is given so much longer, up to the usual time: it may only be slow."""

IDLE_MAX = 16
"""How many idle connections a pool keeps; one more, and the one that is idle longest is closed."""


class _Idle(NamedTuple):
    """A connection that nobody uses, and the moment since when."""

    address: Address
    remote: Remote
    since: float


class ConnectionPool(Forkable):
    """Connections to servers of one role, each at an address of its own. Thread-safe.

    Those that are idle for longer than `idle_seconds` are closed when the pool is used next: each
    keeps a thread busy at its server. With `here` they lead to servers on this machine only, by
    their Unix sockets. `greet` says on each new one what it needs to know before all calls; what it
    raises is their error. A forked process begins with none.
    """

    def __init__(
        self,
        server: str,
        credentials: Credentials,
        network: NetworkSettings,
        idle_seconds: float = float("inf"),
        here: bool = False,
        greet: Optional[Callable[[Remote], None]] = None,
    ) -> None:
        self._server = server
        self._credentials = credentials
        self._network = network
        self._idle_seconds = idle_seconds
        self._here = here
        self._greet = greet
        # By the moment since when; the one that was used last is taken first.
        self._idle: Deque[_Idle] = deque()
        self._lock = threading.Lock()
        self._closed = False
        watch(self)

    def forked(self) -> None:
        """A thread of the parent's may have held the lock."""
        self._lock = threading.Lock()
        self._idle.clear()

    def call(
        self, address: Address, method: str, *args: Any, timeout: Optional[float] = None
    ) -> Any:
        """Call once, never again: whether to repeat is the caller's decision."""
        seconds = self._network.call_timeout_seconds if timeout is None else timeout
        remote = self.take(address)
        try:
            return remote.call(method, *args, timeout=seconds)
        finally:
            self.give_back(address, remote)

    def perform(
        self,
        address: Address,
        call: Call,
        args: Tuple[Any, ...],
        seconds: Optional[float] = None,
    ) -> Any:
        """Make a call of a table once; what has a body is to be closed, whatever becomes of it."""
        if not call.body:
            return self.call(address, call.name, *args, timeout=seconds)
        remote = self.take(address)
        try:
            timeout = self._network.call_timeout_seconds if seconds is None else seconds
            body = remote.perform(call, args, timeout)
        except BaseException:
            remote.close()
            raise
        body.release = partial(self.give_back, address)
        return body

    def close(self) -> None:
        """Close the idle connections; connections in use are closed when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, deque()
        _close(idle)

    def take(self, address: Address, patience: float = float("inf")) -> Remote:
        """A connection that was in use a moment ago, or answers, or is new. `patience` is how many
        seconds a silent server is waited for, if that is less than the usual time.

        A gateway that forgot an idle one drops what is sent on it, silently: the call would wait
        for its whole time, and nobody could tell whether it ran. Where none can have forgotten it
        a server that is silent does not live: it is Unavailable, and not dialled in vain as well.
        """
        seconds = min(patience, self._network.handshake_timeout_seconds)
        while True:
            idle = self._newest(address)
            if idle is None:
                return self._dial(address, seconds)
            if idle.remote.stale:
                idle.remote.close()
            elif time.monotonic() - idle.since < PING_AFTER_SECONDS:
                return idle.remote
            elif self._answers(idle, seconds):
                return idle.remote
            else:
                self._forget(address)  # They were idle for longer still.

    def _answers(self, idle: _Idle, seconds: float) -> bool:
        try:
            return idle.remote.answers(seconds)
        except DeadlineExceeded as error:
            if self._idle_seconds < REMEMBERED_SECONDS:
                self._forget(idle.address)
                raise self._unreached(idle.address, error) from None
            return False

    def _newest(self, address: Address) -> Optional[_Idle]:
        with self._lock:
            if self._closed:
                raise Unavailable("this client has been closed")
            over = self._outdated()
            if self._idle and self._idle[-1].address == address:
                found: Optional[_Idle] = self._idle.pop()
            else:
                found = next((one for one in reversed(self._idle) if one.address == address), None)
                if found is not None:
                    self._idle.remove(found)
        _close(over)
        return found

    def _dial(self, address: Address, seconds: float) -> Remote:
        network = dataclasses.replace(self._network, handshake_timeout_seconds=seconds)
        try:
            remote = Remote.connect(self._server, address, self._credentials, network, self._here)
        except DeadlineExceeded as error:
            # No call was made yet: whoever listens there is no living server.
            raise self._unreached(address, error) from None
        if self._greet is not None:
            try:
                self._greet(remote)
            except BaseException:
                remote.close()
                raise
        return remote

    def _unreached(self, address: Address, error: DfsError) -> Unavailable:
        return Unavailable(f"cannot reach the {self._server} {address}: {error.message}")

    def give_back(self, address: Address, remote: Remote) -> None:
        """What was taken, for whoever comes next, unless it was closed meanwhile."""
        if remote.closed:
            return
        with self._lock:
            self._idle.append(_Idle(address, remote, time.monotonic()))
            over = self._outdated()
            if self._closed:
                over, self._idle = self._idle, deque()
            elif len(self._idle) > IDLE_MAX:
                over.append(self._idle.popleft())
        _close(over)

    def _outdated(self) -> Deque[_Idle]:
        """Take out those that were idle for too long."""
        over: Deque[_Idle] = deque()
        while self._idle and time.monotonic() - self._idle[0].since > self._idle_seconds:
            over.append(self._idle.popleft())
        return over

    def _forget(self, address: Address) -> None:
        with self._lock:
            gone = deque(one for one in self._idle if one.address == address)
            self._idle = deque(one for one in self._idle if one.address != address)
        _close(gone)


def _close(idle: Deque[_Idle]) -> None:
    for one in idle:
        one.remote.close()


class RemotePool:
    """Connections to one server, for many threads."""

    def __init__(
        self, server: str, address: Address, credentials: Credentials, network: NetworkSettings
    ) -> None:
        self._connections = ConnectionPool(server, credentials, network)
        self.address = address

    def call(self, method: str, *args: Any, timeout: Optional[float] = None) -> Any:
        """Call once, never again: whether to repeat is the caller's decision."""
        return self._connections.call(self.address, method, *args, timeout=timeout)

    def perform(self, call: Call, args: Tuple[Any, ...], seconds: Optional[float] = None) -> Any:
        """Make a call of a table once."""
        return self._connections.perform(self.address, call, args, seconds)

    def close(self) -> None:
        """Close all idle connections."""
        self._connections.close()


class LeaderPool:
    """Connections to whichever of several servers of one role leads.

    `call` asks the one that answered last. When it is out of reach or does not lead, the error
    reaches the caller as usual, and the next call asks the next server: who repeats a call (with
    the same operation id, where it changes something) finds the leader by repeating. `greet`: see
    ConnectionPool. `epoch_of(connection)` asks a server in which epoch it leads, 0 when it does
    not: with it the others are asked while a call waits; see `leader_probe.py`.
    """

    def __init__(
        self,
        server: str,
        addresses: Sequence[Address],
        credentials: Credentials,
        network: NetworkSettings,
        greet: Optional[Callable[[Remote], None]] = None,
        epoch_of: Optional[Callable[[Remote], int]] = None,
    ) -> None:
        self._connections = ConnectionPool(server, credentials, network, greet=greet)
        self._call_seconds = network.call_timeout_seconds
        self._addresses = tuple(addresses)
        self._current = 0
        self._failures: Dict[Address, int] = {}
        """How often in a row each of several has not been reached; 0 is left out."""
        self._probe: Optional[LeaderProbe] = None
        if epoch_of is not None and len(self._addresses) > 1:
            asking = partial(self._ask, epoch_of)
            self._probe = LeaderProbe(self._addresses, asking, self._found)

    def call(self, method: str, *args: Any, timeout: Optional[float] = None) -> Any:
        """Call the presumed leader once."""
        asked = self._current
        address = self._addresses[asked]
        seconds = self._call_seconds if timeout is None else timeout
        try:
            remote = self._reach(address)
            try:
                with self._watching(address, remote):
                    return remote.call(method, *args, timeout=seconds)
            finally:
                self._connections.give_back(address, remote)
        except (Unavailable, NotLeader):
            self._turn(asked)
            raise

    def _reach(self, address: Address) -> Remote:
        if len(self._addresses) == 1:
            return self._connections.take(address)
        failures = self._failures.get(address, 0)
        try:
            remote = self._connections.take(address, FIRST_PATIENCE_SECONDS * (1 + failures))
        except Unavailable:
            self._failures[address] = failures + 1
            raise
        self._failures.pop(address, None)
        return remote

    def _watching(self, address: Address, remote: Remote) -> ContextManager[None]:
        return nullcontext() if self._probe is None else self._probe.watching(address, remote)

    def _ask(self, epoch_of: Callable[[Remote], int], address: Address) -> int:
        remote = self._connections.take(address)
        try:
            return epoch_of(remote)
        finally:
            self._connections.give_back(address, remote)

    def _found(self, leader: Address) -> None:
        self._current = self._addresses.index(leader)

    def perform(self, call: Call, args: Tuple[Any, ...], seconds: Optional[float] = None) -> Any:
        """Make a call of a table once, of the presumed leader; of one without a body."""
        return self.call(call.name, *args, timeout=seconds)

    def turn(self) -> None:
        """The presumed leader was overtaken, as its answer shows: ask the next one from now on."""
        self._turn(self._current)

    def _turn(self, asked: int) -> None:
        if asked == self._current:
            self._current = (asked + 1) % len(self._addresses)

    def close(self) -> None:
        """Close all idle connections."""
        if self._probe is not None:
            self._probe.close()
        self._connections.close()
