"""report, safemode, printTopology, fsck."""

import json
import math
from pathlib import Path
from typing import Iterator, List

import pytest

from data_service.protocol.messages import Health
from data_service.shell import administration, cluster_report
from tests.support.memory_cluster import node
from tests.support.shell import Shell
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
            "last_report_seconds": None,
        }
    ]  # fmt: skip


def test_safe_mode(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell.good("safemode", "get") == "Safe mode is OFF\n"
    assert shell.good("dfsadmin", "-safemode", "enter") == "Safe mode is ON\n"
    pauses: List[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        shell.filesystem.safe_mode("leave")

    monkeypatch.setattr(administration.time, "sleep", sleep)
    assert shell.good("safemode", "wait") == "Safe mode is OFF\n"
    assert pauses == [administration.WAIT_SECONDS]
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


def fill(shell: Shell) -> None:
    """Three files: whole, under-replicated, and one of which nothing is said yet."""
    shell.filesystem.write("/d/g", b"x" * 1500)
    shell.filesystem.write("/d/f", b"y" * 1000, replication=3)
    shell.filesystem.health["/d/f"] = Health(3, 1, 0, 0)
    shell.filesystem.write("/e", b"")


def test_fsck_of_a_healthy_tree(shell: Shell) -> None:
    fill(shell)
    lines = shell.good("fsck", "/").splitlines()
    assert lines[0].startswith("FSCK started by root (auth:SIMPLE) for path / at ")
    assert lines[1] == ""
    assert lines[2] == (
        "/d/f:  Under replicated BP-c1:blk_400_1. Target Replicas is 3 but found 1 live "
        "replica(s), 0 decommissioned replica(s), 0 decommissioning replica(s)."
    )
    assert lines[3:25] == [
        "",
        "Status: HEALTHY",
        " Number of data-nodes:\t2",
        " Number of racks:\t\t1",
        " Total dirs:\t\t\t2",
        " Total symlinks:\t\t0",
        "",
        "Replicated Blocks:",
        " Total size:\t2500 B",
        " Total files:\t3",
        " Total blocks (validated):\t3 (avg. block size 833 B)",
        " Minimally replicated blocks:\t3 (100.0 %)",
        " Over-replicated blocks:\t0 (0.0 %)",
        " Under-replicated blocks:\t1 (33.333332 %)",
        " Mis-replicated blocks:\t\t0 (0.0 %)",
        " Default replication factor:\t1",
        " Average block replication:\t1.0",
        " Missing blocks:\t\t0",
        " Corrupt blocks:\t\t0",
        " Missing replicas:\t\t2 (40.0 %)",
        " Blocks queued for replication:\t0",
        "",
    ]
    assert lines[-4].startswith("FSCK ended at ")
    assert lines[-3:] == ["", "", "The filesystem under path '/' is HEALTHY"]


def test_fsck_in_detail(shell: Shell) -> None:
    fill(shell)
    lines = shell.good("fsck", "/d", "-files", "-blocks", "-locations").splitlines()
    place = "DatanodeInfoWithStorage[localhost:1801,node-1801,DISK]"
    assert lines[2:12] == [
        "/d <dir>",
        "/d/f 1000 bytes, replicated: replication=3, 1 block(s): ",
        " Under replicated BP-c1:blk_400_1. Target Replicas is 3 but found 1 live replica(s), "
        "0 decommissioned replica(s), 0 decommissioning replica(s).",
        f"0. BP-c1:blk_400_1 len=1000 Live_repl=1  [{place}]",
        "",
        "/d/g 1500 bytes, replicated: replication=1, 2 block(s):  OK",
        f"0. BP-c1:blk_300_1 len=1024 Live_repl=1  [{place}]",
        f"1. BP-c1:blk_301_1 len=476 Live_repl=1  [{place}]",
        "",
        "",
    ]
    assert "[/default-rack/localhost:1801]" in shell.good("fsck", "/", "-racks")


def test_fsck_of_a_damaged_tree(shell: Shell) -> None:
    shell.filesystem.write("/c1", b"x" * 1000)
    shell.filesystem.write("/c2", b"y" * 300)
    shell.filesystem.write("/ok", b"z")
    shell.filesystem.health.update({"/c1": Health(1, 0, 1, 0), "/c2": Health(1, 0, 0, 0)})
    result = shell.run("fsck", "/")
    assert (result.status, result.err) == (1, "")
    assert result.lines[2:5] == [
        "/c1: CORRUPT blockpool BP-c1 block blk_200",
        "/c1: CORRUPT 1 blocks of total size 1000 B.",
        "/c2: MISSING 1 blocks of total size 300 B.",
    ]
    box = "  ********************************"
    start = result.lines.index(box)
    assert result.lines[start + 1 : start + 9] == [
        "  UNDER MIN REPL'D BLOCKS:\t2 (66.666664 %)",
        "  MINIMAL BLOCK REPLICATION:\t1",
        "  CORRUPT FILES:\t2",
        "  MISSING BLOCKS:\t1",
        "  MISSING SIZE:\t\t300 B",
        "  CORRUPT BLOCKS:\t1",
        "  CORRUPT SIZE:\t\t1000 B",
        box,
    ]
    assert "Status: CORRUPT" in result.lines
    assert result.lines[-1] == "The filesystem under path '/' is CORRUPT"
    listed = shell.run("fsck", "-list-corruptfileblocks", "/")
    assert listed.lines == [
        "The list of corrupt files under path '/' are:",
        "blk_300\t/c2",
        "blk_200\t/c1",
        "The filesystem under path '/' has 2 CORRUPT files",
    ]
    found = json.loads(shell.run("fsck", "/", "--json").out)
    assert found["status"] == "CORRUPT" and found["corrupt_files"] == ["/c1", "/c2"]
    assert found["missing_blocks"] == ["blk_300_1"]


def test_fsck_deletes_what_is_lost(shell: Shell) -> None:
    shell.filesystem.write("/c", b"x")
    shell.filesystem.write("/ok", b"z")
    shell.filesystem.health["/c"] = Health(1, 0, 0, 0)
    assert shell.run("fsck", "/", "-delete").status == 1
    assert shell.filesystem.tree() == ["/ok"]


def test_fsck_sees_blocks_on_one_rack_only(shell: Shell) -> None:
    shell.filesystem.nodes = (node(1801, rack="/r1"), node(1802, rack="/r1"), node(3, rack="/r2"))
    shell.filesystem.write("/f", b"x", replication=2)
    out = shell.good("fsck", "/")
    assert (
        "/f:  Replica placement policy is violated for BP-c1:blk_200_1. Block should be "
        "additionally replicated on 1 more rack(s). Total number of racks in the cluster: 2\n"
    ) in out
    assert " Mis-replicated blocks:\t\t1 (100.0 %)\n" in out


def test_fsck_of_nothing(shell: Shell) -> None:
    assert shell.good("fsck", "/no").startswith("FileSystem is inaccessible due to:\n")
    assert " Average block replication:\t0.0\n" in shell.good("fsck", "/")
    assert "Not enough arguments" in shell.bad("fsck", status=255)
    assert "Illegal option -bogus" in shell.bad("fsck", "/", "-bogus", status=255)
    assert shell.bad("fsck", "/", "-move") == "fsck: Option '-move' is not implemented yet.\n"


def test_groups_are_those_of_the_namenode(shell: Shell) -> None:
    shell.filesystem.members = {"root": ("wheel", "supergroup"), "alice": ("users",)}
    assert shell.good("groups") == "root : wheel supergroup\n"
    assert shell.good("groups", "alice", "nobody") == "alice : users\nnobody :\n"
    shell.filesystem.fail("groups", InvalidArgument("not a name of a user or group: ''"))
    assert shell.bad("groups", "") == "groups: not a name of a user or group: ''\n"
