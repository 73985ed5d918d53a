"""A record with many files, as fast as its database takes them: of one block each, nothing else.

The tree is that of `namespace_core.py`, whose core makes every file by a writer's own operations,
which is several times the work. Here the rows are written that it leaves behind, hundreds in an
edit. A file of the blocks, packed, is for tiny datanodes.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List

from data_service.namenode.namespace.image import (
    BLOCK_NUMBERS,
    BLOCKS,
    COUNTERS,
    INODE_NUMBERS,
    INODES,
)
from data_service.namenode.namespace.inodes import ROOT_ID, InodeRow
from data_service.protocol.blocks import Block, pack_blocks
from data_service.protocol.files import DIRECTORY, FILE
from metadata_service.edits import Change, Edit, Row, encode
from metadata_service.record.metadata_db import MetadataDatabase
from scripts.benchmark.namespace_core import BLOCK_SIZE, HOME, OWNER, REPLICATION, directories
from scripts.benchmark.worker import ROOT
from tests.support.models.record_leader import append, lead

ROWS_AT_ONCE = 1000
KEEP_EDITS = 10
"""Few: a namenode that starts reads the kept ones, and here each has hundreds of rows."""

OWNERS = (OWNER.user, OWNER.user)
"""And their group, of all that is made."""


def filled_record(python: str, directory: Path, packed_blocks: str, files: int) -> None:
    """Make it, in a process of its own. RuntimeError when that failed."""
    words = ["-m", "scripts.benchmark.filled_record", str(directory), packed_blocks, str(files)]
    if subprocess.run([python, *words], cwd=ROOT, check=False).returncode:
        raise RuntimeError("the record could not be filled")


class Filler:
    """Fills the empty database of one member, and a file of blocks."""

    def __init__(self, directory: str, packed_blocks: str) -> None:
        os.makedirs(directory)
        self._packed = open(packed_blocks, "xb")
        self._database = MetadataDatabase.open(directory, KEEP_EDITS)
        self._epoch = lead(self._database, "benchmark")
        self._wall_ms = time.time_ns() // 1_000_000
        self._changes: List[Change] = []
        self._blocks: List[Block] = []
        self._folders: Dict[str, int] = {}
        self._edits = self._inodes = self._files = 0

    def fill(self, files: int) -> None:
        """Make so many files, and be done."""
        for path, count in directories(files):
            parent = self._made(path)
            for number in range(count):
                self._file(parent, f"part-{number:05d}")
        # No number below these is ever given out again.
        for name, number in ((INODE_NUMBERS, self._inodes), (BLOCK_NUMBERS, self._files)):
            self._put(COUNTERS, (name, number + 1))
        self._store()
        self._packed.close()
        self._database.close()

    def _made(self, path: str) -> int:
        """The number of a directory; it is made, and those above it."""
        if path not in self._folders:
            above, _, name = path.rpartition("/")
            parent = self._made(above) if path else ROOT_ID
            owner, group = OWNERS if path.startswith(HOME) else ("root", "supergroup")
            number = self._next_inode()
            self._folders[path] = number
            self._put(INODES, InodeRow(
                number, parent, name, DIRECTORY, owner, group, 0o755, self._wall_ms, 0, 0, 0))
        return self._folders[path]

    def _file(self, parent: int, name: str) -> None:
        number = self._next_inode()
        self._files += 1
        block = Block(self._files, 1, 1 + number % BLOCK_SIZE)
        now = self._wall_ms
        self._put(INODES, InodeRow(
            number, parent, name, FILE, *OWNERS, 0o644, now, now, REPLICATION, BLOCK_SIZE))
        self._put(BLOCKS, (*block, number, 0))
        self._blocks.append(block)

    def _next_inode(self) -> int:
        self._inodes += 1
        return self._inodes

    def _put(self, table: str, row: Row) -> None:
        self._changes.append((table, row[0], tuple(row)))
        if len(self._changes) >= ROWS_AT_ONCE:
            self._store()

    def _store(self) -> None:
        self._edits += 1
        changes = tuple(self._changes)
        line = encode(Edit(self._edits, "fill", "", 0, "null", changes, self._wall_ms))
        append(self._database, self._epoch, self._edits, [line])
        self._packed.write(pack_blocks(self._blocks))
        self._changes, self._blocks = [], []


if __name__ == "__main__":
    Filler(sys.argv[1], sys.argv[2]).fill(int(sys.argv[3]))
