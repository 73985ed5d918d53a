"""The namespace: what each operation does to the tree, with HDFS's messages."""

from typing import Any, Callable, Collection, List, Type

import pytest

from data_service.namenode.namespace import inodes, namespace
from data_service.namenode.namespace.orphans import purge
from data_service.namenode.namespace.image import Image, put
from data_service.namenode.namespace.inodes import ORPHANS_ID
from data_service.namenode.namespace.paths import parse
from data_service.namenode.namespace.sorted_names import SortedNames
from data_service.protocol.files import ContentSummary
from tests.support.models.namenode_core import ROOT, refusal
from tests.support.models.namespace_tree import Tree
from zookeeper.fabric import errors


def test_mkdir_makes_parents_that_their_owner_can_fill() -> None:
    tree = Tree()
    changes = tree.made("/a/b/c", True, 0o050, 4)
    tree.apply(changes)
    assert [oct(tree.find(path).attributes.mode) for path in ("/a", "/a/b", "/a/b/c")] == [
        "0o350", "0o350", "0o50",
    ]  # fmt: skip
    assert tree.find("/a").attributes.group == "supergroup"
    assert tree.image.root.mtime_ms == 4
    assert (tree.find("/a/b").mtime_ms, tree.find("/a/b").atime_ms) == (4, 0)
    assert tree.made("/a/b", True, 0o755, 5) == []


def test_mkdir_is_refused() -> None:
    tree = Tree()
    tree.mkdir("/d")
    tree.file("/f")

    def mkdir(path: str, parents: bool, mode: int = 0o755) -> Callable[[], Any]:
        return lambda: tree.made(path, parents, mode, 1)

    assert refusal(errors.PathExists, mkdir("/d", False)) == "/d already exists as a directory"
    assert refusal(errors.PathExists, mkdir("/", False)) == "/ already exists as a directory"
    assert refusal(errors.NotADirectory, mkdir("/f", True)) == "Path is not a directory: /f"
    assert refusal(errors.NotADirectory, mkdir("/f/x/y", True)) == "/f (is not a directory)"
    assert refusal(errors.PathNotFound, mkdir("/x/y", False)) == (
        "Parent directory doesn't exist: /x"
    )
    refusal(errors.InvalidArgument, mkdir("/m", True, 0o4755))
    assert tree.paths() == ["/", "/d", "/f"]


def test_a_file_appears_with_the_directories_that_it_needs() -> None:
    tree = Tree()
    tree.mkdir("/d")
    number = tree.file("/d/new/deep/f", 100, 50)
    file = tree.find("/d/new/deep/f")
    assert (file.id, file.length, file.attributes.group) == (number, 150, "supergroup")
    assert (file.mtime_ms, file.atime_ms, file.status().kind) == (7, 7, "f")
    assert tree.find("/d/new").attributes.mode == 0o750
    assert tree.find("/d").mtime_ms == 7 and tree.image.root.mtime_ms == 1


def test_overwriting_sends_the_old_file_to_the_orphans() -> None:
    tree = Tree()
    old = tree.file("/f", 10)
    assert refusal(errors.PathExists, lambda: tree.file("/f", 20)) == "/f already exists"
    new = tree.file("/f", 20, overwrite=True)
    assert tree.find("/f").id == new != old
    assert tree.image.inodes[old].is_deleted and not tree.image.inodes[new].is_deleted
    tree.mkdir("/d")
    refusal(errors.IsADirectory, lambda: tree.file("/d", overwrite=True))
    refusal(errors.NotADirectory, lambda: tree.file("/f/below", overwrite=True))


def test_rename_moves_one_row_and_dates_both_parents() -> None:
    tree = Tree()
    tree.mkdir("/a/b/c")
    tree.mkdir("/d")
    moved = tree.find("/a/b")
    _, changes = tree.rules.rename(ROOT, parse("/a/b"), parse("/d/x"), 5)
    assert [key for _, key, _ in changes] == [moved.id, tree.find("/a").id, tree.find("/d").id]
    tree.apply(changes)
    assert tree.find("/d/x/c").path == "/d/x/c" and tree.find("/d/x") is moved
    assert (tree.find("/a").mtime_ms, tree.find("/d").mtime_ms, moved.mtime_ms) == (5, 5, 1)
    assert len(tree.rules.rename(ROOT, parse("/d/x"), parse("/d/y"), 5)[1]) == 2


