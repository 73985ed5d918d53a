"""Saves what is left of a file that has lost blocks."""

from typing import Any, Callable, List, Sequence

from data_service.filesystem.reading.block_reader import BlockReader
from data_service.protocol.files import LocatedBlock
from zookeeper.fabric.errors import BlockMissing


def salvage(
    blocks: Sequence[LocatedBlock], reader: BlockReader, create: Callable[[int], Any]
) -> int:
    """Copy readable blocks to the files that `create` opens for 0, 1, …; how many these are.

    Blocks that followed each other stay together: a new file begins behind every lost block. As in
    HDFS (NamenodeFsck.java), so that people find their remains where they are used to.
    """
    found = readable_runs(blocks, reader)
    for number, run in enumerate(found):
        with create(number) as copy:
            for located in run:
                for piece in reader.read(located, 0, located.block.length):
                    copy.write(piece)
    return len(found)


def readable_runs(
    blocks: Sequence[LocatedBlock], reader: BlockReader
) -> List[List[LocatedBlock]]:
    """The readable blocks, those without a lost one between them together. Reads all of them:
    what is copied later holds whole blocks only."""
    runs: List[List[LocatedBlock]] = [[]]
    for located in blocks:
        if is_readable(located, reader):
            runs[-1].append(located)
        else:
            runs.append([])
    return [run for run in runs if run]


def is_readable(located: LocatedBlock, reader: BlockReader) -> bool:
    """Whether any replica of a block gives all its bytes."""
    try:
        for _ in reader.read(located, 0, located.block.length):
            pass
    except BlockMissing:
        return False
    return True
