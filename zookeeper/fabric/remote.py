"""The calling side: connections to other processes' services, with a deadline on every call."""

import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Optional, Sequence, Tuple, Type

from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import ANSWERS_WITH_BODY, TAKES_BODY, Call
from zookeeper.fabric.errors import (
    DeadlineExceeded,
    DfsError,
    NotLeader,
    ProtocolViolation,
    Unavailable,
)
from zookeeper.fabric.forks import Forkable, watch
from zookeeper.fabric.frames import Frames, ping_message, reply_outcome, request_message
from zookeeper.fabric.handshake import greet
from zookeeper.fabric.settings import Address, NetworkSettings
from zookeeper.fabric.sockets import dial
from zookeeper.fabric.stream import (
    Buffer,
    PacketReader,
    PacketWriter,
    Stream,
    starts_packet,
)

PING_AFTER_SECONDS = 2.0
"""A connection that was idle for so long is asked whether it still leads anywhere."""


class _Guard:
    """Closes a connection when its use ends with an error that is not of the family.

    After one of the family a connection is as good as before, or closed already. After any other
    (Ctrl+C, what a signal handler raises) nobody knows how far it has come: a reply that is still
    to come would be taken for the next call's.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Optional[Type[BaseException]], *_: object) -> None:
        if kind is not None and not issubclass(kind, DfsError):
            self._stream.close()


class Remote(Forkable):
    """A connection to one server; one thread uses it at a time. A forked process finds it closed.

    Every call has a deadline. After any error but the server's own refusal the connection is
    closed, and `closed` says so: nobody can tell what the other side still does with it.
    """

    def __init__(self, stream: Stream, network: NetworkSettings, peer: str) -> None:
        self._stream = stream
        self._frames = Frames(stream, network.max_frame_bytes)
        self._sequence = 0
        self.guard = _Guard(stream)
        self.peer = peer
        watch(self)

    @classmethod
    def connect(
        cls, server: str, address: Address, credentials: Credentials, network: NetworkSettings
    ) -> "Remote":
        """Dial `address` and expect the server of this role there; raises Unavailable."""
        peer = f"{server} {address}"
        deadline = time.monotonic() + network.handshake_timeout_seconds
        stream = dial(address, network, peer)
        greet(stream, credentials, f"{server}@{address}", deadline)
        return cls(stream, network, peer)

    @property
    def closed(self) -> bool:
        """Whether the connection cannot be used any more."""
        return self._stream.closed

    @property
    def stale(self) -> bool:
        """Whether an idle connection was closed by the server, or says something unasked."""
        return self.closed or self._stream.poll(0)

    def answers(self, seconds: float) -> bool:
        """Whether the server still answers, within so many seconds; if not, this is closed."""
        deadline = time.monotonic() + seconds
        self._sequence += 1
        try:
            with self.guard:
                self._frames.send(ping_message(self._frames, self._sequence), deadline)
                self._reply(deadline)
        except DfsError:
            self.close()
        return not self.closed

    def close(self) -> None:
        """Close at once; the server notices by itself."""
        self._stream.close()

    def forked(self) -> None:
        """The connection stays the parent's."""
        self._stream.drop()

    def call(self, method: str, *args: Any, timeout: float) -> Any:
        """Call an exposed method and return its result; raises what the server raised."""
        deadline = time.monotonic() + timeout
        message = self._message(method, args)
        with self.guard:
            self._frames.send(message, deadline)
            return self._reply(deadline)

    def perform(self, call: Call, args: Tuple[Any, ...], timeout: float) -> Any:
        """Make a call of a table: its answer, or the caller's side of its body."""
        if call.body == TAKES_BODY:
            body = self.call_with_body(call.name, *args, timeout=timeout)
            body.interpret = call.result
            return body
        if call.body == ANSWERS_WITH_BODY:
            return self.call_for_body(call.name, *args, timeout=timeout)
        return self.call(call.name, *args, timeout=timeout)

    def call_with_body(self, method: str, *args: Any, timeout: float) -> "OutgoingBody":
        """Begin a call of a method that takes a body; `timeout` is for its reply."""
        message = self._message(method, args)
        with self.guard:
            self._frames.send(message, time.monotonic() + timeout)
            return OutgoingBody(self, timeout)

    def call_for_body(self, method: str, *args: Any, timeout: float) -> "IncomingBody":
        """Begin a call of a method that answers with a body; `timeout` is for its beginning."""
        message = self._message(method, args)
        with self.guard:
            self._frames.send(message, time.monotonic() + timeout)
            return IncomingBody(self, timeout)

    def _message(self, method: str, args: Tuple[Any, ...]) -> bytes:
        self._sequence += 1
        return request_message(self._frames, self._sequence, method, args)

    def _reply(self, deadline: float) -> Any:
        self._stream.await_readable(deadline)
        try:
            outcome = reply_outcome(self._frames.recv(deadline), self._sequence)
        except ProtocolViolation as error:
            self.close()
            raise ProtocolViolation(f"{self.peer}: {error.message}") from None
        if isinstance(outcome, DfsError):
            raise outcome
        return outcome


