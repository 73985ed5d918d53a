"""What people do by hand in a directory that a datanode serves: it costs what they touched."""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import List

import pytest

from data_service.datanode.store.replica_writer import ReplicaWriter
from data_service.datanode.store.volume import Volume
from data_service.protocol.blocks import Block
from tests.support.disks.faulty_disk import FaultyDisk
from tests.support.disks.stores import (
    VOLUME_DATA as DATA,
    fill,
    names,
    open_volume,
    path_of,
    write_replica,
)
from zookeeper.fabric.errors import CorruptData, DiskFailed


@pytest.mark.parametrize("race", [False, True])
def test_a_file_that_somebody_took_out_of_the_trash_is_no_trouble(
    tmp_path: Path, volume: Volume, system: FaultyDisk, race: bool
) -> None:
    """It failed the whole volume, and dropped all of its replicas."""
    volume.trash.take_in(write_replica(volume, 7))
    volume.trash.take_in(write_replica(volume, 8))
    gone = next((tmp_path / "v" / "trash").glob("blk_7_1.*"))
    unlink = system.unlink

    def faster(path: str) -> None:
        if path == str(gone):
            os.unlink(path)
        unlink(path)

    if race:
        system.unlink = faster  # type: ignore[method-assign]
    else:
        gone.unlink()
    assert volume.trash.empty(-1e9) == 1
    assert not volume.failed and names(tmp_path / "v") == []


def test_strangers_in_the_trash_stay_and_stop_nothing(tmp_path: Path, volume: Volume) -> None:
    volume.trash.take_in(write_replica(volume))
    (tmp_path / "v" / "trash" / "blk_1_1.0" / "x").mkdir(parents=True)
    assert volume.trash.empty(-1e9) == 1
    assert not volume.failed


def test_the_trash_of_a_full_disk_is_emptied(
    tmp_path: Path, volume: Volume, system: FaultyDisk
) -> None:
    """Nothing could be noted on it any more, so it stayed full."""
    volume.trash.take_in(write_replica(volume))
    system.faults = {"write": errno.ENOSPC, "open": errno.ENOSPC}
    assert volume.trash.empty(-1e9) == 1
    assert not volume.failed and names(tmp_path / "v") == []


@pytest.mark.parametrize("folder", ["tmp", "trash", "finalized", "finalized/07"])
def test_a_folder_that_was_removed_by_hand_costs_what_was_in_it(
    tmp_path: Path, volume: Volume, failures: List[str], folder: str
) -> None:
    block = write_replica(volume)
    shutil.rmtree(tmp_path / "v" / folder)
    with suppress(CorruptData, DiskFailed):
        os.close(volume.open_replica(*block[:2], False).descriptor)
    with suppress(DiskFailed):
        volume.remove(block)
    with suppress(DiskFailed):
        volume.trash.empty(0.0)
    volume.probe()
    with suppress(DiskFailed):
        write_replica(volume)
    volume.trash.take_in(write_replica(volume))
    assert failures == []


def test_an_unfinished_file_that_was_removed_by_hand_costs_that_write(
    tmp_path: Path, volume: Volume, failures: List[str]
) -> None:
    writer = ReplicaWriter(volume, 7, 1, len(DATA))
    fill(writer, DATA)
    shutil.rmtree(tmp_path / "v" / "tmp")
    with pytest.raises(DiskFailed):
        writer.finish()
    writer.discard()
    write_replica(volume)
    assert failures == [] and names(tmp_path / "v") == ["blk_7_1"]


def test_a_directory_in_the_place_of_a_replica_costs_that_replica(
    tmp_path: Path, volume: Volume, failures: List[str]
) -> None:
    (path_of(tmp_path / "v", Block(7, 1, 0)) / "x").mkdir(parents=True)
    with pytest.raises(DiskFailed):
        write_replica(volume)
    with pytest.raises(DiskFailed):
        volume.remove(Block(7, 1, 0))
    write_replica(volume, 8)
    assert failures == []


def test_everything_in_a_directory_is_the_owners_only(tmp_path: Path) -> None:
    """A mount point, or a directory that was made by hand, is open to all; and was."""
    root = tmp_path / "v"
    for folder in (root, root / "finalized", root / "finalized" / "07"):
        folder.mkdir()
        folder.chmod(0o755)
    made = open_volume(root, FaultyDisk(), [])
    write_replica(made)
    made.trash.empty(0.0)
    made.directory.close()
    for path in (root / "VERSION", root / "trash", root / "lock"):
        path.chmod(0o777)
    open_volume(root, FaultyDisk(), []).directory.close()
    for path in [root, *root.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_directory_that_was_emptied_or_moved_away_is_noticed_without_a_read(
    tmp_path: Path, volume: Volume, failures: List[str]
) -> None:
    """Its replicas counted until each was read, which the scanner does once in three weeks."""
    assert volume.space.measured()[1] > 0
    (tmp_path / "v").rename(tmp_path / "away")
    (tmp_path / "v").mkdir()
    with pytest.raises(DiskFailed, match="no VERSION any more"):
        volume.space.measured()
    assert volume.failed and len(failures) == 1
