"""Bytes over a connected socket, with a deadline on every read and write.

Theory of operation. RPyC's own stream retries a timed-out read for ever, copies, and needs up to
three small writes for a frame. This one gives every operation an end: the socket blocks at most
`stall_seconds` in the kernel (SO_RCVTIMEO and SO_SNDTIMEO, set by `rpc.py`, cost no system call),
and an operation that makes progress but drips is cut after `stall_seconds` in all. A deadline
that passed raises DeadlineExceeded, a broken connection Unavailable; after either, the stream is
closed, because nobody can tell where in the stream of bytes the peer is.
"""

import errno
import os
import select
import time
from typing import Any, Dict, FrozenSet, List, Optional, Sequence, Tuple, Union

from zookeeper.fabric.errors import (
    CorruptData,
    DeadlineExceeded,
    DfsError,
    DiskFailed,
    InvalidArgument,
    Unavailable,
)

Buffer = Union[bytes, bytearray, memoryview]

_WAIT_FOR_ALL = 0x100  # MSG_WAITALL: one system call a packet, not one a segment.
DO_NOT_WAIT = 0x40  # MSG_DONTWAIT
_PEEK = 0x2  # MSG_PEEK
_PIECE_BYTES = 1 << 17
"""What is asked of the system at once: all that a peer announced would be allocated at once."""