class OutgoingBody:
    """The caller's side of a call that takes a body."""

    def __init__(self, remote: Remote, timeout: float) -> None:
        self._remote = remote
        self._timeout = timeout
        self._packets = PacketWriter(remote._stream)
        self.interpret: Callable[[Any], Any] = lambda answer: answer

    def send(self, data: Buffer, checksum: int) -> None:
        """Send one packet, or raise the error that the server replied early with."""
        with self._remote.guard:
            if self._remote._stream.poll(0):
                self._raise_early_reply()
            self._packets.send(data, checksum)

    def finish(self) -> Any:
        """Mark the body as whole and return the call's result."""
        self.end()
        return self.result()

    def result(self) -> Any:
        """The call's result, once `end` was called."""
        with self._remote.guard:
            return self.interpret(self._remote._reply(time.monotonic() + self._timeout))

    def end(self) -> None:
        """Mark the body as whole without waiting; `result` then waits."""
        with self._remote.guard:
            self._packets.end()

    def close(self) -> None:
        """Hang up in the middle of the body; the server drops what it has."""
        self._remote.close()

    def _raise_early_reply(self) -> None:
        remote = self._remote
        try:
            remote._reply(time.monotonic() + self._timeout)
        finally:
            remote.close()
        raise ProtocolViolation(f"{remote.peer} replied before the body was complete")


class IncomingBody:
    """The caller's side of a call that answers with a body."""

    def __init__(self, remote: Remote, timeout: float) -> None:
        self._remote = remote
        self._timeout = timeout
        self._begun = False
        self._packets = PacketReader(remote._stream)

    def receive(self, buffer: memoryview) -> Optional[Tuple[memoryview, int]]:
        """The next packet (bytes, CRC32) in `buffer`; None once the body is over and whole.

        Raises what the server raised when it could not send all of it.
        """
        with self._remote.guard:
            if not self._begun:
                self._await_first_packet()
            packet = self._packets.receive(buffer)
            if packet is None:
                self._remote._reply(time.monotonic() + self._timeout)
                if not self._packets.whole:
                    raise ProtocolViolation(
                        f"{self._remote.peer} broke a body off without a reason"
                    )
            return packet

    def _await_first_packet(self) -> None:
        """An error that came before the body began is a reply where a packet should be."""
        stream, deadline = self._remote._stream, time.monotonic() + self._timeout
        stream.await_readable(deadline)
        if not starts_packet(stream.peek(deadline)):
            self._remote._reply(deadline)
            self._remote.close()
            raise ProtocolViolation(f"{self._remote.peer} replied without a body")
        self._begun = True


