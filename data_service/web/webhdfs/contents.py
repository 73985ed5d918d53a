"""The operations on the bytes of files, which are done in two steps.

The first only says where to go: to this gateway again, with a mark in the address. All that the
second has to know stands in that address, so it may be used again and again.
"""

import os
import random
import time
from typing import Any
from urllib.parse import quote

from data_service.protocol.checksums import CHUNK_BYTES
from data_service.web.exchange.answers import BYTES, EMPTY, Answer, Pieces, answer_json
from data_service.web.exchange.parameters import Parameters, invalid
from data_service.web.exchange.remote_exceptions import FILE_NOT_FOUND, IO, RemoteException
from data_service.web.webhdfs.addresses import PREFIX, check_new
from data_service.web.webhdfs.calls import Call
from zookeeper.fabric.errors import AlreadyBeingCreated, CorruptData, PathNotFound

FILE_MODE = 0o644

HOLDER_SECONDS = 5.0
"""How long an append waits for another one to end: programs send many, one after the other, and do
not always wait for the answer."""

_PAUSE_SECONDS = 0.1

_CREATE_FLAGS = (
    "CREATE", "OVERWRITE", "APPEND", "SYNC_BLOCK", "LAZY_PERSIST", "NEW_BLOCK", "NO_LOCAL_WRITE",
    "SHOULD_REPLICATE", "IGNORE_CLIENT_LOCALITY", "NO_LOCAL_RACK",
)  # fmt: skip


def check_file(call: Call) -> None:
    """The first step of what needs a file: it must be there."""
    if call.fs.stat(call.path).is_directory:
        raise RemoteException(FILE_NOT_FOUND, f"Path is not a file: {call.path}")


def open_file(call: Call) -> Answer:
    """The bytes of a file, or of a range of it, of which what lies behind its end is no part."""
    offset, length = call.parameters.long("offset"), call.parameters.perhaps_long("length")
    file = call.fs.open(call.path, "rb")
    size = file.seek(0, os.SEEK_END)
    if offset and offset >= size > 0:
        file.close()
        raise RemoteException(
            IO, f"Offset={offset} out of the range [0, {size}); OPEN, path={call.path}"
        )
    left = max(0, size - offset)
    if length is not None:
        left = min(left, length)
    pieces = _pieces(file, offset, left)
    next(pieces)
    # A browser keeps it as a file, whatever it takes it for.
    kept = (("Content-Disposition", "attachment"),)
    return Answer(200, content_type=BYTES, pieces=pieces, length=left, headers=kept)


def get_file_checksum(call: Call) -> Answer:
    """HDFS's checksum of a file."""
    found = call.fs.file_checksum(call.path)
    # HDFS sends the length of what follows with it, as it lies in its memory.
    told = {"algorithm": found.algorithm, "bytes": found.value, "length": len(found.value) // 2}
    return answer_json({"FileChecksum": told})


def create(call: Call) -> Answer:
    """A new file with the body of the request; it appears when that came whole."""
    parameters = call.parameters
    check_new(call.path)
    if not parameters.boolean("createparent", True):
        _check_parent(call)
    writer = call.fs.open(
        call.path,
        "wb",
        overwrite=_overwrites(parameters),
        replication=parameters.short("replication"),
        block_size=parameters.long("blocksize", least=1),
        permission=parameters.mode("permission", FILE_MODE),
    )
    _pour(call, writer)
    return Answer(201, location=f"{call.origin}{PREFIX}{quote(call.path)}")


def check_creatable(call: Call) -> None:
    """The first step of `create`, after which nothing is there yet."""
    check_new(call.path)


def append(call: Call) -> Answer:
    """What the body holds, behind the end of a file."""
    deadline = time.monotonic() + HOLDER_SECONDS
    while True:
        try:
            writer = call.fs.append(call.path)
            break
        except AlreadyBeingCreated:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS * random.uniform(0.5, 1.0))
    _pour(call, writer)
    return EMPTY


def _pour(call: Call, writer: Any) -> None:
    with writer:
        for piece in call.body.views():
            writer.write(piece)


def _overwrites(parameters: Parameters) -> bool:
    """Whether a file that is there is replaced: a parameter says so, or a flag among others, which
    here are always so, or never."""
    flags = [word.upper() for word in parameters.text("createflag").split(",") if word]
    for flag in flags:
        if flag not in _CREATE_FLAGS:
            invalid("createflag", f"No enum constant org.apache.hadoop.fs.CreateFlag.{flag}")
    return parameters.boolean("overwrite") or "OVERWRITE" in flags


def _check_parent(call: Call) -> None:
    above = call.path.rpartition("/")[0] or "/"
    try:
        call.fs.stat(above)
    except PathNotFound:
        raise RemoteException(
            FILE_NOT_FOUND, f"Parent directory doesn't exist: {above}"
        ) from None


def _pieces(file: Any, offset: int, left: int) -> Pieces:
    """The bytes, behind an empty piece that comes when the first of them are there: where they
    cannot be had, the client can still be told why."""
    # One buffer for all: who is given a piece is done with it when he asks for the next.
    # It is larger than the file's own, through which bytes would be copied once more.
    buffer = memoryview(bytearray(min(left, 2 * CHUNK_BYTES)))
    with file:
        file.seek(offset)
        if left:
            file.peek()
        yield b""
        while left:
            count = file.readinto1(buffer[:left])
            if not count:
                raise CorruptData("a file ended before its recorded length")
            left -= count
            yield buffer[:count]
