"""Reading a block: verified, from the next replica after any trouble."""

import os
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import pytest

from data_service.filesystem.reading.node_memory import NodeMemory
from data_service.filesystem.reading.block_contents import BLOCKS_KEPT
from data_service.filesystem.reading.block_reader import BlockReader, hurried
from data_service.filesystem.reading.replica_choice import Attempt, nearest_first
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES, block_digest, crc32
from data_service.protocol.files import LocatedBlock
from data_service.protocol.nodes import Target
from data_service.stubs.datanode_client import DataNodeClient
from tests.support.clusters.inner_cluster import USER, InnerCluster
from tests.support.clusters.ports import Ports
from tests.support.disks.replicas import noise
from tests.support.disks.stores import chunks_of, put
from zookeeper.fabric.errors import BlockMissing, TokenExpired
from zookeeper.fabric.pools import PING_AFTER_SECONDS, _Idle
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address
from zookeeper.fabric.sockets import dial

DATA = noise(3 * CHUNK_BYTES + 777)
BLOCK = Block(7, 1, len(DATA))
CHECKSUMS = [checksum for _, checksum in chunks_of(DATA)]
DIGEST = block_digest(len(DATA), CHECKSUMS)


class Reader:
    """Replicas of BLOCK on the datanodes of a cluster, and what the reader told."""

    def __init__(self, cluster: InnerCluster) -> None:
        self.cluster = cluster
        self.bad: List[Tuple[Block, str]] = []
        self.asked = 0
        self.found: Optional[LocatedBlock] = None
        self.network = cluster.settings.network
        self.datanodes = DataNodeClient(USER, self.network)
        self.hasty_datanodes = DataNodeClient(USER, hurried(self.network))
        self.blocks = self.new_reader()
        for data_node in cluster.data_nodes:
            put(data_node.store, 7, DATA)

    def new_reader(self, as_they_are: bool = False) -> BlockReader:
        """What is tested."""
        return BlockReader("/file", self.datanodes, self.hasty_datanodes,
                           self.network.stall_timeout_seconds, self._relocate,
                           lambda block, node_id: self.bad.append((block, node_id)), as_they_are)

    def close(self) -> None:
        """Close the connections."""
        self.datanodes.close()
        self.hasty_datanodes.close()

    def _relocate(self, located: LocatedBlock) -> Optional[LocatedBlock]:
        self.asked += 1
        return self.found

    def targets(self, *numbers: int) -> Tuple[Target, ...]:
        """These datanodes as peers."""
        return tuple(Target(self.cluster.node_id(number), *self.cluster.data_nodes[number].address)
                     for number in numbers)

    def located(self, *targets: Target, token: bytes = b"") -> LocatedBlock:
        """BLOCK on these."""
        return LocatedBlock(BLOCK, 0, targets, False, token, digest=DIGEST)

    def read(self, *targets: Target, offset: int = 0, length: int = len(DATA)) -> bytes:
        """The bytes of a range."""
        pieces = self.blocks.read(self.located(*targets), offset, length)
        return b"".join(map(bytes, pieces))


@pytest.fixture(name="dead")
def _dead() -> Iterator[Target]:
    ports = Ports()
    yield Target("dead", ports.host, ports.take())
    ports.close()


@pytest.fixture(name="reader")
def _reader(tmp_path: Path) -> Iterator[Reader]:
    with InnerCluster(tmp_path, 2) as cluster:
        reader = Reader(cluster)
        yield reader
        reader.close()


@pytest.mark.parametrize("was_used", [False, True])
def test_a_stopped_datanode_is_not_waited_for_while_another_one_has_the_block(
    reader: Reader, was_used: bool
) -> None:
    """The system takes a connection for it, or has one of before, and nothing is said on that."""
    patient = replace(reader.network, handshake_timeout_seconds=3600.0)
    reader.hasty_datanodes.close()
    reader.hasty_datanodes = DataNodeClient(USER, hurried(patient))
    reader.blocks = reader.new_reader()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(*listener.getsockname())
        if was_used:
            remote = Remote(dial(address, patient, "a stopped one"), patient, "a stopped one")
            a_moment_ago = time.monotonic() - PING_AFTER_SECONDS - 1.0
            reader.hasty_datanodes._connections._idle.append(_Idle(address, remote, a_moment_ago))
        stopped = Target("stopped", *address)
        assert reader.read(stopped, *reader.targets(0)) == DATA


class OnlyNew:
    """Lets in at a datanode's blocks who has the newest token, and asked for it."""

    def check_read(self, token: bytes, *_: object) -> str:
        """As Access."""
        if token != b"new":
            raise TokenExpired("too old")
        return ""


def flip(path: str, position: int) -> None:
    """Turn a bit around."""
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(bytes([DATA[position] ^ 1]))


