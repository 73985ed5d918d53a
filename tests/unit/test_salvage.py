"""What can be read of a damaged file stays together in runs."""

import io
from typing import Any, Dict, Iterator, List, Sequence

import pytest

from data_service.filesystem.reading.salvage import salvage
from data_service.protocol.blocks import Block
from data_service.protocol.files import LocatedBlock
from zookeeper.fabric.errors import BlockMissing


class SomeReplicas:
    """Blocks by id: their pieces, and after them an error if the block is among the `lost`."""

    def __init__(self, lost: Sequence[int]) -> None:
        self._lost = lost

    def read(self, located: LocatedBlock, offset: int, length: int) -> Iterator[memoryview]:
        """As BlockReader.read."""
        assert (offset, length) == (0, 10)
        number = located.block.block_id
        yield memoryview(b"%d:first" % number)
        if number in self._lost:
            raise BlockMissing("no replica is left")
        yield memoryview(b"%d:last;" % number)


class Kept(io.BytesIO):
    """A file that is looked at after it was closed."""

    def __init__(self, number: int, files: Dict[int, bytes]) -> None:
        super().__init__()
        self._number = number
        self._files = files

    def close(self) -> None:
        """Keep the contents."""
        self._files[self._number] = self.getvalue()
        super().close()


@pytest.mark.parametrize(
    "lost, runs",
    [
        ([], [[0, 1, 2, 3]]),
        ([0], [[1, 2, 3]]),
        ([1], [[0], [2, 3]]),
        ([1, 2], [[0], [3]]),
        ([3], [[0, 1, 2]]),
        ([0, 1, 2, 3], []),
    ],
)
def test_runs_end_at_lost_blocks_and_hold_whole_ones(
    lost: List[int], runs: List[List[int]]
) -> None:
    blocks = [LocatedBlock(Block(n, 1, 10), 10 * n, (), n in lost, b"") for n in range(4)]
    files: Dict[int, bytes] = {}
    replicas: Any = SomeReplicas(lost)
    assert salvage(blocks, replicas, lambda number: Kept(number, files)) == len(runs)
    expected = [b"".join(b"%d:first%d:last;" % (n, n) for n in run) for run in runs]
    assert [files[number] for number in sorted(files)] == expected