class Stream:
    """A connected socket. Also has the methods that RPyC's Channel asks of a stream."""

    local = False
    """Whether it is a Unix socket: what goes over it does not leave this machine."""
    binding = b""
    """What a handshake on it is bound to: with TLS, the digest of the server's certificate; on a
    Unix socket, the user who serves there."""
    plain = True
    """Whether what comes is what is read: with TLS, some of it may be no message's."""
    holds_bytes = False
    """Whether something that has been received can be read, of which the system does not know."""
    names: Optional[FrozenSet[str]] = None
    """Those in the client's certificate, if it showed one; None without TLS."""

    def __init__(self, sock: Any, stall_seconds: float, peer: str) -> None:
        self._sock = sock
        self._descriptor = sock.fileno()
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self._unsent: Sequence[Buffer] = ()
        self.stall_seconds = stall_seconds
        self.peer = peer

    @property
    def closed(self) -> bool:
        """Whether `close` was called, or an operation failed."""
        return self._sock is None

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._descriptor

    def close(self) -> None:
        """Close at once, without waiting for the peer; may be called again."""
        sock, self._sock = self._sock, None
        if sock is not None:
            _shut_down(sock)
            sock.close()

    def drop(self) -> None:
        """Let go of a connection that another process has as well, and goes on with."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def interrupt(self) -> None:
        """From another thread: make the owner's pending read or write fail, and return."""
        sock = self._sock
        if sock is not None:
            _shut_down(sock)

    def poll(self, seconds: float) -> bool:
        """Whether something (bytes, or the end) can be read within `seconds`."""
        if self._sock is None:
            return True  # The descriptor may be another connection's by now.
        return bool(self._poll.poll(_milliseconds(seconds)))

    def hung_up(self) -> bool:
        """Whether the peer has closed, without waiting or taking anything; a broken stream has."""
        try:
            return self.poll(0) and not self._socket().recv(1, _PEEK | DO_NOT_WAIT)
        except BlockingIOError:
            return False
        except (OSError, DfsError):
            return True

    def await_readable(self, deadline: float) -> None:
        """Wait for the peer's next byte until `deadline` (time.monotonic)."""
        if not self.poll(deadline - time.monotonic()):
            raise self._fail(DeadlineExceeded(f"{self.peer} did not answer in time"))

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes."""
        deadline = time.monotonic() + self.stall_seconds
        try:
            data = self._socket().recv(count, _WAIT_FOR_ALL)
        except OSError as error:
            raise self._broken(error) from None
        if len(data) == count:
            return data
        if not data:
            raise self._gone()
        return data + self.read_by(count - len(data), deadline)

    def read_by(self, count: int, deadline: float) -> bytes:
        """Exactly `count` bytes by `deadline`, however they drip."""
        return self.read_between(count, count, deadline)

    def read_between(self, least: int, most: int, deadline: float) -> bytes:
        """At least so many bytes by `deadline`, and what has come with them, up to `most`."""
        parts: List[bytes] = []
        while least > 0:
            try:
                part = self._socket().recv(min(most, _PIECE_BYTES), DO_NOT_WAIT)
            except BlockingIOError:
                self.await_readable(deadline)
                continue
            except OSError as error:
                raise self._broken(error) from None
            if not part:
                raise self._gone()
            parts.append(part)
            least, most = least - len(part), most - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_some(self, view: memoryview, deadline: float) -> int:
        """What has come, as much as fits into `view`, at least one byte by `deadline`: how many;
        none at the end."""
        while True:
            try:
                return int(self._socket().recv_into(view, 0, DO_NOT_WAIT))
            except BlockingIOError:
                if not self.poll(deadline - time.monotonic()):
                    raise self._fail(DeadlineExceeded(f"{self.peer} did not go on in time"))
            except OSError as error:
                raise self._broken(error) from None

    def peek(self, deadline: float) -> bytes:
        """The next byte without taking it; empty when the peer closed or stayed silent."""
        if not self.poll(deadline - time.monotonic()):
            return b""
        try:
            return self._socket().recv(1, _PEEK)
        except OSError as error:
            raise self._broken(error) from None

    def read_into(self, view: memoryview) -> None:
        """Fill the whole view."""
        deadline = time.monotonic() + self.stall_seconds
        while view:
            try:
                count = self._socket().recv_into(view, len(view), _WAIT_FOR_ALL)
            except OSError as error:
                raise self._broken(error) from None
            if not count:
                raise self._gone()
            view = view[count:]
            if view and time.monotonic() > deadline:
                raise self._fail(DeadlineExceeded(f"{self.peer} sends too slowly"))

    def write(self, data: Buffer) -> None:
        """All of `data`."""
        self.write_parts(data)

    def write_parts(self, *parts: Buffer) -> None:
        """All parts in order, in one system call where the kernel takes them at once."""
        deadline = time.monotonic() + self.stall_seconds
        try:
            sent = self._socket().sendmsg(parts)
        except OSError as error:
            raise self._broken(error) from None
        if sent < sum(map(len, parts)):
            self.write_by(deadline, *parts_after(parts, sent))

    def write_by(self, deadline: float, *parts: Buffer) -> None:
        """All parts in order by `deadline`, however slowly the peer takes them."""
        rest: Sequence[Buffer] = parts
        if self._unsent:
            rest, self._unsent = (*self._unsent, *parts), ()
        left = sum(map(len, rest))
        while True:
            try:
                sent = self._socket().sendmsg(rest, (), DO_NOT_WAIT)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                raise self._broken(error) from None
            left -= sent
            if not left:
                return
            rest = parts_after(rest, sent)
            poll = select.poll()
            poll.register(self._descriptor, select.POLLOUT)
            if not poll.poll(_milliseconds(deadline - time.monotonic())):
                raise self._fail(DeadlineExceeded(f"{self.peer} reads too slowly"))

    @property
    def unsent(self) -> bool:
        """Whether the peer has not taken all yet that was posted."""
        return bool(self._unsent)

    def post(self, *parts: Buffer) -> None:
        """All parts in order, and no wait: what the peer does not take at once goes by `push`, or
        with what is written next. The parts must not change until then."""
        if self._unsent:
            raise self._fail(Unavailable(f"{self.peer} answered what it had not heard to the end"))
        self._unsent = parts
        self.push()

    def push(self) -> None:
        """Send as much as the peer takes now of what was posted."""
        while self._unsent:
            try:
                sent = self._socket().sendmsg(self._unsent, (), DO_NOT_WAIT)
            except BlockingIOError:
                return
            except OSError as error:
                raise self._broken(error) from None
            self._unsent = parts_after(self._unsent, sent)

    def send_file(self, descriptor: int, offset: int, count: int) -> None:
        """`count` bytes of a file from `offset`, copied by the kernel only.

        Raises DiskFailed when the file cannot be read, and closes the stream, because the peer
        has been promised those bytes.
        """
        deadline = time.monotonic() + self.stall_seconds
        while count:
            try:
                sent = os.sendfile(self._socket().fileno(), descriptor, offset, count)
            except OSError as error:
                if error.errno == errno.EIO:
                    raise self._fail(DiskFailed(f"cannot read a file: {error.strerror}")) from None
                raise self._broken(error) from None
            if not sent:
                raise self._fail(CorruptData("a file ended before its recorded length"))
            offset, count = offset + sent, count - sent
            if count and time.monotonic() > deadline:
                raise self._fail(DeadlineExceeded(f"{self.peer} reads too slowly"))

    def write_handing_over(self, descriptor: int, *parts: Buffer) -> None:
        """All parts in order, and with the first byte an open file: for a process on this machine.

        Raises InvalidArgument: only a Unix socket can do that.
        """
        raise InvalidArgument(f"{self.peer} cannot be handed an open file over a network")

    def read_handed_over(self, count: int) -> Tuple[bytes, Optional[int]]:
        """Exactly `count` bytes, and the open file that came with the first of them, if any: the
        caller's to close. Raises InvalidArgument."""
        raise InvalidArgument(f"{self.peer} cannot hand an open file over a network")

    def linger_and_close(self, seconds: float) -> None:
        """Close so that what was written last still reaches a peer that is sending.

        Closing with unread bytes makes the kernel reset the connection, which can destroy the
        error reply on the peer's side; so what still comes is read and dropped for a while.
        """
        deadline = time.monotonic() + seconds
        try:
            self._socket().shutdown(1)  # SHUT_WR
            # Of the socket itself, whatever the bytes mean.
            while Stream.poll(self, deadline - time.monotonic()) and self._socket().recv(1 << 18):
                if time.monotonic() > deadline:
                    break
        except (OSError, DfsError):
            pass  # The peer is gone already: nothing is left to be polite to.
        self.close()

    def _socket(self) -> Any:
        if self._sock is None:
            raise Unavailable(f"the connection to {self.peer} is closed")
        return self._sock

    def _broken(self, error: OSError) -> Exception:
        if isinstance(error, DfsError):
            return error  # That it is closed, for one.
        if error.errno is None:
            # Not the system's: a signal handler raised it (a time limit's TimeoutError, say) while
            # we were here. It is its caller's, and nobody knows how far this stream has come.
            self.close()
            return error
        # BlockingIOError is how SO_RCVTIMEO and SO_SNDTIMEO report that the time ran out.
        if isinstance(error, BlockingIOError):
            stall = f"{self.peer} stalled for {self.stall_seconds:g} s"
            return self._fail(DeadlineExceeded(stall))
        return self._fail(Unavailable(f"lost the connection to {self.peer}: {error.strerror}"))

    def _gone(self) -> DfsError:
        return self._fail(Unavailable(f"{self.peer} closed the connection"))

    def _fail(self, error: DfsError) -> DfsError:
        self.close()
        return error


