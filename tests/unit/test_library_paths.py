"""FileSystem and paths: what it takes, what it makes of it, what its errors say of it."""

import io
from pathlib import Path, PurePosixPath
from typing import Any, Iterator, List, Optional, Tuple

import pytest

from data_service.filesystem import FileSystem, PathNotFound
from tests.support.clusters.inner_cluster import InnerCluster
from zookeeper.fabric.calls import Call


@pytest.fixture(name="fs")
def _fs(tmp_path: Path) -> Iterator[FileSystem]:
    with InnerCluster(tmp_path / "cluster") as cluster, cluster.file_system() as made:
        yield made


@pytest.mark.parametrize("given, meant", [
    ("/a/b", "/a/b"), ("//a//b/", "/a/b"), ("/a/./b/../c", "/a/c"), ("/..", "/"), (".", "/user/me"),
    ("a", "/user/me/a"), ("../you", "/user/you"), (PurePosixPath("x/y"), "/user/me/x/y"),
    ("a:b/c", "/user/me/a:b/c"), ("./a:/b", "/user/me/a:/b")])
def test_what_a_path_means(fs: FileSystem, given: Any, meant: str) -> None:
    assert fs.absolute(given) == meant


@pytest.mark.parametrize("given, kind, words", [
    (b"/a", TypeError, "text, not bytes"), (7, TypeError, "int"), (None, TypeError, "NoneType"),
    ("", ValueError, "empty"), ("hdfs://other:1/a", ValueError, "a path is expected, not a URI"),
    ("file:///a", ValueError, "not a URI"), (PurePosixPath("hdfs://x/a"), ValueError, "not a URI")])
def test_what_is_no_path(fs: FileSystem, given: Any, kind: type, words: str) -> None:
    for deed in (fs.stat, fs.open, fs.exists, fs.glob, fs.delete, fs.append):
        with pytest.raises(kind, match=words):
            deed(given)


def test_every_method_takes_the_same_paths(
    fs: FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: List[Tuple[object, ...]] = []

    class Noted(Exception):
        """Ends a call when it is known what it asks for."""

    def note(_call: Call, arguments: Tuple[object, ...], _seconds: Optional[float]) -> None:
        asked.append(arguments)
        raise Noted

    local = tmp_path / "local"
    local.write_bytes(b"x")
    monkeypatch.setattr(fs._namenode.calls, "_perform", note)
    path = PurePosixPath("d/x")
    deeds = [
        lambda: fs.stat(path), lambda: list(fs.list(path)), lambda: fs.mkdir(path),
        lambda: fs.delete(path), lambda: fs.rename(path, path), lambda: fs.access(path, 4),
        lambda: fs.set_replication(path, 1), lambda: fs.set_mode(path, 0o644),
        lambda: fs.set_owner(path, "me"), lambda: fs.set_times(path, 1),
        lambda: fs.content_summary(path), lambda: fs.set_quota(path, 1),
        lambda: fs.quota_usage(path), lambda: fs.block_locations(path), lambda: fs.open(path),
        lambda: fs.open(path, "w"), lambda: fs.append(path), lambda: fs.get(path, tmp_path / "g"),
        lambda: fs.cat(path, print), lambda: fs.file_checksum(path),
        lambda: fs.salvage("x", path), lambda: fs.put(local, path),
        lambda: fs.put_stream(io.BytesIO(), path), lambda: fs.truncate(path, 1),
        lambda: fs.concat(path, path), lambda: list(fs.fsck(path)),
        lambda: list(fs.open_files(path)),
    ]  # fmt: skip
    for deed in deeds:
        asked.clear()
        with pytest.raises(Noted):
            deed()
        assert asked[0][0] == "/user/me/d/x"
    with pytest.raises(Noted):
        fs.concat("/a", path)
    assert asked[-1] == ("/a", ("/user/me/d/x",))


def test_errors_name_the_path(fs: FileSystem, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        fs.open(PurePosixPath("x"))
    assert missing.value.filename == "/user/me/x"
    assert str(missing.value) == missing.value.message and "Errno" not in str(missing.value)
    assert type(missing.value) is PathNotFound
    with pytest.raises(FileNotFoundError) as local:
        fs.put(tmp_path / "none", "/a")
    assert local.value.filename == str(tmp_path / "none")
    (tmp_path / "there").write_bytes(b"mine")
    fs.write_bytes("/a", b"theirs")
    with pytest.raises(FileExistsError):
        fs.get("/a", tmp_path / "there")
    fs.get("/a", tmp_path / "there", overwrite=True)
    assert (tmp_path / "there").read_bytes() == b"theirs"
