"""What row changes mean for blocks: the one place that says it.

Theory of operation. The rows know everything about a block that is no matter of datanodes: which
file it belongs to, how that is kept, whether it is deleted. The block side keeps what
it needs of this for itself. It hears of it from here only, whether a change was just decided, read
at start, or comes from the namenode that leads: so all three know the same blocks afterwards.

A block that leaves its file for good has a row among the deleted ones in the same edit, which is
what counts; so has one that was being written and will be in no file.
"""

from typing import Dict, Iterable, Iterator, List, Mapping, NamedTuple, Tuple

from data_service.namenode.namespace.image import BLOCKS, DELETED_BLOCKS, DIGESTS, INODES, Image
from data_service.namenode.namespace.inodes import BlockRow, File, InodeRow
from data_service.protocol.blocks import DIGEST_BYTES, Block
from data_service.protocol.redundancy import Redundancy, replicated
from metadata_service.edits import Change, Row
from zookeeper.fabric.errors import CorruptData


class Kept(NamedTuple):
    """A block is one of a file's, which is kept like this."""

    block: Block
    inode_id: int
    redundancy: Redundancy


class Effects(NamedTuple):
    """Blocks that files have, also when it is another file or redundancy than before;
    ids that are deleted; ids of which nothing is known any more. To be heeded in this order.
    `digests` are those of kept blocks that are new."""

    kept: Iterable[Kept]
    deleted: Iterable[int]
    forgotten: Iterable[int]
    digests: Mapping[int, bytes]


def effects_of(changes: Iterable[Change], image: Image) -> Effects:
    """What the changes of one edit mean, which are about to be applied to this image."""
    kept: List[Kept] = []
    gained: List[BlockRow] = []
    deleted: List[int] = []
    forgotten: List[int] = []
    digests: Dict[int, bytes] = {}
    files: Dict[int, Row] = {}
    for table, key, row in changes:
        if table == DELETED_BLOCKS:
            (forgotten if row is None else deleted).append(key)
        elif table == BLOCKS and row is not None:
            gained.append(BlockRow._make(row))
        elif table == DIGESTS and row is not None:
            digests.update(digests_in((row,)))
        elif table == INODES and row is not None:
            files[key] = row
            file = image.inodes.get(key)
            if type(file) is File:
                kept += _changed(file, _redundancy(row))
    # An edit that changes a file's blocks also names the file's row.
    kept += [
        Kept(Block(*row[:3]), row.inode, _redundancy(files[row.inode])) for row in gained
    ]
    return Effects(kept, deleted, forgotten, digests)


def effects_of_all(image: Image) -> Effects:
    """What the rows of a whole image mean, but for the digests, in any order of theirs."""
    kept = (
        Kept(block, file.id, file.attributes.redundancy)
        for file in image.files()
        for block in file.blocks
    )
    return Effects(kept, image.deleted_blocks, (), {})


def digests_in(rows: Iterable[Row]) -> Iterator[Tuple[int, bytes]]:
    """Blocks and their digests, of rows of the table; CorruptData when one is none."""
    for block_id, text in rows:
        try:
            digest = bytes.fromhex(text)
        except ValueError:
            digest = b""
        if len(digest) != DIGEST_BYTES:
            raise CorruptData(f"The image is damaged: block {block_id} has an odd digest")
        yield block_id, digest


def _redundancy(row: Row) -> Redundancy:
    return replicated(InodeRow._make(row).replication)


def _changed(file: File, redundancy: Redundancy) -> List[Kept]:
    """The blocks of a file, if its redundancy is another one from now on."""
    if file.attributes.redundancy == redundancy:
        return []
    return [Kept(block, file.id, redundancy) for block in file.blocks]
