"""Disks that are full, and directories that fail, under daemons that run."""

import time
from pathlib import Path
from typing import Iterator, List

import pytest

from data_service.filesystem import FileSystem
from data_service.protocol.health import DataNodeStatus
from tests.support.clusters.cluster import Cluster
from tests.support.disks.every_replica import replicas_on
from tests.support.disks.replicas import (
    block_names,
    holders,
    noise,
    stored,
    unfinished,
    wait_replicas,
)
from tests.support.disks.small_disk import CannotMount, SmallDisk
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import DiskFull

BLOCK = 64 * 1024
CONTENT = noise(4 * BLOCK + 99, 1)
DISK_BYTES = 4 << 20
RECORD_DISK_BYTES = 24 << 20
NAME_NODE = {"block_size": BLOCK, "replication_factor": 2}


@pytest.fixture
def small_disks(tmp_path: Path) -> Iterator[List[SmallDisk]]:
    """A small disk for each of three datanodes."""
    disks: List[SmallDisk] = []
    try:
        for number in range(3):
            disks.append(SmallDisk(tmp_path / "data" / f"data_node_{number}", DISK_BYTES))
        yield disks
    except CannotMount as error:
        pytest.skip(f"nobody may mount a disk here: {error}")
    finally:
        for disk in disks:
            disk.close()


