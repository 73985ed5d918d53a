"""Two releases in one cluster: they understand each other while one takes the other's place."""

from pathlib import Path
from typing import Callable, List, Sequence

import pytest

from tests.support.clusters.cluster import CLIENT, ROOT, Cluster
from tests.support.clusters.older_release import older_release
from tests.support.disks.replicas import noise
from tests.support.terminal.shell import run_in_process

OLDER = "29d156e7f61a2b01072fd66fc7fe715115d8187b"
"""The state of the repository that this one must understand, and be understood by."""

LAYOUT_1 = "4172643373f5b7135a5788b339db1df8f90f0355"
"""The last state whose metadata service wrote databases of layout 1."""

BLOCK = 64 << 10
SMALL, LARGE = noise(777, 1), noise(2 * BLOCK + 777, 2)
OPTIONS = {
    "data_nodes": 3,
    "security": "simple",
    "name_node": {"replication_factor": 2, "block_size": "64K"},
}
"""What mode `secret` demands has changed since: in that, all processes are replaced at once."""

ORDER = ("zookeeper", "metadata", "name_node", "data_node_0", "data_node_1", "data_node_2")
"""As the README says it: who is asked comes before who asks."""

STEPS = (ORDER,)
"""What is replaced in one step: a namenode writes the record of its own release only, and is heard
by datanodes of its own release only."""

COMMANDS = """\
mkdir -p /w/d/e
put small /w/d/small
put large /w/d/large
ls -R /w
stat %n:%b:%r:%o /w/d/large
cp /w/d/large /w/copy
mv /w/copy /w/moved
appendToFile small /w/moved
truncate -w 65000 /w/moved
put large /w/one
put large /w/two
concat /w/moved /w/one /w/two
touch /w/empty
setrep -w 3 /w/d/small
chmod 640 /w/d/small
chgrp staff /w/d/small
setQuota 100 /w/d
count -q /w/d
du -s /w/d
df
checksum /w/d/large
find /w -name large
test -e /w/d/large
fsck /w -files -blocks -locations
report
safemode get
get /w/d/large fetched
cat /w/d/small
rm -r /w/moved
"""
"""What a day brings."""

Run = Callable[..., bytes]


def taken_out(commit: str, folder: Path) -> Path:
    """The repository as it was at a commit."""
    found = older_release(commit, folder)
    if found is None:
        pytest.skip(f"the history of this clone does not reach back to {commit[:7]}")
    return found


@pytest.fixture(scope="module", name="older")
def _older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return taken_out(OLDER, tmp_path_factory.mktemp("older"))


@pytest.fixture(name="mixed")
def _mixed(tmp_path: Path, older: Path) -> Cluster:
    """A cluster that is not started yet; the `client` command is the older one."""
    (tmp_path / "small").write_bytes(SMALL)
    (tmp_path / "large").write_bytes(LARGE)
    cluster = Cluster(tmp_path, **OPTIONS)  # type: ignore[arg-type]
    cluster.run_from(older, CLIENT)
    return cluster


def older_client(cluster: Cluster) -> Run:
    """Runs a command of the older release, as a process."""

    def run(*argv: str) -> bytes:
        result = cluster.client(*argv)
        assert (result.status, result.err) == (0, ""), f"{argv}: {result}"
        return result.out

    return run


def newer_client(cluster: Cluster) -> Run:
    """Runs a command of this release, in this process."""

    def run(*argv: str) -> bytes:
        result = run_in_process(["--config", str(cluster.config), *argv])
        assert (result.status, result.err) == (0, ""), f"{argv}: {result}"
        return result.out.encode("utf-8", "surrogateescape")

    return run


def check_what_came_of_it(cluster: Cluster) -> None:
    """After COMMANDS."""
    assert (cluster.folder / "fetched").read_bytes() == LARGE
    with cluster.file_system() as fs:
        assert sorted(status.name for status in fs.list("/w")) == ["d", "empty"]
        assert fs.open("/w/d/small").read() == SMALL


def test_todays_commands_on_an_older_cluster(
    mixed: Cluster, older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed.run_from(older, *mixed.roles)
    monkeypatch.chdir(mixed.folder)
    with mixed:
        run = newer_client(mixed)
        for line in COMMANDS.splitlines():
            run(*line.split())
        check_what_came_of_it(mixed)


def test_an_older_clients_commands_on_todays_cluster(mixed: Cluster) -> None:
    with mixed:
        # All of them are typed at its prompt: to start a process for each takes longer.
        prompt = mixed.client(stdin=COMMANDS.encode())
        assert (prompt.status, prompt.err) == (0, ""), prompt
        check_what_came_of_it(mixed)


def test_daemons_are_replaced_while_clients_go_on(mixed: Cluster, older: Path) -> None:
    mixed.run_from(older, *mixed.roles)
    old, new = older_client(mixed), newer_client(mixed)
    with mixed, mixed.file_system() as fs:
        # Both write from before the first step until after the last one.
        ours = fs.open("/ours", "wb")
        theirs = mixed.start_client("put", "-", "/theirs")
        pieces: List[bytes] = []
        for step, roles in enumerate(((), *STEPS)):
            if roles:
                replace(mixed, roles)
            pieces.append(noise(BLOCK + 1, step))
            ours.write(pieces[-1])
            theirs.stdin.write(pieces[-1])
            theirs.stdin.flush()
            old("put", "large", f"/{step}-old")
            new("put", str(mixed.folder / "large"), f"/{step}-new")
            assert old("cat", f"/{step}-new") == LARGE
            assert fs.open(f"/{step}-old").read() == LARGE
        ours.close()
        theirs.communicate()
        assert theirs.returncode == 0
        for path in ("/ours", "/theirs"):
            assert old("cat", path) == fs.open(path).read() == b"".join(pieces)
        for step in range(1 + len(STEPS)):
            for whose in ("old", "new"):
                assert fs.open(f"/{step}-{whose}").read() == LARGE
        assert b"HEALTHY" in new("fsck", "/")


def replace(cluster: Cluster, roles: Sequence[str]) -> None:
    """Start daemons anew from this release, who is asked before who asks."""
    cluster.run_from(ROOT, *roles)
    for role in reversed(roles):
        cluster.terminate(role)
    for role in roles:
        cluster.restart(role)
    cluster.wait_live(3)


def test_what_a_cluster_of_an_older_layout_kept_is_there(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cluster = Cluster(tmp_path, **OPTIONS)  # type: ignore[arg-type]
    cluster.run_from(taken_out(LAYOUT_1, tmp_path_factory.mktemp("older")), CLIENT, *cluster.roles)
    with cluster:
        old = older_client(cluster)
        assert cluster.client("put", "-", "/d/large", stdin=LARGE).status == 0
        assert cluster.client("put", "-", "/d/gone", stdin=SMALL).status == 0
        old("rm", "/d/gone")
        for role in reversed(ORDER):
            cluster.terminate(role)
        cluster.run_from(ROOT, *cluster.roles)
        cluster.start()
        assert "database.migrated was=1" in cluster.daemons["metadata"].output()
        with cluster.file_system() as fs:
            assert [status.name for status in fs.list("/d")] == ["large"]
            assert fs.open("/d/large").read() == LARGE
        assert b"HEALTHY" in newer_client(cluster)("fsck", "/")
