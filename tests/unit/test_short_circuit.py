"""Reading replicas on this machine as files: exact, by itself, and never at the price of a read."""

import os
import socket
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import pytest

from data_service.datanode.service import DataNodeService
from data_service.filesystem.reading import short_circuit
from data_service.filesystem.reading.block_reader import BlockReader, hurried
from data_service.filesystem.reading.short_circuit import ELSEWHERE_SECONDS, ShortCircuit
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES, block_digest
from data_service.protocol.files import LocatedBlock
from data_service.protocol.nodes import Target
from data_service.stubs.datanode_client import DataNodeClient
from tests.support.clusters.inner_cluster import USER, InnerCluster
from tests.support.clusters.leaks import Leaks
from tests.support.disks.replicas import noise
from tests.support.disks.stores import chunks_of, put
from zookeeper.fabric.errors import BlockMissing, DiskFailed, PipelineFailed, TokenExpired
from zookeeper.fabric.packets import PacketWriter

DATA = noise(3 * CHUNK_BYTES + 777)
BLOCK = Block(7, 1, len(DATA))


class Calls:
    """How often datanodes were asked to open a replica, and to send one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = self.sent = 0
        send, hand_over = DataNodeService.read_block, DataNodeService.open_replica

        def sending(service: DataNodeService, *arguments: Any) -> None:
            self.sent += 1
            send(service, *arguments)

        def opening(service: DataNodeService, *arguments: Any) -> None:
            self.opened += 1
            hand_over(service, *arguments)

        monkeypatch.setattr(DataNodeService, "read_block", sending)
        monkeypatch.setattr(DataNodeService, "open_replica", opening)

    def counts(self) -> Tuple[int, int]:
        """(opened, sent) since the last time."""
        found = self.opened, self.sent
        self.opened = self.sent = 0
        return found


class Reader:
    """BLOCK on every datanode of a cluster, and a reader that tells of what is bad."""

    def __init__(self, cluster: InnerCluster) -> None:
        self.cluster = cluster
        self.bad: List[Tuple[Block, str]] = []
        self.now = 0.0
        self.newest = b""
        network = hurried(cluster.settings.network)
        self.datanodes = DataNodeClient(USER, network)
        self.short_circuit = ShortCircuit(self.datanodes, lambda: self.now)
        self.blocks = BlockReader(
            "/file", self.datanodes, self.datanodes, network.stall_timeout_seconds,
            self._relocate, lambda block, node_id: self.bad.append((block, node_id)),
            short_circuit=self.short_circuit)
        for data_node in cluster.data_nodes:
            put(data_node.store, 7, DATA)

    def _relocate(self, located: LocatedBlock) -> Optional[LocatedBlock]:
        return located._replace(token=self.newest)

    def target(self, number: int) -> Target:
        """A datanode as a peer."""
        return Target(self.cluster.node_id(number), *self.cluster.data_nodes[number].address)

    def located(self, *numbers: int) -> LocatedBlock:
        """BLOCK on these datanodes."""
        return LocatedBlock(BLOCK, 0, tuple(map(self.target, numbers)), False, b"")

    def pieces(self, *numbers: int, offset: int = 0, length: int = len(DATA)) -> Iterator[bytes]:
        """The bytes of a range, piece by piece."""
        for piece in self.blocks.read(self.located(*numbers), offset, length):
            yield bytes(piece)

    def read(self, *numbers: int, **span: int) -> bytes:
        """The bytes of a range."""
        return b"".join(self.pieces(*numbers, **span))


@pytest.fixture(name="calls")
def _calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


@pytest.fixture(name="reader")
def _reader(tmp_path: Path, calls: Calls) -> Iterator[Reader]:
    leaks = Leaks()
    with InnerCluster(tmp_path, 2) as cluster:
        reader = Reader(cluster)
        yield reader
        reader.datanodes.close()
    leaks.await_none()


def flip(path: str, position: int) -> None:
    """Turn a bit around."""
    with open(path, "r+b") as file:
        file.seek(position)
        file.write(bytes([DATA[position] ^ 1]))


RANGES = (
    (0, 1), (0, len(DATA)), (0, 1 << 62), (CHUNK_BYTES - 1, 2), (CHUNK_BYTES, CHUNK_BYTES),
    (5, 2 * CHUNK_BYTES), (len(DATA) - 1, 5))


def test_any_range_is_exact_and_nothing_is_sent(reader: Reader, calls: Calls) -> None:
    for offset, length in RANGES:
        found = reader.read(0, 1, offset=offset, length=length)
        assert found == DATA[offset : offset + length], (offset, length)
    assert calls.counts() == (len(RANGES), 0)
    assert reader.bad == []


@pytest.mark.parametrize("position", [0, CHUNK_BYTES, 2 * CHUNK_BYTES + 5, len(DATA) - 1])
def test_a_damaged_replica_is_left_in_the_middle_and_told(
    reader: Reader, calls: Calls, position: int
) -> None:
    flip(reader.cluster.path(0, BLOCK), position)
    assert reader.read(0, 1) == DATA
    assert reader.bad == [(BLOCK, reader.cluster.node_id(0))]
    assert calls.counts() == (2, 0)


def test_a_replica_that_its_writer_did_not_send_is_left_and_told(
    reader: Reader, calls: Calls
) -> None:
    store = reader.cluster.data_nodes[0].store
    store.remove(BLOCK)
    put(store, BLOCK.block_id, bytes([DATA[0] ^ 1]) + DATA[1:])
    digest = block_digest(len(DATA), [checksum for _, checksum in chunks_of(DATA)])
    located = reader.located(0, 1)._replace(digest=digest)
    found = b"".join(map(bytes, reader.blocks.read(located, 0, len(DATA))))
    assert found == DATA and reader.bad == [(BLOCK, reader.cluster.node_id(0))]
    assert calls.counts() == (2, 0)


def test_a_block_of_which_all_replicas_are_damaged_is_missing(reader: Reader) -> None:
    for number in (0, 1):
        flip(reader.cluster.path(number, BLOCK), 5)
    with pytest.raises(BlockMissing, match="checksum mismatch"):
        reader.read(0, 1)
    assert len(reader.bad) == 2


@pytest.mark.parametrize("size", [0, CHUNK_BYTES, len(DATA) - 1, len(DATA) + 1])
def test_the_datanode_tells_of_a_replica_of_another_length(reader: Reader, size: int) -> None:
    os.truncate(reader.cluster.path(0, BLOCK), size)
    assert reader.read(0, 1) == DATA
    assert reader.cluster.data_nodes[0].store.replicas.inventory()[:2] == ((), (BLOCK,))
    # The other replicas of that datanode are still read here.
    assert not reader.short_circuit._elsewhere.avoided


def test_a_replica_that_is_cut_off_while_it_is_read_is_left_for_another(
    reader: Reader, calls: Calls
) -> None:
    pieces = reader.pieces(0, 1)
    data = next(pieces)
    os.truncate(reader.cluster.path(0, BLOCK), CHUNK_BYTES + 100)
    assert data + b"".join(pieces) == DATA
    assert calls.counts() == (2, 0)


def test_a_disk_that_fails_leaves_the_replica_to_its_datanode(
    reader: Reader, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no other replica the same one is read by its datanode, who can tell what is wrong."""

    def fail(*_arguments: object) -> int:
        raise OSError(5, "Input/output error")

    pieces = reader.pieces(0)
    data = next(pieces)
    with monkeypatch.context() as patched:
        patched.setattr(short_circuit.os, "preadv", fail)
        data += next(pieces)
    assert data + b"".join(pieces) == DATA
    assert calls.counts() == (1, 1)


