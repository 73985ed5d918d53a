"""All replicas of a datanode: the table, reading, removing, room."""

import errno
import os
import threading
from pathlib import Path
from typing import Iterator, List

import pytest

from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES, crc32
from tests.support.disks.faulty_disk import FaultyDisk
from tests.support.disks.replicas import noise
from tests.support.disks.stores import fill, get, names, opened, path_of, put
from tests.support.disks.two_files import data_of
from zookeeper.fabric import disk
from zookeeper.fabric.errors import (
    BlockMissing,
    CorruptData,
    DfsError,
    DiskFull,
    InvalidArgument,
    SessionExpired,
)

DATA = noise(2 * CHUNK_BYTES + 777)


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[BlockStore]:
    made = opened(tmp_path / "a")
    yield made
    made.replicas.check()
    made.close()


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_was_written_is_read(tmp_path: Path, store: BlockStore, size: int) -> None:
    block = put(store, 7, DATA[:size])
    assert block == Block(7, 1, min(size, len(DATA)))
    assert get(store, block) == DATA[:size] == data_of(path_of(tmp_path / "a", block))
    assert store.replicas.inventory()[:2] == ((block,), ())
    usage = store.usage()
    assert usage.used == path_of(tmp_path / "a", block).stat().st_size
    assert usage.replicas == 1 and usage.failed_volumes == 0
    assert 0 < usage.remaining <= usage.capacity


def test_a_range_is_covered_by_whole_chunks(store: BlockStore) -> None:
    block = put(store, 7, DATA)
    with store.read(7, 1) as replica:
        chunks = list(replica.chunks(CHUNK_BYTES - 1, 2))
    assert [chunk[:2] for chunk in chunks] == [(0, CHUNK_BYTES), (CHUNK_BYTES, CHUNK_BYTES)]
    assert [chunk.checksum for chunk in chunks] == [
        crc32(DATA[:CHUNK_BYTES]), crc32(DATA[CHUNK_BYTES : 2 * CHUNK_BYTES])]
    assert block.length == len(DATA)


def test_replicas_survive_a_restart(tmp_path: Path, store: BlockStore) -> None:
    blocks = [put(store, block_id, DATA[:block_id]) for block_id in (1, 2, 300)]
    store.volumes.join_cluster("c")
    store.volumes.remember_epoch(5)
    store.volumes.scan_position = 300
    store.close()
    again = opened(tmp_path / "a")
    again.replicas.check()
    assert sorted(again.replicas.inventory().good) == blocks
    # The disk's free space is everybody's, and changes at any moment.
    assert again.usage()._replace(remaining=0) == store.usage()._replace(remaining=0)
    assert again.volumes.node_id == store.volumes.node_id and again.volumes.cluster_id == "c"
    assert again.volumes.epoch == 5 and again.volumes.scan_position == 300
    again.close()


def test_an_unfinished_replica_does_not_exist(tmp_path: Path, store: BlockStore) -> None:
    writer = store.create(7, 1, len(DATA))
    fill(writer, DATA)
    assert store.replicas.inventory()[:2] == ((), ()) and store.usage().replicas == 0
    with pytest.raises(BlockMissing):
        store.read(7, 1)
    store.discard(writer)
    assert names(tmp_path / "a") == []
    put(store, 7, DATA)


def test_a_replica_that_is_being_written_is_nobodys_rubbish(store: BlockStore) -> None:
    """LP#1936508: a cleaner removed a file that was written and not committed yet."""
    writer = store.create(7, 1, len(DATA))
    fill(writer, DATA)
    for volume in store.volumes.working:
        volume.probe()
        assert volume.trash.empty(-1e9) == 0
    store.finish(writer)
    assert get(store, Block(7, 1, len(DATA))) == DATA


def test_a_block_is_written_once(store: BlockStore) -> None:
    """SeaweedFS #9944: a commit that came late, and twice, deleted live files."""
    writer = store.create(7, 1, 10)
    for generation in (1, 2):
        with pytest.raises(InvalidArgument, match="immutable"):
            store.create(7, generation, 10)
    store.finish(writer)
    with pytest.raises(InvalidArgument, match="immutable"):
        store.create(7, 2, 10)