@pytest.mark.parametrize(
    "source, target, kind, why",
    [
        ("/", "/x", errors.InvalidArgument, "rename source cannot be the root"),
        ("/d", "/", errors.InvalidArgument, "rename destination cannot be the root"),
        ("/d", "/d", errors.PathExists, "The source /d and destination /d are the same"),
        (
            "/d", "/d/e/x", errors.InvalidArgument,
            "Rename destination /d/e/x is a directory or file under source /d",
        ),
        ("/no", "/x", errors.PathNotFound, "rename source /no is not found."),
        ("/d/e", "/g", errors.PathExists, "rename destination /g already exists"),
        ("/f", "/g", errors.PathExists, "rename destination /g already exists"),
        ("/d", "/no/x", errors.PathNotFound, "rename destination parent /no not found."),
        ("/d", "/f/x", errors.NotADirectory, "/f (is not a directory)"),
        ("/f/x", "/y", errors.NotADirectory, "/f (is not a directory)"),
    ],
)  # fmt: skip
def test_rename_is_refused(
    source: str, target: str, kind: Type[errors.DfsError], why: str
) -> None:
    tree = Tree()
    tree.mkdir("/d/e")
    tree.mkdir("/g")
    tree.file("/f")
    before = tree.image.rows()
    assert refusal(kind, lambda: tree.rename(source, target)) == why
    assert tree.image.rows() == before


def test_a_name_that_begins_like_the_source_is_not_below_it() -> None:
    tree = Tree()
    tree.mkdir("/d")
    tree.rename("/d", "/dd")
    tree.rename("/dd", "/d")
    assert tree.paths() == ["/", "/d"]


def test_delete_is_one_row_whatever_hangs_below() -> None:
    tree = Tree()
    for number in range(20):
        tree.file(f"/d/e/f{number}", 1)
    top = tree.find("/d")
    changes = tree.rules.delete(ROOT, parse("/d"), True, 9)
    assert changes is not None and len(changes) == 2
    assert changes[0] == put(top.row()._replace(parent=ORPHANS_ID))
    tree.apply(changes)
    assert tree.paths() == ["/"] and tree.image.root.mtime_ms == 9
    assert tree.rules.delete(ROOT, parse("/d"), True, 9) is None
    tree.file("/d")
    tree.delete("/d")
    assert len(tree.image.orphans.children) == 2


def test_delete_is_refused() -> None:
    tree = Tree()
    tree.mkdir("/d/e")
    delete = tree.rules.delete
    refusal(errors.PermissionDenied, lambda: delete(ROOT, (), True, 9))
    assert refusal(errors.DirectoryNotEmpty, lambda: delete(ROOT, parse("/d"), False, 9)) == (
        "/d is non empty"
    )
    assert delete(ROOT, parse("/d/e"), False, 9) is not None


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 1000])
def test_the_orphans_are_freed_in_bounded_pieces(limit: int) -> None:
    tree = Tree()
    tree.file("/d/big", *[100] * 7)
    tree.file("/d/e/f", 1)
    tree.file("/keep", 5)
    tree.mkdir("/d/x/y")
    tree.delete("/d")
    tree.file("/d", 3)
    tree.delete("/d")
    for _ in range(100):
        changes = purge(tree.image.orphans, limit)
        if not changes:
            break
        assert len(changes) <= limit + 3
        tree.apply(changes)
        # A restart in the middle finds rows that fit together.
        copy = Image("root", "supergroup")
        copy.load(tree.image.rows())
        assert copy.rows() == tree.image.rows()
    assert sorted(tree.image.deleted_blocks) == [1, 2, 3, 4, 5, 6, 7, 8, 10]
    assert tree.paths() == ["/", "/keep"] and repr(tree.image) == "<Image 1 inodes, 0 deleted>"


def test_the_tree_is_walked_in_the_order_of_bytes() -> None:
    tree = Tree()
    for path in ("/b/x", "/a/é", "/a/z", "/a/Z", "/a-/q", "/c", "/a/🙂", "/a/～"):
        tree.file(path)
    everything = tree.paths()
    assert everything == [
        "/", "/a", "/a/Z", "/a/z", "/a/é", "/a/～", "/a/🙂", "/a-", "/a-/q", "/b", "/b/x", "/c",
    ]  # fmt: skip
    for position, path in enumerate(everything):
        assert tree.paths(after=parse(path)) == everything[position + 1 :]
    # It goes on behind a path that has been deleted since.
    assert tree.paths(after=parse("/a/y")) == everything[3:]
    assert tree.paths(after=("b", "x", "gone")) == ["/c"]
    assert tree.paths("/b") == ["/b", "/b/x"] and tree.paths("/b", ()) == ["/b/x"]


