"""The record of the namespace is put back from a backup; zookeeper and datanodes are newer.

What the backup holds is served soon, without anybody's help, and no replica of the time that was
lost is ever taken for one of a block that is written afterwards: their numbers may be the same.
"""

import shutil
from pathlib import Path

import pytest

from tests.support.clusters.cluster import Cluster
from tests.support.disks.replicas import block_names
from tests.support.clusters.waiting import wait_until

NODES = ["data_node_0", "data_node_1", "data_node_2"]
FILES = 6
SIZE = 5000


def contents(letter: str, number: int) -> bytes:
    """All of one size, so that only names tell replicas apart."""
    return f"{letter}{number} ".encode() * (SIZE // 3)


def put_all(cluster: Cluster, letter: str) -> None:
    """Several files of one block each."""
    with cluster.file_system() as file_system:
        for number in range(FILES):
            with file_system.open(f"/{letter}{number}", "wb") as file:
                file.write(contents(letter, number))


def assert_stored(cluster: Cluster, letter: str) -> None:
    """Each of them is read back exactly."""
    with cluster.file_system() as file_system:
        for number in range(FILES):
            with file_system.open(f"/{letter}{number}") as file:
                assert file.read() == contents(letter, number), f"/{letter}{number}"


def back_up(cluster: Cluster, backup: Path) -> None:
    """A copy of the directory of a service that is stopped, with its log."""
    cluster.terminate("name_node")
    cluster.terminate("metadata")
    shutil.copytree(cluster.directory("metadata"), backup)
    cluster.start_daemon("metadata")
    cluster.start_daemon("name_node")
    cluster.wait_live(len(NODES))


def copy_running(cluster: Cluster, backup: Path) -> None:
    """A copy of the directory of a service that runs, as the README says: in safe mode nothing is
    changed, and the log has been emptied into the database."""
    for words in (["safemode", "enter"], ["saveNamespace"]):
        assert cluster.client(*words).status == 0, words
    shutil.copytree(cluster.directory("metadata"), backup)
    assert cluster.client("safemode", "leave").status == 0


@pytest.mark.parametrize("order, restarts", [
    ("left running", 3), ("restarted", 0), ("away at first", 2),
])  # fmt: skip
def test_a_restored_record_is_served_and_nothing_is_mixed(
    tmp_path: Path, order: str, restarts: int
) -> None:
    with Cluster(tmp_path, data_nodes=3, name_node={"replication_factor": 1}) as cluster:
        put_all(cluster, "a")
        (copy_running if restarts else back_up)(cluster, tmp_path / "backup")
        for _ in range(restarts):
            cluster.restart("name_node")
        cluster.wait_live(len(NODES))
        put_all(cluster, "b")

        stopped = ["name_node", "metadata"]
        stopped += [] if order == "left running" else NODES
        for role in stopped:
            cluster.terminate(role)
        cluster.wipe("metadata")
        shutil.copytree(tmp_path / "backup", cluster.directory("metadata"))
        away = {"away at first": NODES[1:]}.get(order, [])
        for role in ("metadata", "name_node", *NODES):
            if role in stopped and role not in away:
                cluster.start_daemon(role)
        if away:
            # Without the blocks of datanodes that are away, only people end safe mode.
            assert cluster.client("safemode", "leave").status == 0
        cluster.wait_live(len(NODES) - len(away))
        put_all(cluster, "c")
        for role in away:
            cluster.start_daemon(role)
        cluster.wait_live(len(NODES))

        assert_stored(cluster, "a")
        assert_stored(cluster, "c")
        assert cluster.client("ls", "/b0").status == 1
        report = cluster.client("fsck", "/")
        assert report.status == 0 and "HEALTHY" in report.text


def test_replicas_of_the_time_that_was_lost_go_to_the_trash(tmp_path: Path) -> None:
    limits = {"lease_soft_seconds": 1, "lease_hard_seconds": 2, "replication_factor": 2}
    with Cluster(tmp_path, data_nodes=3, name_node=limits) as cluster:
        put_all(cluster, "a")
        back_up(cluster, tmp_path / "backup")
        put_all(cluster, "b")
        with cluster.file_system() as file_system:
            names = [name for number in range(FILES) for name in block_names(
                file_system, f"/b{number}")]
        cluster.terminate("name_node")
        cluster.terminate("metadata")
        cluster.wipe("metadata")
        shutil.copytree(tmp_path / "backup", cluster.directory("metadata"))
        cluster.start_daemon("metadata")
        cluster.start_daemon("name_node")
        cluster.wait_live(len(NODES))
        assert_stored(cluster, "a")

        def found(folder: str, name: str) -> int:
            roots = [cluster.directory(node) for node in NODES]
            return sum(len(list(root.glob(f"{folder}/{name}"))) for root in roots)

        for name in names:
            wait_until(lambda: found("finalized/*", name) == 0, what=f"{name} to be set aside")
            assert found("trash", f"{name}.[0-9]*") == 2, "somebody may want it back"
