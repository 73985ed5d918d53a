"""The calling side: connections to other processes' services, with a deadline on every call."""

import time
from typing import Any, Callable, List, Optional, Sequence, Tuple, Type

from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import ANSWERS_WITH_BODY, TAKES_BODY, Call
from zookeeper.fabric.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    DfsError,
    ProtocolViolation,
)
from zookeeper.fabric.forks import Forkable, watch
from zookeeper.fabric.frames import Frames, Request, ping_message, reply_outcome, request_message
from zookeeper.fabric.handshake import greet
from zookeeper.fabric.packets import PacketReader, PacketWriter, starts_packet
from zookeeper.fabric.settings import Address, NetworkSettings
from zookeeper.fabric.sockets import dial, dial_here
from zookeeper.fabric.stream import Buffer, Stream, readable


Release = Callable[["Remote"], None]
"""Told of a connection whose body is over, and ended well: it is free for another call."""


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
        cls,
        server: str,
        address: Address,
        credentials: Credentials,
        network: NetworkSettings,
        here: bool = False,
    ) -> "Remote":
        """Dial `address` and expect the server of this role there; raises Unavailable.

        With `here` only on this machine, by a Unix socket, over which it can hand open files.
        """
        peer, name = f"{server} {address}", f"{server}@{address}"
        refusal = AuthenticationFailed(f"this process has no key for the {peer}")
        for introduction in credentials.to(server, address):
            deadline = time.monotonic() + network.handshake_timeout_seconds
            stream = dial_here(name, network, peer) if here else dial(address, network, peer)
            if credentials.tls is not None and not here:
                stream = credentials.tls.call(stream, server, address.host, deadline)
            try:
                greet(stream, introduction, name, deadline)
                return cls(stream, network, peer)
            except AuthenticationFailed as error:
                refusal = error
        raise refusal

    @property
    def closed(self) -> bool:
        """Whether the connection cannot be used any more."""
        return self._stream.closed

    @property
    def stale(self) -> bool:
        """Whether an idle connection was closed by the server, or says something unasked."""
        return self.closed or self._stream.poll(0)

    def answers(self, seconds: float) -> bool:
        """Whether the server still answers; if not, this is closed.

        Raises DeadlineExceeded when nothing at all came within so many seconds.
        """
        deadline = time.monotonic() + seconds
        self._sequence += 1
        try:
            with self.guard:
                self._frames.send(ping_message(self._frames, self._sequence), deadline)
                self._reply(deadline)
        except DeadlineExceeded:
            raise
        except DfsError:
            self.close()
        return not self.closed

    def close(self) -> None:
        """Close at once; the server notices by itself."""
        self._stream.close()

    def interrupt(self) -> None:
        """From another thread: the call that waits for an answer fails, as if the server had hung
        up."""
        self._stream.interrupt()

    def forked(self) -> None:
        """The connection stays the parent's."""
        self._stream.drop()

    def call(self, method: str, *args: Any, timeout: float) -> Any:
        """Call an exposed method and return its result; raises what the server raised."""
        deadline = time.monotonic() + timeout
        message = self._message(Request(method, args))
        with self.guard:
            self._frames.send(message, deadline)
            return self._reply(deadline)

    def begin(self, request: Request, timeout: float) -> None:
        """Send a call and do not wait for its answer, which `finish` takes before any other call.

        So one thread can ask several servers at once: `answering` says which of them have answered.
        `timeout` is for the other side to take the message. With 0 nobody is waited for: what it
        does not take at once goes on its way in `answering`.
        """
        message = self._message(request)
        with self.guard:
            if timeout:
                self._frames.send(message, time.monotonic() + timeout)
            else:
                self._frames.post(message)

    def finish(self, timeout: float) -> Any:
        """The result of the call that was begun; raises what the server raised."""
        with self.guard:
            # Mostly it has come, so there is no wait for it: reading waits when it has not.
            return self._outcome(time.monotonic() + timeout)

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
        message = self._message(Request(method, args))
        with self.guard:
            self._frames.send(message, time.monotonic() + timeout)
            return OutgoingBody(self, timeout)

    def call_for_body(self, method: str, *args: Any, timeout: float) -> "IncomingBody":
        """Begin a call of a method that answers with a body; `timeout` is for its beginning."""
        message = self._message(Request(method, args))
        with self.guard:
            self._frames.send(message, time.monotonic() + timeout)
            return IncomingBody(self, timeout)

    def _message(self, request: Request) -> bytes:
        self._sequence += 1
        return request_message(self._frames, self._sequence, request)

    def _reply(self, deadline: float) -> Any:
        self._stream.await_readable(deadline)
        return self._outcome(deadline)

    def _outcome(self, deadline: float) -> Any:
        try:
            outcome = reply_outcome(self._frames.recv_last(deadline), self._sequence)
        except ProtocolViolation as error:
            self.close()
            raise ProtocolViolation(f"{self.peer}: {error.message}") from None
        if isinstance(outcome, DfsError):
            raise outcome
        return outcome


