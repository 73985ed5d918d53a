"""Quotas on a running cluster: what they refuse, and that the counts stay exact."""

from pathlib import Path

from tests.support.clusters.cluster import Cluster

BLOCK = 64 << 10


def quotas(cluster: Cluster, path: str) -> list:
    """The four columns of `count -u`."""
    return cluster.client("count", "-u", path).text.split()[:4]


def exact(cluster: Cluster, path: str) -> None:
    """What quotas leave is what a count of the tree leaves."""
    directories, files = map(int, cluster.client("count", path).text.split()[:2])
    space = int(cluster.client("du", "-s", path).text.split()[1])
    names, names_left, room, room_left = map(int, quotas(cluster, path))
    assert (names - names_left, room - room_left) == (directories + files, space)


def test_quotas_refuse_and_count_across_restarts(tmp_path: Path) -> None:
    name_node = {"block_size": "64K", "replication_factor": 2}
    with Cluster(tmp_path, data_nodes=3, name_node=name_node) as cluster:
        silent = (0, b"", "")
        assert cluster.client("mkdir", "/q", "/r") == silent
        assert cluster.client("dfsadmin", "-setQuota", "5", "/q") == silent
        assert cluster.client("dfsadmin", "-setSpaceQuota", "512k", "/q") == silent
        assert cluster.client("put", "-", "/q/a", stdin=b"x" * (BLOCK + 1)) == silent
        exact(cluster, "/q")
        assert cluster.client("setrep", "3", "/q/a").status == 0
        assert cluster.client("put", "-", "/q/b", stdin=b"y" * 5) == silent
        assert cluster.client("put", "-f", "-", "/q/a", stdin=b"z" * 7) == silent
        exact(cluster, "/q")
        assert cluster.client("mkdir", "-p", "/q/d/e") == silent
        full = (
            "The NameSpace quota (directories and files) of directory /q is exceeded: "
            "quota=5 file count=6\n"
        )
        assert cluster.client("mkdir", "/q/f") == (1, b"", f"mkdir: {full}")
        assert cluster.client("put", "-", "/q/f", stdin=b"") == (1, b"", f"put: {full}")
        assert cluster.client("mv", "/r", "/q") == (1, b"", f"mv: {full}")
        assert cluster.client("rm", "-r", "/q/d").status == 0
        big = cluster.client("put", "-", "/q/f", stdin=b"x" * (5 * BLOCK))
        assert (big.status, big.out) == (1, b"")
        assert big.err.startswith("put: The DiskSpace quota of /q is exceeded: quota = 524288 B")
        assert cluster.client("test", "-e", "/q/f").status == 1
        exact(cluster, "/q")
        before = cluster.client("count", "-q", "/q").out
        for role in ("name_node", "metadata"):
            cluster.restart(role)
            cluster.wait_live(3)
            assert cluster.client("count", "-q", "/q").out == before
        assert cluster.client("mv", "/q/a", "/r/a") == silent
        assert cluster.client("mv", "/r", "/q/r") == silent
        exact(cluster, "/q")
        assert cluster.client("setSpaceQuota", "1", "/q") == silent
        assert cluster.client("mv", "/q/r", "/r") == silent
        assert "consumed = " in cluster.client("mv", "/r", "/q/r").err
        assert cluster.client("clrQuota", "/q").status == 0
        assert cluster.client("clrSpaceQuota", "/q").status == 0
        assert quotas(cluster, "/q") == ["none", "inf", "none", "inf"]


def test_appending_and_truncating_keep_the_counts(shared_cluster: Cluster) -> None:
    client, silent = shared_cluster.client, (0, b"", "")
    two = ("-D", "dfs.replication=2", "-D", f"dfs.blocksize={BLOCK}")
    assert client("mkdir", "/grows") == silent
    assert client(*two, "put", "-", "/grows/f", stdin=b"x" * 10) == silent
    assert client("setQuota", "9", "/grows") == silent
    assert client("setSpaceQuota", str(2 * BLOCK + 40), "/grows") == silent
    for _ in range(2):
        assert client("appendToFile", "-", "/grows/f", stdin=b"y" * 10) == silent
        exact(shared_cluster, "/grows")
    refused = client("appendToFile", "-", "/grows/f", stdin=b"z")
    assert refused == (
        1, b"",
        f"appendToFile: The DiskSpace quota of /grows is exceeded: quota = {2 * BLOCK + 40} B = "
        f"128.04 KB but diskspace consumed = {2 * BLOCK + 60} B = 128.06 KB\n",
    )  # fmt: skip
    assert client("truncate", "-w", "20", "/grows/f").status == 0
    exact(shared_cluster, "/grows")
    assert client("appendToFile", "-", "/grows/f", stdin=b"z") == silent
    assert client("cat", "/grows/f").out == b"x" * 10 + b"y" * 10 + b"z"
    exact(shared_cluster, "/grows")


def test_a_block_that_does_not_fit_says_how_much_it_takes(shared_cluster: Cluster) -> None:
    assert shared_cluster.client("mkdir", "/small").status == 0
    assert shared_cluster.client("setSpaceQuota", "1k", "/small").status == 0
    small = ("-D", "dfs.replication=1", "-D", "dfs.blocksize=134217728", "put", "-", "/small/f")
    assert shared_cluster.client(*small, stdin=b"x") == (
        1, b"",
        "put: The DiskSpace quota of /small is exceeded: quota = 1024 B = 1 KB but diskspace "
        "consumed = 134217728 B = 128 MB\n",
    )  # fmt: skip
    assert shared_cluster.client("ls", "/small") == (0, b"", "")
