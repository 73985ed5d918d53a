"""The image: rows make the tree, however they come, and rows that do not fit are refused."""

from typing import Any, Dict, List

import pytest

from data_service.namenode.namespace.image import Image
from data_service.namenode.namespace.inodes import InodeRow
from metadata_service.edits import Change
from tests.support.models.namenode_core import refusal
from tests.support.models.namespace_tree import Tree
from zookeeper.fabric import errors


def test_blocks_load_in_the_order_of_their_positions() -> None:
    tree = Tree()
    tree.file("/f", 100, 100, 30)
    rows = tree.image.rows()
    # Blocks may come to a file in another order than their numbers: concat will do so.
    rows["blocks"] = [(1, 1, 30, 2, 2), (2, 1, 100, 2, 0), (3, 1, 100, 2, 1)]
    copy = Image("root", "supergroup")
    copy.load(rows)
    assert [block.block_id for block in copy.inodes[2].blocks] == [2, 3, 1]
    copy.check()


def test_a_directory_with_a_greater_number_than_its_child_loads() -> None:
    tree = Tree()
    tree.mkdir("/a/b")
    tree.mkdir("/new/er")
    tree.rename("/a", "/new/er/a")
    copy = Image("root", "supergroup")
    copy.load(tree.image.rows())
    copy.check()
    assert copy.rows() == tree.image.rows()
    assert copy.inodes[tree.find("/new/er/a/b").id].path == "/new/er/a/b"


def damage(rows: Dict[str, List[Any]], what: str) -> None:
    """Break one thing in the stored rows of `/d` (2), `/d/f` (3, blocks 1 and 2) and `/g` (4)."""

    def move(position: int, **changes: Any) -> None:
        rows["inodes"][position] = InodeRow._make(rows["inodes"][position])._replace(**changes)

    if what == "parent is missing":
        move(3, parent=77)
    elif what == "parent is a file":
        move(3, parent=3)
    elif what == "name is taken":
        move(3, name="d")
    elif what == "directories hold each other":
        move(1, parent=2)
    elif what == "file is missing":
        del rows["inodes"][2]
    elif what == "block is missing":
        del rows["blocks"][0]
    elif what == "position is taken":
        rows["blocks"][1] = rows["blocks"][1][:4] + (0,)


@pytest.mark.parametrize(
    "what, why",
    [
        ("parent is missing", "there is no directory 77"),
        ("parent is a file", "inode 4 has no place"),
        ("name is taken", "inode 4 has no place"),
        ("directories hold each other", "there is no directory 2"),
        ("file is missing", "block 1 has no file 3"),
        ("block is missing", "block 2 is out of its place"),
        ("position is taken", "block 2 is out of its place"),
    ],
)
def test_damaged_rows_are_refused(what: str, why: str) -> None:
    tree = Tree()
    tree.mkdir("/d")
    tree.file("/d/f", 100, 1)
    tree.file("/g")
    rows = tree.image.rows()
    Image("root", "supergroup").load(rows)
    damage(rows, what)
    refused = refusal(errors.CorruptData, lambda: Image("root", "supergroup").load(rows))
    assert refused == f"The image is damaged: {why}"


def test_check_sees_what_is_wrong() -> None:
    tree = Tree()
    tree.file("/d/f", 10)
    tree.find("/d/f").parent = tree.image.root
    with pytest.raises(AssertionError):
        tree.image.check()


def test_an_edit_that_does_not_fit_is_our_defect() -> None:
    tree = Tree()
    tree.mkdir("/d/e")
    wrong: List[Change] = [("inodes", tree.find("/d").id, None)]
    with pytest.raises(AssertionError):
        tree.image.apply(wrong)


def test_what_things_are_called() -> None:
    tree = Tree()
    tree.file("/d/f")
    assert repr(tree.find("/d/f")) == "<File 2 /d/f>"
    assert repr(tree.find("/d")) == "<Directory 3 /d>"
    assert repr(tree.image) == "<Image 2 inodes, 0 deleted>"


def test_blocks_move_between_files_and_leave_only_from_the_end() -> None:
    tree = Tree()
    tree.file("/a", 100, 100)
    tree.file("/b", 30)
    a, b = tree.find("/a"), tree.find("/b")
    moved: List[Change] = [
        ("inodes", a.id, a.row()),
        ("blocks", 3, (3, 1, 30, a.id, 2)),
        ("inodes", b.id, None),
    ]
    wrong: List[List[Change]] = [
        # From the middle, in the middle, of a file that is not named, and with blocks left.
        [("inodes", a.id, a.row()), ("blocks", 1, None)],
        [("inodes", a.id, a.row()), ("blocks", 9, (9, 1, 5, a.id, 1))],
        [("blocks", 9, (9, 1, 5, a.id, 2))],
        [("inodes", b.id, None)],
    ]
    for changes in wrong:
        copy = Image("root", "supergroup")
        copy.load(tree.image.rows())
        with pytest.raises((AssertionError, KeyError)):
            copy.apply(changes)
    tree.image.apply(moved)
    tree.image.check()
    assert [block.block_id for block in tree.image.inodes[a.id].blocks] == [1, 2, 3]
