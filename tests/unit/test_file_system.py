"""FileSystem, the whole client, on real datanodes and a plain namenode in this process."""

import errno
import gc
import io
import logging
import os
import threading
from pathlib import Path
from typing import Any, Callable, List

import pytest

from data_service.filesystem import FileSystem
from data_service.filesystem import users
from data_service.filesystem.users import current_user
from data_service.protocol.checksums import CHUNK_BYTES
from tests.support.clusters.inner_cluster import InnerCluster
from tests.support.models.plain_namenode import BLOCK_SIZE
from tests.support.disks.replicas import noise
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import (
    BlockMissing,
    LeaseExpired,
    LocalFileError,
    NotEnoughReplicas,
    PathExists,
    PathNotFound,
    SafeMode,
    Unavailable,
)

DATA = noise(2 * BLOCK_SIZE + 1000, 11)


@pytest.fixture(name="local")
def _local(tmp_path: Path) -> Path:
    (tmp_path / "local").write_bytes(DATA)
    return tmp_path / "local"


def content(fs: FileSystem, path: str) -> bytes:
    """All bytes of a file."""
    with fs.open(path) as file:
        return bytes(file.read())


def flip(cluster: InnerCluster, number: int, path: str = "/a", block: int = 0) -> None:
    """Damage one replica of a file."""
    replica = cluster.path(number, cluster.blocks(path)[block])
    with open(replica, "r+b") as file:
        byte = file.read(1)[0]
        file.seek(0)
        file.write(bytes([byte ^ 1]))