def readable(streams: Sequence[Stream], seconds: float) -> List[Stream]:
    """Those of which something (bytes, or the end) can be read: waits for the first one for so
    long, and gives none when the time is over. Meanwhile what was posted goes on its way."""
    if len(streams) == 1 and not streams[0].unsent:
        return [stream for stream in streams if stream.poll(seconds)]
    deadline = time.monotonic() + seconds
    while True:
        found: List[Stream] = []
        by_descriptor: Dict[int, Stream] = {}
        poll = select.poll()
        for stream in streams:
            # Of these the system does not know: the descriptor of a closed one may be another's,
            # and of what TLS holds a part of a record may be all.
            if stream.closed or (stream.holds_bytes and stream.poll(0)):
                found.append(stream)
            else:
                by_descriptor[stream._descriptor] = stream
                events = select.POLLIN | select.POLLOUT if stream.unsent else select.POLLIN
                poll.register(stream._descriptor, events)
        left = 0.0 if found else deadline - time.monotonic()
        for descriptor, events in poll.poll(_milliseconds(left)):
            stream = by_descriptor[descriptor]
            if events == select.POLLOUT:
                if _is_over(stream):
                    found.append(stream)
            elif stream.plain or stream.poll(0):
                found.append(stream)
        if found or time.monotonic() >= deadline:
            return found


def _is_over(stream: Stream) -> bool:
    """Whether the peer, who could take more of what was posted, is gone."""
    try:
        stream.push()
    except DfsError:
        return True
    return False


def _milliseconds(seconds: float) -> int:
    # Rounded up, so that no wait ends before its time; at most what poll(2) takes, 24 days.
    return max(0, min(int(seconds * 1000 + 0.999), 2**31 - 1))


def parts_after(parts: Sequence[Buffer], sent: int) -> List[Buffer]:
    """What is left of `parts` without their first `sent` bytes."""
    rest: List[Buffer] = []
    for part in parts:
        if sent < len(part):
            rest.append(memoryview(part)[sent:] if sent else part)
        sent = max(0, sent - len(part))
    return rest


def _shut_down(sock: Any) -> None:
    try:
        sock.shutdown(2)  # SHUT_RDWR
    except OSError:
        pass  # Not connected any more, which is what was wanted.
