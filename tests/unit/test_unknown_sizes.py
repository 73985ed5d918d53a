"""Files and streams whose length nobody can tell are put whole, or not at all."""

import io
import os
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest

from data_service.filesystem import FileSystem
from tests.support.clusters.inner_cluster import InnerCluster
from tests.support.models.plain_namenode import BLOCK_SIZE
from tests.support.disks.replicas import noise
from zookeeper.fabric.errors import LocalFileError

DATA = noise(2 * BLOCK_SIZE + 1000, 11)


@pytest.fixture(name="fs")
def _fs(tmp_path: Path) -> Iterator[FileSystem]:
    with InnerCluster(tmp_path / "cluster", 2) as cluster:
        with cluster.file_system() as made:
            yield made
        cluster.wait_clean()


@pytest.fixture(name="local")
def _local(tmp_path: Path) -> Path:
    (tmp_path / "local").write_bytes(DATA)
    return tmp_path / "local"


def content(fs: FileSystem, path: str) -> bytes:
    """All bytes of a file."""
    with fs.open(path) as file:
        return bytes(file.read())


def closed() -> io.BytesIO:
    """As standard input may be."""
    stream = io.BytesIO(b"bytes")
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [io.StringIO("text"), closed()])
def test_what_is_no_open_stream_of_bytes_is_refused(fs: FileSystem, stream: Any) -> None:
    with pytest.raises(LocalFileError, match="standard input"):
        fs.put_stream(stream, "/a")
    assert not fs.exists("/a")


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_pipe_that_does_not_block_is_read_to_its_end(fs: FileSystem, buffering: int) -> None:
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    told = threading.Event()

    def feed() -> None:
        os.write(writable, b"first\n")
        told.wait()
        os.write(writable, b"second\n")
        os.close(writable)

    feeder = threading.Thread(target=feed)
    with open(readable, "rb", buffering=buffering) as stream:
        feeder.start()
        fs.put_stream(stream, "/a", progress=lambda done, _total: told.set())
    feeder.join()
    assert content(fs, "/a") == b"first\nsecond\n"


@pytest.mark.parametrize("path", ["/proc/version", "/proc/self/status", "/proc/mounts"])
def test_files_whose_size_is_told_as_nothing(fs: FileSystem, path: str) -> None:
    status = fs.put(path, "/a")
    assert os.stat(path).st_size == 0 < status.length
    assert content(fs, "/a")[:10] == Path(path).read_bytes()[:10]


def test_a_file_that_is_shorter_than_its_size(
    fs: FileSystem, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As files of /sys are: 4096 bytes, and a line of text."""
    real = os.fstat

    def told_longer(descriptor: int) -> os.stat_result:
        found = list(real(descriptor))
        found[6] += 2 * BLOCK_SIZE if found[1] == os.stat(local).st_ino else 0
        return os.stat_result(found)

    monkeypatch.setattr(os, "fstat", told_longer)
    assert fs.put(str(local), "/a").length == len(DATA)
    assert content(fs, "/a") == DATA


def test_a_file_that_grows_is_read_to_the_end_that_it_has_by_then(
    fs: FileSystem, local: Path
) -> None:
    more = noise(BLOCK_SIZE + 77, 4)

    def grow(done: int, total: int) -> None:
        if done == total == len(DATA):
            with open(local, "ab") as file:
                file.write(more)

    status = fs.put(str(local), "/a", progress=grow)
    assert status.length == len(DATA + more) and content(fs, "/a") == DATA + more
