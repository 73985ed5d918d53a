"""A client's connections to datanodes serve many files, and none is used after trouble."""

import io
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from data_service.filesystem import FileSystem
from tests.support.clusters.inner_cluster import InnerCluster
from tests.support.disks.replicas import noise
from tests.support.models.plain_namenode import BLOCK_SIZE
from zookeeper.fabric.identity import DATA_NODE
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address

DATA = noise(2 * BLOCK_SIZE + 1000, 3)


@pytest.fixture(name="cluster")
def _cluster(tmp_path: Path) -> Iterator[InnerCluster]:
    with InnerCluster(tmp_path / "cluster", 2) as started:
        yield started
        started.wait_clean()


@pytest.fixture(name="fs")
def _fs(cluster: InnerCluster) -> Iterator[FileSystem]:
    with cluster.file_system() as made:
        yield made


@pytest.fixture(name="dialled")
def _dialled(monkeypatch: pytest.MonkeyPatch) -> List[Address]:
    """The datanodes that were dialled, in order: by the client, and by one another."""
    found: List[Address] = []
    connect = Remote.connect

    def noted(server: str, address: Address, *rest: Any) -> Remote:
        if server == DATA_NODE:
            found.append(address)
        return connect(server, address, *rest)

    monkeypatch.setattr(Remote, "connect", noted)
    return found


def put(fs: FileSystem, path: str, data: bytes = DATA) -> None:
    """Make a file."""
    fs.put_stream(io.BytesIO(data), path)


def test_many_small_files_are_written_over_one_connection(
    fs: FileSystem, dialled: List[Address]
) -> None:
    for number in range(10):
        put(fs, f"/{number}", b"small")
    assert len(dialled) == len(set(dialled)) == 2, "the first by the client, the next by the first"


@pytest.mark.parametrize("read", [
    lambda fs, _: fs.read_bytes("/f"),
    lambda fs, _: fs.open("/f").read(len(DATA)),
    lambda fs, _: fs.cat("/f", lambda piece: None),
    lambda fs, folder: fs.get("/f", folder / "local", overwrite=True),
    lambda fs, _: fs.file_checksum("/f"),
], ids=["read_bytes", "open", "cat", "get", "file_checksum"])  # fmt: skip
def test_whole_files_are_read_over_kept_connections(
    fs: FileSystem, dialled: List[Address], tmp_path: Path,
    read: Callable[[FileSystem, Path], object],
) -> None:
    """Who has read all bytes asks for no more: the end behind the last one had to be taken, too."""
    put(fs, "/f")
    for _ in range(2):
        read(fs, tmp_path)
    before = len(dialled)
    for _ in range(5):
        read(fs, tmp_path)
    # Blocks that are fetched at a time need one each, at worst.
    assert len(dialled) - before <= 2


def test_a_read_that_is_given_up_costs_its_connection_and_no_other_file(
    fs: FileSystem, dialled: List[Address]
) -> None:
    put(fs, "/f")
    for _ in range(3):
        with fs.open("/f") as file:
            assert file.read(10) == DATA[:10]
        assert fs.read_bytes("/f") == DATA


def test_a_datanode_that_was_restarted_is_dialled_again(
    cluster: InnerCluster, fs: FileSystem, dialled: List[Address]
) -> None:
    put(fs, "/f")
    assert fs.read_bytes("/f") == DATA
    for number in (0, 1):
        cluster.restart(number)
        put(fs, f"/{number}")
        assert fs.read_bytes(f"/{number}") == fs.read_bytes("/f") == DATA
    assert not cluster.namenode.called("abandon_block"), "nobody wrote to the one that was gone"
