"""A cluster with more than one of everything loses some of it under load: clients only wait.

Rows of the table of failures, on one cluster: each is broken, the load goes on, what was broken
comes back, and all is whole again before the next row. How long the load stood still is logged
(`pytest --log-cli-level=INFO`), since what it takes on a machine with other work proves nothing.
"""

import logging
import time
from typing import Callable, Dict, Iterator, List, Tuple

import pytest

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.quorum import Load, Quorum
from tests.support.clusters.waiting import wait_until

log = logging.getLogger(__name__)

LEADER, STANDBY = "the leader", "the standby"

Break = Callable[[Cluster, str], None]

ROWS: Dict[str, Tuple[Break, List[str]]] = {
    "the leader is killed": (Cluster.kill, [LEADER]),
    "the leader is paused": (Cluster.pause, [LEADER]),
    "the standby is killed": (Cluster.kill, [STANDBY]),
    "a member is paused": (Cluster.pause, ["metadata_1"]),
    "the leader and a member are killed": (Cluster.kill, [LEADER, "metadata"]),
    "the leader and all zookeepers are killed": (
        Cluster.kill, [LEADER, "zookeeper", "zookeeper_1", "zookeeper_2"]),
}  # fmt: skip


@pytest.fixture(name="cluster", scope="module")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("rows")
    with Cluster(folder, data_nodes=1, name_nodes=2, members=3, zookeepers=3) as cluster:
        yield cluster


def states(cluster: Cluster) -> List[str]:
    """active, standby or what else, of each namenode."""
    lines = cluster.client("haadmin", "-getAllServiceState").text.splitlines()
    return [line.split()[-1] for line in lines]


def wait_whole(cluster: Cluster) -> Dict[str, str]:
    """Wait until one namenode leads, the other stands by, and all members are well; who is who."""
    wait_until(lambda: sorted(states(cluster)) == ["active", "standby"], what="a standby")
    Quorum(cluster).wait_whole()
    leads = states(cluster).index("active")
    return {LEADER: cluster.name_nodes[leads], STANDBY: cluster.name_nodes[1 - leads]}


@pytest.mark.parametrize("row", ROWS)
def test_clients_only_wait(cluster: Cluster, row: str) -> None:
    harm, victims = ROWS[row]
    roles = wait_whole(cluster)
    victims = [roles.get(victim, victim) for victim in victims]
    with Load(cluster, f"row-{list(ROWS).index(row)}") as load:
        for victim in victims:
            harm(cluster, victim)
        broken_at = time.monotonic()
        load.wait_more(2)  # The first may have been under way.
        log.info("%s: calls wait %.1f s", row, time.monotonic() - broken_at)
        load.wait_more(20)
        for victim in victims:
            if harm is Cluster.pause:
                cluster.resume(victim)
            else:
                cluster.start_daemon(victim)
        wait_whole(cluster)
        load.wait_more(5)
    Quorum(cluster).wait_equal()


def test_whoever_is_told_to_lead_does(cluster: Cluster) -> None:
    roles = wait_whole(cluster)
    numbers = [str(cluster.name_nodes.index(roles[who])) for who in (LEADER, STANDBY)]
    with Load(cluster, "handed-over") as load:
        began = time.monotonic()
        done = cluster.client("haadmin", "-failover", *numbers)
        assert done.status == 0, done
        load.wait_more(2)
        log.info("handed over: %.1f s with the command", time.monotonic() - began)
    assert wait_whole(cluster)[LEADER] == roles[STANDBY]