RANGES = (
    (0, 1), (0, len(DATA)), (0, 1 << 62), (CHUNK_BYTES - 1, 2), (CHUNK_BYTES, CHUNK_BYTES),
    (5, 2 * CHUNK_BYTES), (len(DATA) - 1, 5), (len(DATA), 5), (1 << 40, 1), (7, 0))


def test_any_range_is_exact_and_the_namenode_is_not_asked(reader: Reader) -> None:
    for offset, length in RANGES:
        found = reader.read(*reader.targets(0), offset=offset, length=length)
        assert found == DATA[offset : offset + length], (offset, length)
    assert reader.asked == 0 and reader.bad == []


@pytest.mark.parametrize("position", [0, CHUNK_BYTES, 2 * CHUNK_BYTES + 5, len(DATA) - 1])
def test_a_damaged_replica_is_left_in_the_middle_and_told(reader: Reader, position: int) -> None:
    flip(reader.cluster.path(0, BLOCK), position)
    assert reader.read(*reader.targets(0, 1)) == DATA
    assert reader.bad == [(BLOCK, reader.cluster.node_id(0))]


@pytest.mark.parametrize("size", [0, CHUNK_BYTES, len(DATA) - 1, len(DATA) + 1])
def test_a_replica_of_another_length_is_left(reader: Reader, size: int) -> None:
    os.truncate(reader.cluster.path(0, BLOCK), size)
    assert reader.read(*reader.targets(0, 1)) == DATA


def test_a_replica_that_is_gone_and_a_datanode_that_is_dead(reader: Reader, dead: Target) -> None:
    os.unlink(reader.cluster.path(0, BLOCK))
    assert reader.read(dead, *reader.targets(0, 1)) == DATA
    assert reader.asked == 0


def test_a_datanode_that_dies_while_it_sends(reader: Reader) -> None:
    pieces = reader.blocks.read(reader.located(*reader.targets(0, 1)), 0, len(DATA))
    data = bytes(next(pieces))
    reader.cluster.data_nodes[0].stop()
    assert data + b"".join(map(bytes, pieces)) == DATA


def test_the_namenode_is_asked_once_more(reader: Reader, dead: Target) -> None:
    reader.found = reader.located(*reader.targets(1))
    assert reader.read(dead) == DATA
    assert reader.asked == 1
    assert reader.read() == DATA


def test_a_damaged_replica_is_not_tried_twice(reader: Reader) -> None:
    flip(reader.cluster.path(0, BLOCK), 5)
    reader.found = reader.located(*reader.targets(0, 1))
    assert reader.read(*reader.targets(0)) == DATA
    assert len(reader.bad) == 1


def test_when_all_are_bad_the_error_says_so_in_hdfs_words(reader: Reader) -> None:
    for number in (0, 1):
        flip(reader.cluster.path(number, BLOCK), CHUNK_BYTES)
    reader.found = reader.located(*reader.targets(0, 1))
    pieces = reader.blocks.read(reader.located(*reader.targets(0, 1)), 0, len(DATA))
    assert bytes(next(pieces)) == DATA[:CHUNK_BYTES]
    with pytest.raises(BlockMissing) as caught:
        next(pieces)
    message = caught.value.message
    assert message.startswith(
        "Could not obtain block: blk_7_1 file=/file No live nodes contain current block")
    assert message.count("checksum mismatch") == 2 and len(reader.bad) == 2


def test_without_any_replica_the_error_is_the_same(reader: Reader) -> None:
    with pytest.raises(BlockMissing) as caught:
        reader.read()
    assert caught.value.message == (
        "Could not obtain block: blk_7_1 file=/file No live nodes contain current block")


def test_replicas_on_this_machine_come_first() -> None:
    far, near = Target("a", "203.0.113.5", 1), Target("b", "127.0.0.1", 2)
    own = Target("c", os.uname().nodename, 3)
    assert nearest_first((far, near, own), NodeMemory()) == [near, own, far]
    assert nearest_first((far, far), NodeMemory()) == [far, far]


def test_who_ignores_checksums_gets_good_bytes_where_there_are_any(reader: Reader) -> None:
    reader.blocks = reader.new_reader(as_they_are=True)
    flip(reader.cluster.path(0, BLOCK), CHUNK_BYTES)
    assert reader.read(*reader.targets(0, 1)) == DATA
    flip(reader.cluster.path(1, BLOCK), 2 * CHUNK_BYTES)
    assert reader.read(*reader.targets(0, 1)) == DATA


def test_who_ignores_checksums_gets_damaged_bytes_as_they_are(
        reader: Reader, dead: Target) -> None:
    reader.blocks = reader.new_reader(as_they_are=True)
    for number in (0, 1):
        flip(reader.cluster.path(number, BLOCK), CHUNK_BYTES)
    found = reader.read(dead, *reader.targets(0, 1))
    damaged = bytearray(DATA)
    damaged[CHUNK_BYTES] ^= 1
    assert found == damaged
    os.truncate(reader.cluster.path(0, BLOCK), 10)
    os.truncate(reader.cluster.path(1, BLOCK), 10)
    with pytest.raises(BlockMissing):
        reader.read(dead, *reader.targets(0, 1))


