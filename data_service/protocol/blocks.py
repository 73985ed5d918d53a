"""The identity of a block, and its name on disk and in messages."""

import re
from typing import NamedTuple, Optional, Tuple

_NAME = re.compile(r"blk_([0-9]{1,19})_([0-9]{1,19})")


class Block(NamedTuple):
    """One immutable run of a file's bytes.

    `block_id` is never reused. `generation` tells replicas of one id apart: only those with the
    generation that the namenode recorded count. `length` is in bytes.
    """

    block_id: int
    generation: int
    length: int

    @property
    def name(self) -> str:
        """`blk_<id>_<generation>`, the file name of a replica."""
        return f"blk_{self.block_id}_{self.generation}"


def parse_name(name: str) -> Optional[Tuple[int, int]]:
    """The (block id, generation) of a replica's file name, or None for another file."""
    match = _NAME.fullmatch(name)
    return (int(match.group(1)), int(match.group(2))) if match else None
