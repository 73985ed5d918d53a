"""What cannot be: its error, the path that the error names, and that nothing has changed."""

import io
from typing import Any, Callable

import pytest

from data_service.filesystem import (
    DirectoryNotEmpty,
    InvalidArgument,
    IsADirectory,
    NotADirectory,
    PathExists,
    PathNotFound,
)
from tests.contract.worlds import HERE, at, plant, refused

LONG = "n" * 256

BY_PATH: Any = {
    "stat": lambda fs, path: fs.stat(path),
    "entry": lambda fs, path: fs.entry(path),
    "entries": lambda fs, path: [*fs.entries(path)],
    "list": lambda fs, path: list(fs.list(path)),
    "listdir": lambda fs, path: fs.listdir(path),
    "access": lambda fs, path: fs.access(path, 4),
    "set_mode": lambda fs, path: fs.set_mode(path, 0o600),
    "set_owner": lambda fs, path: fs.set_owner(path, "alice"),
    "set_times": lambda fs, path: fs.set_times(path, 1, 2),
    "set_replication": lambda fs, path: fs.set_replication(path, 2),
    "set_quota": lambda fs, path: fs.set_quota(path, 9),
    "quota_usage": lambda fs, path: fs.quota_usage(path),
    "content_summary": lambda fs, path: fs.content_summary(path),
    "block_locations": lambda fs, path: fs.block_locations(path),
    "file_checksum": lambda fs, path: fs.file_checksum(path),
    "open": lambda fs, path: fs.open(path),
    "open_text": lambda fs, path: fs.open(path, "r"),
    "read_bytes": lambda fs, path: fs.read_bytes(path),
    "read_text": lambda fs, path: fs.read_text(path),
    "cat": lambda fs, path: fs.cat(path, lambda piece: None),
    "get": lambda fs, path: fs.get(path, "/nowhere/local"),
    "append": lambda fs, path: fs.append(path),
    "truncate": lambda fs, path: fs.truncate(path, 0),
    "concat": lambda fs, path: fs.concat(path, at("f")),
    "rename": lambda fs, path: fs.rename(path, at("free")),
    "fsck": lambda fs, path: list(fs.fsck(path)),
}
"""Calls of something that must be there."""

OF_FILES = {
    "block_locations", "file_checksum", "open", "open_text", "read_bytes", "read_text", "cat",
    "get", "append", "truncate", "concat", "set_replication",
}  # fmt: skip

MAKING: Any = {
    "open_w": lambda fs, path: fs.open(path, "wb"),
    "open_x": lambda fs, path: fs.open(path, "xb"),
    "open_a": lambda fs, path: fs.open(path, "ab"),
    "write_bytes": lambda fs, path: fs.write_bytes(path, b"x"),
    "write_text": lambda fs, path: fs.write_text(path, "x"),
    "put_stream": lambda fs, path: fs.put_stream(io.BytesIO(b"x"), path, overwrite=True),
    "copy": lambda fs, path: fs.copy(at("f"), path),
}
"""Calls that make a file."""


@pytest.fixture(autouse=True)
def planted(fs: Any) -> None:
    """Something to be in the way."""
    plant(fs, "f", "g", "d/f", "d/e/")
    fs.write_bytes(at("empty"), b"")


@pytest.mark.parametrize("method", BY_PATH)
def test_what_is_missing(fs: Any, method: str) -> None:
    for path in ("missing", "missing/below", "d/missing"):
        refused(fs, lambda fs: BY_PATH[method](fs, at(path)), PathNotFound, path)


@pytest.mark.parametrize("method", BY_PATH)
def test_what_would_be_below_a_file(fs: Any, method: str) -> None:
    refused(fs, lambda fs: BY_PATH[method](fs, at("f/below")), NotADirectory, "f/below")


@pytest.mark.parametrize("method", sorted(OF_FILES))
def test_a_directory_is_no_file(fs: Any, method: str) -> None:
    refused(fs, lambda fs: BY_PATH[method](fs, at("d")), IsADirectory, "d")


@pytest.mark.parametrize("method", ["listdir", "set_quota"])
def test_a_file_is_no_directory(fs: Any, method: str) -> None:
    refused(fs, lambda fs: BY_PATH[method](fs, at("f")), NotADirectory, "f")


@pytest.mark.parametrize("method", MAKING)
def test_no_file_takes_the_place_of_a_directory(fs: Any, method: str) -> None:
    refused(fs, lambda fs: MAKING[method](fs, at("d")), IsADirectory, "d")


@pytest.mark.parametrize("method", MAKING)
def test_no_file_is_made_below_a_file(fs: Any, method: str) -> None:
    refused(fs, lambda fs: MAKING[method](fs, at("f/g")), NotADirectory, "f/g")
    refused(fs, lambda fs: MAKING[method](fs, at("f/g/h")), NotADirectory, "f/g/h")


@pytest.mark.parametrize("method", MAKING)
@pytest.mark.parametrize("name", [LONG, "d/" + LONG, ".snapshot", "a\0b"])
def test_names_that_no_file_can_have(fs: Any, method: str, name: str) -> None:
    refused(fs, lambda fs: MAKING[method](fs, at(name)), InvalidArgument, name)


