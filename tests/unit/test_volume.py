"""One directory of a datanode: identity, scan, trouble with the disk, trash."""

import errno
import os
from pathlib import Path
from typing import Callable, Dict, List

import pytest

from data_service.datanode.store import layout
from data_service.datanode.store import trash_folder
from data_service.datanode.store.replica_writer import ReplicaWriter
from data_service.datanode.store.volume import Stored, Volume
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES, block_digest
from tests.support.disks.damage import (
    DAMAGES,
    DAMAGES_OF_TWO,
    LABEL_BYTES,
    UNSEEN_BY_A_SCAN,
    Damage,
)
from tests.support.disks.faulty_disk import FaultyDisk
from tests.support.disks.stores import (
    VOLUME_DATA as DATA,
    begin,
    chunks_of,
    fill,
    names,
    open_volume,
    path_of,
    write_replica,
)
from tests.support.disks.two_files import data_of, meta_of, split
from zookeeper.fabric.errors import Busy, CorruptData, DiskFailed, DiskFull, StartRefused


class Clock:
    """A monotonic clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Its time."""
        return self.now


def test_identity_survives_a_restart(tmp_path: Path) -> None:
    first = open_volume(tmp_path / "v", FaultyDisk(), [])
    first.directory.join_cluster("cluster-1")
    first.records.write_number("epoch", 7)
    first.directory.close()
    second = open_volume(tmp_path / "v", FaultyDisk(), [])
    assert second.directory.version == first.directory.version
    assert second.directory.version.cluster_id == "cluster-1"
    assert second.records.read_number("epoch") == 7
    assert second.records.read_number("scan_position") == 0
    second.directory.join_cluster("cluster-2")
    assert second.directory.version.cluster_id == "cluster-1"
    second.directory.close()


def test_two_processes_cannot_have_one_directory(tmp_path: Path, volume: Volume) -> None:
    with pytest.raises(StartRefused, match="in use by process"):
        begin(Volume(str(tmp_path / "v"), 0))


@pytest.mark.parametrize("stranger", ["notes.txt", "epoch", "tmp/x", "trash/blk_1_1.5",
                                      "finalized/07/blk_7_1", "finalized/x/y"])
def test_a_directory_with_strange_or_orphaned_contents_is_refused(
    tmp_path: Path, stranger: str
) -> None:
    """A directory whose VERSION was lost must not begin a new life with old replicas."""
    path = tmp_path / "v" / stranger
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(StartRefused, match="move it away"):
        begin(Volume(str(tmp_path / "v"), 0))
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("leftover", ["tmp", "finalized/00", "lost+found"])
def test_a_format_that_was_cut_short_is_begun_again(tmp_path: Path, leftover: str) -> None:
    (tmp_path / "v" / leftover).mkdir(parents=True)
    (tmp_path / "v" / "VERSION.tmp").write_bytes(b"clust")
    made = open_volume(tmp_path / "v", FaultyDisk(), [])
    assert write_replica(made) == Block(7, 1, len(DATA))
    made.directory.close()


def test_a_damaged_version_is_refused(tmp_path: Path, volume: Volume) -> None:
    volume.directory.close()
    (tmp_path / "v" / "VERSION").write_bytes(b"")
    with pytest.raises(StartRefused, match="VERSION file"):
        begin(Volume(str(tmp_path / "v"), 0))


def test_a_directory_whose_version_is_changing_still_is_itself(
    tmp_path: Path, volume: Volume
) -> None:
    """A probe that came between the file and what is known of it failed the volume."""
    changed = volume.directory.version._replace(cluster_id="c")
    (tmp_path / "v" / "VERSION").write_bytes(layout.encode_version(changed))
    assert volume.directory.is_itself()
    for other in (changed._replace(storage_id="x"), changed._replace(node_id="x")):
        (tmp_path / "v" / "VERSION").write_bytes(layout.encode_version(other))
        assert not volume.directory.is_itself()


def test_unfinished_writes_are_dropped_at_a_start(tmp_path: Path, volume: Volume) -> None:
    fill(ReplicaWriter(volume, 8, 1, len(DATA)), DATA)
    volume.directory.close()
    assert names(tmp_path / "v", ("tmp",))
    open_volume(tmp_path / "v", FaultyDisk(), []).directory.close()
    assert names(tmp_path / "v") == []


def test_a_damaged_position_starts_from_the_beginning(tmp_path: Path, volume: Volume) -> None:
    (tmp_path / "v" / layout.SCAN_POSITION).write_bytes(b"?")
    assert volume.records.read_hint(layout.SCAN_POSITION) == 0
    (tmp_path / "v" / layout.EPOCH).write_bytes(b"?")
    with pytest.raises(CorruptData):
        volume.records.read_number(layout.EPOCH)


