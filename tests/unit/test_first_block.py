"""The first block of a file comes with the file, where it is certain that there are bytes."""

import os
from pathlib import Path

import pytest

from data_service.filesystem import FileSystem
from data_service.filesystem.writing.upload import LocalBlocks
from data_service.protocol.files import Begun, OpenedFile
from tests.support.clusters.gathered_cluster import GatheredCluster
from tests.support.clusters.inner_cluster import InnerCluster
from zookeeper.fabric.errors import InvalidArgument, LeaseExpired

DATA = b"a few bytes"


@pytest.fixture(name="local")
def _local(tmp_path: Path) -> str:
    (tmp_path / "local").write_bytes(DATA)
    return str(tmp_path / "local")


def test_a_small_put_is_two_calls(cluster: InnerCluster, fs: FileSystem, local: str) -> None:
    fs.put(local, "/f")
    assert [name for name, _ in cluster.namenode.calls if name in ("create", "add_block")] == [
        "create"]
    assert fs.read_bytes("/f") == DATA


def test_a_pipe_and_an_open_file_reserve_nothing(cluster: InnerCluster, fs: FileSystem) -> None:
    with fs.open("/f", "wb"):
        assert cluster.namenode.called("create")[-1][-1] is None


def test_an_older_namenode_is_asked_as_it_knows_it(
    cluster: InnerCluster, fs: FileSystem, local: str
) -> None:
    cluster.namenode.errors["create"] = [InvalidArgument("create(…): 7 arguments were given")]
    fs.put(local, "/f")
    fs.put(local, "/g")
    assert fs.read_bytes("/f") == fs.read_bytes("/g") == DATA
    wanted = [args[-1] for args in cluster.namenode.called("create")]
    assert wanted == [(), None, None] and len(cluster.namenode.called("add_block")) == 2


def test_what_is_wrong_with_the_rest_says_nothing_of_the_release(
    cluster: InnerCluster, fs: FileSystem, local: str
) -> None:
    cluster.namenode.errors["create"] = [InvalidArgument("no"), InvalidArgument("no")]
    with pytest.raises(InvalidArgument, match="no"):
        fs.put(local, "/f")
    fs.put(local, "/f")
    assert cluster.namenode.called("create")[-1][-1] == () and fs.read_bytes("/f") == DATA


def test_of_a_file_that_has_no_bytes_after_all_it_is_given_back(
    cluster: InnerCluster, fs: FileSystem, local: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(blocks: LocalBlocks, descriptor: int, _parallel: int) -> None:
        os.truncate(local, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)

    monkeypatch.setattr(LocalBlocks, "send", cut)
    assert fs.put(local, "/f").length == 0
    assert len(cluster.namenode.called("abandon_block")) == 1


def test_when_its_pipeline_fails_another_one_is_asked_for(
    cluster: InnerCluster, fs: FileSystem, local: str
) -> None:
    cluster.data_nodes[0].stop()  # It is the first of any pipeline.
    fs.put(local, "/f")
    assert len(cluster.namenode.called("add_block")) == 1
    assert fs.read_bytes("/f") == DATA


def test_a_namenode_that_forgot_it_gets_it_presented(
    cluster: InnerCluster, fs: FileSystem, local: str
) -> None:
    cluster.namenode.errors["complete"] = [LeaseExpired("who?")]
    fs.put(local, "/f")
    (presented,) = [args[8] for args in cluster.namenode.called("resume")]
    assert [row[0] for row in presented] == [0] and fs.read_bytes("/f") == DATA


def test_the_namenode_gives_it_away_once_and_the_file_even_without(tmp_path: Path) -> None:
    with GatheredCluster(tmp_path, data_nodes=1) as cluster, cluster.file_system() as fs:
        calls, nowhere = fs._namenode.calls, tuple(node.node_id for node in fs.datanodes())
        with fs._namenode.one_change() as change:
            begun, again = [change.create("/f", False, 1, 0, 0o644, ()) for _ in range(2)]
        assert isinstance(begun, Begun) and begun == again
        assert begun.first.claim and len(begun.first.targets) == 1
        assert isinstance(calls.create("/g", False, 1, 0, 0o644, nowhere), OpenedFile)
        assert isinstance(calls.create("/h", False, 1, 0, 0o644), OpenedFile)