def answering(remotes: Sequence[Remote], seconds: float) -> List[Remote]:
    """Those whose whole answers have come, or whose connections are over: waits for the first one
    for so long, and gives none when the time is over. Who has said half a message keeps nobody."""
    deadline = time.monotonic() + seconds
    while True:
        rest = {one._stream: one for one in remotes if not one._frames.whole}
        left = deadline - time.monotonic() if len(rest) == len(remotes) else 0.0
        for stream in readable(list(rest), left):
            with rest[stream].guard:
                rest[stream]._frames.gather()
        come = [remote for remote in remotes if remote._frames.whole]
        if come or time.monotonic() >= deadline:
            return come


class _Body:
    """A call's body on its way: it has its connection until it ends well, or is closed."""

    def __init__(self, remote: Remote, timeout: float) -> None:
        self._remote = remote
        self._timeout = timeout
        self._released = False
        self.release: Optional[Release] = None

    def close(self) -> None:
        """Hang up in the middle; after a good end the connection is somebody else's already."""
        if not self._released:
            self._remote.close()

    def _end_well(self) -> Any:
        """The reply behind the body, after which the connection is free."""
        reply = self._remote._reply(time.monotonic() + self._timeout)
        if self.release is not None:
            self._released = True
            self.release(self._remote)
        return reply


class OutgoingBody(_Body):
    """The caller's side of a call that takes a body."""

    def __init__(self, remote: Remote, timeout: float) -> None:
        super().__init__(remote, timeout)
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
            return self.interpret(self._end_well())

    def end(self) -> None:
        """Mark the body as whole without waiting; `result` then waits."""
        with self._remote.guard:
            self._packets.end()

    def _raise_early_reply(self) -> None:
        remote = self._remote
        try:
            remote._reply(time.monotonic() + self._timeout)
        finally:
            remote.close()
        raise ProtocolViolation(f"{remote.peer} replied before the body was complete")


class IncomingBody(_Body):
    """The caller's side of a call that answers with a body."""

    def __init__(self, remote: Remote, timeout: float) -> None:
        super().__init__(remote, timeout)
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
                self._end()
            return packet

    def receive_file(self, buffer: memoryview) -> Optional[Tuple[memoryview, int]]:
        """The bytes of the next packet in `buffer`, and the open file that was handed over beside
        them, which is the caller's to close; None once the body is over and whole."""
        with self._remote.guard:
            if not self._begun:
                self._await_first_packet()
            packet = self._packets.receive_file(buffer)
            if packet is None:
                self._end()
            return packet

    def _end(self) -> None:
        """The body is over: whole, or the reply tells why not."""
        if self._packets.whole:
            self._end_well()
        else:
            self._remote._reply(time.monotonic() + self._timeout)
            raise ProtocolViolation(f"{self._remote.peer} broke a body off without a reason")

    def _await_first_packet(self) -> None:
        """An error that came before the body began is a reply where a packet should be."""
        stream, deadline = self._remote._stream, time.monotonic() + self._timeout
        stream.await_readable(deadline)
        if not starts_packet(stream.peek(deadline)):
            self._remote._reply(deadline)
            self._remote.close()
            raise ProtocolViolation(f"{self._remote.peer} replied without a body")
        self._begun = True
