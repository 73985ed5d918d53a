"""report, safemode, printTopology, groups."""

import json
import math
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from data_service.protocol.files import FileStatus
from data_service.protocol.health import FsckRow
from data_service.shell.arguments import definitions
from data_service.shell.commands import getconf, safemode
from data_service.shell.reports import cluster_report
from tests.support.models.memory_cluster import node
from tests.support.terminal.shell import Shell
from zookeeper.fabric.errors import InvalidArgument, PermissionDenied


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


def test_the_report(shell: Shell) -> None:
    lines = shell.good("report").splitlines()
    assert lines[:24] == [
        "Configured Capacity: 3000 (2.93 KB)",
        "Present Capacity: 3000 (2.93 KB)",
        "DFS Remaining: 2700 (2.64 KB)",
        "DFS Used: 300 (300 B)",
        "DFS Used%: 10.00%",
        "Replicated Blocks:",
        "\tUnder replicated blocks: 0",
        "\tBlocks with corrupt replicas: 0",
        "\tMissing blocks: 0",
        "\tMissing blocks (with replication factor 1): 0",
        "\tLow redundancy blocks with highest priority to recover: 0",
        "\tPending deletion blocks: 0",
        "Erasure Coded Block Groups: ",
        "\tLow redundancy block groups: 0",
        "\tBlock groups with corrupt internal blocks: 0",
        "\tMissing block groups: 0",
        "\tLow redundancy blocks with highest priority to recover: 0",
        "\tPending deletion blocks: 0",
        "",
        "-------------------------------------------------",
        "Live datanodes (2):",
        "",
        "Name: localhost:1801 (localhost)",
        "Hostname: localhost",
    ]
    assert sum(line.startswith("Name: ") for line in lines) == 2
    assert "Dead" not in "".join(lines)


def test_a_datanode_in_the_report() -> None:
    told = node(1801, "stale", "/rack1")._replace(last_report_seconds=math.inf)
    lines = cluster_report.node_lines(told, now=1001.0)
    contact = cluster_report.calendar(1000.0)
    assert lines == [
        "Name: localhost:1801 (localhost)",
        "Hostname: localhost",
        "Rack: /rack1",
        "State: stale",
        "Decommission Status : Normal",
        "Configured Capacity: 1000 (1000 B)",
        "DFS Used: 100 (100 B)",
        "Non DFS Used: 0 (0 B)",
        "DFS Remaining: 900 (900 B)",
        "DFS Used%: 10.00%",
        "DFS Remaining%: 90.00%",
        "Configured Cache Capacity: 0 (0 B)",
        "Cache Used: 0 (0 B)",
        "Cache Remaining: 0 (0 B)",
        "Cache Used%: 100.00%",
        "Cache Remaining%: 0.00%",
        "Xceivers: 0",
        f"Last contact: {contact}",
        "Last Block Report: Never",
        "Num of Blocks: 3",
    ]


def test_the_report_counts_blocks(shell: Shell) -> None:
    shell.filesystem.status = shell.filesystem.status._replace(
        under_replicated=11, corrupt=1, missing=2, pending_deletion=99, corrupt_replicas=4,
        urgent=5, lost_alone=6, removals=7,
    )  # fmt: skip
    lines = shell.good("report").splitlines()
    assert lines[6:12] == [
        "\tUnder replicated blocks: 11",
        "\tBlocks with corrupt replicas: 4",
        "\tMissing blocks: 3",
        "\tMissing blocks (with replication factor 1): 6",
        "\tLow redundancy blocks with highest priority to recover: 5",
        "\tPending deletion blocks: 7",
    ]
    stats = shell.filesystem.nodes[0].stats._replace(failed_volumes=2)
    shell.filesystem.nodes = (shell.filesystem.nodes[0]._replace(stats=stats),)
    assert "Failed volumes: 2" in shell.good("report").splitlines()


def test_the_report_of_some_datanodes(shell: Shell) -> None:
    shell.filesystem.nodes = (node(1801), node(1802, "dead"), node(1803, "stale"))
    shell.filesystem.status = shell.filesystem.status._replace(safe_mode=True)
    whole = shell.good("dfsadmin", "-report")
    assert whole.startswith("Safe mode is ON\nConfigured")
    assert "Live datanodes (2):" in whole and "Dead datanodes (1):" in whole
    dead = shell.good("-report", "-dead")
    assert "Live" not in dead and "Dead datanodes (1):" in dead
    assert "Decommissioning datanodes (0):" in shell.good("report", "-decommissioning")


