"""Disks that do not answer: nobody waits for them for long, and other directories go on."""

import threading
import time
from pathlib import Path
from typing import Iterator, List

import pytest

from data_service.datanode.store import health as health_module
from data_service.datanode.store import space as space_module
from data_service.datanode.store import volume_choice as choice_module
from data_service.datanode.store import volumes as volumes_module
from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.store.disk_threads import DiskThread
from data_service.datanode.store.volume import Volume
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from tests.support.disks.faulty_disk import FaultyDisk
from tests.support.disks.replicas import noise
from tests.support.disks.stores import names, opened, put
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric import disk
from zookeeper.fabric.errors import Busy, DiskFailed, DiskFull, InternalError

DATA = noise(CHUNK_BYTES + 99)


class HungDisk(FaultyDisk):
    """Calls at paths that contain `hangs` do not come back until `released`."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = ""
        self.released = threading.Event()
        self.stuck: List[str] = []

    def wait_at(self, path: str) -> None:
        """Hang, if this is the place."""
        if self.hangs and self.hangs in path and not self.released.is_set():
            self.stuck.append(path)
            self.released.wait(60)

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        """As os.open."""
        self.wait_at(path)
        return super().open(path, flags, mode)

    def fsync(self, descriptor: int) -> None:
        """As os.fsync."""
        self.wait_at(self._paths[descriptor])
        super().fsync(descriptor)


@pytest.fixture(name="system")
def _system(monkeypatch: pytest.MonkeyPatch) -> Iterator[HungDisk]:
    made = HungDisk()
    space = disk.space

    def measure(path: str) -> disk.Space:
        made.wait_at(path)
        return space(path)

    monkeypatch.setattr(disk, "space", measure)
    monkeypatch.setattr(space_module, "MEASURE_SECONDS", 0.05)
    monkeypatch.setattr(volumes_module, "RECORD_SECONDS", 0.05)
    yield made
    made.released.set()


def volume_at(store: BlockStore, root: Path) -> Volume:
    """The volume of a directory."""
    return next(volume for volume in store.volumes.working if volume.root == str(root))


def test_a_disk_whose_measure_hangs_is_passed_over_and_comes_back(
    tmp_path: Path, system: HungDisk
) -> None:
    """The heartbeat waited for it, and the whole datanode was taken for dead."""
    roots = [tmp_path / "a", tmp_path / "b"]
    store = opened(*roots, system=system)
    both = store.usage().capacity
    system.hangs = str(roots[1])
    for block_id in range(1, 5):
        put(store, block_id, DATA)
        assert store.usage().failed_volumes == 1 and 0 < store.usage().capacity <= both
    assert len(names(roots[0])) == 4 and len(system.stuck) == 1, "one thread waits, not one a call"
    system.released.set()
    wait_until(lambda: store.usage().failed_volumes == 0, what="the disk to be heard again")
    assert store.usage().capacity == both
    store.close()


def test_without_any_disk_that_answers_a_write_is_told_to_come_later(
    tmp_path: Path, system: HungDisk
) -> None:
    store = opened(tmp_path / "a", system=system)
    system.hangs = str(tmp_path)
    with pytest.raises(Busy):
        store.create(1, 1, 10)
    assert store.usage()[:3] == (0, 0, 0)
    system.released.set()
    wait_until(lambda: store.usage().capacity > 0)
    put(store, 1, DATA)
    store.close()


def test_a_note_is_kept_by_the_disks_that_answer(tmp_path: Path, system: HungDisk) -> None:
    """The epoch of a new namenode is noted in the thread that sends the heartbeats."""
    roots = [tmp_path / "a", tmp_path / "b"]
    store = opened(*roots, system=system)
    system.hangs = str(roots[0])
    for epoch in range(3, 9):
        store.volumes.remember_epoch(epoch)
    assert (roots[1] / "epoch").read_bytes() == b"8\n"
    assert len(system.stuck) == 1
    store.volumes.join_cluster("c")
    assert store.volumes.cluster_id == "c"
    system.released.set()
    store.close()


def test_the_trash_of_other_disks_is_emptied(
    tmp_path: Path, system: HungDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes_module, "SILENT_SECONDS", 0.05)
    roots = [tmp_path / "a", tmp_path / "b"]
    store = opened(*roots, system=system)
    for block_id in (1, 2, 3, 4):
        store.move_to_trash(put(store, block_id, DATA))
    kept = len(names(roots[0], ("trash",)))
    system.hangs = str(roots[0])
    assert store.volumes.empty_trash(-1e9) == 4 - kept
    assert store.volumes.empty_trash(-1e9) == 0 and len(system.stuck) == 1
    system.released.set()
    wait_until(lambda: not names(roots[0], ("trash",)), what="the rest of the first call")
    store.close()


def test_nobody_waits_for_replicas_on_a_disk_that_has_been_silent_for_long(
    tmp_path: Path, system: HungDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "SILENT_SECONDS", 0.2)
    roots = [tmp_path / "a", tmp_path / "b"]
    store = opened(*roots, system=system)
    blocks = [put(store, block_id, DATA) for block_id in (1, 2, 3, 4)]
    system.hangs = str(roots[0])
    writer = threading.Thread(target=store.remove, args=(on(roots[0], blocks),))
    writer.start()
    silent = volume_at(store, roots[0])
    wait_until(lambda: silent.health.is_silent)
    with pytest.raises(DiskFailed, match="does not answer"):
        store.read(*on(roots[0], [b for b in blocks if b in store.replicas.inventory().good])[:2])
    store.read(*on(roots[1], blocks)[:2]).__exit__()
    assert not silent.failed, "it may answer again"
    system.released.set()
    writer.join(30)
    wait_until(lambda: not silent.health.is_silent)
    store.read(*on(roots[0], list(store.replicas.inventory().good))[:2]).__exit__()
    store.close()


class Clock:
    """A monotonic clock that only a test moves: no other disk is slow because the machine is."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Its time."""
        return self.now


