"""The content of files that exist, as row changes: which blocks a file has, in which order.

Nobody has applied these changes yet: the caller numbers them as one edit. Blocks that they drop
are recorded as deleted by the same edit.
"""

from typing import Iterable, List, Sequence, Tuple

from data_service.namenode.namespace.image import BLOCKS, DIGESTS, put
from data_service.namenode.namespace.inodes import File, InodeRow
from data_service.namenode.namespace.orphans import free, remove
from data_service.protocol.blocks import BLOCKS_MAX, Block, Told, sealed
from metadata_service.edits import Change
from zookeeper.fabric.errors import InvalidArgument


def rewrite(
    file: File, position: int, blocks: Sequence[Told], wall_ms: int
) -> Tuple[InodeRow, List[Change]]:
    """The row of a file, and all changes that give it `blocks` from `position` on, in the
    place of those that it has there."""
    row = file.row(wall_ms)
    changes = [put(row)]
    changes += free(file.blocks[position:])
    return row, changes + sealed_changes(blocks, file.id, position)


def concat(target: File, sources: Sequence[File], wall_ms: int) -> List[Change]:
    """All changes that move the blocks of the sources to the end of the target."""
    if not sources:
        raise InvalidArgument("No sources given")
    if len({source.id for source in sources}) < len(sources):
        raise InvalidArgument("concat: at least two of the source files are the same")
    moved = [block for source in sources for block in source.blocks]
    if len(target.blocks) + len(moved) > BLOCKS_MAX:
        raise InvalidArgument(
            f"concat: {target.path} would have {len(target.blocks) + len(moved)} blocks, "
            f"and a file has at most {BLOCKS_MAX}"
        )
    touched = (target, target.parent)
    changes = [put(inode.row(wall_ms)) for inode in touched]
    changes += block_changes(moved, target.id, len(target.blocks))
    return changes + [remove(source) for source in sources]


def check_source(file: File, path: str, target: File) -> None:
    """Raise InvalidArgument, in HDFS's words, when `concat` cannot move this file's blocks."""
    if file.parent is not target.parent:
        raise InvalidArgument(
            f"Source file {path} is not in the same directory with the target {target.path}"
        )
    if file is target:
        raise InvalidArgument(
            f"concat: the src file {path} is the same with the target file {target.path}"
        )
    if not file.blocks:
        raise InvalidArgument(
            f"concat: source file {path} is invalid or empty or underConstruction"
        )
    sizes = file.attributes.block_size, target.attributes.block_size
    if sizes[0] > sizes[1]:
        raise InvalidArgument(
            f"concat: source file {path} has preferred block size {sizes[0]} which is greater "
            f"than the target file's preferred block size {sizes[1]}"
        )


def block_changes(blocks: Iterable[Block], inode_id: int, position: int = 0) -> List[Change]:
    """The changes that make these blocks a file's, the first of them at `position`."""
    return [
        (BLOCKS, block[0], (*block, inode_id, place))
        for place, block in enumerate(blocks, position)
    ]


def sealed_changes(
    blocks: Iterable[Told], inode_id: int, position: int = 0
) -> List[Change]:
    """The same of blocks that are new, with their digests, as far as their writer told them."""
    final = [sealed(told) for told in blocks]
    digests: List[Change] = [
        (DIGESTS, one.block_id, (one.block_id, one.digest.hex())) for one in final if one.digest
    ]
    return block_changes([one.block for one in final], inode_id, position) + digests
