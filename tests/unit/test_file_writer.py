"""An open file for writing: bytes in, blocks out, and what becomes of it when nobody closes it."""

import array
import codecs
import contextlib
import gc
import io
import tempfile
import threading
import warnings
from collections import Counter
from typing import Any, Callable, List

import pytest

from data_service.filesystem.writing import spool
from data_service.filesystem.writing.file_writer import FileWriter
from data_service.protocol.checksums import CHUNK_BYTES
from tests.support.disks.replicas import noise
from tests.support.models.stored import BLOCK_SIZE, Stored
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import LeaseExpired, NotEnoughReplicas, Unavailable

DATA = noise(2 * BLOCK_SIZE + 1000, 3)


def opened(stored: Stored) -> FileWriter:
    """A writer of this file."""
    return FileWriter(stored, stored.complete)  # type: ignore[arg-type]


@pytest.fixture(name="stored")
def _stored() -> Stored:
    return Stored()


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
    monkeypatch.setattr(spool, "MEMORY_BYTES", CHUNK_BYTES)
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


def test_blocks_that_are_sent_while_they_fill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MEMORY_BYTES", CHUNK_BYTES)
    stored = Stored()
    with opened(stored) as writer:
        writer.write(DATA)
    assert stored.data() == DATA and [attempt.chunks for attempt in stored.attempts] == [3, 3]
    assert list(stored.threads) == [2], "the short one at the end"


def test_a_writer_that_ends_hangs_up_amid_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MEMORY_BYTES", CHUNK_BYTES)
    for end in ("abandon", "forget"):
        stored = Stored()
        writer = opened(stored)
        writer.write(DATA[: BLOCK_SIZE - 1])
        (attempt,) = stored.attempts
        assert attempt.chunks == 2 and not attempt.closed
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            if end == "abandon":
                writer.abandon()
            del writer
            gc.collect()
        assert attempt.closed and stored.blocks == {}


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


def test_without_room_for_temporary_files_blocks_end_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(**_options: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool, "MEMORY_BYTES", CHUNK_BYTES)
    monkeypatch.setattr(spool, "MEMORY_BYTES_MAX", 2 * CHUNK_BYTES)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    stored = Stored(repeat=True)
    with opened(stored) as writer:
        writer.write(DATA)
    assert stored.data() == DATA
    assert max(map(len, stored.blocks.values())) == 2 * CHUNK_BYTES < BLOCK_SIZE


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
    create = tempfile.TemporaryFile

    def note(**options: Any) -> Any:
        made.append(create(**options))
        return made[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", note)
    monkeypatch.setattr(spool, "MEMORY_BYTES", CHUNK_BYTES)
    for end in ("close", "abandon", "fail"):
        stored = Stored()
        if end == "fail":
            stored.attempt_errors = {1: {1: Unavailable("gone")}}
            stored.errors = {1: NotEnoughReplicas("no")}
        writer = opened(stored)
        writer.write(DATA)
        if end == "fail":
            with pytest.raises(NotEnoughReplicas):
                writer.close()
        else:
            getattr(writer, end)()
    wait_until(lambda: all(file.closed for file in made))
    wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith("put")])
    assert 3 <= len(made) <= 6


def test_the_next_block_fills_while_one_is_sent(stored: Stored) -> None:
    stored.gate.clear()
    writer = opened(stored)
    writer.write(DATA[: 2 * BLOCK_SIZE - 1])
    assert stored.blocks == {} and writer.length == 2 * BLOCK_SIZE - 1
    stored.gate.set()
    writer.close()
    assert stored.data() == DATA[: 2 * BLOCK_SIZE - 1]


def test_threads_that_share_a_writer_do_not_tear_each_others_writes(stored: Stored) -> None:
    stored.block_size = 10_007
    writer = opened(stored)
    lines = [b"%d %04d %s\n" % (thread, line, b"x" * 300)
             for thread in range(4) for line in range(100)]

    def work(part: List[bytes]) -> None:
        for line in part:
            writer.write(line)

    threads = [threading.Thread(target=work, args=(lines[start : start + 100],))
               for start in range(0, 400, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert Counter(stored.data().split(b"\n")) == Counter(b"".join(lines).split(b"\n"))


# Files that somebody else gave up.


@pytest.mark.parametrize("wrap", [
    lambda raw: raw, io.BufferedWriter, lambda raw: io.TextIOWrapper(raw, write_through=True)],
    ids=["raw", "buffered", "text"])
def test_who_closes_a_file_that_was_given_up_is_told(
    stored: Stored, wrap: Callable[..., Any]
) -> None:
    raw = opened(stored)
    file = wrap(raw)
    file.write("x" if isinstance(file, io.TextIOWrapper) else b"x")
    raw.give_up("the FileSystem was closed before it")
    with pytest.raises(LeaseExpired, match="/file was given up.*FileSystem was closed"):
        file.close()
    assert raw.closed and "complete" not in stored.ends
    raw.close()


def test_nothing_more_is_written_to_a_file_that_was_given_up(stored: Stored) -> None:
    writer = opened(stored)
    writer.give_up("so")
    for action in (lambda: writer.write(b"y"), writer.hflush, writer.tell):
        with pytest.raises(LeaseExpired):
            action()
    with pytest.raises(LeaseExpired):
        with writer:
            pass
    assert set(stored.ends) == {"abandon"}


def test_a_failed_flush_is_told_once_more_at_the_end(stored: Stored) -> None:
    stored.errors = {0: NotEnoughReplicas("no")}
    writer = opened(stored)
    writer.write(b"x")
    with pytest.raises(NotEnoughReplicas):
        writer.hflush()
    with pytest.raises(LeaseExpired, match="flushed"):
        writer.close()


# With-blocks of what is wrapped around a file.


@pytest.mark.parametrize("wrap", [
    io.TextIOWrapper, io.BufferedWriter, codecs.getwriter("utf-8"), contextlib.closing,
    lambda raw: io.TextIOWrapper(io.BufferedWriter(raw))],
    ids=["text", "buffered", "codecs", "closing", "buffered-text"])
@pytest.mark.parametrize("fails", [True, False])
def test_a_wrapper_whose_with_block_fails_gives_the_file_up(
    stored: Stored, wrap: Callable[..., Any], fails: bool
) -> None:
    raw = opened(stored)
    raw.write(b"half of it")
    try:
        with wrap(raw):
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert raw.closed and stored.ends == (["abandon"] if fails else ["complete"])


def test_a_stack_of_files_whose_with_block_fails_gives_them_up(stored: Stored) -> None:
    with pytest.raises(KeyError):
        with contextlib.ExitStack() as stack:
            stack.enter_context(io.TextIOWrapper(opened(stored))).write("half of it")
            raise KeyError
    assert stored.ends == ["abandon"]


def test_a_file_may_be_closed_while_an_exception_is_handled(stored: Stored) -> None:
    text = io.TextIOWrapper(opened(stored))
    try:
        raise KeyError
    except KeyError:
        text.write("the default")
        text.close()
    assert stored.ends == ["complete"] and stored.data() == b"the default"


class Note:
    """A context manager of a program, which writes down how its block ended."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored

    def __enter__(self) -> None:
        self.file = opened(self.stored)

    def __exit__(self, kind: Any, *_rest: Any) -> None:
        self.file.write(kind.__name__.encode())
        self.file.close()


def test_a_program_may_write_a_file_because_its_with_block_failed(stored: Stored) -> None:
    with pytest.raises(KeyError), Note(stored):
        raise KeyError
    assert stored.ends == ["complete"] and stored.data() == b"KeyError"