def test_put_and_get(tmp_path: Path, cluster: InnerCluster, fs: FileSystem, local: Path) -> None:
    told: List[int] = []
    status = fs.put(str(local), "/a", progress=lambda done, total: told.append(done))
    assert status == fs.stat("/a") and status.length == told[-1] == len(DATA)
    fs.get("/a", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == DATA
    assert len(cluster.blocks("/a")) == 3
    assert all(len(cluster.namenode.holders(block)) == 2 for block in cluster.blocks("/a"))


def test_sizes_around_the_borders(tmp_path: Path, fs: FileSystem, local: Path) -> None:
    for size in (BLOCK_SIZE + 1, BLOCK_SIZE, BLOCK_SIZE - 1, CHUNK_BYTES, 1, 0):
        os.truncate(local, size)
        fs.put(str(local), "/a", overwrite=True)
        with fs.open("/b", "wb") as writer:
            writer.write(DATA[:size])
        for path in ("/a", "/b"):
            fs.get(path, str(tmp_path / "out"), overwrite=True)
            pieces: List[bytes] = []
            fs.cat(path, lambda piece: pieces.append(bytes(piece)))
            assert (tmp_path / "out").read_bytes() == b"".join(pieces) == DATA[:size]
            assert content(fs, path) == DATA[:size]


def test_streams_of_unknown_length(fs: FileSystem) -> None:
    told: List[tuple] = []
    status = fs.put_stream(io.BytesIO(DATA), "/a", progress=lambda *args: told.append(args))
    assert status.length == len(DATA) and told[-1] == (len(DATA), 0)
    assert content(fs, "/a") == DATA


def test_a_stream_that_fails_leaves_no_file(cluster: InnerCluster, fs: FileSystem) -> None:
    class Broken(io.BytesIO):
        """Fails after some bytes."""

        def read(self, count: Any = -1) -> Any:
            """Fail at the end."""
            data = super().read(count)
            if not data:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return data

    with pytest.raises(LocalFileError, match="standard input: Input/output error"):
        fs.put_stream(Broken(DATA), "/a")
    assert not fs.exists("/a") and cluster.namenode.open == {}


def test_what_is_no_regular_file(tmp_path: Path, cluster: InnerCluster, fs: FileSystem) -> None:
    with pytest.raises(LocalFileError, match="Is a directory"):
        fs.put(str(tmp_path), "/a")
    with pytest.raises(LocalFileError, match="No such file"):
        fs.put(str(tmp_path / "missing"), "/a")
    assert cluster.namenode.called("create") == []
    os.mkfifo(tmp_path / "fifo")
    feeder = threading.Thread(target=lambda: (tmp_path / "fifo").write_bytes(DATA))
    feeder.start()
    assert fs.put(str(tmp_path / "fifo"), "/a").length == len(DATA)
    feeder.join()
    assert content(fs, "/a") == DATA
    assert fs.put("/dev/null", "/b").length == 0


def test_existing_files(tmp_path: Path, fs: FileSystem, local: Path) -> None:
    fs.put(str(local), "/a")
    with pytest.raises(PathExists):
        fs.put(str(local), "/a")
    with pytest.raises(PathExists):
        fs.open("/a", "wb", overwrite=False)
    with pytest.raises(LocalFileError, match="File exists"):
        fs.get("/a", str(local))
    os.truncate(local, 5)
    fs.put(str(local), "/a", overwrite=True)
    with fs.open("/a") as file:
        assert file.read() == DATA[:5]
    with pytest.raises(PathNotFound):
        fs.open("/missing")
    with pytest.raises(ValueError, match="mode"):
        fs.open("/a", "r+")


def test_the_namespace(fs: FileSystem) -> None:
    names = [f"file {number} é%#" for number in range(7)]
    for name in names:
        fs.put_stream(io.BytesIO(name.encode()), "/" + name)
    assert [status.name for status in fs.list("/")] == names
    assert fs.exists("/" + names[0]) and fs.delete("/" + names[0]) and not fs.delete("/nothing")
    assert not fs.exists("/" + names[0])


# Writers that end in other ways.


def test_an_overwritten_file_keeps_its_content_until_the_new_one_is_whole(fs: FileSystem) -> None:
    fs.put_stream(io.BytesIO(b"old"), "/a")
    with pytest.raises(RuntimeError):
        with fs.open("/a", "wb") as writer:
            writer.write(DATA)
            raise RuntimeError
    assert content(fs, "/a") == b"old"
    with fs.open("/a", "wb") as writer:
        writer.write(DATA)
        assert content(fs, "/a") == b"old"
    assert content(fs, "/a") == DATA


def test_a_file_system_that_is_closed_gives_its_open_files_up(
    cluster: InnerCluster, caplog: pytest.LogCaptureFixture
) -> None:
    with cluster.file_system() as fs:
        writer = fs.open("/a", "wb")
        writer.write(DATA)
        done = fs.open("/b", "wb")
        done.close()
    assert cluster.namenode.open == {} and list(cluster.namenode.files) == ["/b"]
    with pytest.raises(LeaseExpired, match="/a was given up"):
        writer.close()
    assert writer.closed
    assert caplog.text.count("file.given_up") == 1
    writer.close()
    assert fs.closed and "closed" in repr(fs)
    fs.close()
    calls: List[Callable[[], object]] = [
        lambda: fs.stat("/b"), lambda: fs.open("/b"), lambda: fs.open("/c", "w"),
        lambda: next(fs.list("/")), fs.datanodes,
    ]
    for call in calls:
        with pytest.raises(ValueError, match="this FileSystem was closed"):
            call()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_forgotten_writer_is_given_up_soon(cluster: InnerCluster, fs: FileSystem) -> None:
    fs.open("/a", "wb").write(DATA)
    gc.collect()
    wait_until(lambda: cluster.namenode.open == {})
    assert not fs.exists("/a")
    fs.put_stream(io.BytesIO(b"new"), "/a", overwrite=False)


@pytest.mark.parametrize("after", [0, BLOCK_SIZE, len(DATA) - 1])
def test_ctrl_c_leaves_no_file(
    cluster: InnerCluster, fs: FileSystem, local: Path, after: int
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done > after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fs.put(str(local), "/a", progress=interrupt)
    assert cluster.namenode.open == {} and not fs.exists("/a")
    fs.put(str(local), "/a")


def test_leases_are_kept_while_a_file_is_open(cluster: InnerCluster) -> None:
    with cluster.file_system() as fs:
        fs._files._leases._interval = 0.01
        with fs.open("/a", "wb"):
            wait_until(lambda: len(cluster.namenode.called("renew_lease")) >= 3)
            cluster.namenode.errors["renew_lease"] = [LeaseExpired("restarted")]
            wait_until(lambda: not cluster.namenode.errors["renew_lease"])
        wait_until(lambda: not [t for t in threading.enumerate() if t.name == "lease"])
        with fs.open("/b", "wb"):
            count = len(cluster.namenode.called("renew_lease"))
            wait_until(lambda: len(cluster.namenode.called("renew_lease")) > count)


# Trouble.


def test_a_namenode_that_restarts_in_the_middle(
    cluster: InnerCluster, fs: FileSystem, local: Path
) -> None:
    errors = cluster.namenode.errors
    errors["create"] = [Unavailable("starting")]
    errors["add_block"] = [Unavailable("gone"), SafeMode("starting"), LeaseExpired("forgotten")]
    errors["complete"] = [Unavailable("gone"), SafeMode("starting"), LeaseExpired("forgotten")]
    fs.put(str(local), "/a")
    assert content(fs, "/a") == DATA
    assert len({args[0] for args in cluster.namenode.called("complete")}) == 1


def test_safe_mode_refuses_a_new_file_at_once(
    cluster: InnerCluster, fs: FileSystem, local: Path
) -> None:
    cluster.namenode.errors["create"] = [SafeMode("Name node is in safe mode.")]
    with pytest.raises(SafeMode):
        fs.put(str(local), "/a")


def test_a_damaged_replica_is_passed_over_and_reported(
    tmp_path: Path, cluster: InnerCluster, fs: FileSystem, local: Path
) -> None:
    fs.put(str(local), "/a")
    flip(cluster, 0)
    fs.get("/a", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == DATA
    (reported,) = cluster.namenode.called("report_bad_block")
    assert reported == (tuple(cluster.blocks("/a")[0]), cluster.node_id(0))


def test_with_all_replicas_damaged_get_fails_and_leaves_nothing(
    tmp_path: Path, cluster: InnerCluster, fs: FileSystem, local: Path
) -> None:
    fs.put(str(local), "/a")
    for number in (0, 1):
        flip(cluster, number, block=1)
    before = sorted(os.listdir(tmp_path))
    for _ in range(2):
        with pytest.raises(BlockMissing) as caught:
            fs.get("/a", str(tmp_path / "out"))
        block = cluster.blocks("/a")[1]
        assert caught.value.message.startswith(
            f"Could not obtain block: {block.name} file=/a No live nodes contain current block")
        assert sorted(os.listdir(tmp_path)) == before
    with fs.open("/a") as file:
        assert file.read(BLOCK_SIZE) == DATA[:BLOCK_SIZE]
        with pytest.raises(BlockMissing):
            file.read(10)


def test_a_report_that_nobody_hears_does_not_fail_the_read(
    cluster: InnerCluster, fs: FileSystem, local: Path
) -> None:
    fs.put(str(local), "/a")
    flip(cluster, 0)
    cluster.namenode.errors["report_bad_block"] = [PathNotFound("no such block")]
    assert content(fs, "/a") == DATA


def test_an_open_file_is_read_to_its_end_after_it_was_deleted(
    cluster: InnerCluster, fs: FileSystem, local: Path
) -> None:
    fs.put(str(local), "/a")
    with fs.open("/a") as file:
        fs.delete("/a")
        assert file.read() == DATA
        file.seek(0)
        assert file.read(10) == DATA[:10]


def test_a_file_with_too_few_replicas_is_told_of(
    cluster: InnerCluster, local: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    told: List[str] = []
    cluster.data_nodes[1].stop()
    with FileSystem(cluster.settings, user="me", on_warning=told.append) as fs:
        fs.put(str(local), "/a")
    assert len(told) == 1 and told[0].startswith("/a: only 1 of 2 replicas")
    assert "file.under_replicated" not in caplog.text
    with cluster.file_system() as fs:
        fs.put(str(local), "/b")
    assert "file.under_replicated" in caplog.text


def test_without_datanodes_the_error_is_hdfs_one(
    cluster: InnerCluster, fs: FileSystem, local: Path
) -> None:
    for data_node in cluster.data_nodes:
        data_node.stop()
    with pytest.raises(NotEnoughReplicas, match="could only be written to 0 of the 1 minRepl"):
        fs.put(str(local), "/a")
    assert cluster.namenode.open == {} and not fs.exists("/a")


def test_a_local_place_that_cannot_be_written(
    tmp_path: Path, fs: FileSystem, local: Path
) -> None:
    fs.put(str(local), "/a")
    with pytest.raises(LocalFileError):
        fs.get("/a", str(local / "below"))
    with pytest.raises(LocalFileError, match="not a regular file"):
        fs.get("/a", str(tmp_path), overwrite=True)


# Who.


def test_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYHDFS_USER", "somebody")
    assert current_user() == "somebody"
    monkeypatch.delenv("PYHDFS_USER")
    assert current_user()

    def unknown(uid: int) -> None:
        raise KeyError(f"uid not found: {uid}")

    monkeypatch.setattr(users.pwd, "getpwuid", unknown)
    assert current_user() == str(os.getuid())


def test_several_threads_share_one_client(fs: FileSystem) -> None:
    failures: List[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                data = DATA[: 1000 * number + turn]
                fs.put_stream(io.BytesIO(data), f"/{number}-{turn}")
                assert content(fs, f"/{number}-{turn}") == data
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
