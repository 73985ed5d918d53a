"""Power cuts at every step of finishing a replica, on a disk that forgets what was not synced."""

import os
from pathlib import Path
from typing import Iterator, Type

import pytest

from data_service.datanode.store import layout
from data_service.datanode.store.replica_writer import ReplicaWriter
from data_service.datanode.store.volume import Volume
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import crc32
from tests.support.disks.forgetful_disk import Aftermath, ForgetfulDisk, aftermaths
from zookeeper.fabric import disk
from zookeeper.fabric.errors import CorruptData, DiskFailed

DATA = b"twenty bytes of data"
BLOCK = Block(7, 1, len(DATA))


class Layout:
    """The paths of block 7 below `root`."""

    def __init__(self, root: str) -> None:
        self.target = layout.replica_path(root, 7, 1)
        self.shard = os.path.dirname(self.target)
        self.tmp = os.path.join(root, "tmp")
        self.directories = (root, self.tmp, os.path.dirname(self.shard), self.shard)

    def writer(self, kind: Type[ReplicaWriter], system: disk.SystemCalls) -> ReplicaWriter:
        """A writer that has all of the data."""
        volume = Volume(self.directories[0], 0, system=system)
        writer = kind(volume, 7, 1, len(DATA))
        writer.write(memoryview(DATA), crc32(DATA))
        return writer


@pytest.fixture(name="paths")
def _paths(tmp_path: Path) -> Layout:
    # The directory exists, because a writer asks the system how much room it has.
    return Layout(str(tmp_path))


def worlds(paths: Layout, kind: Type[ReplicaWriter]) -> Iterator[Aftermath]:
    """What can be on the disk after a power cut before each system call, and after the last."""

    def operation(system: disk.SystemCalls) -> None:
        assert paths.writer(kind, system).finish() == BLOCK

    return aftermaths(paths.directories, {}, operation)


def is_whole(paths: Layout, world: Aftermath) -> bool:
    """Whether the replica is there with its data and its checksums, as a scan would judge."""
    try:
        content = world.files.get(paths.target, b"")
        label = content[-layout.LABEL_BYTES :]
        block = layout.decode_label(label, 7, 1, layout.LAYOUT_VERSION)
    except CorruptData:
        return False
    trailer = layout.encode_trailer(BLOCK, [crc32(DATA)])
    return block == BLOCK and content == DATA + trailer


def check(paths: Layout, kind: Type[ReplicaWriter] = ReplicaWriter) -> None:
    """Absent or whole at any time; whole once `finish` has returned; nothing else but in tmp."""
    count = 0
    for world in worlds(paths, kind):
        count += 1
        whole = is_whole(paths, world)
        assert whole or not world.returned, f"acknowledged and lost: {world.story}"
        assert whole or paths.target not in world.files, f"half a replica: {world.story}"
        others = set(world.files) - {paths.target}
        assert all(os.path.dirname(path) == paths.tmp for path in others), world.story
    assert count > 4 * 10


def test_a_replica_is_absent_or_whole_after_any_power_cut(paths: Layout) -> None:
    """HDFS-5042, HDFS-11915: closed files vanished at a power loss."""
    check(paths)


def test_the_order_is_data_checksums_name_directory(paths: Layout) -> None:
    system = ForgetfulDisk(paths.directories, {})
    writer = paths.writer(ReplicaWriter, system)
    started = len(system.calls)
    writer.finish()
    unfinished = system.calls[0].partition(" ")[2]
    steps = [call for call in system.calls[started:] if not call.startswith("write ")]
    assert steps == [
        f"fsync {unfinished}",
        f"rename {paths.target}",
        f"open {paths.shard}",
        f"fsync {paths.shard}",
    ]


def test_a_failed_fsync_is_not_acknowledged_nor_tried_again(paths: Layout) -> None:
    """SeaweedFS e0c4732e5: an index flush failed after the data flush, the node kept serving."""
    for failing_path in ("tmp/", paths.shard):

        class Failing(ForgetfulDisk):
            """One kind of file cannot be synced."""

            def fsync(self, descriptor: int) -> None:
                """Fail for this path."""
                super().fsync(descriptor)
                if failing_path in self.calls[-1]:  # noqa: B023
                    raise OSError(5, "Input/output error")

        system = Failing(paths.directories, {})
        writer = paths.writer(ReplicaWriter, system)
        with pytest.raises(DiskFailed):
            writer.finish()
        writer.discard()
        fsyncs = [call for call in system.calls if call.startswith("fsync")]
        assert len(fsyncs) == len(set(fsyncs)) and failing_path in fsyncs[-1]
        assert writer.volume.failed


# Mutants: each leaves out or swaps one step, and `check` must notice every one of them.


class NoDirectorySync(ReplicaWriter):
    """Leaves the names to luck."""

    def finish(self) -> Block:
        """Without the last step."""
        monkey = disk.fsync_directory
        disk.fsync_directory = lambda path, system: None  # type: ignore[assignment,misc]
        try:
            return super().finish()
        finally:
            disk.fsync_directory = monkey  # type: ignore[misc]


class NoFileSync(ReplicaWriter):
    """Leaves data and checksums to luck."""

    def _sync_and_close(self) -> None:
        self._close()


class ChecksumsAfterTheSync(ReplicaWriter):
    """Leaves the checksums to luck."""

    def _write_all(self, data: memoryview) -> None:
        if len(data) > len(DATA):
            self.volume.system.fsync(self._descriptor)
        super()._write_all(data)

    def _sync_and_close(self) -> None:
        self._close()


class NamedBeforeItIsSynced(ReplicaWriter):
    """Gives the file its name too early."""

    def _sync_and_close(self) -> None:
        system = self.volume.system
        system.rename(self._path, self._target)
        super()._sync_and_close()
        system.rename(self._target, self._path)


class SyncedInTheWrongFolder(ReplicaWriter):
    """Makes the names durable of the folder that it leaves."""

    def finish(self) -> Block:
        """The last step at another place."""
        real = disk.fsync_directory
        disk.fsync_directory = (  # type: ignore[misc]
            lambda path, system=disk.SYSTEM: real(os.path.dirname(self._path), system))
        try:
            return super().finish()
        finally:
            disk.fsync_directory = real  # type: ignore[misc]


class AcknowledgedTooEarly(ReplicaWriter):
    """Returns before anything is done."""

    def finish(self) -> Block:
        """Only the data is synced."""
        self._sync_and_close()
        return BLOCK


@pytest.mark.parametrize("mutant", [
    NoDirectorySync, NoFileSync, ChecksumsAfterTheSync, NamedBeforeItIsSynced,
    SyncedInTheWrongFolder, AcknowledgedTooEarly])
def test_a_mutant_is_caught(paths: Layout, mutant: Type[ReplicaWriter]) -> None:
    check(paths)
    with pytest.raises(AssertionError, match="acknowledged and lost|half a replica"):
        check(paths, mutant)
