"""Attributes, replication and the trash on a running cluster."""

import os
from pathlib import Path

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import wait_until

DAY_NS = 86_400 * 10**9


def test_setrep_waits_until_every_block_has_its_replicas(shared_cluster: Cluster) -> None:
    data = os.urandom(1 << 20) + b"a second block"
    put = ("-D", "dfs.replication=2", "put", "-", "/setrep/d/f")
    assert shared_cluster.client(*put, stdin=data).status == 0
    for count in (3, 1, 2):
        done = shared_cluster.client("setrep", "-w", str(count), "/setrep")
        assert (done.status, done.err) == (0, "")
        lines = done.text.splitlines()
        assert lines[0] == f"Replication {count} set: /setrep/d/f"
        assert lines[-1].endswith(" done") and "Waiting for /setrep/d/f ..." in done.text
        with shared_cluster.file_system() as file_system:
            row = list(file_system.fsck("/setrep/d/f"))[0]
        assert [len(block.holders) for block in row.blocks] == [count, count]
        assert [block.health.wanted for block in row.blocks] == [count, count]
    assert shared_cluster.client("cat", "/setrep/d/f").out == data


def test_put_and_get_keep_attributes(shared_cluster: Cluster, tmp_path: Path) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(b"x")
    source.chmod(0o640)
    os.utime(source, ns=(DAY_NS, 2 * DAY_NS))
    assert shared_cluster.client("put", "-p", str(source), "/kept/a") == (0, b"", "")
    assert shared_cluster.client("cp", "-p", "/kept/a", "/kept/b") == (0, b"", "")
    assert shared_cluster.client("get", "-p", "/kept/b", str(copy)) == (0, b"", "")
    found = copy.stat()
    assert (found.st_mode & 0o7777, found.st_mtime_ns) == (0o640, 2 * DAY_NS)
    assert shared_cluster.client("stat", "%a %Y", "/kept/a").text == f"640 {2 * DAY_NS // 10**6}\n"


def test_the_trash_gives_back_what_was_removed(shared_cluster: Cluster) -> None:
    trash = ("-D", "fs.trash.interval=60")
    assert shared_cluster.client("put", "-", "/trashed/d/f", stdin=b"data").status == 0
    moved = shared_cluster.client(*trash, "rm", "-r", "/trashed/d")
    assert (moved.status, moved.out) == (0, b"")
    place = moved.err.strip().rpartition(" to trash at: ")[2]
    assert place.endswith("/.Trash/Current/trashed/d")
    assert shared_cluster.client("test", "-e", "/trashed/d").status == 1
    assert shared_cluster.client("mv", place, "/trashed") == (0, b"", "")
    assert shared_cluster.client("cat", "/trashed/d/f").out == b"data"
    assert shared_cluster.client(*trash, "rm", "/trashed/d/f").status == 0
    assert shared_cluster.client("expunge", "-immediate") == (0, b"", "")
    assert shared_cluster.client("ls", ".Trash") == (0, b"", "")


def test_reading_sets_the_time_of_access(shared_cluster: Cluster) -> None:
    assert shared_cluster.client("put", "-", "/read/f", stdin=b"data").status == 0
    assert shared_cluster.client("touch", "-a", "-t", "20200101:000000", "/read/f").status == 0
    with shared_cluster.file_system() as file_system:
        before = file_system.stat("/read/f")
        with file_system.open("/read/f") as file:
            assert file.read() == b"data"
        wait_until(lambda: file_system.stat("/read/f").atime_ms > before.mtime_ms,
                   what="the time of access")
        assert file_system.stat("/read/f").mtime_ms == before.mtime_ms
