"""The body of an HTTP request, read as it is asked for; what comes behind it stays where it is.

Whatever gives bytes will do: `Inbox` asks a function for more, which gives none at the end.
"""

import re
from typing import Callable, Iterator, Optional

from data_service.web.exchange.remote_exceptions import refused
from zookeeper.fabric.errors import Unavailable

PIECE_BYTES_MAX = 1 << 20
_CHUNK_LINE_BYTES_MAX = 1 << 10
_TRAILER_BYTES_MAX = 8 << 10
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[\t\x20-\x7e\x80-\xff]*)?\r\n")


class Inbox:
    """What a client sent and nobody has taken yet."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._held = bytearray()

    @property
    def empty(self) -> bool:
        """Whether the next byte is still to come."""
        return not self._held

    def until(self, mark: bytes, most: int) -> Optional[bytes]:
        """All up to and with `mark`; None when that does not end within `most` bytes.

        Empty when the client left without a word. Raises Unavailable when it left amid one.
        """
        held, searched = self._held, 0
        while True:
            end = held.find(mark, searched, most)
            if end >= 0:
                return self._taken(end + len(mark))
            if len(held) >= most:
                return None
            searched = max(0, len(held) - len(mark) + 1)
            more = self._receive()
            if not more:
                if held:
                    raise Unavailable("the client hung up amid a request")
                return b""
            held += more

    def take(self, most: int) -> bytes:
        """At least one byte, at most so many. Raises Unavailable when none comes any more."""
        if self._held:
            return self._taken(most)
        data = self._receive()
        if not data:
            raise Unavailable("the client hung up amid the body of its request")
        self._held += data[most:]
        return data[:most]

    def _taken(self, count: int) -> bytes:
        data = bytes(self._held[:count])
        del self._held[:count]
        return data


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
        if not (self.finished or self.invited):
            self.invited = True
            self._invite()
        while not self.finished:
            if self._chunked and not self._left:
                self._left = self._next_chunk()
                self.finished = not self._left
                continue
            piece = self._inbox.take(min(self._left, PIECE_BYTES_MAX))
            self._left -= len(piece)
            if not self._chunked:
                self.finished = not self._left
            elif not self._left and self._line() != b"\r\n":
                raise refused("a chunk of the body is longer than it says")
            yield piece

    def drop(self, most: int) -> bool:
        """Read what is left and forget it, if it is at most so much; whether that was all."""
        for piece in self.pieces():
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
            if left < 0:
                raise refused("what follows the last chunk is too long", 431)

    def _line(self) -> bytes:
        line = self._inbox.until(b"\n", _CHUNK_LINE_BYTES_MAX)
        if line is None or not line:
            raise refused("the body does not come in chunks as it says")
        return line
