"""A cluster whose connections are TLS, on real processes: it works, and lets nobody else in."""

import os
import ssl
from pathlib import Path
from typing import Iterator

import pytest

from tests.support.clusters.cluster import Cluster, Result
from tests.support.clusters.crowd import Crowd
from tests.support.clusters.daemon import Daemon
from tests.support.clusters.waiting import wait_until
from tests.support.links import certificates
from zookeeper.fabric.identity import DATA_NODE, GATEWAY, METADATA, NAME_NODE, ZOOKEEPER

DATA = bytes(range(256)) * 12_000
"""Three blocks."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """All daemons, each with its certificate; what is read comes over the network."""
    folder = tmp_path_factory.mktemp("tls") / "cluster"
    own = {"short_circuit": "no"}
    with Cluster(
        folder, 2, spare_data_nodes=1, gateways=1, security="tls", client=own
    ) as made:
        yield made


def with_settings(cluster: Cluster, folder: Path, old: str, new: str, *argv: str) -> Result:
    """What a client says whose config.ini has another line."""
    other = folder / "config.ini"
    text = cluster.config.read_text()
    assert old in text
    other.write_text(text.replace(old, new))
    return cluster.client("--config", str(other), *argv)


def shown(cluster: Cluster, role: str) -> str:
    """The certificate that a daemon shows to whoever asks."""
    return ssl.get_server_certificate(cluster.address(role))


def test_what_was_put_comes_back(cluster: Cluster, tmp_path: Path) -> None:
    assert cluster.client("put", "-", "/a", stdin=DATA).status == 0
    assert cluster.client("get", "/a", str(tmp_path / "a")).status == 0
    assert (tmp_path / "a").read_bytes() == DATA
    assert cluster.client("appendToFile", "-", "/a", stdin=b"more").status == 0
    assert cluster.client("tail", "/a").out[-4:] == b"more"


def test_commands_work_at_the_prompt(cluster: Cluster) -> None:
    lines = ["mkdir /d", "touchz /d/e", "mv /d/e /d/f", "ls /d", "du /d", "fsck /d", "report",
             "rm -r /d"]
    done = cluster.client(stdin="\n".join(lines).encode())
    assert done.status == 0, done.err
    assert "/d/f" in done.text and "is HEALTHY" in done.text and "Deleted /d" in done.text


def test_who_speaks_no_tls_is_told_so(cluster: Cluster, tmp_path: Path) -> None:
    done = with_settings(cluster, tmp_path, "tls = yes", "tls = no", "ls", "/")
    assert done.status == 1 and "speaks TLS only: set [security] tls = yes" in done.err


HALVES = [
    b"", b"\x16", b"\x16\x03\x01\x3e\x80\x01\x00\x3e\x7c\x03\x03" + bytes(5000),
    b"\x15\x03\x03\x00\x02\x02\x28", b"\x16\x03\x01\xff\xff" + bytes(70000),
]
"""What begins as TLS does: a part of it, or nothing that goes on so."""


def descriptors(daemon: Daemon) -> int:
    """How many a daemon has open."""
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def test_who_only_begins_to_speak_tls_is_sent_away(cluster: Cluster) -> None:
    running = {role: daemon for role, daemon in cluster.daemons.items() if daemon.running}
    before = {role: descriptors(daemon) for role, daemon in running.items()}
    with Crowd(cluster) as crowd:
        for role in running:
            for says in 20 * HALVES:
                crowd.stranger(role, says=says)
        assert cluster.client("put", "-", "/meanwhile", stdin=b"x").status == 0
        assert cluster.client("cat", "/meanwhile").out == b"x"
        for role, daemon in running.items():
            wait_until(lambda role=role, daemon=daemon:  # type: ignore[misc]
                       descriptors(daemon) < before[role] + len(HALVES), what=f"quiet at {role}")


def test_a_cluster_of_another_authority_is_not_believed(cluster: Cluster, tmp_path: Path) -> None:
    certificates.make(tmp_path, "x", NAME_NODE, *certificates.OWN_HOSTS)
    own = str(cluster.folder / "certificates" / "ca.pem")
    done = with_settings(cluster, tmp_path, own, str(tmp_path / "ca.pem"), "ls", "/")
    assert done.status == 1 and "does not prove who it is" in done.err
    assert cluster.client("ls", "/").status == 0


def test_a_datanode_with_the_certificate_of_another_role_does_not_start(cluster: Cluster) -> None:
    folder, name = cluster.folder / "certificates", "config-data_node_2.ini"
    text = (cluster.folder / name).read_text()
    (cluster.folder / name).write_text(text.replace(f"{folder}/data_node", f"{folder}/zookeeper"))
    daemon = cluster.daemons["data_node_2"]
    daemon.start()
    assert daemon.wait() == 2
    assert "expected data_node.pyhdfs among them" in daemon.output()
    (cluster.folder / name).write_text(text)


def test_certificates_are_renewed_while_everybody_works(cluster: Cluster) -> None:
    running = [role for role, daemon in cluster.daemons.items() if daemon.running]
    before = {role: shown(cluster, role) for role in running}
    assert cluster.client("put", "-", "/before", stdin=DATA).status == 0
    for kind in (ZOOKEEPER, METADATA, NAME_NODE, DATA_NODE, GATEWAY):
        certificates.make(cluster.folder / "certificates", kind, kind, *certificates.OWN_HOSTS)
    for role, old in before.items():
        assert shown(cluster, role) != old, role
    assert cluster.client("cat", "/before").out == DATA
    assert cluster.client("put", "-", "/after", stdin=DATA).status == 0
    cluster.restart("name_node")
    cluster.wait_live(2)
    assert cluster.client("cat", "/after").out == DATA
