"""What is done to names: directories, renames, deletions, counts, times, paths."""

from pathlib import PurePosixPath
from typing import Any, Dict, List

import pytest

from data_service.filesystem import (
    DirectoryNotEmpty,
    InvalidArgument,
    IsADirectory,
    NotADirectory,
    PathExists,
    PathNotFound,
)
from tests.contract.worlds import HERE, at, plant, tree


@pytest.mark.parametrize("path, parents, made", [
    ("n", False, ["n"]), ("n", True, ["n"]), ("n/m/o", True, ["n", "n/m", "n/m/o"]),
    ("d", True, []), ("d/n", False, ["d/n"]), ("n/../m", False, ["m"]),
    ("n//m/.", True, ["n", "n/m"]),
    ("é ?", False, ["é ?"]), ("n" * 255, False, ["n" * 255]), ("a\nb", False, ["a\nb"]),
    ("*", False, ["*"]), ("-", False, ["-"]), ("...", False, ["..."]),
    (".hidden", False, [".hidden"]),
])  # fmt: skip
def test_mkdir(fs: Any, path: str, parents: bool, made: List[str]) -> None:
    plant(fs, "d/f")
    assert fs.mkdir(f"{HERE}/{path}", parents=parents) is None
    assert tree(fs) == {"d": None, "d/f": b"d/f", **{name: None for name in made}}


@pytest.mark.parametrize("source, target, after", [
    ("f", "n", {"n": b"f"}),
    ("f", "d/f", {"d/f": b"f"}),
    ("d", "n", {"n": None, "n/g": b"d/g", "n/e": None}),
    ("d/g", "g", {"g": b"d/g"}),
    ("d/e", "e", {"e": None}),
    ("d", "x/d", {"x/d": None, "x/d/g": b"d/g", "x/d/e": None}),
    ("f", "ff", {"ff": b"f"}),
    ("d", "dd", {"dd": None, "dd/g": b"d/g", "dd/e": None}),
])  # fmt: skip
def test_rename(fs: Any, source: str, target: str, after: Dict[str, Any]) -> None:
    plant(fs, "f", "d/g", "d/e/", "x/")
    before = tree(fs)
    number = fs.stat(at(source)).inode_id
    assert fs.rename(at(source), at(target)) is None
    kept = {path: data for path, data in before.items()
            if path != source and not path.startswith(source + "/")}
    assert tree(fs) == {**kept, **after}
    assert fs.stat(at(target)).inode_id == number


@pytest.mark.parametrize("source, target, refusal", [
    ("f", "d/g", None), ("d/g", "f", None), ("d", "x", None), ("d/e", "x", None), ("f", "n", None),
    ("d/e", "n/e", PathNotFound), ("f", "x", IsADirectory), ("x", "f", NotADirectory),
    ("x", "d", DirectoryNotEmpty), ("d/g", "d", IsADirectory), ("d/e", "d", DirectoryNotEmpty),
    ("f", "f", PathExists), ("d", "d/e", InvalidArgument),
])  # fmt: skip
def test_a_rename_that_replaces(fs: Any, source: str, target: str, refusal: Any) -> None:
    plant(fs, "f", "d/g", "d/e/", "x/")
    before = tree(fs)
    if refusal is not None:
        with pytest.raises(refusal):
            fs.rename(at(source), at(target), overwrite=True)
        assert tree(fs) == before
        return
    number = fs.stat(at(source)).inode_id
    fs.rename(at(source), at(target), overwrite=True)
    moved = {target + path[len(source) :]: data for path, data in before.items()
             if path == source or path.startswith(source + "/")}
    kept = {path: data for path, data in before.items()
            if path != target and not (path + "/").startswith(source + "/")}
    assert tree(fs) == {**kept, **moved} and fs.stat(at(target)).inode_id == number


@pytest.mark.parametrize("path, recursive, answer, left", [
    ("f", False, True, ["d", "d/e", "d/g"]), ("f", True, True, ["d", "d/e", "d/g"]),
    ("d/e", False, True, ["d", "d/g", "f"]), ("d", True, True, ["f"]),
    ("n", False, False, ["d", "d/e", "d/g", "f"]), ("n/m", True, False, ["d", "d/e", "d/g", "f"]),
    ("f/n", False, False, ["d", "d/e", "d/g", "f"]),
])  # fmt: skip
def test_delete(fs: Any, path: str, recursive: bool, answer: bool, left: List[str]) -> None:
    plant(fs, "f", "d/g", "d/e/")
    assert fs.delete(at(path), recursive) is answer
    assert sorted(tree(fs)) == left
    assert fs.delete(at("f")) is ("f" in left)


def test_listings_are_in_the_order_of_bytes(fs: Any) -> None:
    names = ["b", "B", "a", "é", "aa", "a b", "\N{GRINNING FACE}", "~", "10", "9"]
    plant(fs, *names)
    assert [status.name for status in fs.list(HERE)] == sorted(names, key=str.encode)
    (alone,) = fs.list(at("a"))
    assert (alone.name, alone.length) == ("a", 1)
    assert fs.listdir(HERE) == sorted(names, key=str.encode)


@pytest.mark.parametrize("after, left", [
    ("", ["b", "d", "é"]), ("a", ["b", "d", "é"]), ("b", ["d", "é"]), ("c", ["d", "é"]), ("é", []),
])  # fmt: skip
def test_a_listing_behind_a_name(fs: Any, after: str, left: List[str]) -> None:
    plant(fs, "b", "d/", "é")
    assert [status.name for status in fs.list(HERE, after)] == left


