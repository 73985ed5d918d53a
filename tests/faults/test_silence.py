"""Processes paused for longer than the dead time, and links that are cut, slow or stuck."""

import time
from typing import Dict, Iterator, List

import pytest

from data_service.filesystem import FileSystem
from tests.support.clusters.cluster import EVERYBODY, Cluster
from tests.support.disks.replicas import block_names, holders, noise, stored, wait_replicas
from tests.support.clusters.waiting import wait_until

BLOCK = 64 * 1024
CONTENT = noise(6 * BLOCK + 1, 1)
DEAD_SECONDS = 2


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Four datanodes; a proxy before the first, and one between the second and the namenode."""
    options = {
        "name_node": {"block_size": BLOCK, "stale_seconds": 1, "dead_seconds": DEAD_SECONDS},
        "network": {"stall_timeout_seconds": 2},
        # A replica that is read as a file needs no link.
        "client": {"short_circuit": False},
        "links": [(EVERYBODY, "data_node_0"), ("data_node_1", "name_node")],
    }
    with Cluster(tmp_path_factory.mktemp("silence"), data_nodes=4, **options) as cluster:
        yield cluster


def put(file_system: FileSystem, path: str, replication: int = 2) -> List[str]:
    """Store the content; the names of its blocks."""
    with file_system.open(path, "wb", replication=replication) as file:
        file.write(CONTENT)
    return block_names(file_system, path)


def read(file_system: FileSystem, path: str) -> bytes:
    """The whole of a file."""
    with file_system.open(path) as file:
        return file.read()


def states(cluster: Cluster, file_system: FileSystem) -> Dict[str, str]:
    """Role -> what the namenode takes it for."""
    by_port = {node.port: node.state for node in file_system.datanodes()}
    return {role: by_port[cluster.address(role)[1]] for role in cluster.data_nodes}


def outlast_death() -> None:
    """Let more time pass than it takes to be dead."""
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 1.5 * DEAD_SECONDS)


def test_a_datanode_that_was_paused_until_its_blocks_were_copied_loses_the_surplus(
    nodes: Cluster,
) -> None:
    with nodes.file_system() as file_system:
        names = put(file_system, "/slept")
        sleeper = holders(nodes, names[0])[0]
        nodes.pause(sleeper)
        wait_until(lambda: states(nodes, file_system)[sleeper] == "dead")
        wait_replicas(nodes, "/slept", 2, without=[sleeper])
        assert read(file_system, "/slept") == CONTENT
        nodes.resume(sleeper)
        nodes.wait_live(4)
        wait_replicas(nodes, "/slept", 2)
        assert read(file_system, "/slept") == CONTENT
        assert file_system.delete("/slept")


def test_datanodes_that_all_were_paused_come_back_with_all_that_they_had(nodes: Cluster) -> None:
    with nodes.file_system() as file_system:
        before = {name: holders(nodes, name) for name in put(file_system, "/all")}
        for role in nodes.data_nodes:
            nodes.pause(role)
        wait_until(lambda: set(states(nodes, file_system).values()) == {"dead"})
        for role in nodes.data_nodes:
            nodes.resume(role)
        nodes.wait_live(4)
        assert read(file_system, "/all") == CONTENT
        wait_replicas(nodes, "/all", 2)
        assert {name: holders(nodes, name) for name in before} == before, "nothing was moved"
        assert file_system.delete("/all")


@pytest.mark.parametrize("judge", ["zookeeper", "metadata"])
def test_a_judge_that_is_paused_costs_no_file_and_no_datanode(nodes: Cluster, judge: str) -> None:
    with nodes.file_system() as file_system:
        names = put(file_system, "/judged")
        before = {name: holders(nodes, name) for name in names}
        said = len(nodes.daemons["name_node"].output())
        nodes.pause(judge)
        try:
            outlast_death()
            assert read(file_system, "/judged") == CONTENT
        finally:
            nodes.resume(judge)
        file_system.mkdir("/after")
        nodes.wait_live(4)
        assert {name: holders(nodes, name) for name in names} == before
        news = nodes.daemons["name_node"].output()[said:]
        assert "node.dead" not in news and "replication.planned" not in news
        assert file_system.delete("/judged") and file_system.delete("/after")


def test_a_datanode_that_only_the_zookeeper_reaches_is_avoided_and_not_given_up(
    nodes: Cluster,
) -> None:
    link = nodes.link("data_node_1", "name_node")
    with nodes.file_system() as file_system:
        names = put(file_system, "/cut", 4)
        link.cut()
        try:
            wait_until(lambda: states(nodes, file_system)["data_node_1"] == "stale")
            outlast_death()
            assert states(nodes, file_system)["data_node_1"] == "stale"
            beside = put(file_system, "/beside", 3)
            assert all("data_node_1" not in holders(nodes, name) for name in beside)
        finally:
            link.heal()
        nodes.wait_live(4)
        assert all(len(holders(nodes, name)) == 4 for name in names)
        assert file_system.delete("/cut") and file_system.delete("/beside")


@pytest.mark.parametrize("fault", ["cut", "stall", "delay"])
def test_a_put_and_a_get_get_around_a_bad_link(nodes: Cluster, fault: str) -> None:
    link = nodes.link(EVERYBODY, "data_node_0")
    path = f"/{fault}"
    with nodes.file_system() as file_system:
        put(file_system, "/before", 4)
        link.delay(0.1) if fault == "delay" else getattr(link, fault)()
        try:
            names = put(file_system, path, 3)
            assert read(file_system, path) == CONTENT
            assert read(file_system, "/before") == CONTENT
        finally:
            link.heal()
        if fault != "delay":
            assert not set(names) & set(stored(nodes, "data_node_0"))
        assert file_system.delete(path) and file_system.delete("/before")
    nodes.wait_live(4)
