"""A full block report of which not everything is taken in yet."""

from typing import Dict, List, Optional, Set, Tuple

from data_service.protocol.blocks import Told

_SHARDS = 64


class OpenReport:
    """How far it is. `taken` are the blocks of part `next_part` that are judged already.

    `touched` are the ids that changed since its first part: about them the report is old news.
    Behind the last part `doubtful` and `next_row` say where else absent replicas are looked for,
    and `absent` how many good ones were found to be. `passed_over` are those of unknown blocks that
    are not remembered, because they are too many.
    """

    __slots__ = ("report_id", "parts", "next_part", "taken", "touched", "doubtful", "next_row",
                 "absent", "passed_over", "_listed")

    def __init__(self, report_id: int, parts: int) -> None:
        self.report_id = report_id
        self.parts = parts
        self.next_part = 0
        self.taken = 0
        self.touched: Set[int] = set()
        self.doubtful: Optional[List[int]] = None
        self.next_row = 0
        self.absent = 0
        self.passed_over = 0
        # In shards: a dict of a million entries takes 90 ms whenever it grows.
        self._listed: Tuple[Dict[int, int], ...] = tuple({} for _ in range(_SHARDS))

    def __len__(self) -> int:
        return sum(map(len, self._listed))

    def __contains__(self, block_id: int) -> bool:
        """Whether it lists a replica of this block, or is silent about it."""
        return block_id in self._listed[block_id % _SHARDS] or block_id in self.touched

    def __repr__(self) -> str:
        return f"<OpenReport {self.report_id}, part {self.next_part} of {self.parts}>"

    def list(self, block: Told) -> bool:
        """Note that it lists this replica; False when it listed a later one of the block."""
        listed = self._listed[block.block_id % _SHARDS]
        if listed.get(block.block_id, -1) > block.generation:
            return False
        listed[block.block_id] = block.generation
        return True

    def begin_next_part(self) -> None:
        """All of a part is judged."""
        self.next_part += 1
        self.taken = 0
