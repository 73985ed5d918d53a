"""RPyC's messages: bounded frames on a stream, and plain values in them.

Theory of operation. A frame is bounded, never compressed (a 61 KB frame could unpack to 0.7 GB),
and goes out in one write. Only None, bool, int, float, str, bytes and tuple cross. What a stranger
sent is taken apart with care: whatever is malformed is a ProtocolViolation, and nothing else.
"""

import io
import sys
import threading
from functools import lru_cache
from typing import Any, Callable, Optional, Tuple

from zookeeper.fabric.release import without_rpyc

try:
    from rpyc.core import brine, consts
except ModuleNotFoundError:
    raise without_rpyc() from None
from rpyc.core.channel import Channel

from zookeeper.fabric.budget import Account
from zookeeper.fabric.errors import DfsError, InvalidArgument, ProtocolViolation, from_wire
from zookeeper.fabric.stream import Buffer, Stream

REQUEST_PIECES_MAX = 200_000
"""Reads that taking a request apart may need: one of a byte makes 64 bytes of objects."""

_SCALARS = frozenset((type(None), bool, int, float, str, bytes))
_SMALL_FRAME_BYTES = 65536
_SMALL_CONTENT_BYTES = 256
_ANSWER_BYTES = 4096
"""Most answers are shorter, so that one read takes one from the system."""
_taking_apart = threading.Lock()
"""Held while a large request becomes objects, which for a moment are many times its size: one at a
time, and since Python takes apart one at a time anyway, nobody waits for longer."""

# A peer must not be able to make us build these: a frozenset of colliding integers costs quadratic
# time (0.5 MB: 3 s), and nothing that we say uses any of them. What is left are the plain values,
# so what was loaded needs no second look. Integers of a million digits, as costly, are refused by
# Python itself since 3.9.14; before, long ones are not read at all.
_foreign = ["FSET", "SLICE", "COMPLEX", "ELLIPSIS", "NOT_IMPLEMENTED"]
for _name in _foreign if hasattr(sys, "set_int_max_str_digits") else _foreign + ["INT_L4"]:
    brine._load_registry.pop(getattr(brine, "TAG_" + _name), None)


def plain(value: Any) -> Any:
    """`value` as it may cross the wire: named tuples become tuples; anything else is refused."""
    if type(value) in _SCALARS:
        return value
    if isinstance(value, tuple):
        return tuple([plain(item) for item in value])
    raise TypeError(f"a {type(value).__name__} may not cross the wire")


class Frames(Channel):
    """RPyC's frames, bounded and uncompressed, each sent with one gathered write."""

    __slots__ = ("_bytes_max", "_received_max", "_account", "_begun", "_piece", "_failure",
                 "whole")

    def __init__(
        self,
        stream: Stream,
        bytes_max: int,
        received_max: Optional[int] = None,
        account: Optional[Account] = None,
    ) -> None:
        """`received_max`: what the other side may send at once, when it is not `bytes_max`;
        `account`: where that is counted while it comes in."""
        super().__init__(stream, compress=False)
        self._bytes_max = bytes_max
        self._received_max = bytes_max if received_max is None else received_max
        self._account = account
        self._begun = bytearray()
        self._piece: Optional[memoryview] = None
        self._failure: Optional[DfsError] = None
        self.whole = False
        """Whether `gather` has found that `recv_last` need not wait: the message is here, or what
        keeps it from coming is known."""

    def gather(self) -> None:
        """Take of the next message what has come, of a stream that is readable; wait for nothing.
        """
        if self._piece is None:
            self._piece = memoryview(bytearray(_ANSWER_BYTES))
        try:
            count = self.stream.read_some(self._piece, 0.0)
            self._begun += self._piece[:count]
            self.whole = not count or self._missing(self._begun) <= 0
        except DfsError as error:
            self._failure, self.whole = error, True

    def recv(self, deadline: float) -> bytes:
        """The next message, with RPyC's newline at its end; all of it is here by `deadline`."""
        length = self._length(self.stream.read_by(self.FRAME_HEADER.size, deadline))
        if self._account is None:
            return self.stream.read_by(length + len(self.FLUSHER), deadline)
        self._account.hold_request(length)
        message = self.stream.read_by(length + len(self.FLUSHER), deadline)
        self._account.settle()
        return message

    def recv_last(self, deadline: float) -> bytes:
        """The same of a message behind which nothing comes unasked: mostly one read takes it."""
        if self._failure is not None:
            raise self._failure
        least = self.FRAME_HEADER.size
        read = bytes(self._begun)
        if len(read) < least:
            read += self.stream.read_between(least - len(read), _ANSWER_BYTES, deadline)
        self._begun.clear()
        self.whole = False
        missing = self._missing(read)
        if missing < 0:
            raise ProtocolViolation(f"{self.stream.peer} says more than it was asked")
        return read[least:] + (self.stream.read_by(missing, deadline) if missing else b"")

    def _missing(self, read: Buffer) -> int:
        """How much is missing of the message that begins so, as far as that can be known."""
        least = self.FRAME_HEADER.size
        if len(read) < least:
            return least - len(read)
        return least + self._length(read) + len(self.FLUSHER) - len(read)

    def _length(self, head: Buffer) -> int:
        """Of the message that begins with these bytes."""
        length, compressed = self.FRAME_HEADER.unpack_from(head)
        if length > self._received_max or compressed:
            raise ProtocolViolation(f"{self.stream.peer} sent a frame that is not allowed")
        return int(length)

    def send(self, message: bytes, deadline: float) -> None:
        """Send what `encode` made, all of it by `deadline`."""
        head = self.FRAME_HEADER.pack(len(message), 0)
        self.stream.write_by(deadline, head, message, self.FLUSHER)

    def post(self, message: bytes) -> None:
        """Send it without waiting; see Stream."""
        self.stream.post(self.FRAME_HEADER.pack(len(message), 0), message, self.FLUSHER)

    def encode(self, kind: int, sequence: int, content: Any) -> bytes:
        """A message; raises ValueError when a value cannot cross, or there is too much."""
        return self.numbered(kind, sequence, brine.dump(content))

    def numbered(self, kind: int, sequence: int, content: bytes) -> bytes:
        """A message whose content is encoded already; raises ValueError when it is too much."""
        message = b"".join((brine.I1.pack(kind), _numbering(sequence), content))
        if len(message) > self._bytes_max:
            raise ValueError(f"a message of {len(message)} bytes; {self._bytes_max} allowed")
        return message


