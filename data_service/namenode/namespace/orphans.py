"""What is deleted, and what becomes of it: every inode and block that goes, goes through here.

Theory of operation. An inode that is deleted becomes an orphan: no directory names it any more, but
its space is not free yet. That is one row, whatever hangs below it. Orphans are taken apart later,
in edits of a bounded size, leaves first. A block that leaves its file for good, or that was written
and will be in no file, is recorded as deleted by the same edit, and stays so until every holder has
confirmed that its replica is gone.

Nobody has applied these changes yet: the caller makes them an edit.
"""

from typing import Iterable, Iterator, List

from data_service.namenode.namespace.image import BLOCKS, DELETED_BLOCKS, DIGESTS, INODES, put
from data_service.namenode.namespace.inodes import ORPHANS_ID, ROOT_ID, Directory, File, Inode
from data_service.protocol.blocks import Block
from metadata_service.edits import Change


def unlink(inode: Inode) -> Change:
    """The inode leaves its directory, with all that is below it."""
    return put(inode.row()._replace(parent=ORPHANS_ID))


def remove(inode: Inode) -> Change:
    """An inode goes for good; nothing is below it, and no block is its any more."""
    return INODES, inode.id, None


def free(blocks: Iterable[Block]) -> List[Change]:
    """These blocks leave their file for good; an edit with this also names the file's row."""
    changes: List[Change] = []
    for block in blocks:
        gone: List[Change] = [(BLOCKS, block.block_id, None), (DIGESTS, block.block_id, None)]
        changes += gone + give_up((block,))
    return changes


def give_up(blocks: Iterable[Block]) -> List[Change]:
    """These blocks were being written, and will be in no file."""
    return [
        (DELETED_BLOCKS, block.block_id, (block.block_id, block.generation)) for block in blocks
    ]


def forget(block_ids: Iterable[int]) -> List[Change]:
    """Nobody has a replica of these deleted blocks any more."""
    return [(DELETED_BLOCKS, block_id, None) for block_id in block_ids]


def purge(orphans: Directory, limit: int) -> List[Change]:
    """Changes that remove about `limit` rows from the orphans.

    Leaves go first. A file with more blocks than the limit loses its last ones first.
    """
    changes: List[Change] = []
    for inode in _leaves_first(orphans):
        if len(changes) >= limit:
            break
        blocks = inode.blocks if isinstance(inode, File) else ()
        # Each block costs three changes.
        ended = blocks[-max(1, (limit - len(changes)) // 3) :]
        changes += free(ended)
        if len(ended) < len(blocks):
            changes.append(put(inode.row()))
            break
        changes.append(remove(inode))
    return changes


def _leaves_first(orphans: Directory) -> Iterator[Inode]:
    """Everything below the orphans, what a directory holds before the directory itself."""
    stack = [(orphans, iter(orphans.children.values()))]
    while stack:
        directory, children = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            if directory.id > ROOT_ID:
                yield directory
        elif isinstance(child, Directory):
            stack.append((child, iter(child.children.values())))
        else:
            yield child
