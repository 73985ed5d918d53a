"""What administrators look at: files that are being written, and single blocks.

Nothing here changes anything. What a file in progress or a block would reveal of the tree is shown
to those only who may look into its directory.
"""

from itertools import islice
from typing import Iterator

from data_service.namenode.namespace.commits import Commits, Outcome
from data_service.namenode.namespace.image import Image
from data_service.namenode.namespace.inodes import File
from data_service.namenode.namespace.paths import parse
from data_service.namenode.namespace.permissions import (
    READ_EXECUTE,
    Caller,
    allows,
    denied_block,
)
from data_service.namenode.namespace.resolver import Resolver
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.writers.open_files import OpenFile, OpenFiles, OpenRow
from data_service.protocol.files import FILE, FileStatus
from data_service.protocol.health import BlockHealth, FsckRow
from zookeeper.fabric.errors import InvalidArgument, NotADirectory, PermissionDenied

PAGE_MAX = 500
"""The most open files of one answer; each may have thousands of blocks."""


class Inspecting:
    """The operations that look behind the tree."""

    def __init__(
        self, image: Image, resolver: Resolver, commits: Commits, files: OpenFiles, blocks: Blocks
    ) -> None:
        self._image = image
        self._resolver = resolver
        self._commits = commits
        self._files = files
        self._blocks = blocks

    def open_files(self, caller: Caller, path: str, after: int, limit: int) -> Outcome:
        """A page of the files below a path that are being written, by number, as FsckRows.

        The result is (rows, number of the last file looked at, whether more follow).
        """
        if type(limit) is not int or limit < 1:
            raise InvalidArgument("a page must have at least one row")
        top = path.rstrip("/") + "/"
        parse(path)
        limit = min(limit, PAGE_MAX)
        found = list(islice(self._files.rows(after), limit + 1))
        page = found[:limit]
        rows = [
            self._row(row)
            for row in page
            if (row.path + "/").startswith(top) and self._may_see(caller, row.owner, row.path)
        ]
        last = page[-1].file_id if page else after
        return Outcome((rows, last, len(found) > len(page)), None, self._commits.last_txid)

    def block(self, caller: Caller, block_id: int) -> Outcome:
        """A block as the FsckRow of its file with this block alone; None when there is none."""
        inode_id = self._blocks.inode_id(block_id)
        file = None if inode_id is None else self._image.inodes.get(inode_id)
        if isinstance(file, File) and not file.is_deleted:
            if not self._may_see(caller, file.attributes.owner, file.path):
                raise denied_block(caller, block_id)
            found = [block for block in file.blocks if block.block_id == block_id]
            health = tuple(map(self._blocks.census.examine, found))
            row = FsckRow(file.path, file.status(), health)
            return Outcome(row, None, self._commits.last_txid)
        open_row = self._files.with_block(block_id)
        if open_row is None or not self._may_see(caller, open_row.owner, open_row.path):
            return Outcome(None, None, self._commits.last_txid)
        row = self._row(open_row)
        only = tuple([found for found in row.blocks if found.block.block_id == block_id])
        return Outcome(row._replace(blocks=only), None, self._commits.last_txid)

    def _may_see(self, caller: Caller, owner: str, path: str) -> bool:
        if caller.user == owner:
            return True
        try:
            above, _ = self._resolver.walk(caller, parse(path)[:-1])
        except (PermissionDenied, NotADirectory):
            return False
        return allows(above, caller, READ_EXECUTE)

    def _row(self, row: OpenRow) -> FsckRow:
        file = self._files.get(row.file_id)
        assert file is not None, f"{row.path} is listed, and not open"
        blocks = tuple(self._examine(file, row))
        new = file.new
        length = sum(found.block.length for found in blocks)
        name = row.path.rpartition("/")[2]
        status = FileStatus(
            name, row.file_id, FILE, length, new.redundancy.targets, new.block_size,
            row.owner, "",
            new.mode, 0, 0,
        )  # fmt: skip
        return FsckRow(row.path, status, blocks, row.client_id, row.host)

    def _examine(self, file: OpenFile, row: OpenRow) -> Iterator[BlockHealth]:
        for block in row.blocks:
            yield self._blocks.census.examine_open(block, file.new.redundancy.targets)

