"""Streams of bytes on the client's machine, read to their end whatever they are like."""

import select
from typing import Any, BinaryIO, Iterator

from data_service.filesystem.local import local_errors
from data_service.protocol.checksums import CHUNK_BYTES
from zookeeper.fabric.errors import LocalFileError


def pieces_of(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """What a stream yields until its end, in pieces of up to a chunk.

    A pipe or terminal that somebody made non-blocking is waited for: that there is nothing now is
    not the end. Raises LocalFileError for whatever is no stream of bytes, or was closed.
    """
    while True:
        with local_errors(name):
            try:
                data: Any = stream.read(CHUNK_BYTES)
            except ValueError as error:
                raise LocalFileError(f"{name}: {error}") from error
            if data is None:
                await_input(stream)
                continue
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise LocalFileError(f"{name}: it yields {type(data).__name__}, and not bytes")
        if not data:
            return
        yield data  # type: ignore[misc]


def await_input(stream: BinaryIO) -> None:
    """Return when a stream has something to read, or has ended; raises OSError."""
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLIN)
    poll.poll()
