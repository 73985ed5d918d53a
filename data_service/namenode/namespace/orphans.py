"""Orphans: inodes that no directory names any more, whose space is not free yet.

Deleting moves one row to the orphans. What hangs below it goes later, in edits of a bounded
size, leaves first; the numbers of its blocks are kept as deleted until every holder has confirmed
that the replicas are gone.
"""

from typing import Iterator, List

from data_service.namenode.namespace.image import BLOCKS, DELETED_BLOCKS, INODES, block_rows, put
from data_service.namenode.namespace.inodes import ROOT_ID, Directory, Inode
from metadata_service.edits import Change


def purge(orphans: Directory, limit: int) -> List[Change]:
    """Changes that remove about `limit` rows from the orphans.

    Leaves go first. A file with more blocks than the limit loses its last ones first.
    """
    changes: List[Change] = []
    for inode in _leaves_first(orphans):
        if len(changes) >= limit:
            break
        rows = block_rows(inode)
        # Each block costs two changes.
        ended = rows[-max(1, (limit - len(changes)) // 2) :]
        for row in ended:
            changes.append((BLOCKS, row.id, None))
            changes.append((DELETED_BLOCKS, row.id, (row.id, row.generation)))
        whole = len(ended) == len(rows)
        changes.append((INODES, inode.id, None) if whole else put(inode.row()))
        if not whole:
            break
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
