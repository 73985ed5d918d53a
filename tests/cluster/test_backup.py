"""A backup of the record is made while everything goes on, and put back on an empty machine."""

import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric.errors import PermissionDenied

SIZE = 5000
NODES = ["data_node_0", "data_node_1"]


def put(cluster: Cluster, path: str, data: bytes = b"x" * SIZE) -> None:
    """A file with this content."""
    with cluster.file_system() as fs:
        with fs.open(path, "wb") as file:
            file.write(data)


def back_up(cluster: Cluster, folder: Path) -> str:
    """What the command says."""
    done = cluster.client("admin", "-backup", str(folder))
    assert done.status == 0, done
    return done.text


class Writer(threading.Thread):
    """Makes, renames and deletes until it is told to stop; `whole` are the directories whose
    making was answered, in order."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster
        self.over = threading.Event()
        self.whole = 0
        self.start()

    def run(self) -> None:
        """Until `over`."""
        with self._cluster.file_system() as fs:
            while not self.over.is_set():
                fs.mkdir(f"/busy/{self.whole}/x", parents=True)
                fs.rename(f"/busy/{self.whole}/x", f"/busy/{self.whole}/y")
                if self.whole % 2:
                    fs.delete(f"/busy/{self.whole - 1}", recursive=True)
                self.whole += 1


def restore(cluster: Cluster, folder: Path) -> None:
    """Onto an empty disk, by the documented command."""
    cluster.terminate("name_node")
    cluster.terminate("metadata")
    cluster.wipe("metadata")
    start_with(cluster, folder)
    cluster.start_daemon("name_node")
    cluster.wait_live(len(NODES))


def start_with(cluster: Cluster, folder: Path) -> None:
    """Start the metadata service with a backup, this once."""
    metadata = cluster.daemons["metadata"]
    usual = metadata.command
    metadata.command = [*usual, "--restore", str(folder)]
    cluster.start_daemon("metadata")
    metadata.command = usual


def test_a_backup_under_load_is_one_moment_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    limits = {"replication_factor": 1, "lease_soft_seconds": 1, "lease_hard_seconds": 2}
    with Cluster(tmp_path / "c", data_nodes=2, name_node=limits) as cluster:
        put(cluster, "/kept", b"before" * 1000)
        put(cluster, "/gone", b"gone" * 1000)
        writer = Writer(cluster)
        try:
            wait_until(lambda: writer.whole > 20, what="some changes")
            before = writer.whole
            text = back_up(cluster, folder)
            after = writer.whole
        finally:
            writer.over.set()
            writer.join()
        assert "files and directories, 2 blocks" in text
        put(cluster, "/later", b"later" * 1000)
        with cluster.file_system() as fs:
            fs.delete("/gone")

        restore(cluster, folder)
        with cluster.file_system() as fs:
            with fs.open("/kept") as file:
                assert file.read() == b"before" * 1000
            # What is newer than the backup is gone, and nothing is half of one moment.
            assert not fs.exists("/later")
            numbers = sorted(int(entry.name) for entry in fs.list("/busy"))
            last = numbers[-1]
            assert before - 1 <= last <= after + 1
            assert numbers[:-2] == list(range(1, last - 1, 2))[: len(numbers[:-2])]
            # What was deleted since is named, and its blocks may be there or not.
            assert fs.exists("/gone")
        put(cluster, "/new", b"new" * 1000)
        with cluster.file_system() as fs:
            with fs.open("/new") as file:
                assert file.read() == b"new" * 1000
            with fs.open("/kept") as file:
                assert file.read() == b"before" * 1000


def test_no_record_is_written_over_and_no_half_backup_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    with Cluster(tmp_path / "c", data_nodes=1, name_node={"replication_factor": 1}) as cluster:
        put(cluster, "/a")
        back_up(cluster, folder)
        again = cluster.client("admin", "-backup", str(folder))
        assert again.status != 0 and "not empty" in again.err

        cluster.terminate("metadata")
        started = _start(cluster, folder)
        assert started.returncode == 1 and "has a record of its own" in started.stderr
        cluster.wipe("metadata")

        damaged = tmp_path / "damaged"
        shutil.copytree(folder, damaged)
        data = bytearray((damaged / "metadata.db").read_bytes())
        at = data.rfind(b'"/a"') if b'"/a"' in data else data.find(b"root")
        data[at + 1] ^= 1
        (damaged / "metadata.db").write_bytes(bytes(data))
        started = _start(cluster, damaged)
        assert started.returncode == 1 and "damaged" in started.stderr

        half = tmp_path / "half"
        shutil.copytree(folder, half)
        (half / "VERSION").unlink()
        started = _start(cluster, half)
        assert started.returncode == 1 and "no whole backup" in started.stderr
        assert not cluster.directory("metadata").exists(), "not even a lock was left behind"

        # One that was cut short is neither taken for a new record nor in the way of the next try.
        cluster.directory("metadata").mkdir()
        (cluster.directory("metadata") / "metadata.db.restoring").write_bytes(b"half")
        started = _start(cluster)
        assert started.returncode == 1 and "cut short" in started.stderr
        start_with(cluster, folder)
        wait_until(lambda: cluster.client("test", "-e", "/a").status == 0, what="the file")


def _start(cluster: Cluster, *folder: Path) -> "subprocess.CompletedProcess[str]":
    restoring = ["--restore", str(folder[0])] if folder else []
    return subprocess.run(
        [*cluster.daemons["metadata"].command, *restoring],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=cluster.environment("metadata"), timeout=2 * PATIENCE_SECONDS,
    )  # fmt: skip


def test_only_the_superuser_takes_it(tmp_path: Path) -> None:
    with Cluster(tmp_path / "c", data_nodes=0) as cluster:
        with cluster.file_system("alice") as fs, pytest.raises(PermissionDenied):
            fs.back_up(str(tmp_path / "b"))
        with cluster.file_system("alice") as fs, pytest.raises(PermissionDenied):
            fs.require_superuser()  # Not by the names of datanodes, of which there are none.
        with cluster.file_system() as fs:
            fs.require_superuser()
        assert not (tmp_path / "b" / "VERSION").exists()
