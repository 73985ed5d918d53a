"""The commands for administrators, on real processes."""

import getpass
import json
import re
import subprocess

import pytest

from data_service.shell.connections import USER_VARIABLE
from tests.support.clusters.cluster import CLIENT, Cluster, Result
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until


def run_as(cluster: Cluster, user: str, *words: str) -> Result:
    """Run a command as a user."""
    done = subprocess.run(
        cluster.client_command(*words),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**cluster.environment(CLIENT), USER_VARIABLE: user},
        timeout=2 * PATIENCE_SECONDS,
    )
    return Result(done.returncode, done.stdout, done.stderr.decode("utf-8"))


@pytest.mark.parametrize(
    "words",
    [
        ("saveNamespace",),
        ("dfsadmin", "-refreshNodes"),
        ("metasave", "m"),
        ("listOpenFiles",),
        ("admin", "-triggerBlockReport", "localhost:1"),
        ("getDatanodeInfo", "localhost:1"),
        ("printTopology",),
        ("report", "--json"),
        ("safemode", "enter"),
        ("safemode", "forceExit"),
    ],
)
def test_they_are_for_superusers_only(shared_cluster: Cluster, words: tuple) -> None:
    name = next(word.lstrip("-") for word in words if word not in ("admin", "dfsadmin"))
    answer = run_as(shared_cluster, "worker", *words)
    denied = "Access denied for user worker. Superuser privilege is required"
    assert (answer.status, answer.out, answer.err) == (255, b"", f"{name}: {denied}\n")


def test_others_see_how_the_cluster_is_but_not_its_datanodes(shared_cluster: Cluster) -> None:
    whole = shared_cluster.client("report").text
    answer = run_as(shared_cluster, "worker", "report")
    denied = "report: Access denied for user worker. Superuser privilege is required\n"
    assert (answer.status, answer.err) == (255, denied)
    assert answer.text.splitlines()[0] == whole.splitlines()[0]
    assert answer.text.endswith("-----\n") and "Name:" not in answer.text
    with shared_cluster.file_system("worker") as worker:
        rooms = worker.datanode_rooms()
    assert [(room.node_id, room.host) for room in rooms] == [("", "")] * 3
    assert all(room.stats.capacity for room in rooms), "or nobody could tell whether a file fits"
    assert " Number of data-nodes:\t3\n" in run_as(shared_cluster, "worker", "fsck", "/").text


def test_a_group_of_the_config_file_makes_superusers(shared_cluster: Cluster) -> None:
    answer = run_as(shared_cluster, "chief", "dfsadmin", "-refreshNodes")
    assert answer == (0, b"Refresh nodes successful\n", "")
    assert shared_cluster.client("groups", "worker", "chief", "nobody at all").text == (
        "worker : shift\nchief : supergroup\nnobody at all :\n"
    )
    assert run_as(shared_cluster, "helper", "groups").out == b"helper : shift\n"
    own = shared_cluster.client("groups").text
    assert own.startswith(f"{getpass.getuser()} : ")


def test_the_namespace_is_saved_in_safe_mode_only(shared_cluster: Cluster) -> None:
    refused = shared_cluster.client("saveNamespace")
    assert refused == (
        255, b"",
        "saveNamespace: Safe mode should be turned ON in order to create namespace image.\n",
    )  # fmt: skip
    assert shared_cluster.client("safemode", "enter").status == 0
    try:
        saved = shared_cluster.client("dfsadmin", "-saveNamespace")
        assert saved == (0, b"Save namespace successful\n", "")
    finally:
        assert shared_cluster.client("safemode", "leave").out == b"Safe mode is OFF\n"


def test_open_files_and_metasave(shared_cluster: Cluster) -> None:
    with shared_cluster.file_system() as file_system:
        with file_system.open("/administration/open", "wb") as file:
            listed = shared_cluster.client("listOpenFiles", "-path", "/administration").text
            (line,) = listed.splitlines()[1:]
            assert line.endswith("\t/administration/open")
            elsewhere = shared_cluster.client("listOpenFiles", "-path", "/none").text
            assert elsewhere == listed.splitlines()[0] + "\n"
            file.write(b"x")
    assert len(shared_cluster.client("listOpenFiles").text.splitlines()) == 1
    written = shared_cluster.client("dfsadmin", "-metasave", "state.txt")
    assert written.status == 0 and "Created metasave file state.txt" in written.text
    text = (shared_cluster.folder / "data" / "name_node" / "state.txt").read_text("utf-8")
    assert "Live Datanodes: 3\n" in text and "Metasave: Number of datanodes: 3\n" in text
    outside = shared_cluster.client("metasave", "../state.txt")
    assert outside.status == 255 and "is no name of a file" in outside.err
    assert shared_cluster.client("rm", "-r", "/administration").status == 0


def test_a_datanode_reports_when_it_is_told_to(shared_cluster: Cluster) -> None:
    host, port = shared_cluster.address("data_node_1")

    def seconds_since_report() -> float:
        nodes = json.loads(shared_cluster.client("report", "--json").text)["datanodes"]
        return next(node["last_report_seconds"] for node in nodes if node["port"] == port)

    # Its first report may be of this very moment, when the cluster has just begun.
    wait_until(lambda: seconds_since_report() > 1)
    before = seconds_since_report()
    told = shared_cluster.client("triggerBlockReport", f"{host}:{port}")
    assert told == (0, f"Triggering a full block report on {host}:{port}.\n".encode(), "")
    wait_until(lambda: seconds_since_report() < before)
    nowhere = shared_cluster.client("triggerBlockReport", f"{host}:1")
    assert nowhere.status == 255 and "Datanode unreachable" in nowhere.err
    info = shared_cluster.client("getDatanodeInfo", f"{host}:{port}").text
    assert re.fullmatch(r"Uptime: \d+, Software version: [\d.]+, Config version: \S+\n", info)


def test_settings_are_those_of_the_file(shared_cluster: Cluster) -> None:
    host, port = shared_cluster.address("name_node")
    assert shared_cluster.client("getconf", "-nnRpcAddresses").text == f"{host}:{port}\n"
    asked = shared_cluster.client("getconf", "-confKey", "name_node.dead_seconds")
    assert asked.text == "4\n"
    missing = shared_cluster.client("getconf", "-confKey", "x")
    assert missing == (255, b"", "getconf: Configuration x is missing.\n")
