"""Where the blocks of a file are, asked again while it is read, and which replicas are bad."""

from typing import Optional

from data_service.filesystem.names import Names
from data_service.protocol.blocks import Block
from data_service.protocol.files import LocatedBlock
from data_service.protocol.namenode_calls import NameNodeCalls
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, IsADirectory, NotADirectory, PathNotFound

log = logs.get("reader")


class BlockLocator:
    """Of the file that was at one path. Nothing here raises: a read goes on with what it knows."""

    def __init__(self, names: Names, calls: NameNodeCalls, path: str) -> None:
        self._names = names
        self._calls = calls
        self._path = path

    def relocate(self, located: LocatedBlock) -> Optional[LocatedBlock]:
        """Where a block is now; None when the file has it no more, or nobody answers."""
        try:
            return self._at_path(located) or self._wherever_it_is(located)
        except DfsError as error:
            log.info("block.not_located", path=self._path, error=error.message)
            return None

    def report_bad(self, block: Block, node_id: str) -> None:
        """Tell the namenode of a damaged replica."""
        log.info("replica.bad", block=block.name, node=node_id)
        try:
            self._calls.report_bad_block(block, node_id)
        except DfsError as error:
            log.info("replica.not_reported", block=block.name, error=error.message)

    def _at_path(self, located: LocatedBlock) -> Optional[LocatedBlock]:
        try:
            blocks = self._names.block_locations(self._path, located.offset, 1).blocks
        except (PathNotFound, NotADirectory, IsADirectory):
            return None
        return next((other for other in blocks if other.block == located.block), None)

    def _wherever_it_is(self, located: LocatedBlock) -> Optional[LocatedBlock]:
        """The file may have been renamed while it is read."""
        found = self._calls.locate_block(located.block)
        return found and found._replace(offset=located.offset)