class RemotePool(Forkable):
    """Idle connections to one server, for many threads; dials when none is idle."""

    IDLE_MAX = 16

    def __init__(
        self, server: str, address: Address, credentials: Credentials, network: NetworkSettings
    ) -> None:
        self._parameters = (server, address, credentials, network)
        # Each with the moment since when it is idle; the one that was used last is taken first.
        self._idle: Deque[Tuple[Remote, float]] = deque()
        self._lock = threading.Lock()
        self._closed = False
        self.address = address
        watch(self)

    def forked(self) -> None:
        """A thread of the parent's may have held the lock."""
        self._lock = threading.Lock()
        self._idle.clear()

    def call(self, method: str, *args: Any, timeout: Optional[float] = None) -> Any:
        """Call once, never again: whether to repeat is the caller's decision."""
        network = self._parameters[3]
        remote = self._take()
        try:
            seconds = network.call_timeout_seconds if timeout is None else timeout
            return remote.call(method, *args, timeout=seconds)
        finally:
            self._give_back(remote)

    def perform(self, call: Call, args: Tuple[Any, ...], seconds: Optional[float] = None) -> Any:
        """Make a call of a table once; its body, if it has one, is for connections of one's own."""
        return self.call(call.name, *args, timeout=seconds)

    def close(self) -> None:
        """Close the idle connections; connections in use are closed when they come back."""
        with self._lock:
            self._closed = True
        self._drop_idle()

    def _take(self) -> Remote:
        """A connection that was in use a moment ago, or answers, or is new.

        A gateway that forgot an idle one drops what is sent on it, silently: the call would wait
        for its whole time, and nobody could tell whether it ran.
        """
        while True:
            with self._lock:
                if self._closed:
                    raise Unavailable("this client has been closed")
                remote, since = self._idle.pop() if self._idle else (None, 0.0)
            if remote is None:
                return self._dial()
            if remote.stale:
                remote.close()
            elif time.monotonic() - since < PING_AFTER_SECONDS:
                return remote
            elif remote.answers(self._parameters[3].handshake_timeout_seconds):
                return remote
            else:
                self._drop_idle()  # They were idle for longer still.

    def _dial(self) -> Remote:
        try:
            return Remote.connect(*self._parameters)
        except DeadlineExceeded as error:
            # No call was made yet: whoever listens there is no living server.
            server, address, *_ = self._parameters
            raise Unavailable(f"cannot reach the {server} {address}: {error.message}") from None

    def _give_back(self, remote: Remote) -> None:
        if remote.closed:
            return
        with self._lock:
            if not self._closed and len(self._idle) < self.IDLE_MAX:
                self._idle.append((remote, time.monotonic()))
                return
        remote.close()

    def _drop_idle(self) -> None:
        with self._lock:
            idle, self._idle = list(self._idle), deque()
        for remote, _ in idle:
            remote.close()


class LeaderPool:
    """Connections to whichever of several servers of one role leads.

    `call` asks the one that answered last. When it is out of reach or does not lead, the error
    reaches the caller as usual, and the next call asks the next server: who repeats a call (with
    the same operation id, where it changes something) finds the leader by repeating.
    """

    def __init__(
        self,
        server: str,
        addresses: Sequence[Address],
        credentials: Credentials,
        network: NetworkSettings,
    ) -> None:
        self._pools = [RemotePool(server, item, credentials, network) for item in addresses]
        self._current = 0

    def call(self, method: str, *args: Any, timeout: Optional[float] = None) -> Any:
        """Call the presumed leader once."""
        asked = self._current
        try:
            return self._pools[asked].call(method, *args, timeout=timeout)
        except (Unavailable, NotLeader):
            self._turn(asked)
            raise

    def perform(self, call: Call, args: Tuple[Any, ...], seconds: Optional[float] = None) -> Any:
        """Make a call of a table once, of the presumed leader."""
        return self.call(call.name, *args, timeout=seconds)

    def turn(self) -> None:
        """The presumed leader was overtaken, as its answer shows: ask the next one from now on."""
        self._turn(self._current)

    def _turn(self, asked: int) -> None:
        if asked == self._current:
            self._current = (asked + 1) % len(self._pools)

    def close(self) -> None:
        """Close all idle connections."""
        for pool in self._pools:
            pool.close()