@pytest.fixture
def record_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk for the metadata service."""
    try:
        disk = SmallDisk(tmp_path / "data" / "metadata", RECORD_DISK_BYTES)
    except CannotMount as error:
        pytest.skip(f"nobody may mount a disk here: {error}")
    yield disk
    disk.close()


def put(file_system: FileSystem, path: str) -> None:
    """Store the content."""
    with file_system.open(path, "wb") as file:
        file.write(CONTENT)


def assert_good(cluster: Cluster, names: List[str]) -> None:
    """All replicas of these blocks are whole, wherever they are."""
    for role in cluster.data_nodes:
        found = replicas_on(cluster, role)
        assert not [found[name] for name in names if name in found and found[name].problem]


def node_at(cluster: Cluster, file_system: FileSystem, role: str) -> DataNodeStatus:
    """What the namenode tells of a datanode."""
    port = cluster.address(role)[1]
    return next(node for node in file_system.datanodes() if node.port == port)


def test_a_full_disk_takes_nothing_gives_what_it_has_and_is_used_again_when_it_has_room(
    tmp_path: Path, small_disks: List[SmallDisk]
) -> None:
    with Cluster(tmp_path, name_node=NAME_NODE) as cluster:
        with cluster.file_system() as file_system:
            put(file_system, "/before")
            small_disks[0].fill()
            assert small_disks[0].free == 0
            put(file_system, "/elsewhere")
            names = block_names(file_system, "/elsewhere")
            assert {role for name in names for role in holders(cluster, name)} == {
                "data_node_1", "data_node_2"
            }
            assert not cluster.warnings, "every replica found its place"
            assert not unfinished(cluster, "data_node_0")
            for role in ("data_node_1", "data_node_2"):
                cluster.kill(role)
            # Only the full disk is left: it gives what it has, and takes no file at all.
            on_full = [n for n in block_names(file_system, "/before")
                       if "data_node_0" in holders(cluster, n)]
            assert_good(cluster, on_full)
            for role in ("data_node_1", "data_node_2"):
                cluster.start_daemon(role)
            cluster.wait_live(3)
            assert file_system.delete("/before")
            wait_until(lambda: not any(n in stored(cluster, "data_node_0") for n in on_full),
                       what="a deletion on a full disk")
            small_disks[0].drain()
            wait_until(lambda: node_at(cluster, file_system, "data_node_0").stats.remaining > BLOCK)
            file_system.set_replication("/elsewhere", 3)
            wait_replicas(cluster, "/elsewhere", 3)
            assert_good(cluster, names)


def test_a_put_that_finds_every_disk_full_fails_in_one_line_and_leaves_nothing(
    tmp_path: Path, small_disks: List[SmallDisk]
) -> None:
    options = {"client": {"retry_seconds": 2}}
    with Cluster(tmp_path, name_node=NAME_NODE, **options) as cluster:
        with cluster.file_system() as file_system:
            put(file_system, "/kept")
            kept = set(block_names(file_system, "/kept"))
            for disk in small_disks:
                disk.fill()
            failed = cluster.client("put", "-", "/refused", stdin=CONTENT)
            assert failed.status == 1 and len(failed.err.splitlines()) == 1, failed.err
            failed = cluster.client("put", "-f", "-", "/kept", stdin=CONTENT[::-1])
            assert failed.status == 1
            assert [status.name for status in file_system.list("/")] == ["kept"]
            assert cluster.client("cat", "/kept").out == CONTENT
            for disk in small_disks:
                disk.drain()
            for role in cluster.data_nodes:
                wait_until(lambda: not unfinished(cluster, role))
                wait_until(lambda: set(stored(cluster, role)) <= kept)
            wait_until(lambda: cluster.client("put", "-", "/refused", stdin=CONTENT).status == 0)
            assert cluster.client("cat", "/refused").out == CONTENT


def test_one_of_two_directories_that_fails_costs_its_replicas_only_and_comes_back(
    tmp_path: Path,
) -> None:
    options = {"directories": {"data_node_0": 2}, "data_nodes": 4}
    with Cluster(tmp_path, name_node=NAME_NODE, **options) as cluster:
        first, second = cluster.directories("data_node_0")
        paths = [f"/{number}" for number in range(8)]
        with cluster.file_system() as file_system:
            for path in paths:
                put(file_system, path)
            lost = {path.name for path in second.glob("finalized/*/blk_*")}
            kept = {path.name for path in first.glob("finalized/*/blk_*")}
            assert lost and kept, "both directories are used"
            away = second.rename(tmp_path / "away")
            failed = lambda: node_at(cluster, file_system, "data_node_0").stats.failed_volumes
            wait_until(lambda: failed() == 1, what="the report of a failed directory")
            assert node_at(cluster, file_system, "data_node_0").state == "live"
            for path in paths:
                wait_replicas(cluster, path, 2)
                assert cluster.client("cat", path).out == CONTENT
            assert kept <= {path.name for path in first.glob("finalized/*/blk_*")}
            cluster.terminate("data_node_0")
            away.rename(second)
            cluster.start_daemon("data_node_0")
            cluster.wait_live(4)
            wait_until(lambda: failed() == 0)
            for path in paths:
                wait_replicas(cluster, path, 2)
                assert_good(cluster, block_names(file_system, path))
                assert file_system.delete(path)
            # Also those that both directories had by now.
            blocks = [root / "finalized" for root in (first, second)]
            wait_until(lambda: not any(list(root.glob("*/*")) for root in blocks))


def test_a_full_disk_of_the_metadata_service_stops_changes_and_no_reads(
    tmp_path: Path, record_disk: SmallDisk
) -> None:
    """Changes were let through to hear whether there was room again. The first one that met no
    room at all ended the term, and no other could begin: nobody could read any more."""
    options = {"metadata": {"append_timeout_seconds": 1}}
    with Cluster(tmp_path, name_node=NAME_NODE, **options) as cluster:
        with cluster.file_system() as file_system:
            put(file_system, "/kept")
            epoch = file_system.cluster_status().epoch
            (record_disk.path / "foreign").write_bytes(bytes(record_disk.free - (1 << 20)))

            def is_refused() -> bool:
                try:
                    file_system.mkdir("/probe", True)
                except DiskFull:
                    return True
                return False

            wait_until(is_refused, what="the namenode to hear that there is little room")
            record_disk.fill()
            for _ in range(30):
                with pytest.raises(DiskFull):
                    file_system.mkdir("/refused")
                assert file_system.open("/kept").read() == CONTENT
                time.sleep(0.1)
            assert file_system.cluster_status().epoch == epoch
            record_disk.drain()
            (record_disk.path / "foreign").unlink()
            wait_until(lambda: not is_refused(), what="changes, when there is room again")
            assert not file_system.exists("/refused")
            assert file_system.cluster_status().epoch == epoch