FOUND_IN_ONE: Dict[str, Damage] = {
    **{name: damage for name, damage in DAMAGES.items() if name not in UNSEEN_BY_A_SCAN},
    "long by a label": lambda path: path.write_bytes(path.read_bytes() + bytes(LABEL_BYTES)),
    "huge": lambda path: os.truncate(path, 1 << 40),
    "of another": lambda path: path.write_bytes(path.with_name("blk_7_1").read_bytes()),
    "two trailers": lambda path: path.write_bytes(
        path.read_bytes() + path.read_bytes()[len(data_of(path)) :]),
}
FOUND_IN_TWO: Dict[str, Damage] = {
    **{name: damage for name, damage in DAMAGES_OF_TWO.items()
       if name not in (*UNSEEN_BY_A_SCAN, "zeroed")},
    "meta huge": lambda path: os.truncate(meta_of(path), 1 << 40),
    "meta of another": lambda path: meta_of(path).write_bytes(
        meta_of(path.with_name("blk_7_1")).read_bytes()),
}


@pytest.mark.parametrize("data", [DATA[:500], DATA], ids=["one chunk", "several"])
@pytest.mark.parametrize("damages", [FOUND_IN_ONE, FOUND_IN_TWO], ids=["one file", "two files"])
def test_a_scan_tells_good_from_damaged(
    tmp_path: Path, volume: Volume, damages: Dict[str, Damage], data: bytes
) -> None:
    """Also a file of a terabyte costs no memory."""
    good = write_replica(volume, 7, data)
    damaged = {name: write_replica(volume, 263 + 256 * number, data)
               for number, name in enumerate(damages)}
    has_meta = damages is FOUND_IN_TWO
    if has_meta:
        for block in (good, *damaged.values()):
            split(path_of(tmp_path / "v", block))
    blocks = sorted((good, *damaged.values()))
    digest = block_digest(len(data), [checksum for _, checksum in chunks_of(data)])
    assert sorted(volume.scan()) == [Stored(block, "", has_meta, digest) for block in blocks]
    for name, block in damaged.items():
        damages[name](path_of(tmp_path / "v", block))
    found = {stored.block.block_id: stored.problem for stored in volume.scan()}
    assert found.pop(good.block_id) == ""
    for name, block in damaged.items():
        is_gone = name == ("both-gone" if has_meta else "gone")
        assert (block.block_id not in found) if is_gone else found[block.block_id], name
    assert not volume.failed


def test_files_of_others_are_no_replicas(tmp_path: Path, volume: Volume) -> None:
    shard = tmp_path / "v" / "finalized" / "07"
    for name in ("README", "blk_07_1", "blk_7_1.bak", "blk_8_1", "blk_8_1.meta"):
        (shard / name).write_bytes(b"x")
    assert list(volume.scan()) == []


def test_a_replica_that_was_removed_is_gone_for_good(
    tmp_path: Path, volume: Volume, system: FaultyDisk
) -> None:
    block = write_replica(volume)
    system.calls.clear()
    volume.remove(block)
    assert list(volume.scan()) == [] and names(tmp_path / "v") == []
    assert [name for name, _ in system.calls] == ["unlink", "open", "fsync"]
    volume.remove(block)


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "unlink", "open"])
def test_trouble_with_the_disk_fails_the_volume_once_and_for_ever(
    volume: Volume, system: FaultyDisk, failures: List[str], call: str
) -> None:
    """ATC'20: after a failed fsync the kernel may say success; so it is never tried again."""
    block = write_replica(volume)
    system.calls.clear()
    system.faults = {call: errno.EIO}
    with pytest.raises(DiskFailed):
        volume.remove(block) if call == "unlink" else write_replica(volume, 8)
    assert system.failing("") == 1
    system.faults = {}
    assert volume.failed and failures == [volume.failed]
    volume.fail("again")
    assert failures == [volume.failed]
    with pytest.raises(DiskFailed):
        volume.probe()


@pytest.mark.parametrize("number, expected", [
    (errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull),
    (errno.EMFILE, Busy), (errno.ENFILE, Busy), (errno.ENOMEM, Busy)])
def test_a_full_disk_or_too_many_open_files_are_no_failure(
    volume: Volume, system: FaultyDisk, number: int, expected: Callable[..., BaseException]
) -> None:
    system.faults = {"open": number}
    with pytest.raises(expected):  # type: ignore[call-overload]
        write_replica(volume)
    assert not volume.failed
    system.faults = {}
    write_replica(volume)