@pytest.mark.parametrize("index_from", [0, 1000])
def test_pages_of_a_directory_that_changes(
    index_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inodes, "INDEX_FROM", index_from)
    tree = Tree()
    for name in "hbdf":
        tree.file(f"/{name}")
    root = tree.image.root
    page, more = root.page("", 2)
    assert ([inode.name for inode in page], more) == (["b", "d"], True)
    tree.file("/a")
    tree.file("/e")
    tree.delete("/f")
    page, more = root.page("d", 1)
    assert ([inode.name for inode in page], more) == (["e"], True)
    tree.rename("/h", "/g")
    page, more = root.page("e", 5)
    assert ([inode.name for inode in page], more) == (["g"], False)
    assert root.page("g", 5) == ([], False)


def test_nothing_sorts_a_big_directory_but_its_becoming_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sorted for the first page of a listing, one with a million names kept everybody waiting for
    half a second; sorted for every page, its check took hours."""
    sorts: List[int] = []

    class Counted(SortedNames):
        def __init__(self, names: Collection[str]) -> None:
            sorts.append(len(names))
            super().__init__(names)

    monkeypatch.setattr(inodes, "SortedNames", Counted)
    monkeypatch.setattr(inodes, "INDEX_FROM", 4)
    tree = Tree()
    for name in "hgfedcba":
        tree.file(f"/{name}")
    assert sorts == [5]
    assert tree.image.root.page("", 3)[1] and not tree.image.root.page("e", 3)[1]
    assert "".join(tree.paths()) == "//a/b/c/d/e/f/g/h"
    tree.delete("/f")
    assert tree.paths(after=parse("/d")) == ["/e", "/g", "/h"] and sorts == [5]
    loaded = Image("root", "supergroup")
    loaded.load(tree.image.rows())
    loaded.check()
    assert [inode.name for inode in loaded.root.page("c", 2)[0]] == ["d", "e"] and sorts == [5, 7]


def test_content_summary_counts_the_directory_itself() -> None:
    tree = Tree()
    tree.file("/d/f", 100, 20)
    tree.file("/d/e/g", 5)
    summary = tree.resolver.content_summary(ROOT, parse("/d"))
    assert summary == ContentSummary(2, 2, 125, 375)
    assert tree.resolver.content_summary(ROOT, parse("/d/f")) == ContentSummary(0, 1, 120, 360)
    refusal(errors.PathNotFound, lambda: tree.resolver.content_summary(ROOT, parse("/no")))


def test_replication_and_times_have_limits() -> None:
    tree = Tree()
    tree.mkdir("/d")
    tree.file("/f")
    rules, name = tree.rules, parse("/f")
    for number in (0, -1, 2.0, True):
        why = refusal(errors.InvalidArgument, lambda: rules.set_replication(ROOT, name, number))
        assert why == "replication must be >= 1"
    assert refusal(errors.InvalidArgument, lambda: rules.set_replication(ROOT, name, 1000)) == (
        "Requested replication factor of 1000 exceeds maximum of 512 for /f"
    )
    refusal(errors.IsADirectory, lambda: rules.set_replication(ROOT, parse("/d"), 2))
    refusal(errors.InvalidArgument, lambda: rules.set_times(ROOT, name, -1, None))
    refusal(errors.InvalidArgument, lambda: rules.set_times(ROOT, name, None, 1 << 63))
    tree.apply(rules.set_times(ROOT, name, None, 99))
    assert (tree.find("/f").mtime_ms, tree.find("/f").atime_ms) == (7, 99)


def test_a_directory_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace, "ENTRIES_MAX", 3)
    tree = Tree()
    tree.mkdir("/d/x")
    for number in range(2):
        tree.file(f"/d/f{number}")
    tree.mkdir("/y")
    full = "The directory item limit of /d is exceeded: limit=3 items=3"
    assert refusal(errors.InvalidArgument, lambda: tree.file("/d/g")) == full
    assert refusal(errors.InvalidArgument, lambda: tree.mkdir("/d/g")) == full
    assert refusal(errors.InvalidArgument, lambda: tree.rename("/y", "/d/y")) == full
    tree.file("/d/f1", overwrite=True)
    tree.rename("/d/f0", "/d/f9")
