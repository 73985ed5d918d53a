"""The image in memory: the rows of the tables, and the one function that changes them.

Theory of operation. The namenode's hard state is tables of rows (inodes, blocks, deleted blocks,
counters, delegation tokens; and digests, which only the block side keeps). An operation first looks
whether it may happen, then says what it does as a list of row changes, and `apply` carries them
out. The same changes are stored by the metadata service, so that live, after a restart and on a
standby the same function has made the same tree. `apply` has no condition that could fail for a
reason of the world: a failed assertion in it is our defect.

Three rules make row changes enough:
- An edit that changes a file's blocks also names the file's inode row. Blocks whose rows go are
  then found by looking at these few files, and no index from blocks to files is needed here.
- A file loses blocks only from its end, and gains them only there. A block whose row names another
  file than before moves to that one's end (concat).
- A deleted inode keeps its row, among the orphans. Its row goes, with all that hung below it,
  only after the rows below: a row's parent always exists. No row goes before its blocks' rows.
"""

from operator import itemgetter
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

from data_service.namenode.namespace.given_tokens import GivenTokens
from data_service.namenode.namespace.inodes import (
    ORPHANS_ID,
    ROOT_ID,
    Attributes,
    BlockRow,
    Directory,
    File,
    Orphans,
    Inode,
    InodeRow,
)
from data_service.namenode.namespace.tree_check import RecentChanges
from data_service.namenode.namespace.usage import Usage
from data_service.protocol.blocks import Block
from data_service.protocol.files import DIRECTORY
from data_service.protocol.redundancy import replicated
from metadata_service.edits import Change, Row
from zookeeper.fabric.errors import CorruptData

INODES, BLOCKS, DELETED_BLOCKS, COUNTERS = "inodes", "blocks", "deleted_blocks", "counters"

DIGESTS = "digests"
"""What the blocks of files hold, by the word of who wrote them; nothing of it is kept here."""

DELEGATIONS = "delegations"

INODE_NUMBERS = "inode_id"
BLOCK_NUMBERS = "block_id"
"""Counters: every number below their value may have been given out, and never is again."""


_OWNER, _TIMES, _REPLICATION, _QUOTAS = map(
    InodeRow._fields.index, ("owner", "mtime_ms", "replication", "name_quota")
)
"""What many inodes share stands in a row from its owner up to its times, and from its replication
up to its quotas."""


