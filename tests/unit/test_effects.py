"""What row changes mean for blocks: told from the rows alone, before they are applied."""

from typing import List

from data_service.namenode.namespace.contents import concat, rewrite
from data_service.namenode.namespace.effects import Kept, effects_of, effects_of_all
from data_service.namenode.namespace.image import put
from data_service.namenode.namespace.orphans import forget, give_up, purge, unlink
from data_service.namenode.namespace.paths import parse
from data_service.protocol.blocks import Block
from data_service.protocol.redundancy import replicated
from metadata_service.edits import Change
from tests.support.models.namenode_core import ROOT
from tests.support.models.namespace_tree import Tree


def told(tree: Tree, changes: List[Change]) -> tuple:
    """The effects of changes, with lists in place of what is only iterated; they are applied."""
    effects = effects_of(changes, tree.image)
    tree.apply(changes)
    return tuple(list(part) for part in effects)


def test_a_file_that_changes_has_all_its_new_blocks() -> None:
    tree = Tree()
    number = tree.file("/f", 100, 40)
    tree.image.counters["block_id"] = 9
    _, changes = rewrite(tree.find("/f"), 1, [Block(7, 2, 30), Block(8, 2, 5)], 5)
    kept = [
        Kept(Block(7, 2, 30), number, replicated(3)),
        Kept(Block(8, 2, 5), number, replicated(3)),
    ]
    assert told(tree, changes) == (kept, [2], [], [])


def test_another_replication_is_told_of_every_block_and_other_attributes_of_none() -> None:
    tree = Tree()
    number = tree.file("/f", 100, 40)
    row = tree.find("/f").row()
    assert told(tree, [put(row._replace(mode=0, mtime_ms=99, name="g"))]) == ([], [], [], [])
    changes = [put(row._replace(replication=2))]
    assert told(tree, changes)[0] == [
        Kept(Block(1, 1, 100), number, replicated(2)), Kept(Block(2, 1, 40), number, replicated(2))
    ]  # fmt: skip
    assert told(tree, changes) == ([], [], [], []), "that is what it has already"
    tree.mkdir("/d")
    assert told(tree, [put(tree.find("/d").row()._replace(mode=0o700))]) == ([], [], [], [])


def test_blocks_that_move_are_wanted_as_their_new_file_wants() -> None:
    tree = Tree()
    target, _ = tree.file("/t", 100), tree.file("/s", 40)
    tree.apply([put(tree.find("/s").row()._replace(replication=1))])
    changes = concat(tree.find("/t"), [tree.find("/s")], 5)
    assert told(tree, changes) == ([Kept(Block(2, 1, 40), target, replicated(3))], [], [], [])


def test_a_deleted_files_blocks_are_deleted_with_their_rows_and_forgotten_once() -> None:
    tree = Tree()
    tree.file("/f", 100, 40)
    assert told(tree, [unlink(tree.find("/f"))]) == ([], [], [], []), "its blocks are there still"
    assert told(tree, purge(tree.image.orphans, 1)) == ([], [2], [], [])
    assert told(tree, purge(tree.image.orphans, 1)) == ([], [1], [], [])
    assert told(tree, forget([1, 2])) == ([], [], [1, 2], [])


def test_a_block_that_will_be_in_no_file_is_deleted() -> None:
    tree = Tree()
    tree.image.counters["block_id"] = 9
    assert told(tree, give_up([Block(5, 1, 0)])) == ([], [5], [], [])


def test_a_loaded_image_tells_the_same_as_the_edits_that_made_it() -> None:
    tree = Tree()
    number, gone = tree.file("/d/f", 100, 40), tree.file("/d/gone", 7)
    tree.apply(tree.rules.set_replication(ROOT, parse("/d/f"), 2))
    tree.delete("/d/gone")
    kept, deleted, forgotten, _ = effects_of_all(tree.image)
    assert sorted(kept) == [
        Kept(Block(1, 1, 100), number, replicated(2)), Kept(Block(2, 1, 40), number, replicated(2)),
        Kept(Block(3, 1, 7), gone, replicated(3)),
    ]  # fmt: skip
    assert list(deleted) == list(forgotten) == []
    tree.apply(purge(tree.image.orphans, 9))
    kept, deleted, *_ = effects_of_all(tree.image)
    assert {row.block.block_id for row in kept} == {1, 2} and list(deleted) == [3]
