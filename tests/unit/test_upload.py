"""Local files and streams on their way into the cluster."""

import array
import gc
import io
import os
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest

from data_service.filesystem import upload
from data_service.filesystem.upload import FileWriter, LocalBlocks
from data_service.protocol.checksums import CHUNK_BYTES, crc32
from tests.support.replicas import noise
from tests.support.waiting import wait_until
from zookeeper.fabric.errors import LocalFileError, NotEnoughReplicas, Unavailable

BLOCK_SIZE = 600_000
DATA = noise(2 * BLOCK_SIZE + 1000, 3)


class Stored:
    """Takes the place of a WritingFile: keeps the blocks in memory."""

    inherited = False

    def __init__(self, repeat: bool = False) -> None:
        self.path = "/file"
        self.block_size = BLOCK_SIZE
        self.position = self.offset = 0
        self.blocks: Dict[int, bytes] = {}
        self.repeat = repeat
        self.errors: Dict[int, BaseException] = {}
        self.ends: List[str] = []
        self.threads: Dict[int, str] = {}
        self.gate = threading.Event()
        self.gate.set()

    def check_own(self) -> None:
        """No process is forked here."""

    def write_block(self, position: int, size: int, source: Callable[[], Iterator[Any]]) -> None:
        """Take a block in, twice if the first attempt is to fail."""
        self.threads[position] = threading.current_thread().name
        for _ in range(2 if self.repeat else 1):
            pieces = []
            for data, checksum in source():
                assert crc32(data) == checksum and len(data) <= CHUNK_BYTES
                pieces.append(bytes(data))
            assert all(len(piece) == CHUNK_BYTES for piece in pieces[:-1])
        self.gate.wait()
        if position in self.errors:
            raise self.errors[position]
        self.blocks[position] = b"".join(pieces)
        assert len(self.blocks[position]) == size

    def complete(self) -> Any:
        """The file appears."""
        self.ends.append("complete")
        return "status"

    def abandon(self) -> None:
        """The file is given up."""
        self.ends.append("abandon")

    def lose(self) -> None:
        """The file was forgotten."""
        self.ends.append("lose")

    def data(self) -> bytes:
        """All bytes in the order of the blocks."""
        assert sorted(self.blocks) == list(range(len(self.blocks)))
        return b"".join(self.blocks[position] for position in sorted(self.blocks))


def opened(stored: Stored) -> FileWriter:
    """A writer of this file."""
    return FileWriter(stored, stored.complete)  # type: ignore[arg-type]


@pytest.fixture(name="stored")
def _stored() -> Stored:
    return Stored()


def send(stored: Stored, path: Path, parallel: int = 2,
         progress: Optional[Callable[[int, int], None]] = None) -> None:
    """Put a local file."""
    descriptor = os.open(path, os.O_RDONLY)
    blocks = LocalBlocks(stored, str(path), progress)  # type: ignore[arg-type]
    try:
        blocks.send(descriptor, parallel)
    finally:
        os.close(descriptor)


# Local files.


@pytest.mark.parametrize("parallel", [1, 2, 5])
@pytest.mark.parametrize("size", [0, 1, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, len(DATA)])
def test_a_file_of_any_size(tmp_path: Path, stored: Stored, size: int, parallel: int) -> None:
    (tmp_path / "f").write_bytes(DATA[:size])
    send(stored, tmp_path / "f", parallel)
    assert stored.data() == DATA[:size]


def test_a_block_that_is_sent_again_counts_once(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA)
    told: List[int] = []
    stored = Stored(repeat=True)
    send(stored, tmp_path / "f", 2, lambda done, total: told.append(done))
    assert stored.data() == DATA and told == sorted(told) and told[-1] == len(DATA)


def test_the_first_failure_ends_the_others(tmp_path: Path, stored: Stored) -> None:
    (tmp_path / "f").write_bytes(noise(20 * BLOCK_SIZE))
    stored.errors = {0: NotEnoughReplicas("no")}
    with pytest.raises(NotEnoughReplicas):
        send(stored, tmp_path / "f", 2)
    assert len(stored.blocks) < 20


def test_a_file_that_becomes_shorter_is_an_error(tmp_path: Path, stored: Stored) -> None:
    (tmp_path / "f").write_bytes(DATA)
    with pytest.raises(LocalFileError, match="shorter"):
        send(stored, tmp_path / "f", 1, lambda done, total: os.truncate(tmp_path / "f", 10))


@pytest.mark.parametrize("parallel", [1, 2])
def test_progress_may_stop_the_transfer(tmp_path: Path, stored: Stored, parallel: int) -> None:
    (tmp_path / "f").write_bytes(DATA)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send(stored, tmp_path / "f", parallel, interrupt)
    assert not [thread for thread in threading.enumerate() if "transfer" in thread.name]


# Streams.


@pytest.mark.parametrize("step", [1000, BLOCK_SIZE - 1, BLOCK_SIZE, BLOCK_SIZE + 1, len(DATA)])
@pytest.mark.parametrize("size", [0, 1, BLOCK_SIZE, 2 * BLOCK_SIZE, len(DATA)])
def test_bytes_in_blocks_out(size: int, step: int) -> None:
    stored = Stored(repeat=True)
    with opened(stored) as writer:
        for start in range(0, size, step):
            part = DATA[start : min(start + step, size)]
            assert writer.write(part) == len(part)
            assert writer.tell() == writer.length == start + len(part)
            writer.flush()
    assert stored.data() == DATA[:size] and stored.ends == ["complete"]
    assert writer.status == "status" and writer.closed