def test_what_is_told_of_a_path(fs: Any) -> None:
    plant(fs, "d/f")
    file, directory = fs.stat(at("d/f")), fs.stat(at("d"))
    assert (file.name, file.is_directory, file.length) == ("f", False, 3)
    assert (directory.name, directory.is_directory, directory.length) == ("d", True, 0)
    assert file.inode_id != directory.inode_id
    assert file.owner == directory.owner == fs.user
    assert file.group == directory.group == "supergroup"
    assert fs.stat("/").is_directory and fs.stat("/").name == ""
    assert [status for status in fs.list(at("d"))] == [file]


def test_how_many_children_a_directory_has(fs: Any) -> None:
    plant(fs, "d/f", "d/e/", "x")
    file, directory = fs.entry(at("d/f")), fs.entry(at("d"))
    assert (file.status, file.children) == (fs.stat(at("d/f")), 0)
    assert (directory.status, directory.children) == (fs.stat(at("d")), 2)
    assert [entry.children for entry in fs.entries(HERE)] == [2, 0]
    assert [entry.status for entry in fs.entries(HERE)] == [*fs.list(HERE)]
    assert [*fs.entries(HERE, "d")] == [fs.entry(at("x"))] == [*fs.entries(at("x"))]


@pytest.mark.parametrize("path, found", [
    ("", (3, 3, 11, 14)), ("d", (2, 2, 10, 13)), ("d/three", (0, 1, 3, 6)), ("d/e", (1, 1, 7, 7)),
    ("x", (0, 1, 1, 1)),
])  # fmt: skip
def test_what_a_tree_holds(fs: Any, path: str, found: Any) -> None:
    plant(fs, "x", "d/e/")
    with fs.open(at("d/three"), "wb", replication=2) as file:
        file.write(b"333")
    fs.write_bytes(at("d/e/seven"), b"7777777")
    assert tuple(fs.content_summary(at(path)))[:4] == found


def test_times(fs: Any) -> None:
    plant(fs, "f", "d/")
    for name in ("f", "d"):
        fs.set_times(at(name), 1000, 2000)
        assert (fs.stat(at(name)).mtime_ms, fs.stat(at(name)).atime_ms) == (1000, 2000)
        fs.set_times(at(name), mtime_ms=3000)
        assert (fs.stat(at(name)).mtime_ms, fs.stat(at(name)).atime_ms) == (3000, 2000)
        fs.set_times(at(name), atime_ms=0)
        assert (fs.stat(at(name)).mtime_ms, fs.stat(at(name)).atime_ms) == (3000, 0)


@pytest.mark.parametrize("change", ["write", "append", "truncate", "concat"])
def test_what_makes_a_file_younger(fs: Any, change: str) -> None:
    plant(fs, "f", "g")
    fs.set_times(at("f"), 1000, 1000)
    {
        "write": lambda: fs.write_bytes(at("f"), b"new"),
        "append": lambda: append(fs, at("f")),
        "truncate": lambda: fs.truncate(at("f"), 0),
        "concat": lambda: fs.concat(at("f"), at("g")),
    }[change]()
    assert fs.stat(at("f")).mtime_ms > 1000


def append(fs: Any, path: str) -> None:
    """Write a byte behind the end of a file."""
    with fs.append(path) as file:
        file.write(b"x")


@pytest.mark.parametrize("change", ["mkdir", "write", "delete", "rename", "rename_away"])
def test_what_makes_a_directory_younger(fs: Any, change: str) -> None:
    plant(fs, "d/f", "g")
    fs.set_times(at("d"), 1000, 1000)
    {
        "mkdir": lambda: fs.mkdir(at("d/n")),
        "write": lambda: fs.write_bytes(at("d/n"), b""),
        "delete": lambda: fs.delete(at("d/f")),
        "rename": lambda: fs.rename(at("g"), at("d/g")),
        "rename_away": lambda: fs.rename(at("d/f"), at("f")),
    }[change]()
    assert fs.stat(at("d")).mtime_ms > 1000


def test_what_leaves_a_directory_as_old_as_it_was(fs: Any) -> None:
    plant(fs, "d/f")
    fs.set_times(at("d"), 1000, 1000)
    fs.set_mode(at("d/f"), 0o600)
    fs.set_mode(at("d"), 0o700)
    fs.set_times(at("d/f"), 1, 1)
    append(fs, at("d/f"))
    fs.delete(at("d/missing"))
    assert fs.stat(at("d")).mtime_ms == 1000


@pytest.mark.parametrize("given, absolute", [
    ("a", "{home}/a"), (".", "{home}"), ("..", "/user"), ("../../..", "/"), ("/", "/"),
    ("//a///b/", "/a/b"), ("/a/./b/../c", "/a/c"), ("/..", "/"), ("./a", "{home}/a"),
    (PurePosixPath("/a") / "b", "/a/b"), (PurePosixPath("a"), "{home}/a"),
])  # fmt: skip
def test_paths_become_absolute(fs: Any, given: Any, absolute: str) -> None:
    assert fs.absolute(given) == absolute.format(home=f"/user/{fs.user}")


def test_relative_paths_begin_at_home(fs: Any) -> None:
    fs.makedirs(f"/user/{fs.user}/w", exist_ok=True)
    fs.write_bytes("w/f", b"x")
    assert fs.read_bytes(f"/user/{fs.user}/w/f") == b"x"
    assert fs.listdir("w") == ["f"]
    fs.rename("w/f", "w/g")
    assert fs.glob("w/*") == [f"/user/{fs.user}/w/g"]
    assert fs.delete("w", recursive=True)
