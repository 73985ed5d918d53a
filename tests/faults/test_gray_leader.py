"""A leader that datanodes and clients do not reach any more, while it still proves that it leads.

The cluster's own intervals are short: a datanode has long not heard the leader after two seconds.
"""

import logging
import time
from typing import Callable, Iterator, List

import pytest

from tests.support.clusters.cluster import CLIENT, Cluster
from tests.support.clusters.quorum import Load, Quorum
from tests.support.clusters.waiting import wait_until
from tests.support.disks.replicas import noise
from tests.support.links.proxy import Proxy

log = logging.getLogger(__name__)

NODES = ("data_node_0", "data_node_1", "data_node_2")
CONTENT = noise(300_000, 3)


@pytest.fixture(name="cluster", scope="module")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Each datanode, and the client, have a link of their own to the first namenode."""
    links = [(who, "name_node") for who in (*NODES, CLIENT)]
    options = {"network": {"call_timeout_seconds": 6}}
    folder = tmp_path_factory.mktemp("gray")
    with Cluster(folder, name_nodes=2, members=3, links=links, **options) as cluster:
        yield cluster


def said(cluster: Cluster, role: str, event: str) -> int:
    """How often a daemon has logged this event."""
    return cluster.daemons[role].output().count(event)


def test_nobody_gives_way_when_all_datanodes_are_down(cluster: Cluster) -> None:
    for node in NODES:
        cluster.pause(node)
    with cluster.file_system() as file_system:
        wait_until(lambda: all(one.state != "live" for one in file_system.datanodes()))
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 1)
    for node in NODES:
        cluster.resume(node)
    cluster.wait_live(len(NODES))
    assert said(cluster, "name_node", "leader.gives_way") == 0


def test_another_one_leads_when_datanodes_and_clients_miss_the_leader(cluster: Cluster) -> None:
    """One link is broken in each way that there is: both, or what is asked, or what is answered."""
    links = {who: cluster.link(who, "name_node") for who in (*NODES, CLIENT)}
    breaks: List[Callable[[Proxy], None]] = [
        Proxy.cut, lambda link: link.stall(answers=False), lambda link: link.stall(requests=False),
        Proxy.stall,
    ]  # fmt: skip
    with Load(cluster, "gray") as load, cluster.file_system() as file_system:
        with file_system.open("/written", "wb", replication=2, block_size=65536) as file:
            file.write(CONTENT[:100_000])
            for link, damage in zip(links.values(), breaks):
                damage(link)
            broken_at = time.monotonic()
            load.wait_more(2)  # The first may have been under way.
            log.info("calls wait %.1f s", time.monotonic() - broken_at)
            file.write(CONTENT[100_000:])
        with file_system.open("/written") as file:
            assert file.read() == CONTENT
        load.wait_more(20)
        for link in links.values():
            link.heal()
        load.wait_more(5)
    Quorum(cluster).wait_equal()
    assert said(cluster, "name_node", "leader.gives_way") == 1
    assert said(cluster, "name_node_1", "leader.gives_way") == 0
    states = cluster.client("haadmin", "-getAllServiceState").text.splitlines()
    assert [line.split()[-1] for line in states] == ["standby", "active"]
