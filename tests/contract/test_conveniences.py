"""What programs do with files and trees every day: walks, globs, copies."""

from pathlib import Path, PurePosixPath
from typing import Any, List

import pytest

from data_service.filesystem import (
    DfsError,
    IsADirectory,
    NotADirectory,
    PathExists,
    PathNotFound,
)
from tests.contract.worlds import HERE, plant


def test_what_is_there(fs: Any) -> None:
    plant(fs, "d/f", "d/e/")
    for path, found in (
        ("d", (True, True, False)), ("d/f", (True, False, True)), ("d/g", (False,) * 3),
        ("d/f/g", (False,) * 3),
    ):  # fmt: skip
        path = f"{HERE}/{path}"
        assert (fs.exists(path), fs.is_dir(path), fs.is_file(path)) == found
    assert fs.listdir(f"{HERE}/d") == ["e", "f"]
    assert fs.listdir(f"{HERE}/d/e") == []
    with pytest.raises(NotADirectoryError) as refused:
        fs.listdir(f"{HERE}/d/f")
    assert refused.value.filename == f"{HERE}/d/f"
    with pytest.raises(FileNotFoundError):
        fs.listdir(f"{HERE}/d/g")


def test_paths_are_also_objects(fs: Any) -> None:
    place = PurePosixPath(HERE)
    fs.makedirs(place / "d")
    fs.write_text(place / "d" / "f", "text\nä")
    assert fs.read_text(place / "d" / "f") == "text\nä"
    assert fs.glob(place / "d" / "*") == [f"{HERE}/d/f"]
    assert fs.is_file(Path(HERE, "d", "f"))
    assert [path for path, _, _ in fs.walk(place)] == [HERE, f"{HERE}/d"]


def test_a_walk(fs: Any) -> None:
    plant(fs, "b/x/1", "b/2", "a/", "3", "b/x/y/z/")
    found = list(fs.walk(HERE))
    assert found == [
        (HERE, ["a", "b"], ["3"]),
        (f"{HERE}/a", [], []),
        (f"{HERE}/b", ["x"], ["2"]),
        (f"{HERE}/b/x", ["y"], ["1"]),
        (f"{HERE}/b/x/y", ["z"], []),
        (f"{HERE}/b/x/y/z", [], []),
    ]
    upwards = [path for path, _, _ in fs.walk(HERE, topdown=False)]
    assert sorted(upwards) == sorted(path for path, _, _ in found)
    assert all(upwards.index(path) < upwards.index(path.rpartition("/")[0])
               for path in upwards if path != HERE)
    pruned = []
    for path, directories, _ in fs.walk(HERE):
        pruned.append(path)
        directories[:] = [name for name in directories if name != "x"]
    assert pruned == [HERE, f"{HERE}/a", f"{HERE}/b"]


def test_a_walk_does_not_hide_what_it_cannot_list(fs: Any) -> None:
    plant(fs, "f/f")
    assert list(fs.walk(f"{HERE}/f")) == [(f"{HERE}/f", [], ["f"])]
    for top, kind in ((f"{HERE}/f/f", NotADirectory), (f"{HERE}/missing", PathNotFound)):
        with pytest.raises(kind):
            list(fs.walk(top))
        heard: List[DfsError] = []
        assert list(fs.walk(top, onerror=heard.append)) == []
        assert [type(error) for error in heard] == [kind]


def test_globs(fs: Any) -> None:
    plant(fs, "a/1.txt", "a/2.log", "b/3.txt", "b/.txt", "b/c/", "b*")
    for pattern, names in (
        ("*/*.txt", ["a/1.txt", "b/.txt", "b/3.txt"]), ("{a,b/c}", ["a", "b/c"]),
        ("?/[0-2]*", ["a/1.txt", "a/2.log"]), ("a", ["a"]), ("nothing*", []), ("nothing", []),
        ("b\\*", ["b*"]), ("b/**", ["b/.txt", "b/3.txt", "b/c"]),
    ):  # fmt: skip
        assert fs.glob(f"{HERE}/{pattern}") == [f"{HERE}/{name}" for name in names]


def test_directories_are_made(fs: Any) -> None:
    fs.makedirs(f"{HERE}/a/b/c")
    with pytest.raises(FileExistsError):
        fs.makedirs(f"{HERE}/a/b/c")
    fs.makedirs(f"{HERE}/a/b/c", exist_ok=True)
    fs.makedirs(f"{HERE}/a/b/d", mode=0o700)
    assert fs.stat(f"{HERE}/a/b/d").mode == 0o700
    plant(fs, "f")
    with pytest.raises(OSError):
        fs.makedirs(f"{HERE}/f/g")
    with pytest.raises(PathExists):
        fs.makedirs("/")


def test_files_are_touched(fs: Any) -> None:
    path = f"{HERE}/t"
    fs.touch(path)
    assert fs.read_bytes(path) == b""
    fs.write_bytes(path, b"kept")
    fs.set_times(path, 1000, 1000)
    fs.touch(path)
    assert fs.stat(path).mtime_ms > 1000 and fs.read_bytes(path) == b"kept"
    with pytest.raises(FileExistsError):
        fs.touch(path, exist_ok=False)


def test_files_are_copied(fs: Any) -> None:
    plant(fs, "f", "g", "d/")
    fs.copy(f"{HERE}/f", f"{HERE}/new/f")
    fs.copy(f"{HERE}/f", f"{HERE}/g")
    assert fs.read_bytes(f"{HERE}/new/f") == fs.read_bytes(f"{HERE}/g") == b"f"
    fs.copy(f"{HERE}/f", f"{HERE}/f")
    assert fs.read_bytes(f"{HERE}/f") == b"f"
    with pytest.raises(FileExistsError):
        fs.copy(f"{HERE}/g", f"{HERE}/f", overwrite=False)
    with pytest.raises(FileNotFoundError):
        fs.copy(f"{HERE}/missing", f"{HERE}/h")
    assert not fs.exists(f"{HERE}/h")
    with pytest.raises(IsADirectory):
        fs.copy(f"{HERE}/f", f"{HERE}/d")


def test_errors_are_pythons(fs: Any) -> None:
    plant(fs, "d/f")
    for deed, kind in (
        (lambda: fs.stat(f"{HERE}/g"), FileNotFoundError),
        (lambda: fs.open(f"{HERE}/g"), FileNotFoundError),
        (lambda: fs.mkdir(f"{HERE}/d"), FileExistsError),
        (lambda: fs.open(f"{HERE}/d"), IsADirectoryError),
        (lambda: fs.stat(f"{HERE}/d/f/g"), NotADirectoryError),
        (lambda: fs.rename(f"{HERE}/g", f"{HERE}/h"), FileNotFoundError),
        (lambda: fs.delete(f"{HERE}/d"), OSError),
    ):  # fmt: skip
        with pytest.raises(kind):
            deed()
