"""Several directories of one datanode: identity, room, and failures at start and at run time."""

import errno
import os
from pathlib import Path
from typing import List

import pytest

from data_service.datanode.store import space as space_module
from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.store.disk_threads import DiskCall
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from tests.support.clusters.waiting import PATIENCE_SECONDS
from tests.support.disks.faulty_disk import FaultyDisk
from tests.support.disks.replicas import noise
from tests.support.disks.stores import fill, get, names, opened, path_of, put
from zookeeper.fabric import disk
from zookeeper.fabric.errors import (
    BlockMissing,
    DfsError,
    DiskFailed,
    DiskFull,
    StartRefused,
)

DATA = noise(2 * CHUNK_BYTES + 777)


@pytest.fixture(name="patient", autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No disk is called silent because this process had to wait for the processor."""
    monkeypatch.setattr(space_module, "MEASURE_SECONDS", PATIENCE_SECONDS)


def test_the_roomiest_volume_takes_the_next_replica(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path / "a", tmp_path / "b")
    room = {"a": 1 << 30, "b": 2 << 30}
    monkeypatch.setattr(disk, "space", lambda path: disk.Space(1 << 40, room[path[-1]]))
    put(store, 1, DATA)
    room["b"] = 1 << 20
    put(store, 2, DATA)
    assert names(tmp_path / "a") == ["blk_2_1"]
    assert names(tmp_path / "b") == ["blk_1_1"]
    room["a"] = room["b"] = 0
    with pytest.raises(DiskFull):
        store.create(3, 1, 10)
    store.close()


def test_directories_on_one_disk_share_its_space(tmp_path: Path) -> None:
    one, two = opened(tmp_path / "a"), opened(tmp_path / "b", tmp_path / "c")
    assert one.usage().capacity == two.usage().capacity
    assert two.usage().remaining < 2 * one.usage().remaining
    one.close()
    two.close()


def test_directories_on_one_disk_take_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path / "a", tmp_path / "b")
    monkeypatch.setattr(disk, "space", lambda path: disk.Space(1 << 40, 1 << 30))
    for block_id in range(1, 5):
        put(store, block_id, DATA)
    assert len(names(tmp_path / "a")) == len(names(tmp_path / "b")) == 2
    store.close()


@pytest.mark.parametrize("free, measures", [(100 << 30, 2), (1 << 30, 8)])
def test_blocks_that_come_together_share_a_measure_where_there_is_ample_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, measures: int
) -> None:
    """A thread was made for each small block, which cost more than anything else."""
    store = opened(tmp_path / "a", tmp_path / "b")
    monkeypatch.setattr(space_module, "RECENT_SECONDS", 3600.0)
    monkeypatch.setattr(disk, "space", lambda path: disk.Space(1 << 40, free))
    calls: List[str] = []
    run = DiskCall._run

    def noted(call: DiskCall) -> None:
        calls.append(call._what)
        run(call)

    monkeypatch.setattr(DiskCall, "_run", noted)
    for block_id in range(1, 5):
        put(store, block_id, DATA)
    assert len(calls) == measures and len(set(calls)) == 2
    assert len(names(tmp_path / "a")) == len(names(tmp_path / "b")) == 2
    store.usage()
    assert len(calls) == measures + 2, "what is told to the namenode is measured for that"
    store.close()


def test_directories_take_turns_though_they_were_measured_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path / "a", tmp_path / "b")
    free = {"a": 100 << 30, "b": (100 << 30) + 4096}
    monkeypatch.setattr(disk, "space", lambda path: disk.Space(1 << 40, free[path[-1]]))
    for block_id in range(1, 5):
        put(store, block_id, DATA)
    assert len(names(tmp_path / "a")) == len(names(tmp_path / "b")) == 2
    store.close()


@pytest.mark.parametrize("first", ["old", "new"])
def test_a_new_directory_joins_the_old_ones_wherever_it_stands(tmp_path: Path, first: str) -> None:
    store = opened(tmp_path / "old")
    store.volumes.join_cluster("c")
    store.close()
    order = [tmp_path / "old", tmp_path / "new"]
    both = opened(*(order if first == "old" else reversed(order)))
    assert both.volumes.node_id == store.volumes.node_id
    both.volumes.join_cluster("c")
    both.close()
    alone = opened(tmp_path / "new")
    assert alone.volumes.node_id == store.volumes.node_id and alone.volumes.cluster_id == "c"
    alone.close()


def test_a_copied_directory_is_refused(tmp_path: Path) -> None:
    """SeaweedFS #6857: two servers on one disk's content."""
    opened(tmp_path / "a").close()
    (tmp_path / "b").mkdir()
    for name in ("tmp", "trash", "finalized"):
        (tmp_path / "b" / name).mkdir()
    (tmp_path / "b" / "VERSION").write_bytes((tmp_path / "a" / "VERSION").read_bytes())
    with pytest.raises(StartRefused, match="is a copy of"):
        opened(tmp_path / "a", tmp_path / "b")


def test_another_cluster_is_refused(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.volumes.join_cluster("c")
    store.volumes.join_cluster("c")
    with pytest.raises(StartRefused, match="belongs to cluster c"):
        store.volumes.join_cluster("d")
    store.close()


def put_twice(tmp_path: Path) -> Block:
    """A block that two directories of one datanode have."""
    left = opened(tmp_path / "a")
    block = put(left, 7, DATA)
    left.close()
    both = opened(tmp_path / "a", tmp_path / "b")
    both.close()
    path_of(tmp_path / "b", block).write_bytes(path_of(tmp_path / "a", block).read_bytes())
    return block


@pytest.mark.parametrize("trash", [False, True])
def test_both_of_two_replicas_go_when_the_block_is_ordered_away(
    tmp_path: Path, trash: bool
) -> None:
    block = put_twice(tmp_path)
    store = opened(tmp_path / "a", tmp_path / "b")
    (store.move_to_trash if trash else store.remove)(block)
    store.replicas.check()
    for root in (tmp_path / "a", tmp_path / "b"):
        assert names(root, ("finalized",)) == []
        assert len(names(root, ("trash",))) == (1 if trash else 0)
    store.close()


def test_of_two_replicas_the_better_one_counts_and_none_is_deleted(tmp_path: Path) -> None:
    """HDFS-8486: resolving a "duplicate" deleted the only file. SeaweedFS #6043: a repair cut a
    good one short."""
    block = put_twice(tmp_path)
    os.truncate(path_of(tmp_path / "a", block), 3)
    again = opened(tmp_path / "a", tmp_path / "b")
    assert again.replicas.inventory()[:2] == ((block,), ()) and get(again, block) == DATA
    assert len(names(tmp_path / "a")) == len(names(tmp_path / "b")) == 1
    again.close()


# Volumes that fail.


def two_volumes(tmp_path: Path, system: FaultyDisk) -> BlockStore:
    """Block 1 is on volume a, block 2 on volume b."""
    for name, block_id in (("a", 1), ("b", 2)):
        store = opened(*(tmp_path / other for other in ("a", "b")[: block_id]), system=system)
        target = [volume for volume in store.volumes.working if volume.root.endswith(name)]
        store.volumes.choice.roomiest = lambda *_: (target[0], 0)  # type: ignore[method-assign]
        put(store, block_id, DATA)
        store.close()
    return opened(tmp_path / "a", tmp_path / "b", system=system)


@pytest.mark.parametrize("call", ["fsync", "write", "rename"])
def test_a_volume_that_fails_costs_its_replicas_only(tmp_path: Path, call: str) -> None:
    system = FaultyDisk()
    store = two_volumes(tmp_path, system)
    assert len(store.replicas.inventory().good) == 2
    doomed = [volume for volume in store.volumes.working if volume.root.endswith("a")]
    store.volumes.choice.roomiest = lambda *_: (doomed[0], 0)  # type: ignore[method-assign]
    writer = store.create(3, 1, len(DATA))
    system.faults, system.where = {call: errno.EIO}, f"{tmp_path}/a"
    with pytest.raises(DiskFailed):
        try:
            fill(writer, DATA)
        except DfsError:
            store.discard(writer)
            raise
        store.finish(writer)
    store.replicas.check()
    usage = store.usage()
    assert usage.failed_volumes == 1 and usage.replicas == 1
    assert [block.block_id for block in store.replicas.inventory().good] == [2]
    assert get(store, Block(2, 1, len(DATA))) == DATA
    with pytest.raises(BlockMissing):
        store.read(1, 1)
    del store.volumes.choice.roomiest  # type: ignore[method-assign]
    put(store, 4, DATA)
    assert "blk_4_1" in names(tmp_path / "b")
    store.close()


def test_a_write_that_ends_after_its_volume_failed_is_not_acknowledged(tmp_path: Path) -> None:
    store = opened(tmp_path / "a", tmp_path / "b")
    writer = store.create(7, 1, len(DATA))
    fill(writer, DATA)
    writer.volume.fail("pulled out")
    with pytest.raises(DiskFailed):
        store.finish(writer)
    store.replicas.check()
    assert store.replicas.inventory()[:2] == ((), ())
    store.close()


def test_without_any_volume_the_store_stays_up_empty(tmp_path: Path) -> None:
    store = opened(tmp_path / "a")
    put(store, 1, DATA)
    node_id = store.volumes.node_id
    store.volumes.working[0].fail("gone")
    assert store.usage() == (0, 0, 0, 0, 1) and store.replicas.inventory()[:2] == ((), ())
    assert store.volumes.node_id == node_id and store.volumes.scan_position == 0
    with pytest.raises(DiskFailed):
        store.create(2, 1, 10)
    store.volumes.remember_epoch(3)
    store.volumes.scan_position = 4
    assert store.volumes.empty_trash(0.0) == 0 and store.volumes.epoch == 3
    store.close()


def test_a_disk_that_cannot_be_measured_fails_and_no_heartbeat_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path / "a", tmp_path / "b")
    space = disk.space

    def measure(path: str) -> disk.Space:
        if path.endswith("a"):
            raise DiskFailed("gone") from OSError(errno.EIO, "gone")
        return space(path)

    monkeypatch.setattr(disk, "space", measure)
    assert store.usage().failed_volumes == 1 and store.usage().capacity > 0
    store.close()


def test_a_failed_removal_is_not_told_as_done(tmp_path: Path) -> None:
    system = FaultyDisk()
    store = opened(tmp_path / "a", system=system)
    block = put(store, 1, DATA)
    system.faults = {"unlink": errno.EMFILE}
    with pytest.raises(DfsError):
        store.remove(block)
    assert store.replicas.inventory()[:2] == ((block,), ())
    system.faults = {"unlink": errno.EIO}
    with pytest.raises(DiskFailed):
        store.remove(block)
    assert store.replicas.inventory()[:2] == ((), ()) and store.usage().failed_volumes == 1
    store.replicas.check()
    store.close()


def test_an_epoch_is_obeyed_even_when_the_disk_is_too_full_to_note_it(tmp_path: Path) -> None:
    system = FaultyDisk()
    store = opened(tmp_path / "a", system=system)
    system.faults = {"write": errno.ENOSPC}
    store.volumes.remember_epoch(9)
    assert store.volumes.epoch == 9 and not store.volumes.failed
    system.faults = {}
    store.volumes.remember_epoch(9)
    store.close()
    again = opened(tmp_path / "a")
    assert again.volumes.epoch == 9
    again.volumes.remember_epoch(8)
    assert again.volumes.epoch == 9
    again.close()


def test_what_is_announced_and_never_sent_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One writer who announced a block as large as the disk took all room, and sent no byte."""
    store = opened(tmp_path / "a")
    monkeypatch.setattr(disk, "space", lambda path: disk.Space(1 << 40, 1 << 30))
    huge = store.create(1, 1, 1 << 30)
    assert put(store, 2, DATA)
    fill(huge, DATA)
    store.finish(huge)
    assert store.volumes.working[0].space.promised == 0
    store.close()