def test_no_more_bytes_than_announced(store: BlockStore) -> None:
    writer = store.create(7, 1, len(DATA) - 1)
    with pytest.raises(InvalidArgument, match="announced"):
        fill(writer, DATA)
    store.discard(writer)


def test_another_generation_is_another_replica(store: BlockStore) -> None:
    block = put(store, 7, DATA, generation=3)
    with pytest.raises(BlockMissing):
        store.read(7, 2)
    store.remove(block._replace(generation=2))
    assert not store.mark_corrupt(block._replace(generation=2), "no")
    assert store.replicas.inventory()[:2] == ((block,), ())


def test_removal_and_trash(tmp_path: Path, store: BlockStore) -> None:
    gone, kept = put(store, 1, DATA), put(store, 2, DATA)
    store.remove(gone)
    store.move_to_trash(kept)
    store.remove(gone)
    store.move_to_trash(kept)
    assert store.replicas.inventory()[:2] == ((), ()) and store.usage().used == 0
    assert len(names(tmp_path / "a", ("trash",))) == 1
    assert names(tmp_path / "a", ("finalized",)) == []
    put(store, 2, DATA)


def test_an_order_that_lapsed_removes_nothing(store: BlockStore) -> None:
    block = put(store, 1, b"abc")
    for action in (store.remove, store.move_to_trash):
        with pytest.raises(SessionExpired):
            action(block, lambda: False)
    assert get(store, block) == b"abc"


def test_an_order_removes_the_replica_that_it_names(store: BlockStore) -> None:
    """HDFS-7065: what has another generation, or another length, is not what was decided on."""
    block = put(store, 1, b"abc")
    store.remove(block._replace(generation=2))
    with pytest.raises(InvalidArgument, match="length=3"):
        store.remove(block._replace(length=2))
    assert get(store, block) == b"abc"
    store.remove(block._replace(length=0))
    assert store.replicas.inventory().good == ()


def test_a_damaged_replica_is_removed_whatever_length_it_was_thought_to_have(
    store: BlockStore
) -> None:
    block = put(store, 1, b"abc")
    store.mark_corrupt(block, "found by a test")
    store.remove(block._replace(length=2))
    assert store.replicas.inventory()[:2] == ((), ())


def test_a_replica_being_read_can_be_removed(store: BlockStore) -> None:
    block = put(store, 7, DATA)
    buffer = memoryview(bytearray(CHUNK_BYTES))
    with store.read(7, 1) as replica:
        store.remove(block)
        for chunk in replica.chunks(0, len(DATA)):
            assert replica.verified(chunk, buffer) == DATA[chunk.offset :][: chunk.size]
    with pytest.raises(BlockMissing):
        store.read(7, 1)


def test_damage_is_told_once_and_never_served(tmp_path: Path) -> None:
    told: List[Block] = []
    store = BlockStore([str(tmp_path)], 0, told.append)
    store.open()
    flipped, cut = put(store, 1, DATA), put(store, 2, DATA)
    with path_of(tmp_path, flipped).open("r+b") as file:
        file.write(b"\xff" if DATA[:1] != b"\xff" else b"\0")
    os.truncate(path_of(tmp_path, cut), 5)
    for block in (flipped, cut, flipped, cut):
        with pytest.raises(CorruptData):
            get(store, block)
    assert told == [flipped, cut] and set(store.replicas.inventory().corrupt) == {flipped, cut}
    store.replicas.check()
    store.close()


