"""A record grows from one member to three while edits go on, and shrinks again."""

import re
from pathlib import Path
from typing import Sequence

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.quorum import Load, Quorum


def name_hosts(cluster: Cluster, roles: Sequence[str]) -> None:
    """Write into config.ini that these keep the record."""
    places = ["{}:{}".format(*cluster.address(role)) for role in roles]
    lines = [f"metadata_hosts = {', '.join(places)}"]
    lines += [f"metadata_dir_{cluster.address(role)[1]} = {cluster.directory(role)}"
              for role in roles]
    text = cluster.config.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^metadata_(hosts|dir.*) = .*\n", "", text)
    text = text.replace("[metadata]\n", "\n".join(["[metadata]", *lines, ""]))
    cluster.config.write_text(text, encoding="utf-8")


def test_a_record_grows_to_three_members_and_shrinks_to_one(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, data_nodes=1, members=3)
    quorum, everybody = Quorum(cluster), list(cluster.members)
    name_hosts(cluster, everybody[:1])
    cluster.members = everybody[:1]
    with cluster:
        with Load(cluster) as load:
            name_hosts(cluster, everybody)
            for role in everybody[1:]:
                cluster.start_daemon(role)
            cluster.restart("metadata")
            cluster.restart("name_node")
            quorum.wait_whole(*everybody)
            load.wait_more(20)
        quorum.wait_equal(*everybody)
        with Load(cluster, "later") as load:
            # Any one of them may be lost now, the first one, too.
            cluster.kill("metadata")
            load.wait_more(20)
            cluster.start_daemon("metadata")
            quorum.wait_whole(*everybody)
            name_hosts(cluster, everybody[:1])
            cluster.restart("name_node")
            quorum.wait_whole(everybody[0])
            for role in everybody[1:]:
                cluster.terminate(role)
            load.wait_more(20)