@lru_cache(maxsize=64)
def _numbering(sequence: int) -> bytes:
    """What stands between a message's kind and its content, with which its number is a pair."""
    return bytes(brine.TAG_TUP2 + brine.dump(sequence))


class _Pieces(io.BytesIO):
    """A large request while it is taken apart, which ends when it has too many pieces."""

    left = REQUEST_PIECES_MAX

    def read(self, size: Optional[int] = -1) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise ValueError("too many values")
        return super().read(size)


_OWN_FILES = (__file__, brine.__file__)


def _require_own(error: BaseException) -> None:
    """Raise `error` again unless it comes from taking a message apart or putting one together.

    A signal handler may raise anything, anywhere: what it raises is for its caller.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None and trace.tb_frame.f_code.co_filename not in _OWN_FILES:
        raise error


def request_in(message: bytes) -> Tuple[int, int, Any]:
    """(kind, sequence, content) of what a stranger sent; raises ProtocolViolation."""
    if len(message) <= _SMALL_FRAME_BYTES:
        return _decode(message, io.BytesIO)
    with _taking_apart:
        return _decode(message, _Pieces)


def _decode(message: bytes, pieces: Callable[[bytes], io.BytesIO]) -> Tuple[int, int, Any]:
    """(kind, sequence, content) of a message; raises ProtocolViolation."""
    try:
        data = pieces(message)
        kind = data.read(1)[0]
        sequence, content = brine._load(data)
        if type(sequence) is not int:
            raise TypeError("a message's number is an integer")
    except Exception as error:  # Whatever brine meets in a stranger's bytes.
        raise _malformed(error) from None
    return kind, sequence, content


def _malformed(error: Exception) -> ProtocolViolation:
    _require_own(error)
    return ProtocolViolation(f"a malformed message: {type(error).__name__}")


class Request:
    """A call of a method. It is encoded here, once for all servers that it is sent to: only the
    number before it differs."""

    __slots__ = ("method", "args", "content")

    def __init__(self, method: str, args: Tuple[Any, ...]) -> None:
        """Raises InvalidArgument, and TypeError for what may never cross."""
        self.method, self.args = method, args
        named = (consts.LABEL_VALUE, (None, method, plain(args), ()))
        try:
            self.content: bytes = brine.dump((consts.HANDLE_CALLATTR, named))
        except ValueError as error:  # Lone surrogates, or an integer of thousands of digits.
            _require_own(error)
            raise _unsendable(method, error) from None

    def __repr__(self) -> str:
        return f"<Request {self.method}, {len(self.content)} bytes>"


def _unsendable(method: str, error: ValueError) -> InvalidArgument:
    return InvalidArgument(f"an argument of {method} cannot be sent: {error}")


def request_message(frames: Frames, sequence: int, request: Request) -> bytes:
    """The message of a call; raises InvalidArgument when it is too long."""
    try:
        return frames.numbered(consts.MSG_REQUEST, sequence, request.content)
    except ValueError as error:
        _require_own(error)
        raise _unsendable(request.method, error) from None


def ping_message(frames: Frames, sequence: int) -> bytes:
    """The message that asks whether the other side is there."""
    return frames.encode(
        consts.MSG_REQUEST, sequence, (consts.HANDLE_PING, (consts.LABEL_VALUE, (b"",)))
    )


def _content(rest: bytes) -> Any:
    """What a message says behind its number; raises ProtocolViolation."""
    try:
        return brine._load(io.BytesIO(rest))
    except Exception as error:  # Whatever brine meets in a stranger's bytes.
        raise _malformed(error) from None


@lru_cache(maxsize=16)
def _small_content(rest: bytes) -> Any:
    """The same of a few bytes, of which several servers mostly say the same."""
    return _content(rest)


def reply_outcome(message: bytes, sequence: int) -> Any:
    """The result in the reply to this request, or the DfsError that is in its place.

    Raises ProtocolViolation on any other message, also on the reply to another request.
    """
    numbering = _numbering(sequence)
    if not message.startswith(numbering, 1):
        raise ProtocolViolation("a message that does not answer what was asked")
    kind, rest = message[0], message[1 + len(numbering) :]
    content = _small_content(rest) if len(rest) <= _SMALL_CONTENT_BYTES else _content(rest)
    try:
        if kind == consts.MSG_EXCEPTION:
            _, (code, text), _, _ = content
            return from_wire(code, text)
        label, value = content
        if (kind, label) == (consts.MSG_REPLY, consts.LABEL_VALUE):
            return value
    except (TypeError, ValueError):
        pass  # Of another shape.
    raise ProtocolViolation("a message that answers nothing that was asked")