def test_damage_is_found_by_the_scan_at_start(tmp_path: Path, store: BlockStore) -> None:
    """HDFS-14706: a replica without checksums was served as good."""
    good, bad = put(store, 1, DATA), put(store, 2, DATA)
    os.truncate(path_of(tmp_path / "a", bad), len(DATA))
    store.close()
    again = opened(tmp_path / "a")
    assert again.replicas.inventory()[:2] == ((good,), (bad._replace(length=0),))
    with pytest.raises(CorruptData):
        again.read(2, 1)
    again.remove(bad)
    assert again.replicas.inventory()[:2] == ((good,), ()) and len(names(tmp_path / "a")) == 1
    again.replicas.check()
    again.close()


# Room.


def test_a_block_that_does_not_fit_is_refused_before_a_byte(tmp_path: Path) -> None:
    store = opened(tmp_path / "a", reserved=1 << 60)
    with pytest.raises(DiskFull):
        store.create(7, 1, 1)
    assert store.usage().remaining == 0 and names(tmp_path / "a") == []
    store.close()


def test_a_writer_stops_at_the_reserve(
    tmp_path: Path, store: BlockStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = store.create(7, 1, len(DATA))
    monkeypatch.setattr(disk, "space", lambda path: disk.Space(1 << 40, 100))
    with pytest.raises(DiskFull, match="reserve"):
        fill(writer, DATA)
    store.discard(writer)
    assert names(tmp_path / "a") == []


def test_room_for_writes_in_progress_is_set_aside(
    store: BlockStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of two blocks fitted when it was begun; together they filled the disk."""
    monkeypatch.setattr(disk, "space", lambda path: disk.Space(1 << 40, 3 * len(DATA)))
    first = store.create(1, 1, 2 * len(DATA))
    assert store.usage().remaining == len(DATA)
    with pytest.raises(DiskFull):
        store.create(2, 1, 2 * len(DATA))
    with pytest.raises(InvalidArgument, match="immutable"):
        store.create(1, 1, 1)
    second = store.create(2, 1, len(DATA))
    assert store.usage().remaining == 0
    # The disk itself accounts for what is written; here it stays as it is.
    fill(first, DATA)
    assert store.usage().remaining == len(DATA)
    store.finish(first)
    assert store.usage().remaining == 2 * len(DATA)
    fill(second, DATA[:-1])
    store.discard(second)
    assert store.usage().remaining == 3 * len(DATA)


@pytest.mark.parametrize("where", ["data", "trailer"])
def test_a_full_disk_leaves_nothing_and_costs_one_block(tmp_path: Path, where: str) -> None:
    """SeaweedFS #1440, SeaweedFS #1015: a compaction met a full disk and destroyed the volume."""
    system = FaultyDisk()
    store = opened(tmp_path / "a", system=system)
    kept = put(store, 1, DATA)
    writer = store.create(2, 1, len(DATA))
    full = {"write": errno.ENOSPC}
    system.faults = full if where == "data" else {}
    with pytest.raises(DiskFull):
        try:
            fill(writer, DATA)
        except DfsError:
            store.discard(writer)
            raise
        system.faults = full
        store.finish(writer)
    assert store.replicas.inventory()[:2] == ((kept,), ()) and len(names(tmp_path / "a")) == 1
    system.faults = {}
    put(store, 2, DATA)
    store.replicas.check()
    store.close()


def test_no_room_for_the_name_leaves_nothing(tmp_path: Path) -> None:
    system = FaultyDisk()
    store = opened(tmp_path / "a", system=system)
    writer = store.create(2, 1, len(DATA))
    fill(writer, DATA)
    system.faults, system.where = {"rename": errno.ENOSPC}, "blk_2_1"
    with pytest.raises(DiskFull):
        store.finish(writer)
    assert names(tmp_path / "a") == []
    store.close()


def test_threads_share_the_store(tmp_path: Path, store: BlockStore) -> None:
    failures: List[BaseException] = []

    def work(first: int) -> None:
        try:
            for block_id in range(first, first + 20):
                block = put(store, block_id, DATA[: 1000 + block_id])
                assert get(store, block) == DATA[: 1000 + block_id]
                if block_id % 2:
                    store.remove(block)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(store.replicas.inventory().good) == 30
    assert len(names(tmp_path / "a")) == 30