def test_an_expired_token_is_replaced_unseen_and_once(reader: Reader) -> None:
    for data_node in reader.cluster.data_nodes:
        data_node._access = OnlyNew()  # type: ignore[assignment]
    targets = reader.targets(0, 1)
    reader.found = reader.located(*targets, token=b"new")
    for _ in range(3):
        assert reader.read(*targets) == DATA
    assert reader.blocks.checksum(reader.located(*targets)).crc_count
    assert reader.asked == 1 and reader.bad == []
    assert reader.new_reader().checksum(reader.located(*targets)).crc_count and reader.asked == 2


FORGED = DATA[:-1] + bytes([DATA[-1] ^ 1])
"""In its last chunk only."""


def forge(reader: Reader, number: int, block: Block = BLOCK, data: bytes = FORGED) -> None:
    """A datanode has something else, with checksums that fit."""
    store = reader.cluster.data_nodes[number].store
    store.remove(block)
    put(store, block.block_id, data)


@pytest.mark.parametrize("offset, length", [(0, len(DATA)), (5, 10), (len(DATA) - 1, 1)])
def test_a_replica_that_its_writer_did_not_send_is_left_before_a_byte_of_it_is_believed(
    reader: Reader, offset: int, length: int
) -> None:
    forge(reader, 0)
    read = reader.blocks.read(reader.located(*reader.targets(0, 1)), offset, length)
    assert bytes(next(read))[:5] == DATA[offset:][: min(5, length)]
    assert reader.bad == [(BLOCK, reader.cluster.node_id(0))]
    read.close()  # type: ignore[attr-defined]
    # What is known from then on needs no further question.
    assert reader.read(*reader.targets(0, 1)) == DATA
    assert reader.bad == [(BLOCK, reader.cluster.node_id(0))] * 2


class Patient:
    """The body of a datanode that tells the right checksums, and sends the first chunk; and when
    the reader has learned of so many blocks that he may have forgotten, another one."""

    def __init__(self, blocks: BlockReader) -> None:
        self._blocks = blocks
        self._sent = 0

    def receive(self, buffer: memoryview) -> Tuple[memoryview, int]:
        """A chunk with the checksum that fits."""
        data, checksum = list(chunks_of(DATA))[0]
        self._sent += 1
        if self._sent > 1:
            for number in range(BLOCKS_KEPT):
                other = BLOCK._replace(block_id=100 + number)
                located = LocatedBlock(other, 0, (), False, b"", digest=DIGEST)
                self._blocks._contents.learn(located, CHECKSUMS)
            data = bytes(len(data))
            checksum = crc32(data)
        return memoryview(data), checksum

    def close(self) -> None:
        """Nothing to hang up."""


def test_who_waits_until_the_reader_knows_other_blocks_is_not_believed_either(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = reader.targets(0, 1)
    opened = reader.blocks._open

    def opened_first(attempt: Attempt, position: int, length: int) -> object:
        if attempt.target != first:
            return opened(attempt, position, length)
        reader.blocks._learn(first, attempt.located, CHECKSUMS)
        return Patient(reader.blocks)

    monkeypatch.setattr(reader.blocks, "_open", opened_first)
    assert reader.read(first, second) == DATA
    assert [node_id for _, node_id in reader.bad] == [first.node_id]


def test_a_block_of_which_nobody_has_what_was_sent_is_missing(reader: Reader) -> None:
    for number in (0, 1):
        forge(reader, number)
    with pytest.raises(BlockMissing, match="not what the block's writer sent"):
        reader.read(*reader.targets(0, 1))


def test_a_block_of_one_chunk_is_compared_without_a_question(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("there is only one checksum")

    monkeypatch.setattr(BlockReader, "_ask_checksums", never)
    small, data = Block(8, 1, 5), b"right"
    digest = block_digest(5, [checksum for _, checksum in chunks_of(data)])
    for number, content in enumerate((b"wrong", data)):
        put(reader.cluster.data_nodes[number].store, 8, content)
    located = LocatedBlock(small, 0, reader.targets(0, 1), False, b"", digest=digest)
    assert b"".join(map(bytes, reader.blocks.read(located, 0, 5))) == data
    assert reader.bad == [(small, reader.cluster.node_id(0))]


def test_the_checksums_of_a_block_are_asked_for_once(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: List[Target] = []
    ask = BlockReader._ask_checksums
    monkeypatch.setattr(
        BlockReader, "_ask_checksums",
        lambda self, target, *rest: (asked.append(target), ask(self, target, *rest)),
    )  # fmt: skip
    for position in range(0, len(DATA), CHUNK_BYTES // 2):
        assert reader.read(*reader.targets(0), offset=position, length=9) == (
            DATA[position : position + 9]
        )
    assert len(asked) == 1