def test_the_report_as_json(shell: Shell) -> None:
    told = node(1801)._replace(last_report_seconds=-1.0)
    shell.filesystem.nodes = (told,)
    found = json.loads(shell.good("report", "--json"))
    assert found["capacity"] == 3000 and found["safe_mode"] is False
    assert found["datanodes"] == [
        {
            "node_id": "node-1801", "host": "localhost", "port": 1801, "rack": "/default-rack",
            "state": "live", "capacity": 1000, "used": 100, "remaining": 900, "blocks": 3,
            "streams": 0, "failed_volumes": 0, "last_contact_seconds": 1.0,
            "last_report_seconds": None, "uptime_seconds": 0, "version": "",
        }
    ]  # fmt: skip


def test_safe_mode(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell.good("safemode", "get") == "Safe mode is OFF\n"
    assert shell.good("dfsadmin", "-safemode", "enter") == "Safe mode is ON\n"
    assert shell.good("safemode", "get") == "Safe mode is ON\nIt was turned on manually.\n"
    pauses: List[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        shell.filesystem.safe_mode("leave")

    monkeypatch.setattr(safemode.time, "sleep", sleep)
    assert shell.good("safemode", "wait") == "Safe mode is OFF\n"
    assert pauses == [safemode.WAIT_SECONDS]
    shell.good("safemode", "enter")
    assert shell.good("safemode", "forceExit") == "Safe mode is OFF\n"


def test_administration_fails_with_255(shell: Shell) -> None:
    denied = PermissionDenied("Access denied for user alice. Superuser privilege is required")
    shell.filesystem.fail("safe_mode", denied)
    assert shell.bad("safemode", "enter", status=255) == (
        "safemode: Access denied for user alice. Superuser privilege is required\n"
    )
    assert shell.bad("safemode", "on", status=255) == (
        "safemode: Unknown action on\n"
        "Usage: hdfs dfsadmin [-safemode <enter | leave | get | wait | forceExit>]\n"
    )


def test_topology(shell: Shell) -> None:
    shell.filesystem.nodes = (node(1802, rack="/r2"), node(1801, rack="/r1"), node(1800))
    assert shell.good("printTopology").splitlines() == [
        "Rack: /default-rack",
        "   localhost:1800 (localhost) In Service",
        "",
        "Rack: /r1",
        "   localhost:1801 (localhost) In Service",
        "",
        "Rack: /r2",
        "   localhost:1802 (localhost) In Service",
        "",
    ]


def test_groups_are_those_of_the_namenode(shell: Shell) -> None:
    shell.filesystem.members = {"root": ("wheel", "supergroup"), "alice": ("users",)}
    assert shell.good("groups") == "root : wheel supergroup\n"
    assert shell.good("groups", "alice", "nobody") == "alice : users\nnobody :\n"
    shell.filesystem.fail("groups", InvalidArgument("not a name of a user or group: ''"))
    assert shell.bad("groups", "") == "groups: not a name of a user or group: ''\n"


def test_what_is_silent_but_for_its_success(shell: Shell) -> None:
    assert shell.good("saveNamespace") == "Save namespace successful\n"
    assert shell.good("dfsadmin", "-saveNamespace", "-beforeShutdown").endswith("successful\n")
    assert shell.good("dfsadmin", "-refreshNodes") == "Refresh nodes successful\n"
    assert shell.good("metasave", "m.txt") == (
        "Created metasave file m.txt in the log directory of namenode hdfs://localhost:1800\n"
    )
    assert {"save_namespace", "refresh_nodes", "metasave m.txt"} <= set(shell.filesystem.calls)


@pytest.mark.parametrize(
    "command, method",
    [
        ("saveNamespace", "save_namespace"),
        ("refreshNodes", "refresh_nodes"),
        ("listOpenFiles", "list_open_files"),
    ],
)
def test_who_is_no_superuser_is_told_so(shell: Shell, command: str, method: str) -> None:
    denied = "Access denied for user alice. Superuser privilege is required"
    shell.filesystem.fail(method, PermissionDenied(denied))
    for words in ([command], [f"-{command}"], ["admin", f"-{command}"]):
        assert shell.bad(*words, status=255) == f"{command}: {denied}\n"


def test_open_files(shell: Shell) -> None:
    status = FileStatus("w", 9, "f", 0, 2, 1024, "root", "", 0o644, 0, 0)
    writers = {"/d/w": "c" * 32, "/v": "c"}
    shell.filesystem.written = [FsckRow(path, status, (), w) for path, w in writers.items()]
    head = "Client Host         \tClient Name         \tOpen File Path"
    lines = shell.good("listOpenFiles").splitlines()
    assert lines == [
        head,
        f"-                   \t{'c' * 32}\t/d/w",
        "-                   \tc                   \t/v",
    ]
    assert shell.good("listOpenFiles", "-path", "/d").splitlines() == lines[:2]
    assert shell.good("listOpenFiles", "-blockingDecommission").splitlines() == [head]


def test_a_report_of_blocks_is_triggered(shell: Shell) -> None:
    assert shell.good("triggerBlockReport", "localhost:1801") == (
        "Triggering a full block report on localhost:1801.\n"
    )
    assert "an incremental block report" in shell.good("triggerBlockReport", "-incremental", "h:1")
    assert "trigger_block_report localhost:1801" in shell.filesystem.calls
    assert "expected host:port" in shell.bad("triggerBlockReport", "nonsense", status=255)


def test_what_is_known_of_a_datanode(shell: Shell) -> None:
    told = node(1801)
    stats = told.stats._replace(uptime_seconds=317)
    told = told._replace(stats=stats, version="0.1.0", last_contact_seconds=1.5)
    shell.filesystem.nodes = (told, node(1802, "dead"), node(1803))
    assert shell.good("getDatanodeInfo", "localhost:1801") == (
        "Uptime: 318, Software version: 0.1.0, Config version: pyhdfs-0.1.0\n"
    )
    # A datanode of an older release does not tell.
    assert shell.good("getDatanodeInfo", "localhost:1803").startswith("Uptime: unknown, ")
    for address in ("localhost:1802", "elsewhere:1801"):
        complaint = shell.bad("dfsadmin", "-getDatanodeInfo", address, status=255)
        assert complaint == "getDatanodeInfo: Datanode unreachable.\n"


@pytest.mark.parametrize(
    "words, line",
    [
        (("-namenodes",), "localhost"),
        (("-nnRpcAddresses",), "localhost:1800"),
        (("-secondaryNameNodes",), ""),
        (("-confKey", "fs.defaultFS"), "hdfs://localhost:1800"),
        (("-confKey", "dfs.replication"), "1"),
        (("-confKey", "dfs.blocksize"), "1024"),
        (("-confKey", "dfs.heartbeat.interval"), "1"),
        (("-confKey", "dfs.namenode.stale.datanode.interval"), "10000"),
        (("-confKey", "dfs.permissions.superusergroup"), "supergroup"),
        (("-confKey", "name_node.safe_mode_threshold"), "0.999"),
        (("-confKey", "data_node.data_node_hosts"), "localhost:1801,localhost:1802,localhost:1803"),
        (("-confKey", "data_node.data_node_dir_1802"), "data/data_node_1802"),
        (("-confKey", "security.allow_insecure"), "false"),
    ],
)
def test_settings(shell: Shell, words: Tuple[str, ...], line: str) -> None:
    assert shell.good("getconf", *words) == line + "\n"


@pytest.mark.parametrize(
    "key", ["", "dfs.nonsense", "name_node", "name_node.x", "x.y", "data_node.data_node_dir_9"]
)
def test_a_setting_that_is_none(shell: Shell, key: str) -> None:
    complaint = shell.bad("getconf", "-confKey", key, status=255)
    assert complaint == f"getconf: Configuration {key} is missing.\n"


def test_getconf_is_called_rightly(shell: Shell) -> None:
    missing = "getconf: Configuration dfs.hosts is missing.\n"
    assert shell.bad("getconf", "-includeFile", status=255) == missing
    for words in ([], ["-confKey"], ["-x"], ["-namenodes", "x"]):
        assert "Usage: hdfs getconf" in shell.bad("getconf", *words, status=255)


def test_every_key_of_hdfs_has_a_setting(shell: Shell) -> None:
    for key in (*getconf.SAME_IN_HDFS, *definitions.FIXED):
        assert shell.good("getconf", "-confKey", key).strip()
