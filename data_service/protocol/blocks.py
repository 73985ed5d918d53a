"""The identity of a block, its name on disk, and the bytes of it in a block report."""

import re
import struct
from itertools import repeat
from typing import Annotated, Any, Iterable, Iterator, NamedTuple, Optional, Tuple, Union

from zookeeper.fabric.kinds import INTEGER_MAX, Natural

_NUMBER = "(0|[1-9][0-9]{0,18})"
_NAME = re.compile(f"blk_{_NUMBER}_{_NUMBER}")
_REPORTED = struct.Struct("!QQQ")

DIGEST_BYTES = 16

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


class _WholeDigest:
    """A digest, or none."""

    def allows(self, value: Any) -> bool:
        """Whether it is as long as a digest, or empty."""
        return len(value) in (0, DIGEST_BYTES)

    def __str__(self) -> str:
        return f"{DIGEST_BYTES} of them, or none"


Digest = Annotated[bytes, _WholeDigest()]
"""What tells the content of one block from that of another: see `checksums.block_digest`. It is
empty where nobody told it, as older releases do not."""


class SealedBlock(NamedTuple):
    """A block whose bytes are all written, with the digest of them: the first fields are those of
    a Block, which is what an older release sends, and takes this for."""

    block_id: Natural
    generation: Natural
    length: Natural
    digest: Digest = b""

    @property
    def block(self) -> Block:
        """The block itself."""
        return Block(*self[:3])

    @property
    def name(self) -> str:
        """As that of a Block."""
        return self.block.name


Told = Union[Block, SealedBlock]
"""A block of which somebody says something. A Block is one whose digest he does not tell."""


def sealed(told: Told) -> SealedBlock:
    """It with its digest, as far as that is told."""
    return told if isinstance(told, SealedBlock) else SealedBlock(*told)


def parse_name(name: str) -> Optional[Tuple[int, int]]:
    """The (block id, generation) of a replica's file name, or None for another file.

    Only the name that `Block.name` gives is one: every number has one way to be written.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    block_id, generation = int(match.group(1)), int(match.group(2))
    return (block_id, generation) if max(block_id, generation) <= INTEGER_MAX else None


def pack_blocks(blocks: Iterable[Told]) -> bytes:
    """A block report's part as bytes: 24 bytes a block."""
    return b"".join([_REPORTED.pack(*block[:3]) for block in blocks])


def unpack_blocks(data: bytes) -> Iterator[Block]:
    """The reverse of `pack_blocks`; raises struct.error when the length is no multiple of 24."""
    return map(Block._make, _REPORTED.iter_unpack(data))


def unpack_sealed(data: bytes, digests: bytes) -> Iterator[SealedBlock]:
    """The same with their digests, which come beside them in the same order, of DIGEST_BYTES each;
    without any when these are not as many: an older release tells none. Errors as before."""
    whole = len(digests) == len(data) // _REPORTED.size * DIGEST_BYTES
    starts = range(0, len(digests), DIGEST_BYTES)
    told = (digests[start : start + DIGEST_BYTES] for start in starts) if whole else repeat(b"")
    return (SealedBlock(*block, digest) for block, digest in zip(unpack_blocks(data), told))
