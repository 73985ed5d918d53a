"""Files opened for reading are proper io objects, exact at every offset."""

import io
from pathlib import Path
from random import Random
from typing import Any, Iterator, List, Optional

import pytest

from data_service.filesystem.reading.file_reader import FileReader, block_index
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from data_service.protocol.files import FileStatus, LocatedBlock, Locations
from tests.support.clusters.inner_cluster import InnerCluster
from tests.support.models.plain_namenode import BLOCK_SIZE
from tests.support.disks.replicas import noise
from zookeeper.fabric.errors import BlockMissing

DATA = noise(2 * BLOCK_SIZE + 1000, 5)
BORDERS = [0, 1, CHUNK_BYTES, 2 * CHUNK_BYTES, BLOCK_SIZE, BLOCK_SIZE + CHUNK_BYTES,
           2 * BLOCK_SIZE, len(DATA)]


class Memory:
    """Takes the place of a BlockReader; notes what was asked for, and whether reads were closed."""

    def __init__(self) -> None:
        self.asked: List[tuple] = []
        self.open = 0
        self.failing = False

    def read(self, located: LocatedBlock, offset: int, length: int,
             buffer: Optional[memoryview] = None) -> Iterator[memoryview]:
        """Pieces of DATA that end at chunk borders, in one buffer that is used again."""
        self.asked.append((located.block.block_id, offset, length))
        self.open += 1
        try:
            position, end = offset, min(offset + length, located.block.length)
            while position < end:
                if self.failing:
                    raise BlockMissing("Could not obtain block")
                step = min(end, position - position % CHUNK_BYTES + CHUNK_BYTES)
                assert buffer is not None
                view = buffer[: step - position]
                view[:] = DATA[located.offset + position : located.offset + step]
                yield view
                view[:] = bytes(len(view))
                position = step
        finally:
            self.open -= 1


def locations(length: int = len(DATA)) -> Locations:
    """The blocks of the first `length` bytes of DATA."""
    status = FileStatus("f", 1, "f", length, 1, BLOCK_SIZE, "me", "us", 0o644, 1, 1)
    return Locations(status, tuple(
        LocatedBlock(Block(index, 1, min(BLOCK_SIZE, length - start)), start, (), False, b"")
        for index, start in enumerate(range(0, length, BLOCK_SIZE))))


@pytest.fixture(name="memory")
def _memory() -> Memory:
    return Memory()


@pytest.fixture(name="raw")
def _raw(memory: Memory) -> Iterator[FileReader]:
    reader = FileReader(locations(), memory)  # type: ignore[arg-type]
    yield reader
    reader.close()
    assert memory.open == 0


@pytest.fixture(name="file")
def _file(raw: FileReader) -> io.BufferedReader:
    return io.BufferedReader(raw, CHUNK_BYTES)


def test_the_whole_file(raw: FileReader) -> None:
    assert raw.readall() == DATA and raw.tell() == len(DATA) and raw.read(1) == b""
    assert raw.readable() and raw.seekable() and not raw.writable()


@pytest.mark.parametrize("border", BORDERS)
def test_reading_around_every_border(raw: FileReader, file: io.BufferedReader, border: int) -> None:
    for offset in range(max(0, border - 2), min(border + 3, len(DATA) + 2)):
        for length in (0, 1, 2, 5, CHUNK_BYTES, BLOCK_SIZE + 3):
            file.seek(offset)
            assert file.read(length) == DATA[offset : offset + length], (offset, length)
            assert file.tell() == min(offset + length, max(offset, len(DATA)))


def test_random_reads_and_seeks(file: io.BufferedReader) -> None:
    random, model = Random(1), io.BytesIO(DATA)
    for _ in range(300):
        whence = random.choice([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END])
        offset = random.randrange(-len(DATA), len(DATA)) if whence else random.randrange(len(DATA))
        if (whence == io.SEEK_CUR and model.tell() + offset < 0) or random.random() < 0.5:
            length = random.choice([0, 1, 100, CHUNK_BYTES, 400_000])
            assert file.read(length) == model.read(length)
        else:
            assert file.seek(offset, whence) == model.seek(offset, whence)
        assert file.tell() == model.tell()


def test_readinto_any_buffer(raw: FileReader) -> None:
    for size in (0, 1, 1000, 400_000):
        buffer = bytearray(size)
        raw.seek(3)
        count = raw.readinto(buffer)
        assert count == min(size, CHUNK_BYTES - 3) and buffer[:count] == DATA[3 : 3 + count]


def test_an_empty_file(memory: Memory) -> None:
    with FileReader(locations(0), memory) as reader:  # type: ignore[arg-type]
        assert reader.readall() == b"" and reader.seek(0, io.SEEK_END) == 0
    assert memory.asked == []


def test_seeking_beyond_the_end_and_before_the_start(raw: FileReader) -> None:
    assert raw.seek(1 << 40) == 1 << 40 and raw.read(5) == b""
    with pytest.raises(ValueError, match="negative"):
        raw.seek(-1)
    with pytest.raises(ValueError, match="whence"):
        raw.seek(0, 9)
    assert raw.seek(-1, io.SEEK_END) == len(DATA) - 1 and raw.read(5) == DATA[-1:]


def test_a_closed_reader(memory: Memory) -> None:
    reader = FileReader(locations(), memory)  # type: ignore[arg-type]
    reader.read(1)
    reader.close()
    reader.close()
    assert memory.open == 0
    actions: List[Any] = [lambda: reader.read(1), lambda: reader.seek(0), reader.tell,
                          lambda: reader.readinto(bytearray(1))]
    for action in actions:
        with pytest.raises(ValueError):
            action()


def test_one_who_reads_on_asks_once_a_block(raw: FileReader, memory: Memory) -> None:
    raw.readall()
    assert memory.asked == [
        (0, 0, BLOCK_SIZE), (1, 0, BLOCK_SIZE), (2, 0, len(DATA) - 2 * BLOCK_SIZE)]
    memory.asked.clear()
    raw.seek(5)
    raw.seek(5)
    raw.read(10)
    assert len(memory.asked) == 1


def test_an_error_is_raised_again_and_again_and_is_no_end_of_file(
    raw: FileReader, memory: Memory
) -> None:
    assert raw.read(10) == DATA[:10]
    memory.failing = True
    raw.seek(BLOCK_SIZE)
    for _ in range(3):
        with pytest.raises(BlockMissing):
            raw.read(10)
    memory.failing = False
    assert raw.read(10) == DATA[BLOCK_SIZE : BLOCK_SIZE + 10]


def test_the_block_of_a_position() -> None:
    blocks = locations().blocks
    for position in range(0, len(DATA), 777):
        assert block_index(blocks, position) == position // BLOCK_SIZE
    assert block_index(blocks, BLOCK_SIZE - 1) == 0 and block_index(blocks, BLOCK_SIZE) == 1


def test_text_and_lines_from_a_real_cluster(tmp_path: Path) -> None:
    text = "".join(f"Zeile {number}: é\n" for number in range(40_000))
    with InnerCluster(tmp_path, 1) as cluster, cluster.file_system() as file_system:
        with file_system.open("/text", "wb") as sink:
            sink.write(text.encode())
        with io.TextIOWrapper(file_system.open("/text"), encoding="utf-8") as lines:
            assert "".join(lines) == text
        with file_system.open("/text") as file:
            file.seek(-9, io.SEEK_END)
            assert file.read() == text.encode()[-9:]
