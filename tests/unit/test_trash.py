"""The trash of the library: things go in, and come back out."""

from typing import List

import pytest

from data_service.filesystem.trash import HoldsTheTrash, Trash
from tests.support.models.memory_file_system import MemoryFileSystem
from zookeeper.fabric.errors import InvalidArgument, PathExists, PathNotFound

CURRENT = "/user/root/.Trash/Current"


@pytest.fixture
def fs() -> MemoryFileSystem:
    """A file in two directories."""
    made = MemoryFileSystem("root")
    made.write("/d/e/f", b"hello")
    return made


def trash_of(fs: MemoryFileSystem) -> Trash:
    """The trash of its user."""
    return Trash(fs, fs.home, 60)


def test_what_goes_in_comes_back_where_it_was(fs: MemoryFileSystem) -> None:
    place = trash_of(fs).put("/d")
    assert place == f"{CURRENT}/d" and not fs.exists("/d")
    assert trash_of(fs).restore(place) == "/d"
    assert fs.contents("/d/e/f") == b"hello" and not fs.exists(place)


def test_a_part_of_what_was_removed_comes_back_alone(fs: MemoryFileSystem) -> None:
    trash_of(fs).put("/d")
    assert trash_of(fs).restore(f"{CURRENT}/d/e/f") == "/d/e/f"
    assert fs.contents("/d/e/f") == b"hello"
    assert fs.stat("/d").mode == 0o755, "directories that were missing are ordinary ones"


def test_things_come_back_from_a_checkpoint(fs: MemoryFileSystem) -> None:
    trash_of(fs).put("/d/e/f")
    trash_of(fs).checkpoint()
    ((name, _),) = trash_of(fs).checkpoints()
    assert trash_of(fs).restore(f"/user/root/.Trash/{name}/d/e/f") == "/d/e/f"


def test_nothing_is_replaced_by_what_comes_back(fs: MemoryFileSystem) -> None:
    place = trash_of(fs).put("/d/e/f")
    fs.write("/d/e/f", b"new")
    with pytest.raises(PathExists):
        trash_of(fs).restore(str(place))
    assert fs.contents("/d/e/f") == b"new" and fs.contents(str(place)) == b"hello"


@pytest.mark.parametrize(
    "path",
    [
        "/d/e/f", "/user/root/.Trash", CURRENT, CURRENT + "/", "/user/root/.Trash/mine/f",
        CURRENT + "/../../../../d/e/f", "/user/root/.TrashCurrent/f",
        "/user/other/.Trash/Current/f",
    ],
)  # fmt: skip
def test_what_does_not_lie_in_the_trash_is_not_moved(fs: MemoryFileSystem, path: str) -> None:
    before = fs.tree()
    with pytest.raises(InvalidArgument):
        trash_of(fs).restore(path)
    assert fs.tree() == before


def test_the_trash_does_not_go_into_itself(fs: MemoryFileSystem) -> None:
    place = trash_of(fs).put("/d/e/f")
    assert trash_of(fs).put(str(place)) is None
    for path in ("/", "/user", "/user/root"):
        with pytest.raises(HoldsTheTrash):
            trash_of(fs).put(path)
    with pytest.raises(PathNotFound):
        trash_of(fs).put("/missing")


def test_a_trash_that_was_never_used_is_empty(fs: MemoryFileSystem) -> None:
    deleted: List[str] = []
    trash_of(fs).checkpoint()
    trash_of(fs).delete_checkpoints(lambda deed, path: deleted.append(path), of_any_age=True)
    assert trash_of(fs).checkpoints() == [] and deleted == []
