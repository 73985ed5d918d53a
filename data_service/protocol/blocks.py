"""The identity of a block, its name on disk, and the bytes of it in a block report."""

import re
import struct
from typing import Iterable, Iterator, NamedTuple, Optional, Tuple

from zookeeper.fabric.kinds import INTEGER_MAX, Natural

_NUMBER = "(0|[1-9][0-9]{0,18})"
_NAME = re.compile(f"blk_{_NUMBER}_{_NUMBER}")
_REPORTED = struct.Struct("!QQQ")

BLOCKS_MAX = 10_000
"""The most blocks of one file: an edit holds them all."""


class Block(NamedTuple):
    """One immutable run of a file's bytes.

    `block_id` is never reused. `generation` tells replicas of one id apart: only those with the
    generation that the namenode recorded count. `length` is in bytes.
    """

    block_id: Natural
    generation: Natural
    length: Natural

    @property
    def name(self) -> str:
        """`blk_<id>_<generation>`, the file name of a replica."""
        return f"blk_{self.block_id}_{self.generation}"


def parse_name(name: str) -> Optional[Tuple[int, int]]:
    """The (block id, generation) of a replica's file name, or None for another file.

    Only the name that `Block.name` gives is one: every number has one way to be written.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    block_id, generation = int(match.group(1)), int(match.group(2))
    return (block_id, generation) if max(block_id, generation) <= INTEGER_MAX else None


def pack_blocks(blocks: Iterable[Block]) -> bytes:
    """A block report's part as bytes: 24 bytes a block."""
    return b"".join(_REPORTED.pack(*block) for block in blocks)


def unpack_blocks(data: bytes) -> Iterator[Block]:
    """The reverse of `pack_blocks`; raises struct.error when the length is no multiple of 24."""
    return map(Block._make, _REPORTED.iter_unpack(data))
