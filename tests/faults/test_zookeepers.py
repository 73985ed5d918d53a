"""Three zookeepers are killed, paused, started anew, one, two and all: who lives lives on."""

import time
from typing import Dict, Iterator, Sequence

import pytest

from data_service.filesystem import FileSystem
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import wait_until
from tests.support.disks.replicas import noise

CONTENT = noise(70_000, 1)
ZOOKEEPERS = ("zookeeper", "zookeeper_1", "zookeeper_2")
SOME = [ZOOKEEPERS[:1], ZOOKEEPERS[1:]]
EXPIRY_SECONDS, STALE_SECONDS = 0.8, 1.0
OUTLASTING_SECONDS = EXPIRY_SECONDS + STALE_SECONDS + 0.2
"""After that nobody lives by what a zookeeper saw last, and who is missed is avoided."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three of them, and datanodes that are missed soon."""
    options = {
        "name_node": {"stale_seconds": STALE_SECONDS, "dead_seconds": 2},
        "zookeeper": {
            "session_heartbeat_seconds": 0.2, "session_expiry_seconds": EXPIRY_SECONDS
        },
    }
    folder = tmp_path_factory.mktemp("zookeepers")
    with Cluster(folder, data_nodes=3, zookeepers=3, **options) as made:
        yield made


def states(cluster: Cluster, file_system: FileSystem) -> Dict[str, str]:
    """Role -> what the namenode takes it for."""
    by_port = {node.port: node.state for node in file_system.datanodes()}
    return {role: by_port[cluster.address(role)[1]] for role in cluster.data_nodes}


def is_well(cluster: Cluster, file_system: FileSystem) -> bool:
    """Whether every datanode is read from and written to."""
    return set(states(cluster, file_system).values()) == {"live"}


def use(cluster: Cluster, file_system: FileSystem) -> None:
    """Put, read and delete for so long that every change at a zookeeper has had its effect."""
    ends_at = time.monotonic() + OUTLASTING_SECONDS
    while time.monotonic() < ends_at:
        with file_system.open("/in-use", "wb") as file:
            file.write(CONTENT)
        assert file_system.read_bytes("/in-use") == CONTENT
        assert file_system.delete("/in-use")
        assert "dead" not in states(cluster, file_system).values()
    wait_until(lambda: is_well(cluster, file_system))


@pytest.mark.parametrize("some", SOME, ids="+".join)
def test_killed_ones_change_nothing_nor_do_they_when_they_come_back_with_nothing(
    cluster: Cluster, some: Sequence[str]
) -> None:
    with cluster.file_system() as file_system:
        wait_until(lambda: is_well(cluster, file_system))
        for role in some:
            cluster.kill(role)
        use(cluster, file_system)
        for role in some:
            cluster.start_daemon(role)
        use(cluster, file_system)


@pytest.mark.parametrize("some", SOME, ids="+".join)
def test_ones_that_hang_change_nothing(cluster: Cluster, some: Sequence[str]) -> None:
    with cluster.file_system() as file_system:
        wait_until(lambda: is_well(cluster, file_system))
        for role in some:
            cluster.pause(role)
        use(cluster, file_system)
        for role in some:
            cluster.resume(role)
        use(cluster, file_system)


def test_one_that_hangs_keeps_nobody_alive(cluster: Cluster) -> None:
    with cluster.file_system() as file_system:
        wait_until(lambda: is_well(cluster, file_system))
        cluster.pause("zookeeper")
        cluster.kill("data_node_2")
        wait_until(lambda: states(cluster, file_system)["data_node_2"] == "dead")
        cluster.resume("zookeeper")
        cluster.start_daemon("data_node_2")
        wait_until(lambda: states(cluster, file_system)["data_node_2"] == "live")


def test_without_any_the_service_goes_on_and_nobody_is_given_up(cluster: Cluster) -> None:
    with cluster.file_system() as file_system:
        wait_until(lambda: is_well(cluster, file_system))
        for role in ZOOKEEPERS:
            cluster.kill(role)
        use(cluster, file_system)
        for role in ZOOKEEPERS:
            cluster.start_daemon(role)
        use(cluster, file_system)
