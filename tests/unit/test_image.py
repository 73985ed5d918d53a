"""The image: rows make the tree, however they come, and rows that do not fit are refused."""

from typing import Any, Dict, List

import pytest

from data_service.namenode.image import Image
from data_service.namenode.inodes import InodeRow
from metadata_service.edits import Change
from tests.support.namenode_core import refusal
from tests.support.namespace_tree import Tree
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
    if what == "parent is missing":
        del rows["inodes"][1]
    elif what == "parent is a file":
        rows["inodes"][3] = tuple(InodeRow._make(rows["inodes"][3])._replace(parent=3))
    elif what == "name is taken":
        rows["inodes"][3] = tuple(InodeRow._make(rows["inodes"][3])._replace(name="d"))
    elif what == "directories hold each other":
        rows["inodes"][1] = tuple(InodeRow._make(rows["inodes"][1])._replace(parent=2))
    elif what == "file is missing":
        del rows["inodes"][2]
    elif what == "block is missing":
        del rows["blocks"][0]
    elif what == "position is taken":
        rows["blocks"][1] = rows["blocks"][1][:4] + (0,)


@pytest.mark.parametrize(
    "what",
    ["parent is missing", "parent is a file", "name is taken", "directories hold each other",
     "file is missing", "block is missing", "position is taken"],
)  # fmt: skip
def test_damaged_rows_are_refused(what: str) -> None:
    tree = Tree()
    tree.mkdir("/d")
    tree.file("/d/f", 100, 1)
    tree.file("/g")
    rows = tree.image.rows()
    Image("root", "supergroup").load(rows)
    damage(rows, what)
    why = refusal(errors.CorruptData, lambda: Image("root", "supergroup").load(rows))
    assert why.startswith("The image is damaged")


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
