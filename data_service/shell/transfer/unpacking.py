"""What `text` unpacks: gzip, bzip2 and zlib's format, as many streams as a file has.

A file that breaks off, or has something else behind its last stream, is an error, as it is for
Hadoop's codecs: what was written until then is not all that was meant. Only zeros may follow, with
which tapes fill up a gzip file. What one read gives is bounded, however well it was packed.
"""

import zlib
from typing import Any, BinaryIO, Callable, Iterator, Optional

CHUNK_BYTES = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
GZIP_FORMAT, ZLIB_FORMAT = 31, 15
"""zlib's numbers for the two: the largest window, and 16 more for gzip."""

Sink = Callable[[bytes], object]
Unpack = Callable[[BinaryIO, Sink], None]


def unpacker_of(name: str, start: bytes) -> Optional[Unpack]:
    """What unpacks a file of this name that begins with `start`; None when it is not packed.

    As in HDFS, what is shorter than the two bytes that tell gzip is taken for plain text.
    """
    if len(start) < len(GZIP_MAGIC):
        return None
    if start.startswith(GZIP_MAGIC) or name.endswith(".gz"):
        return lambda file, sink: _streams(file, sink, lambda: _Inflater(GZIP_FORMAT), b"\0")
    if name.endswith(".bz2"):
        return lambda file, sink: _streams(file, sink, _Bunzipper)
    if name.endswith(".deflate"):
        return lambda file, sink: _streams(file, sink, lambda: _Inflater(ZLIB_FORMAT))
    return None


class _Inflater:
    """One stream of zlib or gzip."""

    def __init__(self, form: int) -> None:
        self._stream = zlib.decompressobj(form)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What comes out of a piece, in pieces of bounded size."""
        while not self._stream.eof:
            out = self._stream.decompress(data, CHUNK_BYTES)
            data = self._stream.unconsumed_tail
            yield out
            if not data and len(out) < CHUNK_BYTES:
                return

    @property
    def rest(self) -> Optional[bytes]:
        """What came behind the end of the stream; None before that end."""
        return self._stream.unused_data if self._stream.eof else None


class _Bunzipper:
    """One stream of bzip2."""

    def __init__(self) -> None:
        from bz2 import BZ2Decompressor

        self._stream = BZ2Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What comes out of a piece, in pieces of bounded size."""
        while not self._stream.eof:
            yield self._stream.decompress(data, CHUNK_BYTES)
            data = b""
            if self._stream.needs_input:
                return

    @property
    def rest(self) -> Optional[bytes]:
        """What came behind the end of the stream; None before that end."""
        return self._stream.unused_data if self._stream.eof else None


def _streams(file: BinaryIO, sink: Sink, begin: Callable[[], Any], padding: bytes = b"") -> None:
    """Unpack all streams of a file; raises EOFError, OSError or zlib.error for a damaged one."""
    stream, is_begun, finished = begin(), False, 0
    for piece in iter(lambda: file.read(CHUNK_BYTES), b""):
        while piece:
            if finished and not is_begun:
                piece = piece.lstrip(padding)
                if not piece:
                    break
            is_begun = True
            for out in stream.feed(piece):
                sink(out)
            if stream.rest is None:
                break
            piece, stream, is_begun = stream.rest, begin(), False
            finished += 1
    if is_begun or not finished:
        raise EOFError("Unexpected end of input stream")