def test_a_removed_replica_stays_readable_for_who_reads_it(reader: Reader, calls: Calls) -> None:
    pieces = reader.pieces(0)
    data = next(pieces)
    reader.cluster.data_nodes[0].store.remove(BLOCK)
    assert data + b"".join(pieces) == DATA
    assert calls.counts() == (1, 0)
    with pytest.raises(BlockMissing):
        reader.read(0)


def test_a_datanode_that_is_gone_matters_to_nobody_who_reads(reader: Reader) -> None:
    pieces = reader.pieces(0)
    data = next(pieces)
    reader.cluster.data_nodes[0].stop()
    assert data + b"".join(pieces) == DATA
    assert reader.read(0, 1) == DATA


def test_where_nobody_listens_is_remembered_for_a_while(
    reader: Reader, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    here = reader.datanodes.here

    def elsewhere(node: Target) -> Any:
        asked.append(node)
        return here(node._replace(host=f"far.{node.host}"))

    with monkeypatch.context() as patched:
        patched.setattr(reader.datanodes, "here", elsewhere)
        for _ in range(3):
            assert reader.read(0) == DATA
        assert len(asked) == 1 and calls.counts() == (0, 3)
        reader.now += ELSEWHERE_SECONDS + 1
        assert reader.read(0) == DATA
        assert len(asked) == 2
    reader.now += ELSEWHERE_SECONDS + 1
    calls.counts()
    assert reader.read(0) == DATA
    assert calls.counts() == (1, 0)


def test_a_namesake_on_this_machine_is_not_taken_for_the_datanode(
    reader: Reader, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another cluster, with another block of the same number."""
    here = reader.datanodes.here
    monkeypatch.setattr(reader.datanodes, "here", lambda node: here(reader.target(1)))
    flip(reader.cluster.path(1, BLOCK), 5)
    assert reader.read(0) == DATA
    assert calls.counts() == (1, 1) and reader.bad == []


def _nothing(packets: PacketWriter, _file: int, _name: bytes) -> None:
    """Not even a file."""


def _without_checksums(packets: PacketWriter, file: int, name: bytes) -> None:
    packets.hand_over(file, name)


def _too_many_checksums(packets: PacketWriter, file: int, name: bytes) -> None:
    packets.hand_over(file, name)
    packets.send(bytes(1 << 20), 0xA738EA1C)


def _odd_checksums(packets: PacketWriter, file: int, name: bytes) -> None:
    packets.hand_over(file, name)
    packets.send(b"abc", 0x352441C2)


def _a_pipe(packets: PacketWriter, _file: int, name: bytes) -> None:
    reading, writing = os.pipe()
    try:
        packets.hand_over(reading, name)
    finally:
        os.close(reading)
        os.close(writing)


def _an_error(packets: PacketWriter, file: int, name: bytes) -> None:
    packets.hand_over(file, name)
    raise PipelineFailed("half way")


def _a_failed_disk(packets: PacketWriter, _file: int, _name: bytes) -> None:
    raise DiskFailed("its disk does not answer")


@pytest.mark.parametrize("answer", [
    _nothing, _without_checksums, _too_many_checksums, _odd_checksums, _a_pipe, _an_error,
    _a_failed_disk])
def test_a_strange_answer_costs_no_read_and_no_descriptor(
    reader: Reader, calls: Calls, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    def open_replica(service: DataNodeService, packets: PacketWriter, *_rest: Any) -> None:
        with open(reader.cluster.path(0, BLOCK), "rb") as file:
            answer(packets, file.fileno(), reader.cluster.node_id(0).encode())

    monkeypatch.setattr(DataNodeService, "open_replica", open_replica)
    leaks = Leaks()
    assert reader.read(0) == DATA
    assert calls.counts() == (0, 1) and reader.bad == []
    reader.datanodes.close()
    leaks.await_none()


def test_a_reader_that_stops_in_the_middle_leaves_nothing_open(reader: Reader) -> None:
    reader.read(0)
    leaks = Leaks()
    for _ in range(20):
        pieces = reader.blocks.read(reader.located(0), 0, len(DATA))
        next(pieces)
        pieces.close()  # type: ignore[attr-defined]
    leaks.await_none()


def test_many_threads_read_at_once(reader: Reader, calls: Calls) -> None:
    found: Dict[int, bytes] = {}

    def read(number: int) -> None:
        for _ in range(5):
            found[number] = reader.read(number % 2, offset=number, length=len(DATA))

    threads = [threading.Thread(target=read, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[number] == DATA[number:] for number in range(12))
    assert calls.counts() == (60, 0)


def test_a_forked_process_goes_on_by_itself(reader: Reader) -> None:
    """It reads on in what was open, opens anew, and its parent notices none of that."""
    pieces = reader.pieces(0)
    first = next(pieces)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            same = first + b"".join(pieces) == DATA
            os.write(writing, b"good" if same and reader.read(1) == DATA else b"bad")
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        assert answer.read() == b"good"
    os.waitpid(child, 0)
    assert first + b"".join(pieces) == DATA
    assert reader.read(0) == DATA


def test_the_setting_switches_it_off(tmp_path: Path, calls: Calls) -> None:
    for wanted in (True, False):
        with InnerCluster(tmp_path / str(wanted), 1, client={"short_circuit": wanted}) as cluster:
            with cluster.file_system() as files:
                with files.open("/file", "wb") as file:
                    file.write(DATA)
                with files.open("/file") as file:
                    assert file.read() == DATA
                files.get("/file", tmp_path / f"copy of {wanted}")
                found: List[bytes] = []
                files.cat("/file", lambda piece: found.append(bytes(piece)))
                assert b"".join(found) == DATA
            opened, sent = calls.counts()
            assert (opened > 0, sent > 0) == (wanted, not wanted)
            with socket.socket(socket.AF_UNIX) as probe:
                name = f"\0pyhdfs/data_node@{cluster.data_nodes[0].address}"
                assert (probe.connect_ex(name) == 0) == wanted


def test_an_expired_token_is_replaced_and_files_are_still_handed_over(
    reader: Reader, calls: Calls
) -> None:
    presented: List[bytes] = []

    class OnlyNew:
        """Lets in who has the newest token."""

        def check_read(self, token: bytes, *_: object) -> str:
            """As Access."""
            presented.append(token)
            if token != b"new":
                raise TokenExpired("too old")
            return ""

    reader.cluster.data_nodes[0]._access = OnlyNew()  # type: ignore[assignment]
    reader.newest = b"new"
    assert reader.read(0) == DATA and presented == [b"", b"new"]
    assert calls.counts() == (2, 0)
