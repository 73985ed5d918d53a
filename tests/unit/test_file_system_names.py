"""FileSystem: what is below a file, and the modes of what it makes."""

import io
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

import pytest

from data_service.filesystem import FileSystem
from tests.support.clusters.inner_cluster import InnerCluster
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import NotADirectory


@pytest.fixture(name="fs")
def _fs(tmp_path: Path) -> Iterator[FileSystem]:
    with InnerCluster(tmp_path) as cluster, cluster.file_system() as made:
        yield made


def test_below_a_file_there_is_nothing(fs: FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_call: object) -> None:
        raise NotADirectory("/a (is not a directory)")

    monkeypatch.setattr(fs._namenode.calls, "_perform", refuse)
    assert fs.exists("/a/b") is False
    assert fs.delete("/a/b") is False


def test_an_umask_of_ones_own(
    fs: FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "local").write_bytes(b"bytes")
    asked: List[str] = []
    perform = fs._namenode.calls._perform

    def note(call: Call, arguments: Tuple[Any, ...], seconds: Optional[float]) -> object:
        if call.name in ("create", "mkdir"):
            names = [parameter.name for parameter in call.parameters]
            asked.append(oct(arguments[names.index("mode") - names.index("op") - 1]))
        return None if call.name == "mkdir" else perform(call, arguments, seconds)

    monkeypatch.setattr(fs._namenode.calls, "_perform", note)
    for one in (fs, fs.under_umask(0o077)):
        one.put(str(tmp_path / "local"), "/a", overwrite=True)
        one.put_stream(io.BytesIO(b"bytes"), "/b", overwrite=True)
        one.open("/c", "wb").close()
        one.mkdir("/d")
    assert asked == ["0o644"] * 3 + ["0o755"] + ["0o600"] * 3 + ["0o700"]
