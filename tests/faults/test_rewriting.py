"""Appends, flushes and truncations in whose middle a process is killed.

What was flushed is read by others, whoever dies; what was not is never seen in part.
"""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List

import pytest

from data_service.filesystem import FileSystem
from data_service.filesystem.writing.open_file import OpenFile
from tests.support.clusters.cluster import ROOT, Cluster
from tests.support.disks.replicas import noise
from tests.support.clusters.waiting import wait_until

BLOCK_BYTES = 64 * 1024
DATA = noise(2 * BLOCK_BYTES + 777, 5)

OPTIONS = {"replication_factor": 2, "block_size": BLOCK_BYTES}

WRITER = """
import sys
from data_service.filesystem import FileSystem

mode, path = sys.argv[1:]
with FileSystem() as file_system:
    file = file_system.append(path) if mode == "append" else file_system.open(path, "wb")
    for line in sys.stdin.buffer:
        if line == b"flush\\n":
            file.hflush()
            print("flushed", flush=True)
        else:
            file.write(line)
"""
"""A program that writes what it reads, and flushes when it is told to."""


@pytest.fixture(name="cluster", scope="module")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("rewriting"), name_node=OPTIONS) as cluster:
        yield cluster


@pytest.fixture(name="impatient", scope="module")
def _impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Where a dead writer's lease may be taken over after a second."""
    options = {**OPTIONS, "lease_soft_seconds": 1}
    with Cluster(tmp_path_factory.mktemp("impatient"), name_node=options) as cluster:
        yield cluster


@pytest.fixture(name="fs")
def _fs(cluster: Cluster) -> Iterator[FileSystem]:
    with cluster.file_system() as made:
        yield made


def content(cluster: Cluster, path: str) -> bytes:
    """All bytes of a file, as another process reads them."""
    result = cluster.client("cat", path)
    assert result.status == 0, result.err
    return result.out


def write(fs: FileSystem, path: str, data: bytes) -> None:
    """Make a file."""
    with fs.open(path, "wb") as file:
        file.write(data)


@pytest.mark.parametrize("mode", ["create", "append"])
def test_a_writer_that_is_killed_loses_nothing_that_it_flushed(
    impatient: Cluster, mode: str
) -> None:
    cluster, path = impatient, f"/killed-{mode}"
    old = b"old\n" if mode == "append" else b""
    if old:
        assert cluster.client("put", "-", path, stdin=old).status == 0
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, mode, path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
        env=cluster.environment("client"),
    )  # fmt: skip
    try:
        assert writer.stdin is not None and writer.stdout is not None
        for line in (b"one\n", b"two\n"):
            writer.stdin.write(line + b"flush\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == b"flushed\n"
        assert content(cluster, path) == old + b"one\ntwo\n"
        writer.stdin.write(b"never flushed\n")
        writer.stdin.flush()
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    assert content(cluster, path) == old + b"one\ntwo\n"
    # Its lease goes to the next writer after the soft limit.
    told: List[str] = []

    def appended() -> bool:
        result = cluster.client("appendToFile", "-", path, stdin=b"three\n")
        if result.status:
            told.append(result.err)
        return result.status == 0

    wait_until(appended, what="the end of the killed writer's lease")
    assert content(cluster, path) == old + b"one\ntwo\nthree\n"
    refused = f"appendToFile: Failed to APPEND_FILE {path} for "
    assert all(line.startswith(refused) for line in told)


@pytest.mark.parametrize("role", ["name_node", "metadata"])
@pytest.mark.parametrize("flushed", [False, True])
def test_an_append_goes_on_when_a_server_is_killed_in_its_middle(
    cluster: Cluster, fs: FileSystem, role: str, flushed: bool
) -> None:
    path = f"/served-{role}-{flushed}"
    if flushed:
        file = fs.open(path, "wb")
        file.write(b"old")
        file.hflush()
    else:
        write(fs, path, b"old")
        file = fs.append(path)
    file.write(DATA)
    fs.rename(path, path + "-renamed")
    cluster.kill(role)
    cluster.start_daemon(role)
    file.write(DATA)
    file.hflush()
    assert content(cluster, path + "-renamed") == b"old" + DATA + DATA
    file.write(b"end")
    file.close()
    assert content(cluster, path + "-renamed") == b"old" + DATA + DATA + b"end"


@pytest.mark.parametrize("role", ["name_node", "metadata"])
def test_a_truncation_goes_on_when_a_server_is_killed_in_its_middle(
    cluster: Cluster, fs: FileSystem, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/cut-{role}"
    write(fs, path, DATA)
    cut = OpenFile.cut

    def interrupted(file: OpenFile, *arguments: object) -> None:
        cut(file, *arguments)  # type: ignore[arg-type]
        cluster.kill(role)
        cluster.start_daemon(role)

    monkeypatch.setattr(OpenFile, "cut", interrupted)
    length = BLOCK_BYTES + 5
    fs.truncate(path, length)
    assert content(cluster, path) == DATA[:length]


def test_a_second_writer_is_refused(cluster: Cluster, fs: FileSystem, tmp_path: Path) -> None:
    write(fs, "/held", b"old")
    write(fs, "/other", b"other")
    (tmp_path / "more").write_bytes(b"more")
    held = "because this file lease is currently owned by "
    with fs.append("/held") as file:
        for command, told in (
            (("appendToFile", str(tmp_path / "more"), "/held"), "Failed to APPEND_FILE /held"),
            (("truncate", "1", "/held"), "Failed to TRUNCATE_FILE /held for "),
            (("concat", "/other", "/held", "/held"), "concat: source file /held is invalid or"),
        ):
            result = cluster.client(*command)
            assert (result.status, result.out) == (1, b"")
            assert result.err.startswith(f"{command[0]}: {told}")
            assert held in result.err or command[0] == "concat"
        file.write(b" new")
    assert content(cluster, "/held") == b"old new"


def test_tail_follows_what_is_flushed(cluster: Cluster, fs: FileSystem) -> None:
    write(fs, "/log", b"0\n")
    tail = cluster.start_client("tail", "-f", "-s", "100", "/log")
    assert tail.stdout is not None
    assert tail.stdout.readline() == b"0\n"
    with fs.append("/log") as file:
        for number in range(1, 4):
            file.write(b"%d\n" % number)
            file.hflush()
            assert tail.stdout.readline() == b"%d\n" % number
    tail.send_signal(signal.SIGINT)
    _, errors = tail.communicate()
    assert (tail.returncode, errors) == (130, b"tail: Interrupted\n")
