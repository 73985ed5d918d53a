"""The health of a tree: rows in pages from anywhere, and what a check of them counts."""

from typing import Any, List, Tuple

import pytest

from data_service.filesystem.names import Names
from data_service.filesystem.tree_health import MISPLACED, Racks, TreeHealth
from data_service.protocol.blocks import Block
from data_service.protocol.files import DIRECTORY, FILE, FileStatus
from data_service.protocol.health import BlockHealth, FsckRow, Health, Holder

TWO_RACKS = Racks(2, frozenset({"/a", "/b"}))


def row(path: str, *healths: Health, number: int = 1, kind: str = FILE) -> FsckRow:
    """A file with blocks of this health, all on one rack."""
    holder = (Holder("n", "h", 1, "/a", "LIVE"),)
    blocks = tuple(
        BlockHealth(Block(number, 1, 10), health, holder if health.live else ())
        for health in healths
    )
    status = FileStatus(path[1:], number, kind, 10, 2, 10, "o", "g", 0o644, 0, 0)
    return FsckRow(path, status, blocks)


class Calls:
    """A namenode that tells two rows of five at a time."""

    rows = [row(f"/{number}", number=number) for number in range(1, 6)]

    def fsck(self, _path: str, after: str, _limit: int) -> Tuple[List[FsckRow], bool]:
        """See NamespaceCalls."""
        left = [one for one in self.rows if one.path > after]
        return left[:2], len(left) > 2

    def open_files(self, _path: str, after: int, _limit: int) -> Tuple[List[FsckRow], int, bool]:
        """See NamespaceCalls."""
        left = [one for one in self.rows if one.status.inode_id > after]
        return left[:2], left[:2][-1].status.inode_id if left else after, len(left) > 2


@pytest.mark.parametrize("seen", range(6))
def test_rows_go_on_behind_any(seen: int) -> None:
    calls: Any = Calls()
    names = Names(calls, "root")
    after = f"/{seen}" if seen else ""
    assert [*names.fsck("/", after)] == Calls.rows[seen:]
    assert [*names.open_files("/", after=seen)] == Calls.rows[seen:]


@pytest.mark.parametrize("remembers", [True, False])
def test_a_check_that_stays_small_counts_the_same(remembers: bool) -> None:
    tree = TreeHealth(TWO_RACKS, remembers=remembers)
    rows = [
        row("/d", kind=DIRECTORY), row("/poor", Health(2, 1, 0, 0), number=2),
        row("/lost", Health(2, 0, 0, 0), Health(2, 2, 0, 0), number=3),
        row("/corrupt", Health(1, 0, 1, 0), number=4), row("/good", Health(1, 1, 0, 0), number=5),
    ]  # fmt: skip
    told = {one.path: [fault.kind for fault in tree.add(one)] for one in rows}
    assert told == {
        "/d": [], "/poor": ["UNDER_REPLICATED", MISPLACED], "/lost": ["MISSING", MISPLACED],
        "/corrupt": ["CORRUPT"], "/good": [],
    }  # fmt: skip
    assert tree.faults == {"UNDER_REPLICATED": 1, "MISPLACED": 2, "MISSING": 1, "CORRUPT": 1}
    assert (tree.verdict, tree.damaged_files, tree.files, tree.blocks) == ("CORRUPT", 2, 4, 5)
    kept = [len(tree.misplaced), len(tree.corrupt_files), *map(len, tree.lost.values())]
    assert kept == ([2, 2, 1, 1] if remembers else [0, 0, 0, 0])