def on(root: Path, blocks: List[Block]) -> Block:
    """One of the blocks that this directory has."""
    here = names(root)
    return next(block for block in blocks if block.name in here)


def test_a_disk_that_never_answers_again_has_failed(
    tmp_path: Path, system: HungDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice_module, "GIVE_UP_SECONDS", 0.1)
    roots = [tmp_path / "a", tmp_path / "b"]
    store = opened(*roots, system=system)
    system.hangs = str(roots[1])
    wait_until(lambda: store.usage() and store.volumes.failed == 1)
    assert "not answered" in store.volumes._volumes[1].failed
    store.close()


def test_a_disk_that_hangs_at_the_start_costs_that_directory(
    tmp_path: Path, system: HungDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "SILENT_SECONDS", 0.3)
    roots = [tmp_path / "a", tmp_path / "b"]
    opened(*roots, system=system).close()
    make = disk.ensure_directory

    def hanging(path: str, system_: disk.SystemCalls = disk.SYSTEM) -> bool:
        system.wait_at(path)
        return make(path, system_)

    monkeypatch.setattr(disk, "ensure_directory", hanging)
    system.hangs = str(roots[0])
    store = opened(*roots, system=system)
    assert store.volumes.failed == 1 and store.usage().capacity > 0
    put(store, 1, DATA)
    store.close()


@pytest.mark.parametrize("what", ["quota", "inodes"])
def test_a_directory_that_refuses_new_files_is_passed_over(
    tmp_path: Path, system: HungDisk, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Its disk has the most room, as far as anybody tells; every replica was sent there."""
    roots = [tmp_path / "a", tmp_path / "b"]
    store = opened(*roots, system=system)
    monkeypatch.setattr(
        disk, "space", lambda path: disk.Space(1 << 40, 2 << 30 if path.endswith("a") else 1 << 30)
    )
    system.faults = {"open": 122 if what == "quota" else 28}
    system.where = str(roots[0])
    system.calls.clear()
    for block_id in range(1, 5):
        put(store, block_id, DATA)
    assert len(names(roots[1])) == 4 and system.failing(str(roots[0])) == 1
    system.where = str(tmp_path)
    with pytest.raises(DiskFull):
        store.create(9, 1, 10)
    system.faults = {}
    assert put(store, 9, DATA) and not store.volumes.failed
    store.close()


def test_a_disk_thread_has_one_call_and_all_hear_of_its_end() -> None:
    go, thread, made = threading.Event(), DiskThread("disk"), []

    def action() -> int:
        made.append(1)
        go.wait(60)
        return len(made)

    first = thread.join(action)
    assert thread.join(action) is first
    with pytest.raises(Busy, match="disk does not answer"):
        thread.send(action)
    with pytest.raises(Busy, match="disk does not answer"):
        first.result(time.monotonic())
    go.set()
    assert first.result(time.monotonic() + 60) == 1
    assert thread.send(action).result(time.monotonic() + 60) == 2


def test_a_call_brings_errors_back() -> None:
    def refuse() -> None:
        raise DiskFull("no")

    def break_down() -> None:
        raise KeyError("x")

    for action, error in ((refuse, DiskFull), (break_down, InternalError)):
        with pytest.raises(error):
            DiskThread("disk").send(action).result(time.monotonic() + 60)


def test_a_disk_that_was_slow_comes_behind_and_is_told_while_it_hangs(
    tmp_path: Path, system: HungDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second replica was sent to it, and its writer waited until its patience was over."""
    clock = Clock()
    monkeypatch.setattr(health_module, "time", clock)
    roots = [tmp_path / "a", tmp_path / "b"]
    store = opened(*roots, system=system)
    blocks = [put(store, block_id, DATA) for block_id in (1, 2)]
    system.hangs = str(roots[0] / "finalized")
    removing = threading.Thread(target=store.remove, args=(on(roots[0], blocks),))
    removing.start()
    wait_until(lambda: system.stuck, what="the disk to hang")
    clock.now += health_module.TOLD_SECONDS + 1.0
    assert store.usage().failed_volumes == 1
    for again in range(2):
        for block_id in (10 + 2 * again, 11 + 2 * again):
            put(store, block_id, DATA)
        assert {f"blk_{10 + 2 * again}_1", f"blk_{11 + 2 * again}_1"} <= set(names(roots[1]))
        system.released.set()
        removing.join(60)
    assert store.usage().failed_volumes == 0
    store.close()
