"""What the scans of a datanode's directories found: of each block one replica that is in use."""

from typing import Dict, List, NamedTuple, Sequence, Tuple

from data_service.datanode.store import layout
from data_service.datanode.store.volume import Stored, Volume
from data_service.protocol.blocks import Block


class Replica(NamedTuple):
    """A replica and where it is; `problem` says why it is corrupt, empty when it is not.

    `has_meta`: its checksums are in a file of their own. The `digest` is that of them.
    """

    block: Block
    volume: Volume
    problem: str = ""
    has_meta: bool = False
    digest: bytes = b""

    def is_replaced_by(self, good: Block) -> bool:
        """Whether it is of no use beside this good replica of the block: an equal, or one of before
        the block was changed last. Of a damaged one even the length may not be known."""
        if self.block.generation != good.generation:
            return self.block.generation < good.generation
        return bool(self.problem) or self.block.length == good.length

    @property
    def footprint(self) -> int:
        """Bytes on disk."""
        return self.block.length + layout.trailer_bytes(self.block.length)

    @property
    def file_names(self) -> Tuple[str, ...]:
        """What it consists of."""
        name = self.block.name
        return (name, name + layout.META_SUFFIX) if self.has_meta else (name,)


def collect(
    volume: Volume,
    scanned: Sequence[Stored],
    found: Dict[int, Replica],
    spares: Dict[int, List[Replica]],
) -> None:
    """Add a volume's replicas; of two of one block the better one counts, none is deleted."""
    for stored in scanned:
        replica = Replica(volume=volume, **stored._asdict())
        other = found.setdefault(stored.block.block_id, replica)
        if other is not replica:
            worse = replica
            if _better(replica, other):
                found[stored.block.block_id], worse = replica, other
            spares.setdefault(stored.block.block_id, []).append(worse)


def _better(one: Replica, other: Replica) -> bool:
    """Whether `one` is the replica to keep: a good one, else the newer generation."""
    return (not one.problem, one.block.generation) > (not other.problem, other.block.generation)
