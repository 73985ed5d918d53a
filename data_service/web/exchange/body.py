"""The body of an HTTP request, read as it is asked for; what comes behind it stays where it is.

Whatever gives bytes will do: `Inbox` has a function put more of them into its buffer.
"""

import re
from typing import Callable, Iterator, Optional

from data_service.web.exchange.http_head import HEADER
from data_service.web.exchange.remote_exceptions import refused
from zookeeper.fabric.errors import Unavailable

BUFFER_BYTES = 1 << 18
"""What is received at once, at most, and held."""

_SMALL_BYTES = 1 << 14
"""What is held of requests without a large body: to find memory for more takes the system as long
as a small request does."""

_CHUNK_LINE_BYTES_MAX = 1 << 10
_TRAILER_BYTES_MAX = 8 << 10
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[\t\x20-\x7e\x80-\xff]*)?\r\n")


class Inbox:
    """What a client sent and nobody has taken yet. `receive` puts what comes next into a view, as
    much as has come, and tells how many bytes: none at the end."""

    def __init__(self, receive: Callable[[memoryview], int]) -> None:
        self._receive = receive
        # One buffer for all that comes: what is held stands in it from `start` to `end`.
        self._buffer = bytearray(_SMALL_BYTES)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0

    @property
    def empty(self) -> bool:
        """Whether the next byte is still to come."""
        return self._start == self._end

    def rest(self) -> None:
        """Nothing is awaited soon: an empty one takes little memory meanwhile."""
        if self.empty and len(self._buffer) > _SMALL_BYTES:
            self._renew(_SMALL_BYTES)

    def until(self, mark: bytes, most: int) -> Optional[bytes]:
        """All up to and with `mark`; None when that does not end within `most` bytes.

        Empty when the client left without a word. Raises Unavailable when it left amid one.
        """
        assert most <= BUFFER_BYTES, "so much is never held"
        searched = 0
        while True:
            held, first = self._end - self._start, self._start + searched
            end = self._buffer.find(mark, first, self._start + min(held, most))
            if end >= 0:
                return bytes(self._taken(end + len(mark) - self._start))
            if held >= most:
                return None
            searched = max(0, held - len(mark) + 1)
            if not self._more():
                if held:
                    raise Unavailable("the client hung up amid a request")
                return b""

    def take(self, most: int) -> memoryview:
        """At least one byte, at most so many, which stay until something is asked for again.

        Raises Unavailable when none comes any more.
        """
        if self.empty and not self._more():
            raise Unavailable("the client hung up amid the body of its request")
        return self._taken(most)

    def _taken(self, most: int) -> memoryview:
        start, self._start = self._start, min(self._start + most, self._end)
        return self._view[start : self._start]

    def _more(self) -> int:
        filled = self._end == len(self._buffer)
        if filled or self.empty:
            # Who filled a small one at once has more to say.
            self._renew(BUFFER_BYTES if filled else len(self._buffer))
        count = self._receive(self._view[self._end :])
        self._end += count
        return count

    def _renew(self, size: int) -> None:
        """What is held moves to the front, of another buffer if this one has not that size."""
        held = bytes(self._view[self._start : self._end])
        if len(self._buffer) != size:
            self._buffer = bytearray(size)
            self._view = memoryview(self._buffer)
        self._view[: len(held)] = held
        self._start, self._end = 0, len(held)


class Body:
    """The body of one request: of `length` bytes, or with None in chunks.

    `invite` is called before the first byte is waited for.
    """

    def __init__(
        self, inbox: Inbox, length: Optional[int], invite: Callable[[], object] = lambda: None
    ) -> None:
        self._inbox = inbox
        self._chunked = length is None
        self._left = length or 0  # Of a chunk, where it comes in chunks.
        self._invite = invite
        self.invited = False
        """Whether somebody began to read it."""
        self.finished = length == 0

    def pieces(self) -> Iterator[bytes]:
        """What is left of it, in order. Raises RemoteException for what are no chunks, Unavailable
        when the client goes before the end."""
        return map(bytes, self.views())

    def views(self) -> Iterator[memoryview]:
        """The same without a copy: each piece is valid until the next one is asked for."""
        if not (self.finished or self.invited):
            self.invited = True
            self._invite()
        while not self.finished:
            if self._chunked and not self._left:
                self._left = self._next_chunk()
                self.finished = not self._left
                continue
            piece = self._inbox.take(self._left)
            self._left -= len(piece)
            self.finished = not self._chunked and not self._left
            yield piece
            if self._chunked and not self._left and self._line() != b"\r\n":
                raise refused("a chunk of the body is longer than it says")

    def drop(self, most: int) -> bool:
        """Read what is left and forget it, if it is at most so much; whether that was all."""
        for piece in self.views():
            most -= len(piece)
            if most < 0:
                break
        return self.finished

    def _next_chunk(self) -> int:
        match = _CHUNK_SIZE.fullmatch(self._line())
        if match is None:
            raise refused("the body does not come in chunks as it says")
        size = int(match[1], 16)
        if not size:
            self._skip_trailer()
        return size

    def _skip_trailer(self) -> None:
        left = _TRAILER_BYTES_MAX
        while True:
            line = self._line()
            left -= len(line)
            if line == b"\r\n":
                return
            # Where another reader sees the end of a body, we must not see a trailer, which hides
            # the next request.
            if line[-2:] != b"\r\n" or not HEADER.fullmatch(line[:-2]):
                raise refused("what follows the last chunk is no header")
            if left < 0:
                raise refused("what follows the last chunk is too long", 431)

    def _line(self) -> bytes:
        line = self._inbox.until(b"\n", _CHUNK_LINE_BYTES_MAX)
        if line is None or not line:
            raise refused("the body does not come in chunks as it says")
        return line
