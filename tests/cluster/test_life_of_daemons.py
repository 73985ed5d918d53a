"""Starting in any order, stopping by a signal, being killed, coming back."""

import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Dict, Iterator, List

import pytest

from tests.support.clusters.cluster import ROOT, Cluster
from tests.support.disks.replicas import block_names, holders, noise, unfinished, wait_replicas

BLOCK = 64 * 1024
FILES: Dict[str, bytes] = {f"/kept/{size}": noise(size, size) for size in (0, 1, 3 * BLOCK + 1)}
DAEMONS = ["zookeeper", "metadata", "name_node", "data_node_0", "data_node_1", "data_node_2"]
BLOCK_OPTIONS = {"block_size": BLOCK, "replication_factor": 2}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with files, which no test here may lose."""
    folder = tmp_path_factory.mktemp("kept")
    with Cluster(folder, spare_data_nodes=1, name_node=BLOCK_OPTIONS) as cluster:
        with cluster.file_system() as file_system:
            for path, content in FILES.items():
                with file_system.open(path, "wb") as file:
                    file.write(content)
        yield cluster


def assert_kept(cluster: Cluster) -> None:
    """Every file is there, and has its bytes."""
    with cluster.file_system() as file_system:
        for path, content in FILES.items():
            with file_system.open(path) as file:
                assert file.read() == content
        names = ["/kept/" + status.name for status in file_system.list("/kept")]
    assert names == sorted(FILES)


def start_in_order(cluster: Cluster, roles: List[str]) -> None:
    """Start one after the other; none need be ready before the next, for it may wait for it."""
    for role in roles:
        cluster.daemons[role].start()
    for role in roles:
        cluster.daemons[role].wait_ready()
    cluster.wait_live(3)


ORDERS = [DAEMONS, DAEMONS[::-1]] + [Random(seed).sample(DAEMONS, len(DAEMONS)) for seed in (1, 2)]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "-".join(r[:1] + r[-1] for r in order))
def test_all_is_there_after_everything_was_killed_and_started_in_another_order(
    kept: Cluster, order: List[str]
) -> None:
    for role in order:
        kept.kill(role)
    start_in_order(kept, order)
    assert_kept(kept)


@pytest.mark.parametrize(
    "last", ["zookeeper", "metadata", "name_node"], ids=lambda role: f"{role}-last"
)
def test_whoever_starts_first_waits_for_the_one_that_starts_last(kept: Cluster, last: str) -> None:
    for role in DAEMONS:
        kept.kill(role)
    for role in DAEMONS:
        if role != last:
            kept.daemons[role].start()
    # Without any of the three nobody leads, so no namenode accepts a datanode.
    kept.daemons["data_node_0"].wait_for_log("namenode.out_of_reach")
    kept.daemons[last].start()
    for role in DAEMONS:
        kept.daemons[role].wait_ready()
    kept.wait_live(3)
    assert_kept(kept)


@pytest.mark.parametrize("role", DAEMONS[:4])
def test_a_daemon_that_was_killed_starts_again_and_carries_on(kept: Cluster, role: str) -> None:
    kept.kill(role)
    kept.start_daemon(role)
    kept.wait_live(3)
    assert_kept(kept)
    with kept.file_system() as file_system:
        with file_system.open("/after", "wb", replication=3) as file:
            file.write(b"carried on")
        assert file_system.delete("/after")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("role", DAEMONS[:4])
def test_a_signal_stops_an_idle_daemon_with_status_0(
    kept: Cluster, role: str, number: int
) -> None:
    daemon = kept.daemons[role]
    daemon.send_signal(number)
    assert daemon.wait() == 0
    assert "Traceback" not in daemon.output()
    kept.start_daemon(role)
    kept.wait_live(3)
    assert_kept(kept)


def test_a_datanode_that_is_new_joins_by_starting(kept: Cluster) -> None:
    kept.start_daemon("data_node_3")
    kept.wait_live(4)
    kept.daemons["data_node_0"].terminate()
    with kept.file_system() as file_system:
        with file_system.open("/joined", "wb", replication=3) as file:
            file.write(b"on three")
        name = block_names(file_system, "/joined")[0]
        assert holders(kept, name) == ["data_node_1", "data_node_2", "data_node_3"]
        kept.start_daemon("data_node_0")
        file_system.delete("/joined")
    kept.terminate("data_node_3")
    kept.wait_live(3)
    for path in FILES:
        if FILES[path]:
            wait_replicas(kept, path, 2)


def test_a_get_with_one_of_three_datanodes_killed_gives_every_byte(
    kept: Cluster, tmp_path: Path
) -> None:
    for role in DAEMONS[3:]:
        kept.kill(role)
        assert_kept(kept)
        for number, (path, content) in enumerate(FILES.items()):
            back = tmp_path / f"{role}-{number}"
            assert kept.client("get", path, str(back)).status == 0
            assert back.read_bytes() == content
        kept.start_daemon(role)
        kept.wait_live(3)


def test_a_clean_stop_leaves_no_unfinished_replica_behind(kept: Cluster) -> None:
    for role in DAEMONS[3:]:
        kept.restart(role)
        assert unfinished(kept, role) == []
    kept.wait_live(3)


def refused(*command: str) -> "subprocess.CompletedProcess[bytes]":
    """A command that must end by itself."""
    argv = [sys.executable, *command]
    return subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)


@pytest.mark.parametrize("index", ["7", "-1", "x", ""])
def test_an_index_out_of_range_is_refused_in_one_line(kept: Cluster, index: str) -> None:
    launcher, config = "data_service/data_node.py", str(kept.config)
    done = refused(launcher, "--config", config, *([index] if index else []))
    assert (done.returncode, done.stdout) == (2, b"")
    if index == "7":
        assert len(done.stderr.splitlines()) == 1 and b"data_node_hosts" in done.stderr
    assert b"Traceback" not in done.stderr


LAUNCHERS = {
    "zookeeper/zk.py": [],
    "metadata_service/metadata.py": [],
    "data_service/name_node.py": [],
    "data_service/data_node.py": ["0"],
}

BAD_CONFIGS = [
    ("[nodes]\n", 1, "nodes"),
    ("[name_node]\nblock_size = 1M\nblock_size = 2M\n", 3, "block_size"),
    ("[name_node]\nblock_size = big\n", 2, "big"),
    ("[name_node]\nreplication_factor = 0\n", 2, "replication_factor"),
    ("[name_node]\nname_node_hosts = localhost\n", 2, "localhost"),
]
MISSPELT = ("[name_node]\nblock_sise = 1M\n", 2, "block_sise")


@pytest.mark.parametrize(
    "launcher, text, line, word",
    [(launcher, *MISSPELT) for launcher in LAUNCHERS]
    + [("data_service/data_node.py", *bad) for bad in BAD_CONFIGS],
)
def test_a_bad_config_is_refused_in_one_line_that_says_where(
    tmp_path: Path, launcher: str, text: str, line: int, word: str
) -> None:
    config = tmp_path / "config.ini"
    config.write_text(text, "utf-8")
    done = refused(launcher, "--config", str(config), *LAUNCHERS[launcher])
    err = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b"")
    assert len(err.splitlines()) == 1
    assert f"{config}:{line}: " in err and word in err


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_config_that_is_not_there_is_refused_in_one_line(tmp_path: Path, launcher: str) -> None:
    missing = str(tmp_path / "no.ini")
    done = refused(launcher, "--config", missing, *LAUNCHERS[launcher])
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and missing.encode() in done.stderr