def test_a_file_that_cannot_be_read_is_one_damaged_replica(
    tmp_path: Path, volume: Volume
) -> None:
    block = write_replica(volume)
    path_of(tmp_path / "v", block).unlink()
    path_of(tmp_path / "v", block).mkdir()
    with pytest.raises(CorruptData, match="cannot read blk_7_1"):
        volume.open_replica(7, 1, False)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(CorruptData, match="cannot read blk_7_1"):
        volume.read_data(descriptor, memoryview(bytearray(10)), 0, block)
    os.close(descriptor)
    assert not volume.failed


def test_a_directory_that_is_gone_is_a_failed_volume_and_no_damage(
    tmp_path: Path, volume: Volume
) -> None:
    """HDFS-17342, HDFS-16985: what could not be opened was taken for absent, and dropped; here a
    disk was unmounted."""
    block = write_replica(volume)
    (tmp_path / "v").rename(tmp_path / "elsewhere")
    with pytest.raises(DiskFailed):
        volume.open_replica(block.block_id, block.generation, False)
    assert "not the directory any more" in volume.failed


def test_a_disk_that_reads_but_cannot_write_fails_at_the_probe(
    tmp_path: Path, volume: Volume, system: FaultyDisk
) -> None:
    block = write_replica(volume)
    path_of(tmp_path / "v", block).unlink()
    system.faults = {"fsync": errno.EROFS}
    with pytest.raises(DiskFailed):
        volume.open_replica(block.block_id, block.generation, False)
    assert volume.failed


def test_a_probe_leaves_nothing_and_a_full_disk_passes_it(
    tmp_path: Path, volume: Volume, system: FaultyDisk
) -> None:
    volume.probe()
    system.faults = {"write": errno.ENOSPC}
    volume.probe()
    assert not volume.failed and names(tmp_path / "v") == []


def test_space_leaves_the_reserve_out(tmp_path: Path) -> None:
    _, total, free = Volume(str(tmp_path), 0).space.measured()
    assert 0 < free <= total
    assert Volume(str(tmp_path), 1 << 60).space.measured()[2] == 0


def test_the_trash_keeps_whole_replicas_for_its_time(
    tmp_path: Path, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    clock.now = volume.trash._opened_at
    monkeypatch.setattr(trash_folder.time, "monotonic", clock.monotonic)
    block = write_replica(volume)
    clock.now += 50.5
    volume.trash.take_in(block)
    trash = tmp_path / "v" / "trash"
    assert names(tmp_path / "v") == ["blk_7_1.51"]
    assert (trash / "blk_7_1.51").read_bytes().startswith(DATA)
    (trash / "mine").write_bytes(b"x")
    clock.now += 99.0
    assert volume.trash.empty(100.0) == 0
    clock.now += 2.0
    assert volume.trash.empty(100.0) == 1
    assert names(tmp_path / "v") == ["mine"]


def test_the_trash_counts_time_of_use_and_not_the_clock_on_the_wall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that was set, and old time stamps, delete nothing early; restarts delay little."""
    clock = Clock()
    monkeypatch.setattr(trash_folder.time, "monotonic", clock.monotonic)
    monkeypatch.setattr(trash_folder.time, "time", lambda: 1e12)
    first = open_volume(tmp_path / "v", FaultyDisk(), [])
    first.trash.take_in(write_replica(first))
    for name in names(tmp_path / "v"):
        os.utime(tmp_path / "v" / "trash" / name, (0, 0))
    clock.now += 60.0
    assert first.trash.empty(100.0) == 0
    clock.now += 30.0  # Not saved: the machine dies.
    first.directory.close()
    clock.now = 5.0
    second = open_volume(tmp_path / "v", FaultyDisk(), [])
    assert second.trash.uptime() == pytest.approx(60.0, abs=1.0)
    clock.now += 35.0
    assert second.trash.empty(100.0) == 0
    clock.now += 10.0
    assert second.trash.empty(100.0) == 1
    second.directory.close()


def test_a_chunk_is_read_from_any_place(volume: Volume) -> None:
    block = write_replica(volume)
    descriptor, found, checksums = volume.open_replica(7, 1, False)
    assert (found, checksums) == (block, tuple(checksum for _, checksum in chunks_of(DATA)))
    view = memoryview(bytearray(CHUNK_BYTES))
    assert volume.read_data(descriptor, view, CHUNK_BYTES + 1, block) == CHUNK_BYTES
    assert view == DATA[CHUNK_BYTES + 1 :][:CHUNK_BYTES]
    os.close(descriptor)