def test_a_block_that_does_not_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "SPOOL_MEMORY_BYTES", 1000)
    stored = Stored(repeat=True)
    with opened(stored) as writer:
        writer.write(DATA)
    assert stored.data() == DATA


def test_what_is_written_may_be_any_buffer(stored: Stored) -> None:
    with opened(stored) as writer:
        assert writer.write(bytearray(b"ab")) == 2
        assert writer.write(array.array("i", [1, 2])) == 8
        assert writer.write(memoryview(b"xyz")) == 3
        with pytest.raises(TypeError):
            writer.write("text")
    assert len(stored.data()) == 13


def test_it_is_a_proper_io_object(stored: Stored) -> None:
    writer = opened(stored)
    assert writer.writable() and not writer.readable() and not writer.seekable()
    with io.TextIOWrapper(writer, encoding="utf-8", newline="\n") as text:
        text.write("äöü\n" * 3)
        text.writelines(["mehr\n"])
    assert stored.data().decode() == "äöü\n" * 3 + "mehr\n" and stored.ends == ["complete"]


def test_a_small_file_needs_no_thread(stored: Stored) -> None:
    with opened(stored) as writer:
        writer.write(b"x" * BLOCK_SIZE + b"y")
    assert stored.threads[1] == threading.current_thread().name != stored.threads[0]


def test_closing_twice_is_fine_and_writing_after_it_is_not(stored: Stored) -> None:
    writer = opened(stored)
    writer.write(b"x")
    writer.close()
    writer.close()
    writer.abandon()
    for action in (lambda: writer.write(b"y"), writer.tell, writer.flush):
        with pytest.raises(ValueError):
            action()
    assert stored.ends == ["complete"] and stored.data() == b"x"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_in_the_with_block_gives_the_file_up(stored: Stored, error: type) -> None:
    with pytest.raises(error):
        with opened(stored) as writer:
            writer.write(DATA)
            raise error
    assert stored.ends == ["abandon"] and writer.closed


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_block_that_fails_gives_the_file_up(stored: Stored, position: int) -> None:
    stored.errors = {position: NotEnoughReplicas("no")}
    with pytest.raises(NotEnoughReplicas):
        with opened(stored) as writer:
            writer.write(DATA)
    assert stored.ends == ["abandon"] and writer.closed
    writer.close()


def test_a_failure_meets_the_next_write(stored: Stored) -> None:
    """Not only the end of the next block, which may be long in coming."""
    stored.errors = {0: NotEnoughReplicas("no")}
    writer = opened(stored)
    writer.write(DATA[:BLOCK_SIZE])
    sender = writer._sender
    assert sender is not None
    wait_until(sender.done)
    with pytest.raises(NotEnoughReplicas):
        writer.write(b"x")
    with pytest.raises(NotEnoughReplicas):
        writer.close()
    assert stored.ends == ["abandon"]


def test_a_file_that_cannot_be_completed_is_given_up(stored: Stored) -> None:
    def refuse() -> Any:
        raise Unavailable("namenode down")

    writer = FileWriter(stored, refuse)  # type: ignore[arg-type]
    writer.write(b"x")
    with pytest.raises(Unavailable):
        writer.close()
    assert stored.ends == ["abandon"] and writer.closed


def test_no_room_for_temporary_files(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        """A temporary file on a full disk."""

        def write(self, data: Any) -> int:
            """Fail."""
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", lambda size: Full())
    with pytest.raises(LocalFileError, match="No space left"):
        with opened(stored) as writer:
            writer.write(b"x")
    assert stored.ends == ["abandon"]


@pytest.mark.parametrize("wrap", [
    lambda raw: raw, io.BufferedWriter, lambda raw: io.TextIOWrapper(raw),
    lambda raw: io.TextIOWrapper(io.BufferedWriter(raw))],
    ids=["raw", "buffered", "text", "buffered-text"])
def test_a_forgotten_writer_makes_no_file_appear(stored: Stored, wrap: Callable[..., Any]) -> None:
    """io.RawIOBase closes in its destructor, which would complete half a file."""
    raw = opened(stored)
    raw.write(DATA[:1000])
    writer = wrap(raw)
    del raw
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del writer
        gc.collect()
    assert stored.ends == ["lose"]
    assert any(issubclass(warning.category, ResourceWarning) and "/file" in str(warning.message)
               for warning in caught)


def test_spools_and_threads_are_closed_on_every_path(monkeypatch: pytest.MonkeyPatch) -> None:
    made: List[Any] = []
    create = tempfile.SpooledTemporaryFile

    def note(size: int) -> Any:
        made.append(create(size))
        return made[-1]

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", note)
    for end in ("close", "abandon", "fail"):
        stored = Stored()
        stored.errors = {1: NotEnoughReplicas("no")} if end == "fail" else {}
        writer = opened(stored)
        writer.write(DATA)
        if end == "fail":
            with pytest.raises(NotEnoughReplicas):
                writer.close()
        else:
            getattr(writer, end)()
    wait_until(lambda: all(spool.closed for spool in made))
    wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith("put")])
    assert len(made) == 9


def test_the_next_block_fills_while_one_is_sent(stored: Stored) -> None:
    stored.gate.clear()
    writer = opened(stored)
    writer.write(DATA[: 2 * BLOCK_SIZE - 1])
    assert stored.blocks == {} and writer.length == 2 * BLOCK_SIZE - 1
    stored.gate.set()
    writer.close()
    assert stored.data() == DATA[: 2 * BLOCK_SIZE - 1]
