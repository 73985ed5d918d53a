"""Asking again where a block is: by its path, and by itself when the path leads elsewhere."""

from typing import Any, Optional, Tuple

import pytest

from data_service.filesystem.reading.block_locator import BlockLocator
from data_service.protocol.blocks import Block
from data_service.protocol.files import FileStatus, LocatedBlock, Locations
from data_service.protocol.nodes import Target
from zookeeper.fabric.errors import (
    DfsError,
    IsADirectory,
    NotADirectory,
    PathNotFound,
    PermissionDenied,
    Unavailable,
)

A, B = Target("a", "a", 1), Target("b", "b", 1)
OLD = LocatedBlock(Block(7, 1, 100), 500, (A,), False, b"old")
NEW = OLD._replace(targets=(B,), token=b"new")
OTHER = LocatedBlock(Block(8, 1, 100), 500, (A,), False, b"")
STATUS = FileStatus("f", 1, "f", 600, 1, 500, "me", "us", 0o644, 0, 0)


class NameNode:
    """What a path leads to, and where the block is."""

    def __init__(self, at_path: Any, by_block: Any = None) -> None:
        self._at_path, self._by_block = at_path, by_block
        self.asked: Tuple[str, ...] = ()

    def block_locations(self, path: str, offset: int, length: int) -> Locations:
        """As Names."""
        assert (path, offset, length) == ("/f", 500, 1)
        self.asked += ("path",)
        if isinstance(self._at_path, DfsError):
            raise self._at_path
        return Locations(STATUS, self._at_path)

    def locate_block(self, block: Block) -> Optional[LocatedBlock]:
        """As NameNodeCalls."""
        assert block == OLD.block
        self.asked += ("block",)
        if isinstance(self._by_block, DfsError):
            raise self._by_block
        return self._by_block and self._by_block._replace(offset=0)


def relocated(namenode: NameNode) -> Optional[LocatedBlock]:
    """Where the block is by now."""
    locator = BlockLocator(namenode, namenode, "/f")  # type: ignore[arg-type]
    return locator.relocate(OLD)


def test_the_file_is_where_it_was() -> None:
    namenode = NameNode((NEW,))
    assert relocated(namenode) == NEW and namenode.asked == ("path",)


@pytest.mark.parametrize(
    "found", [(), (OTHER,), PathNotFound(), IsADirectory(), NotADirectory()], ids=repr
)
def test_the_file_was_renamed(found: Any) -> None:
    assert relocated(NameNode(found, NEW)) == NEW
    assert relocated(NameNode(found, None)) is None
    assert relocated(NameNode(found, PermissionDenied("not yours any more"))) is None


def test_nobody_asks_twice_a_namenode_that_does_not_answer() -> None:
    namenode = NameNode(Unavailable("gone"), NEW)
    assert relocated(namenode) is None and namenode.asked == ("path",)
