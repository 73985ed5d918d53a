"""fsck."""

import json
from pathlib import Path
from typing import Iterator

import pytest

from data_service.protocol.blocks import Block
from data_service.protocol.files import FileStatus
from data_service.protocol.health import BlockHealth, FsckRow, Health, Holder
from tests.support.models.memory_cluster import node
from tests.support.terminal.shell import Shell


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Shell]:
    """The command line on an empty file system."""
    with Shell(monkeypatch, tmp_path) as made:
        yield made


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


def test_fsck_tells_which_storage_the_one_policy_chose(shell: Shell) -> None:
    fill(shell)
    shell.filesystem.write("/three", b"z" * 3000, replication=3)
    shell.filesystem.health["/three"] = Health(3, 3, 0, 0)
    shell.filesystem.write("/lost", b"z")
    shell.filesystem.health["/lost"] = Health(1, 0, 0, 0)
    plain = shell.run("fsck", "/").lines
    lines = shell.run("fsck", "/", "-storagepolicies").lines
    assert len(lines) == len(plain) + 7
    assert lines[-11:-4] == [
        "",
        "Blocks satisfying the specified storage policy:",
        "Storage Policy                  # of blocks       % of blocks",
        "DISK:1(HOT)                        3              50.0000%",
        "DISK:3(HOT)                        3              50.0000%",
        "",
        "All blocks satisfy specified storage policy.",
    ]
    assert "All blocks" not in shell.good("fsck", "/d", "--json", "-storagepolicies")


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
    assert listed.status == 255 and listed.lines == [
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
    assert " Total dirs:\t\t\t1\n" in shell.good("fsck", "-files"), "the default is the root"
    assert "Not enough arguments" in shell.bad("fsck", status=255)
    assert "Illegal option -bogus" in shell.bad("fsck", "/", "-bogus", status=255)
    complaint = shell.bad("fsck", "/", "/no", status=255).splitlines()[0]
    assert complaint == "-fsck: can only operate on one path at a time '/no'"
    assert "-blockId needs the name" in shell.bad("fsck", "-blockId", "-files", status=255)


def test_no_corrupt_files_is_success(shell: Shell) -> None:
    listed = "The filesystem under path '/' has 0 CORRUPT files\n"
    assert shell.good("fsck", "-list-corruptfileblocks") == listed


def test_fsck_shows_every_replica(shell: Shell) -> None:
    shell.filesystem.write("/f", b"x", replication=3)
    shell.filesystem.health["/f"] = Health(3, 1, 1, 0)
    out = shell.good("fsck", "/", "-files", "-blocks", "-replicaDetails")
    places = [
        f"DatanodeInfoWithStorage[localhost:{port},node-{port},DISK]" for port in (1801, 1802)
    ]
    assert f"Live_repl=1  [{places[0]}(LIVE), {places[1]}(CORRUPT)]\n" in out


def test_a_block_without_good_replicas_in_detail(shell: Shell) -> None:
    shell.filesystem.write("/c", b"x")
    shell.filesystem.health["/c"] = Health(1, 0, 1, 0)
    shell.filesystem.write("/m", b"x")
    shell.filesystem.health["/m"] = Health(1, 0, 0, 0)
    lines = shell.run("fsck", "/", "-racks").lines
    assert "0. BP-c1:blk_200_1 len=1 Live_repl=0  [/default-rack/localhost:1801]" in lines
    assert "0. BP-c1:blk_300_1 len=1 MISSING!" in lines


def test_fsck_moves_what_is_left_and_deletes_the_rest(shell: Shell) -> None:
    for name in ("/d/c", "/d/kept", "/ok"):
        shell.filesystem.write(name, b"x")
    shell.filesystem.write("/lost+found/d/kept/0")
    shell.filesystem.health.update({"/d/c": Health(1, 0, 0, 0), "/d/kept": Health(1, 0, 1, 0)})
    result = shell.run("fsck", "/", "-move", "-delete")
    assert result.status == 1
    assert shell.filesystem.salvaged == [("/d/c", "/lost+found/d/c")]
    assert result.err == (
        "fsck: can't copy the remains of /d/kept to /lost+found, "
        "because /lost+found/d/kept already exists.\n"
    )
    tree = shell.filesystem.tree()
    assert "/d/c" not in tree and "/d/kept" in tree, "what was not copied stays"


def test_fsck_has_blocks_on_one_rack_copied(shell: Shell) -> None:
    shell.filesystem.nodes = (node(1801, rack="/r1"), node(1802, rack="/r1"), node(3, rack="/r2"))
    shell.filesystem.write("/f", b"x" * 1500, replication=2)
    assert " Blocks queued for replication:\t0\n" in shell.good("fsck", "/")
    assert shell.filesystem.spread == []
    out = shell.good("fsck", "/", "-replicate")
    assert shell.filesystem.spread == [200, 201]
    assert " Blocks queued for replication:\t1\n" in out


def test_blocks_under_way_are_queued(shell: Shell) -> None:
    shell.filesystem.write("/f", b"x", replication=2)
    shell.filesystem.health["/f"] = Health(2, 1, 0, 0, 1)
    assert " Blocks queued for replication:\t1\n" in shell.good("fsck", "/")


def being_written(path: str, *healths: Health) -> FsckRow:
    """A file that a client has open, with blocks of 10 bytes."""
    status = FileStatus("w", 9, "f", 10 * len(healths), 2, 1024, "root", "", 0o644, 0, 0)
    blocks = []
    for number, health in enumerate(healths, 900):
        holders = [Holder("a", "h", 1, "/default-rack", "LIVE")] * health.live
        holders += [Holder("b", "h", 2, "/default-rack", "CORRUPT")] * health.corrupt
        blocks.append(BlockHealth(Block(number, 1, 10), health, tuple(holders)))
    return FsckRow(path, status, tuple(blocks), "client-1")


def test_files_being_written_are_left_out_but_counted(shell: Shell) -> None:
    shell.filesystem.write("/d/f", b"x" * 10, replication=2)
    shell.filesystem.written = [being_written("/d/w", Health(2, 2, 0, 0), Health(2, 0, 0, 0))]
    out = shell.good("fsck", "/d")
    assert "/d/w" not in out
    assert " Total size:\t10 B (Total open files size: 20 B)\n" in out
    assert " Total files:\t1 (Files currently being written: 1)\n" in out
    assert "(avg. block size 10 B) (Total open file blocks (not validated): 2)\n" in out
    found = json.loads(shell.good("fsck", "/d", "--json"))
    assert (found["files"], found["open_files"], found["open_blocks"]) == (1, 1, 2)


def test_files_being_written_are_checked_when_asked_for(shell: Shell) -> None:
    row = being_written("/w", Health(2, 2, 0, 0), Health(2, 0, 0, 0))
    shell.filesystem.written = [row]
    out = shell.good("fsck", "/", "-openforwrite")
    assert "/w 20 bytes, replicated: replication=2, 1 block(s), OPENFORWRITE:  OK\n" in out
    assert " Total files:\t1\n" in out and " Missing blocks:\t\t0\n" in out
    shell.filesystem.written = [being_written("/w", Health(2, 0, 1, 0))]
    damaged = shell.run("fsck", "/", "-openforwrite", "-delete", "-move")
    assert damaged.status == 1 and "/w: CORRUPT 1 blocks of total size 10 B." in damaged.lines
    assert shell.filesystem.salvaged == [] and "delete" not in shell.filesystem.calls


def test_fsck_of_single_blocks(shell: Shell) -> None:
    shell.filesystem.write("/f", b"x", replication=2)
    lines = shell.good("fsck", "-blockId", "blk_200_1").splitlines()
    assert lines[0].startswith("FSCK started by root (auth:SIMPLE) for blockIds at ")
    assert lines[2:] == [
        "Block Id: blk_200_1",
        "Block belongs to: /f",
        "No. of Expected Replica: 2",
        "No. of live Replica: 2",
        "No. of excess Replica: 0",
        "No. of stale Replica: 0",
        "No. of decommissioned Replica: 0",
        "No. of decommissioning Replica: 0",
        "No. of corrupted Replica: 0",
        "Block replica on datanode/rack: localhost/default-rack is HEALTHY",
        "Block replica on datanode/rack: localhost/default-rack is HEALTHY",
        "",
    ]
    shell.filesystem.health["/f"] = Health(2, 1, 1, 0)
    damaged = shell.run("fsck", "-blockId", "blk_7", "blk_200", "bar")
    assert damaged.status == 1
    assert "Block blk_7 does not exist" in damaged.lines
    assert "Block replica on datanode/rack: localhost/default-rack is CORRUPT" in damaged.lines
    assert damaged.lines[-1] == "Incorrect blockId format: bar"
    assert shell.good("fsck", "-blockId", "blk_7").splitlines()[2] == "Block blk_7 does not exist"
    records = json.loads(shell.run("fsck", "-blockId", "blk_200 blk_7", "--json").out)
    assert (records[0]["path"], records[0]["live"], records[1]["path"]) == ("/f", 1, None)


def test_a_file_that_grows_is_one_file(shell: Shell) -> None:
    shell.filesystem.write("/f", b"x" * 30)
    number = shell.filesystem.stat("/f").inode_id
    row = being_written("/f", Health(1, 1, 0, 0))
    shell.filesystem.written = [row._replace(status=row.status._replace(inode_id=number))]
    out = shell.good("fsck", "/")
    assert " Total files:\t0 (Files currently being written: 1)\n" in out
    assert " Total size:\t0 B (Total open files size: 40 B)\n" in out
    out = shell.good("fsck", "/", "-openforwrite")
    assert "/f 40 bytes, replicated: replication=1, 2 block(s), OPENFORWRITE:  OK\n" in out
    assert " Total files:\t1\n" in out
