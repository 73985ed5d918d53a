"""One key file for all daemons of a machine: with that they find each other, and namenodes them."""

from pathlib import Path

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.credentials import KEY_FILE_VARIABLE


def test_daemons_with_the_file_of_their_machine_are_all_that_a_cluster_needs(
    tmp_path: Path,
) -> None:
    cluster = Cluster(tmp_path, data_nodes=1, members=3, zookeepers=3, security="secret")
    key = tmp_path / "machine.key"
    words = ["issueKey", "-o", str(key), "--datanode", "0", "--zookeeper", "--metadata"]
    assert cluster.client(*words).status == 0
    for role in (*cluster.zookeepers, *cluster.members, *cluster.data_nodes):
        cluster.daemons[role].environment[KEY_FILE_VARIABLE] = str(key)
    with cluster:
        assert cluster.client("put", "-", "/a", stdin=b"kept").status == 0
        cluster.kill("metadata_1")
        cluster.wipe("metadata_1")
        cluster.start_daemon("metadata_1")
        # It is filled from the others, to which its key is good, and then counts.
        leader = cluster.daemons["name_node"]
        wait_until(lambda: "members.changed " in leader.output(), what="a new third member")
        cluster.kill("metadata")
        assert cluster.client("put", "-", "/b", stdin=b"kept, too").status == 0
        assert cluster.client("cat", "/a", "/b").out == b"keptkept, too"
