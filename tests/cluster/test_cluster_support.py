"""The test cluster itself: what it promises to the tests that are built on it."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.daemon import Daemon
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import Unavailable

RUDE = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
print("ready rude", flush=True)
while True: signal.pause()
"""


def test_a_spare_data_node_joins_by_starting(tmp_path: Path) -> None:
    with Cluster(tmp_path, data_nodes=1, spare_data_nodes=1) as cluster:
        cluster.start_daemon("data_node_1")
        cluster.wait_live(2)
        cluster.terminate("data_node_1")
        cluster.wait_live(1)


def test_a_cluster_of_its_own_key_serves_who_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Cluster(tmp_path / "cluster", data_nodes=1, security="secret") as cluster:
        assert cluster.client("put", "-", "/a", stdin=b"hello").status == 0
        other = tmp_path / "other.key"
        other.touch(0o600)
        other.write_bytes(os.urandom(32))
        monkeypatch.setenv("PYHDFS_KEY_FILE", str(other))
        refused = cluster.client("cat", "/a")
        assert refused.status == 1 and "key" in refused.err


def test_a_cut_link_is_cut_for_one_process_only(tmp_path: Path) -> None:
    options = {"client": {"connect_seconds": 0.5, "retry_seconds": 0.5}}
    with Cluster(tmp_path, data_nodes=1, links=[("client", "name_node")], **options) as cluster:
        link = cluster.link("client", "name_node")
        with cluster.file_system() as file_system:
            file_system.mkdir("/before")
            assert link.connections_made > 0
            link.cut()
            with pytest.raises(Unavailable):
                file_system.stat("/before")
            # The datanode has its own way to the namenode.
            assert cluster.daemons["data_node_0"].running
            link.heal()
            assert file_system.stat("/before").is_directory
            assert [node.state for node in file_system.datanodes()] == ["live"]


def test_a_paused_data_node_is_not_live_until_it_goes_on(tmp_path: Path) -> None:
    with Cluster(tmp_path, data_nodes=2) as cluster:
        cluster.pause("data_node_0")
        cluster.wait_live(1)
        cluster.resume("data_node_0")
        cluster.wait_live(2)


def test_everything_killed_starts_again_in_another_order(tmp_path: Path) -> None:
    with Cluster(tmp_path, data_nodes=1) as cluster:
        with cluster.file_system() as file_system:
            file_system.mkdir("/kept")
        for role in cluster.roles:
            cluster.kill(role)
        assert not cluster.running
        for role in reversed(cluster.roles):
            cluster.daemons[role].start()
        for role in cluster.roles:
            cluster.daemons[role].wait_ready()
        cluster.wait_live(1)
        with cluster.file_system() as file_system:
            assert [status.name for status in file_system.list("/")] == ["kept"]


def test_a_daemon_that_ends_badly_fails_the_test(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="did not stop cleanly: {'rude': 3}"):
        with Cluster(tmp_path, data_nodes=1) as cluster:
            command = [sys.executable, "-c", RUDE]
            rude = Daemon("rude", command, tmp_path / "rude.log", dict(os.environ))
            cluster.daemons["rude"] = rude
            cluster.start_daemon("rude")
    assert not cluster.running


def test_a_test_that_fails_is_not_drowned_by_its_cluster(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        with Cluster(tmp_path, data_nodes=1) as cluster:
            client = cluster.start_client("put", "-", "/unfinished")
            assert client.stdin is not None
            client.stdin.close()
            cluster.daemons["zookeeper"].send_signal(signal.SIGSTOP)
            raise ZeroDivisionError
    assert not cluster.running
    wait_until(lambda: not any(daemon.leaves_processes() for daemon in cluster.daemons.values()))
