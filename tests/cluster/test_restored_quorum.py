"""A backup becomes the record of several metadata services again, by what the README says."""

from pathlib import Path

import pytest

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.quorum import Quorum
from tests.support.clusters.waiting import wait_until


@pytest.mark.parametrize("left_over", [False, True])
def test_one_begins_with_the_backup_and_the_others_fill_themselves(
    tmp_path: Path, left_over: bool
) -> None:
    """Also when somebody forgot to move the record of one of them away."""
    backup = tmp_path / "backup"
    with Cluster(tmp_path / "cluster", data_nodes=1, members=3) as cluster:
        assert cluster.client("put", "-", "/kept", stdin=b"kept").status == 0
        assert cluster.client("admin", "-backup", str(backup)).status == 0
        members = Quorum(cluster)
        saved = max(one.last.txid for one in map(members.status, cluster.members) if one)
        assert cluster.client("put", "-", "/later", stdin=b"later").status == 0
        # Who has not applied more than was saved has nothing to be in the way with.
        wait_until(lambda: (one := members.status("metadata_2")) and one.applied.txid > saved)
        for role in ("name_node", *cluster.members):
            cluster.terminate(role)
        for role in cluster.members[:2] if left_over else cluster.members:
            cluster.directory(role).rename(tmp_path / role)
        first = cluster.daemons["metadata"]
        usual = list(first.command)
        first.command = [*usual, "--restore", str(backup)]
        cluster.start_daemon("metadata")
        first.command = usual
        for role in ("metadata_1", "metadata_2", "name_node"):
            cluster.start_daemon(role)
        if left_over:
            wait_until(lambda: "keeps another record, and does not count" in cluster.client(
                "haadmin", "-members").text, what="what is said of it")
            assert cluster.client("cat", "/kept").out == b"kept", "it is in nobody's way"
            cluster.terminate("metadata_2")
            cluster.wipe("metadata_2")
            cluster.start_daemon("metadata_2")
        leader = cluster.daemons["name_node"]
        wait_until(lambda: "members.changed " in leader.output(), what="three that decide")
        cluster.kill("metadata")
        cluster.wait_live(1)
        assert cluster.client("cat", "/kept").out == b"kept"
        assert cluster.client("ls", "/later").status == 1
        assert cluster.client("put", "-", "/new", stdin=b"new").status == 0
