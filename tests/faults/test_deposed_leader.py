"""What a leader has ordered, and another one does not want any more, is done by nobody."""

from pathlib import Path

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import wait_until
from tests.support.disks.replicas import block_names, holders, noise, wait_replicas

FILES = [f"/{number}" for number in range(6)]


def wait_whole(cluster: Cluster) -> None:
    """Wait until each file is on all three datanodes."""
    for path in FILES:
        wait_replicas(cluster, path, 3)


def test_the_orders_of_a_leader_that_was_paused_end_with_the_next_one(tmp_path: Path) -> None:
    """HDFS-1972. Two of three replicas are wanted, and each leader may choose another one to go:
    what a datanode has not heard yet of the first choice must not be done after the second."""
    options = {"network": {"call_timeout_seconds": 3}}
    links = [("data_node_0", "name_node")]
    with Cluster(tmp_path, name_nodes=2, links=links, **options) as cluster:
        with cluster.file_system() as file_system:
            for path in FILES:
                with file_system.open(path, "wb", replication=3) as file:
                    file.write(noise(1000, 1))
            names = [name for path in FILES for name in block_names(file_system, path)]
            wait_whole(cluster)
            daemon = cluster.daemons["data_node_0"]
            wait_until(lambda: daemon.output().count("datanode.registered") == 2)
            link = cluster.link("data_node_0", "name_node")
            link.stall()
            for path in FILES:
                file_system.set_replication(path, 2)
            wait_until(lambda: "deletion.planned" in cluster.daemons["name_node"].output())
            cluster.pause("name_node")
            for path in FILES:
                file_system.set_replication(path, 3)
            wait_until(lambda: cluster.daemons["name_node_1"].output().count("node.settled") == 3)
            wait_whole(cluster)
            removed = daemon.output().count("replicas.removed")
            reached = daemon.output().count("namenode.reached")
            cluster.resume("name_node")
            link.heal()
            # Whether it learns so by its lease or by an edit of its own that is refused.
            wait_until(lambda: "term.ended" in cluster.daemons["name_node"].output())
            # What it has ordered before comes first.
            wait_until(lambda: daemon.output().count("namenode.reached") > reached)
            wait_whole(cluster)
            assert daemon.output().count("replicas.removed") == removed
            assert all(len(holders(cluster, name)) == 3 for name in names)