@pytest.mark.parametrize(
    "deed, kind, path",
    [
        (lambda fs: fs.mkdir(at("d")), PathExists, "d"),
        (lambda fs: fs.mkdir(at("f")), NotADirectory, "f"),
        (lambda fs: fs.mkdir(at("f"), parents=True), NotADirectory, "f"),
        (lambda fs: fs.mkdir(at("a/b")), PathNotFound, "a/b"),
        (lambda fs: fs.mkdir(at("f/b"), parents=True), NotADirectory, "f/b"),
        (lambda fs: fs.mkdir(at(LONG)), InvalidArgument, LONG),
        (lambda fs: fs.mkdir(at("m"), mode=0o2000), InvalidArgument, "m"),
        (lambda fs: fs.makedirs(at("d")), PathExists, "d"),
        (lambda fs: fs.makedirs(at("f/b")), NotADirectory, "f"),
        (lambda fs: fs.delete(at("d")), DirectoryNotEmpty, "d"),
        (lambda fs: fs.rename(at("f"), at("g")), PathExists, "f"),
        (lambda fs: fs.rename(at("f"), at("d")), PathExists, "f"),
        (lambda fs: fs.rename(at("f"), at("f")), PathExists, "f"),
        (lambda fs: fs.rename(at("d"), at("d/e/x")), InvalidArgument, "d"),
        (lambda fs: fs.rename(at("f"), at("a/b")), PathNotFound, "f"),
        (lambda fs: fs.rename(at("f"), at("g/b")), NotADirectory, "f"),
        (lambda fs: fs.rename(at("f"), at(LONG)), InvalidArgument, "f"),
        (lambda fs: fs.rename(at("f"), "/"), InvalidArgument, "f"),
        (lambda fs: fs.open(at("f"), "xb"), PathExists, "f"),
        (lambda fs: fs.open(at("f"), "wb", overwrite=False), PathExists, "f"),
        (lambda fs: fs.put_stream(io.BytesIO(b"x"), at("f")), PathExists, "f"),
        (lambda fs: fs.copy(at("g"), at("f"), overwrite=False), PathExists, "f"),
        (lambda fs: fs.touch(at("f"), exist_ok=False), PathExists, "f"),
        (lambda fs: fs.touch(at("d"), exist_ok=False), IsADirectory, "d"),
        (lambda fs: fs.open(at("n"), "wb", replication=513), InvalidArgument, "n"),
        (lambda fs: fs.open(at("n"), "wb", replication=-1), InvalidArgument, "n"),
        (lambda fs: fs.open(at("n"), "wb", block_size=-1), InvalidArgument, "n"),
        (lambda fs: fs.set_replication(at("f"), 0), InvalidArgument, "f"),
        (lambda fs: fs.set_replication(at("f"), 513), InvalidArgument, "f"),
        (lambda fs: fs.set_mode(at("f"), 0o2000), InvalidArgument, "f"),
        (lambda fs: fs.set_mode(at("f"), -1), InvalidArgument, "f"),
        (lambda fs: fs.access(at("f"), 8), InvalidArgument, "f"),
        (lambda fs: fs.set_quota(at("d"), 0), InvalidArgument, "d"),
        (lambda fs: fs.set_quota(at("d"), -2), InvalidArgument, "d"),
        (lambda fs: fs.set_quota(at("d"), space=-2), InvalidArgument, "d"),
        (lambda fs: fs.truncate(at("f"), 2), InvalidArgument, "f"),
        (lambda fs: fs.truncate(at("f"), -1), InvalidArgument, "f"),
        (lambda fs: fs.concat(at("f"), at("f")), InvalidArgument, "f"),
        (lambda fs: fs.concat(at("f"), at("g"), at("g")), InvalidArgument, "f"),
        (lambda fs: fs.concat(at("f"), at("empty")), InvalidArgument, "f"),
        (lambda fs: fs.concat(at("f"), at("d/f")), InvalidArgument, "f"),
        (lambda fs: fs.concat(at("f"), at("d")), IsADirectory, "f"),
        (lambda fs: fs.concat(at("f"), at("missing")), PathNotFound, "f"),
        (lambda fs: fs.concat(at("f"), at("g"), at("missing")), PathNotFound, "f"),
        (lambda fs: fs.block_locations(at("f"), -1), InvalidArgument, "f"),
    ],
)
def test_what_cannot_be_done(
    fs: Any, deed: Callable[[Any], Any], kind: type, path: str
) -> None:
    refused(fs, deed, kind, path)


def test_two_paths_are_named(fs: Any) -> None:
    with pytest.raises(PathExists) as caught:
        fs.rename(at("f"), at("g"))
    assert (caught.value.filename, caught.value.filename2) == (at("f"), at("g"))


@pytest.mark.parametrize("method", BY_PATH)
def test_paths_that_are_none(fs: Any, method: str) -> None:
    with pytest.raises(TypeError):
        BY_PATH[method](fs, b"/bytes")
    for path in ("", "hdfs://host:1/f", "file:/f"):
        with pytest.raises(InvalidArgument):
            BY_PATH[method](fs, path)


def test_nothing_happens_to_the_root(fs: Any) -> None:
    for deed in (
        lambda: fs.delete("/", recursive=True), lambda: fs.rename("/", at("r")),
        lambda: fs.set_quota("/", -1), lambda: fs.mkdir("/"), lambda: fs.write_bytes("/", b"x"),
    ):  # fmt: skip
        with pytest.raises(OSError):
            deed()
    assert fs.listdir(HERE) == ["d", "empty", "f", "g"]


def test_modes_that_no_file_has(fs: Any) -> None:
    for mode in ("", "b", "rw", "r+", "wb+", "U", "rbt"):
        with pytest.raises(ValueError):
            fs.open(at("f"), mode)
    for option in ({"encoding": "utf-8"}, {"errors": "strict"}, {"newline": ""}):
        with pytest.raises(ValueError):
            fs.open(at("f"), "rb", **option)
    with pytest.raises(LookupError):
        fs.open(at("f"), "r", encoding="no-such-code")
    with pytest.raises(LookupError):
        fs.open(at("new"), "w", encoding="no-such-code")
    assert not fs.exists(at("new"))
