"""Fewer datanodes than replicas, datanodes that die, datanodes that come back."""

import time
from pathlib import Path
from typing import Iterator, List

import pytest

from tests.support.clusters.cluster import Cluster
from tests.support.disks.replicas import (
    block_names,
    holders,
    noise,
    stored,
    unfinished,
    wait_gone,
    wait_replicas,
)
from tests.support.clusters.waiting import wait_until

SIZE = 3 * 64 * 1024 + 1
CONTENT = noise(SIZE, 1)
DEAD_SECONDS = 2


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Four datanodes; each test leaves all of them alive."""
    options = {"block_size": "64K", "stale_seconds": 1, "dead_seconds": DEAD_SECONDS}
    with Cluster(tmp_path_factory.mktemp("copies"), data_nodes=4, name_node=options) as cluster:
        yield cluster


def put(cluster: Cluster, path: str, replication: int = 2) -> List[str]:
    """Store the content; the names of its blocks."""
    with cluster.file_system() as file_system:
        with file_system.open(path, "wb", replication=replication) as file:
            file.write(CONTENT)
        return block_names(file_system, path)


def test_the_blocks_of_a_dead_datanode_are_copied_and_its_surplus_goes_when_it_returns(
    nodes: Cluster,
) -> None:
    names = put(nodes, "/a", 2) + put(nodes, "/b", 3)
    victim = holders(nodes, names[0])[0]
    lost = {name for name in names if victim in holders(nodes, name)}
    nodes.kill(victim)
    wanted = {name: 2 if number < 4 else 3 for number, name in enumerate(names)}

    def all_copied() -> bool:
        others = [role for role in nodes.data_nodes if role != victim]
        count = {name: sum(name in stored(nodes, role) for role in others) for name in names}
        return count == wanted

    wait_until(all_copied, what="the copies of what died")
    assert nodes.client("cat", "/a").out == CONTENT
    nodes.start_daemon(victim)
    nodes.wait_live(4)
    wait_replicas(nodes, "/a", 2)
    wait_replicas(nodes, "/b", 3)
    assert lost
    for path in ("/a", "/b"):
        assert nodes.client("cat", path).out == CONTENT
        assert nodes.client("rm", path).status == 0
    wait_gone(nodes, names)


def test_a_datanode_whose_disk_was_replaced_is_filled_again(nodes: Cluster) -> None:
    names = put(nodes, "/c", 4)
    nodes.kill("data_node_3")
    nodes.wipe("data_node_3")
    nodes.start_daemon("data_node_3")
    wait_until(lambda: all("data_node_3" in holders(nodes, name) for name in names))
    with nodes.file_system() as file_system:
        wait_until(lambda: file_system.cluster_status().under_replicated == 0)
    assert nodes.client("rm", "/c").status == 0
    wait_gone(nodes, names)
    nodes.wait_live(4)


def test_with_fewer_datanodes_than_replicas_a_put_succeeds_and_says_so_and_the_rest_follows(
    nodes: Cluster, tmp_path: Path
) -> None:
    local = tmp_path / "local"
    local.write_bytes(CONTENT)
    for role in ("data_node_2", "data_node_3"):
        nodes.terminate(role)
    nodes.wait_live(2)
    done = nodes.client("-D", "dfs.replication=3", "put", str(local), "/few")
    assert done.status == 0
    assert len(done.err.splitlines()) == 1
    assert "/few" in done.err and "2 of 3" in done.err
    wait_replicas(nodes, "/few", 2)
    nodes.start_daemon("data_node_2")
    wait_replicas(nodes, "/few", 3)
    nodes.start_daemon("data_node_3")
    nodes.wait_live(4)
    assert nodes.client("rm", "/few").status == 0


def test_without_datanodes_a_put_fails_and_nothing_is_left(nodes: Cluster, tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.write_bytes(CONTENT)
    for role in nodes.data_nodes:
        nodes.terminate(role)
    nodes.wait_live(0)
    for source, stdin in ((str(local), None), ("-", CONTENT)):
        done = nodes.client("put", source, "/none", stdin=stdin)
        assert done.status == 1 and len(done.err.splitlines()) == 1, done.err
        assert nodes.client("test", "-e", "/none").status == 1
    empty = nodes.client("touchz", "/empty")
    assert empty.status == 0, "an empty file needs no datanode"
    for role in nodes.data_nodes:
        nodes.start_daemon(role)
    nodes.wait_live(4)
    # The name is free at once: no lease is left of the failed put.
    assert nodes.client("put", str(local), "/none").status == 0
    assert nodes.client("cat", "/none").out == CONTENT
    assert nodes.client("rm", "/none", "/empty").status == 0


def test_all_datanodes_dead_in_the_middle_of_a_put_make_it_fail_with_nothing_visible(
    tmp_path: Path,
) -> None:
    options = {"name_node": {"block_size": "64K"}, "client": {"retry_seconds": 2}}
    with Cluster(tmp_path, data_nodes=2, **options) as cluster:
        client = cluster.start_client("put", "-", "/half")
        assert client.stdin is not None
        client.stdin.write(noise(1 << 19, 5))
        client.stdin.flush()
        wait_until(lambda: any(stored(cluster, role) for role in cluster.data_nodes))
        for role in cluster.data_nodes:
            cluster.kill(role)
        _, err = client.communicate(noise(1 << 19, 6))
        assert client.returncode == 1 and len(err.splitlines()) == 1, err
        for role in cluster.data_nodes:
            cluster.start_daemon(role)
        cluster.wait_live(2)
        assert cluster.client("ls", "-C", "/").out == b""
        wait_until(lambda: not any(stored(cluster, role) for role in cluster.data_nodes))
        assert not any(unfinished(cluster, role) for role in cluster.data_nodes)


def test_a_namenode_that_was_paused_for_longer_than_the_dead_time_takes_nobody_for_dead(
    nodes: Cluster,
) -> None:
    names = put(nodes, "/slept", 2)
    before = {name: holders(nodes, name) for name in names}
    said = len(nodes.daemons["name_node"].output())
    nodes.pause("name_node")
    paused_at = time.monotonic()
    wait_until(lambda: time.monotonic() - paused_at > 1.5 * DEAD_SECONDS)
    nodes.resume("name_node")
    nodes.wait_live(4)
    assert {name: holders(nodes, name) for name in names} == before
    news = nodes.daemons["name_node"].output()[said:]
    assert "node.dead" not in news and "replication.planned" not in news
    assert nodes.client("rm", "/slept").status == 0
