"""An emptied disk of the record waits where config.ini says so, and people are told."""

from pathlib import Path

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.quorum import Quorum
from tests.support.clusters.waiting import wait_until

VICTIM = "metadata_1"


def test_an_emptied_disk_waits_for_a_person_and_is_told_of(tmp_path: Path) -> None:
    options = {"metadata": {"admit_new_disks": "no"}}
    with Cluster(tmp_path, data_nodes=1, members=3, **options) as cluster:
        before = Quorum(cluster).wait_whole()
        cluster.kill(VICTIM)
        cluster.wipe(VICTIM)
        cluster.start_daemon(VICTIM)

        def health() -> str:
            return cluster.client("haadmin", "-checkHealth", "0").err

        wait_until(lambda: "has another disk, " in health())
        told = health()
        assert "cannot do without one more metadata service" in told
        assert "and admit_new_disks is no" in told
        rows = cluster.client("haadmin", "-members").text.splitlines()
        assert [row.endswith("stranger, admit_new_disks is no") for row in rows[1:4]] == [
            False, True, False]
        (said,) = rows[4:]
        assert "has a new directory" in said and "another disk" in said
        assert said[len("The m"):] in cluster.client("report").text
        status = Quorum(cluster).status("metadata")
        assert status is not None and status.configuration == before["metadata"].configuration