class Image:
    """The tables as objects. A fresh image has a root directory of the given owner.

    `usage` knows how much hangs below each directory, `changes` what came or changed lately.
    """

    def __init__(self, owner: str, group: str) -> None:
        self._shared: Dict[Tuple[Any, ...], Attributes] = {}
        none = Attributes("", "", 0, replicated(0), 0)
        home = Attributes(owner, group, 0o755, replicated(0), 0)
        self.root = Directory(_empty_row(ROOT_ID), None, home)
        self.orphans = Orphans(_empty_row(ORPHANS_ID), None, none)
        self.inodes: Dict[int, Inode] = {ROOT_ID: self.root, ORPHANS_ID: self.orphans}
        self.usage = Usage()
        self.changes = RecentChanges()
        self.deleted_blocks: Dict[int, int] = {}
        self.given_tokens = GivenTokens()
        self.counters: Dict[str, int] = {INODE_NUMBERS: ROOT_ID + 1, BLOCK_NUMBERS: 1}

    def apply(self, changes: Iterable[Change]) -> None:
        """Carry out the row changes of one edit."""
        blocks: Dict[int, Optional[Row]] = {}
        named: List[int] = []
        removed: List[int] = []
        for table, key, row in changes:
            if table == INODES:
                named.append(key)
                if row is None:
                    removed.append(key)
                else:
                    self._put_inode(row)
            elif table == BLOCKS:
                blocks[key] = row
            elif table == DELETED_BLOCKS:
                _put(self.deleted_blocks, key, row)
            elif table == DELEGATIONS:
                self.given_tokens.put(key, row)
            elif table != DIGESTS:
                assert table == COUNTERS, f"no table {table}"
                _put(self.counters, key, row)
        if blocks:
            self._change_blocks(blocks, named)
        # Last, so that a file which goes has lost its blocks before.
        for key in removed:
            self._remove_inode(key)

    def load(self, tables: Mapping[str, Iterable[Row]]) -> None:
        """Fill a fresh image with the stored rows; CorruptData when they do not fit together."""
        assert len(self.inodes) == 2, "only a fresh image can be loaded"
        self._load_inodes(tables[INODES])
        self._load_blocks(tables[BLOCKS])
        for top in (self.root, self.orphans):
            self.usage.count(top)
        for inode in self.inodes.values():
            if type(inode) is Directory:
                inode.put_in_order()
        self.deleted_blocks.update((row[0], row[1]) for row in tables[DELETED_BLOCKS])
        self.counters.update((row[0], row[1]) for row in tables[COUNTERS])
        self.given_tokens.load(tables[DELEGATIONS])

    def rows(self) -> Dict[str, List[Row]]:
        """All rows but the digests, ordered by key: what the metadata service holds when all edits
        are durable.

        The root has a row here even while no edit has touched it.
        """
        inodes = sorted(self.inodes.values(), key=lambda inode: inode.id)
        return {
            INODES: [tuple(inode.row()) for inode in inodes if inode.id != ORPHANS_ID],
            BLOCKS: sorted(row for inode in inodes for row in block_rows(inode)),
            DELETED_BLOCKS: sorted(self.deleted_blocks.items()),
            COUNTERS: sorted(self.counters.items()),
            DELEGATIONS: self.given_tokens.rows(),
        }

    def files(self) -> Iterator[File]:
        """Every file, deleted ones too."""
        return (inode for inode in self.inodes.values() if type(inode) is File)

    def _attributes(self, row: InodeRow) -> Attributes:
        values = row[_OWNER:_TIMES] + row[_REPLICATION:_QUOTAS]
        shared = self._shared.get(values)
        if shared is None:
            redundancy = replicated(row.replication)
            shared = Attributes(row.owner, row.grp, row.mode, redundancy, row.block_size)
            self._shared[values] = shared
        return shared

    def _put_inode(self, values: Row) -> None:
        row = InodeRow._make(values) if type(values) is not InodeRow else values
        inode = self.inodes.get(row.id)
        if inode is None:
            parent = self._directory(row.parent)
            inode = self._new_inode(row, parent)
            parent.attach(inode)
            self.usage.add(parent, inode)
            self.changes.note(inode)
            return
        attributes = self._attributes(row)
        if type(inode) is File and attributes.redundancy != inode.attributes.redundancy:
            more = attributes.redundancy.space(inode.length) - inode.space
            self.usage.grow(inode.parent, 0, more)
        if attributes is not inode.attributes:
            inode.attributes = attributes
            self.changes.note(inode)
        inode.mtime_ms = row.mtime_ms
        inode.atime_ms = row.atime_ms
        if type(inode) is Directory:
            self._set_quotas(inode, row)
        if inode.parent.id != row.parent or inode.name != row.name:
            parent = self._directory(row.parent)
            if parent is not inode.parent:
                self.usage.take(inode)
                self.usage.add(parent, inode)
            inode.parent.detach(inode)
            inode.parent = parent
            inode.name = row.name
            parent.attach(inode)
            self.changes.note(inode)

    def _new_inode(self, row: InodeRow, parent: Directory) -> Inode:
        """An inode that knows its place, where it does not stand yet and is not counted."""
        kind = Directory if row.kind == DIRECTORY else File
        inode = kind(row, parent, self._attributes(row))
        self.inodes[inode.id] = inode
        if type(inode) is Directory:
            self._set_quotas(inode, row)
        return inode

    def _set_quotas(self, directory: Directory, row: InodeRow) -> None:
        if (directory.name_quota, directory.space_quota) != (row.name_quota, row.space_quota):
            directory.name_quota = row.name_quota
            directory.space_quota = row.space_quota
            self.usage.follow(directory)

    def _remove_inode(self, key: int) -> None:
        inode = self.inodes.pop(key)
        left = inode.children if isinstance(inode, Directory) else block_rows(inode)
        assert not left, f"{inode!r} is not empty"
        self.usage.take(inode)
        inode.parent.detach(inode)
        if isinstance(inode, Directory):
            self.usage.forget(inode)

    def _directory(self, key: int) -> Directory:
        parent = self.inodes[key]
        assert isinstance(parent, Directory), f"{parent!r} is no directory"
        return parent

    def _change_blocks(self, rows: Mapping[int, Optional[Row]], named: Iterable[int]) -> None:
        """Each of these blocks leaves its file for the end of the one in its row, if it has one."""
        files: Dict[int, File] = {}
        sizes: Dict[int, Tuple[int, int]] = {}
        for number in named:
            file = self.inodes[number]
            if type(file) is File:
                files[number] = file
                sizes[number] = file.length, file.space
                before = file.blocks
                file.blocks = tuple(block for block in before if block.block_id not in rows)
                kept = len(file.blocks)
                assert before[:kept] == file.blocks, f"{file!r} lost blocks from its middle"
        gained: Dict[int, List[Block]] = {}
        for row in rows.values():
            if row is not None:
                block_id, generation, length, number, position = row
                new = gained.setdefault(number, [])
                held = len(files[number].blocks) + len(new)
                assert position == held, f"{row} does not fit"
                new.append(Block(block_id, generation, length))
        for number, file in files.items():
            file.blocks += tuple(gained.get(number, ()))
            length, space = sizes[number]
            self.usage.grow(file.parent, file.length - length, file.space - space)

    def _append_block(self, row: BlockRow) -> None:
        file = self.inodes[row.inode]
        assert type(file) is File and row.position == len(file.blocks), f"{row} does not fit"
        file.blocks = file.blocks + (Block(row.id, row.generation, row.length),)

    def _load_inodes(self, rows: Iterable[Row]) -> None:
        """A directory that was moved may have a greater number than its new child: those wait."""
        waiting: Dict[int, List[InodeRow]] = {}
        for values in rows:
            row = InodeRow._make(values)
            if row.id == ROOT_ID:
                self._put_inode(row)
            elif row.parent in self.inodes:
                self._load_inode(row, waiting)
            else:
                waiting.setdefault(row.parent, []).append(row)
        if waiting:
            raise CorruptData(f"The image is damaged: there is no directory {min(waiting)}")

    def _load_inode(self, first: InodeRow, waiting: Dict[int, List[InodeRow]]) -> None:
        ready = [first]
        while ready:
            row = ready.pop()
            parent = self.inodes[row.parent]
            if not isinstance(parent, Directory) or parent.holds(row.name):
                raise CorruptData(f"The image is damaged: inode {row.id} has no place")
            parent.load(self._new_inode(row, parent))
            if waiting:
                ready += waiting.pop(row.id, ())

    def _load_blocks(self, rows: Iterable[Row]) -> None:
        """Blocks come in the order of their numbers, which is nearly always that of the file."""
        late: List[Tuple[int, int, BlockRow, File]] = []
        for values in rows:
            row = BlockRow._make(values)
            file = self.inodes.get(row.inode)
            if type(file) is not File:
                raise CorruptData(f"The image is damaged: block {row.id} has no file {row.inode}")
            if row.position == len(file.blocks):
                self._append_block(row)
            else:
                late.append((row.inode, row.position, row, file))
        for _, position, row, holder in sorted(late, key=itemgetter(0, 1)):
            if position != len(holder.blocks):
                raise CorruptData(f"The image is damaged: block {row.id} is out of its place")
            self._append_block(row)

    def check(self) -> None:
        """Assert that tree, blocks and counters fit together."""
        self.given_tokens.check()
        seen = {ROOT_ID, ORPHANS_ID}
        limited = 0
        waiting: List[Directory] = [self.root, self.orphans]
        while waiting:
            directory = waiting.pop()
            directory.check()
            self.usage.check(directory)
            limited += directory.is_limited
            for child in directory.children.values():
                assert child.parent is directory, f"{child!r} does not know its parent"
                assert self.inodes[child.id] is child and child.id not in seen, f"{child!r} twice"
                seen.add(child.id)
                if isinstance(child, Directory):
                    waiting.append(child)
        assert len(seen) == len(self.inodes), "inodes that hang nowhere"
        assert limited == len(self.usage), "directories with a quota that are gone"
        assert max(seen) < self.counters[INODE_NUMBERS], "an inode number that was not reserved"
        blocks = [block.block_id for file in self.files() for block in file.blocks]
        blocks += self.deleted_blocks
        assert len(blocks) == len(set(blocks)), "a block in two places"
        assert max(blocks, default=0) < self.counters[BLOCK_NUMBERS], "a block number too high"

    def __repr__(self) -> str:
        return f"<Image {len(self.inodes) - 2} inodes, {len(self.orphans.children)} deleted>"


def block_rows(inode: Inode) -> List[BlockRow]:
    """The rows of a file's blocks; none for a directory."""
    if type(inode) is not File:
        return []
    return [BlockRow(*block, inode.id, position) for position, block in enumerate(inode.blocks)]


def put(row: InodeRow) -> Change:
    """The change that stores this row of an inode."""
    return INODES, row.id, row


def _put(table: Dict[Any, int], key: Any, row: Optional[Sequence[Any]]) -> None:
    if row is None:
        table.pop(key, None)
    else:
        table[key] = row[1]


def _empty_row(key: int) -> InodeRow:
    return InodeRow(key, key, "", DIRECTORY, "", "", 0, 0, 0, 0, 0)
