"""Files that are being written: soft state, until `complete` makes one edit of each.

A file is written from a *tail* on: a new one from its start, one that is appended to from its end,
one that is truncated within a block from the start of that block. What is before the tail never
changes, and what is behind it does only by the edit that makes the new blocks visible.

A namenode that restarts knows none of them. Their clients present them again (`Writing.resume`).
"""

from typing import (
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

from data_service.namenode.namespace.image import INODE_NUMBERS, INODES, Image
from data_service.namenode.namespace.inodes import ROOT_ID, Directory, File
from data_service.namenode.namespace.namespace import NewFile
from data_service.namenode.namespace.orphans import give_up
from data_service.namenode.namespace.paths import render
from data_service.namenode.writers.leases import Leases, Place
from data_service.protocol.blocks import BLOCKS_MAX, Block, SealedBlock, Told, sealed
from data_service.protocol.files import DIRECTORY, LocatedBlock, OpenedFile, Tail
from data_service.protocol.nodes import Target
from metadata_service.edits import Change
from zookeeper.fabric.errors import InvalidArgument, LeaseExpired

BLOCK_SIZE_MAX = 1 << 50


BEGINNING = Tail(0, 0, 0)


class Allocated(NamedTuple):
    """A block that was given to a writer. Its length is 0 until the writer has told it.

    `targets` is None for a block that was resumed: nobody here knows where it was sent.
    """

    block: Block
    targets: Optional[Tuple[Target, ...]]


class OpenFile:
    """One file and its new blocks, by their position in the file: a writer may have several
    blocks under way at a time, and give any of them up for another.

    `visible`: the file is in the namespace, up to what was written before.
    """

    __slots__ = ("new", "blocks", "tail", "visible")

    def __init__(
        self,
        new: NewFile,
        blocks: Mapping[int, Block],
        tail: Tail = BEGINNING,
        visible: bool = False,
    ) -> None:
        self.new = new
        self.blocks: Dict[int, Allocated] = {
            position: Allocated(block, None) for position, block in blocks.items()
        }
        self.tail = tail
        self.visible = visible

    def opened(self) -> OpenedFile:
        """What the writer is told."""
        new = self.new
        return OpenedFile(
            new.file_id, new.redundancy.targets, new.block_size, *self.tail, new.replaces
        )

    def located(self, position: int) -> LocatedBlock:
        """The block at a position, for its writer."""
        block, targets = self.blocks[position]
        offset = self.tail.offset + (position - self.tail.position) * self.new.block_size
        return LocatedBlock(block, offset, targets or (), False, b"")

    def settle(self, blocks: Sequence[SealedBlock]) -> None:
        """All blocks so far are visible now; the writer goes on behind them."""
        end = self.tail.offset + sum(block.length for block in blocks)
        self.tail = Tail(self.tail.position + len(blocks), end, end)
        self.visible = True
        self.blocks.clear()

    def allocations(self) -> List[Allocated]:
        """The blocks in the order of their positions."""
        return [allocated for _, allocated in sorted(self.blocks.items())]

    def final_blocks(self, presented: Sequence[Told]) -> List[SealedBlock]:
        """The new blocks with their final lengths, as the writer presents them.

        InvalidArgument when they are not the blocks that it was given, or of more than their size.
        Any of them may be shorter: a writer ends a block early where it has little room to set its
        bytes aside, and a file that grows while it is put goes on in another one.
        """
        size = self.new.block_size
        first = self.tail.position
        if self.blocks.keys() != set(range(first, first + len(presented))):
            raise InvalidArgument(
                f"inode {self.new.file_id} has {len(self.blocks)} new blocks, "
                f"presented were {len(presented)}, and none may be left out"
            )
        for (block, _), told in zip(self.allocations(), presented):
            if not _is_final(block, told) or not 0 < told.length <= size:
                raise InvalidArgument(f"{told.name} of {told.length} bytes is not {block}")
        more = sum(block.length for block in presented) - self.tail.replaced
        if self.tail.replaced and more > 0:
            raise InvalidArgument(
                f"inode {self.new.file_id} is being truncated, and would be {more} bytes longer"
            )
        return [sealed(told) for told in presented]

    def __repr__(self) -> str:
        return f"<OpenFile {self.new.file_id} of {len(self.blocks)} blocks>"


class OpenRow(NamedTuple):
    """A line of the list of open files."""

    path: str
    client_id: str
    file_id: int
    owner: str
    blocks: Tuple[Block, ...]
    host: str


class OpenFiles:
    """All files that are being written, with the leases that hold their places."""

    def __init__(self, image: Image, leases: Leases) -> None:
        self._image = image
        self._leases = leases
        self._files: Dict[int, OpenFile] = {}
        self._first_number = 0
        self._ended: Set[int] = set()

    def start(self) -> None:
        """The image is loaded: files with smaller numbers were opened by an earlier namenode."""
        self._first_number = self._image.counters[INODE_NUMBERS]

    def stand_by(self) -> None:
        """Another namenode leads: to that one their writers present their files. What ended here
        may begin again there."""
        self._files.clear()
        self._ended.clear()
        self._leases.clear()
        self.start()

    def open(self, file: OpenFile, client_id: str, place: Place, now: float) -> None:
        """Give the client the lease on a place that is free."""
        self._leases.take(client_id, file.new.file_id, place, now)
        self._files[file.new.file_id] = file
        self._ended.discard(file.new.file_id)

    def close(self, file: OpenFile) -> None:
        """The file is complete, or given up: its lease is over, for ever."""
        file_id = file.new.file_id
        self._leases.release(file_id)
        del self._files[file_id]
        if file_id < self._first_number:
            self._ended.add(file_id)

    def settle(self, file: OpenFile, blocks: Sequence[SealedBlock]) -> None:
        """All blocks of the file are visible now, and its writer goes on behind them."""
        file.settle(blocks)
        self._leases.move(file.new.file_id, own_place(file.new.file_id))

    def get(self, file_id: int) -> Optional[OpenFile]:
        """The file of this number, if it is open."""
        return self._files.get(file_id)

    def find(self, client_id: str, file_id: int) -> OpenFile:
        """The file of this number, whose lease the client holds; LeaseExpired otherwise."""
        if self._leases.holder(file_id) != client_id:
            raise LeaseExpired(f"No lease on inode {file_id}: it is held by another client")
        return self._files[file_id]

    def was_ended(self, file_id: int) -> bool:
        """Whether a file that is not open was closed by this namenode."""
        return file_id >= self._first_number or file_id in self._ended

    def exists(self, file_id: int) -> bool:
        """Whether a file is visible, or was and is deleted since."""
        return file_id in self._image.inodes

    def visible(self, file_id: int) -> File:
        """The file of this number in the namespace; LeaseExpired when it is not there."""
        file = self._image.inodes.get(file_id)
        if not isinstance(file, File) or file.is_deleted:
            raise LeaseExpired(f"No lease on inode {file_id}: there is no such file")
        return file

    def was_deleted(self, block_id: int) -> bool:
        """Whether a block is recorded as deleted."""
        return block_id in self._image.deleted_blocks

    def block_ids(self) -> Set[int]:
        """The blocks of all open files."""
        return {
            block.block_id for file in self._files.values() for block, _ in file.allocations()
        }

    def anchor(self, file: OpenFile) -> Union[Directory, File]:
        """The file itself when it is visible, else the directory that its place is in.

        LeaseExpired when that was deleted.
        """
        anchor = self._image.inodes.get(self._leases.place(file.new.file_id).anchor)
        if not isinstance(anchor, (Directory, File)) or anchor.is_deleted:
            what = "it" if file.visible else "its directory"
            raise LeaseExpired(f"No lease on {self.path(file)}: {what} was deleted")
        return anchor

    def path(self, file: OpenFile) -> str:
        """The path at which the file is, or would appear now."""
        anchor_id, names = self._leases.place(file.new.file_id)
        anchor = self._image.inodes.get(anchor_id)
        if not names:
            return f"/inode {anchor_id}" if anchor is None else anchor.path
        above = "" if anchor is None or anchor.id == ROOT_ID else anchor.path
        return above + render(names)

    def __iter__(self) -> Iterator[OpenFile]:
        """Every open file."""
        return iter(self._files.values())

    def rows(self, after: int = 0) -> Iterator[OpenRow]:
        """Every open file with a later number than this one, the oldest first."""
        for file_id in sorted([file_id for file_id in self._files if file_id > after]):
            yield self._row(self._files[file_id])

    def with_block(self, block_id: int) -> Optional[OpenRow]:
        """The open file that was given this block. One look at each block, and no more: there may
        be ten thousands, and everybody waits."""
        for file in self._files.values():
            for block, _ in file.blocks.values():
                if block.block_id == block_id:
                    return self._row(file)
        return None

    def _row(self, file: OpenFile) -> OpenRow:
        file_id = file.new.file_id
        holder = self._leases.holder(file_id)
        return OpenRow(
            self.path(file),
            holder,
            file_id,
            file.new.owner,
            tuple(block for block, _ in file.allocations()),
            self._leases.host(holder),
        )

    def follow(self, changes: Iterable[Change]) -> None:
        """Directories were made or moved: places that lead through them now start at them."""
        if not self._files:
            return
        for table, key, row in changes:
            if table != INODES or row is None or row[3] != DIRECTORY:
                continue
            for file_id in self._leases.files_through(row[1], row[2]):
                names = self._leases.place(file_id).names
                place = Place(key, names[1:])
                # A new directory is empty, so nobody writes below it yet, and what is moved is
                # never moved to where a file will appear.
                if len(names) > 1:
                    self._leases.move(file_id, place)

    def __len__(self) -> int:
        return len(self._files)

    def check(self) -> None:
        """Assert that leases and open files belong together, and own their blocks."""
        self._leases.check()
        assert len(self._leases) == len(self._files), "leases without files"
        blocks = self.block_ids()
        assert len(blocks) == sum(len(file.blocks) for file in self._files.values()), "shared"
        assert not blocks & self._image.deleted_blocks.keys(), "a deleted block is written"
        for file_id, file in self._files.items():
            assert file.new.file_id == file_id and self._leases.holder(file_id), f"{file!r}"
            inode = self._image.inodes.get(file_id)
            assert file.visible or inode is None, f"{file!r} is complete and open"
            place = self._leases.place(file_id)
            assert file.visible == (place == own_place(file_id)), f"{file!r} at {place}"
            assert all(position >= file.tail.position for position in file.blocks), f"{file!r}"
            if isinstance(inode, File) and not inode.is_deleted:
                kept = inode.blocks[: file.tail.position]
                sizes = len(kept), sum(block.length for block in kept), inode.length
                assert sizes == file.tail, f"{inode!r} was changed while it was open"

    def __repr__(self) -> str:
        return f"<OpenFiles {len(self._files)}>"


def own_place(file_id: int) -> Place:
    """The place of who writes on in a file that is visible: the file itself."""
    return Place(file_id, ())


def deleted_rows(files: Iterable[OpenFile]) -> List[Change]:
    """Changes that record all blocks of these files as deleted."""
    return give_up(block for file in files for block, _ in file.allocations())


def check_block_size(block_size: int) -> None:
    """Raise InvalidArgument when no file may have this block size."""
    if type(block_size) is not int or not 0 < block_size <= BLOCK_SIZE_MAX:
        raise InvalidArgument(f"block size {block_size!r} is not between 1 and {BLOCK_SIZE_MAX}")


def check_position(position: int, first: int = 0) -> None:
    """Raise InvalidArgument when a file can have no new block at this position."""
    if not first <= position < BLOCKS_MAX:
        raise InvalidArgument(
            f"a file has at most {BLOCKS_MAX} blocks, new ones from {first} on: none at {position}"
        )


def _is_final(known: Block, told: Told) -> bool:
    """Whether `told` is the known block, with the length that was missing or the same one."""
    return known[:2] == told[:2] and known.length in (0, told.length)
