"""How much stands between a block and its loss, as one value.

Every block of a file is kept in the same way: whole, on a number of datanodes. Whoever needs to
know what that takes, or what it bears, asks here, and multiplies nothing by himself.
"""

from functools import lru_cache
from typing import NamedTuple


class Redundancy(NamedTuple):
    """`targets` is on how many datanodes each block shall be; 0 of what has no blocks."""

    targets: int

    @property
    def needed(self) -> int:
        """On how many datanodes a block must be, so that it can be read."""
        return min(1, self.targets)

    @property
    def tolerates(self) -> int:
        """How many datanodes can be lost at once, and no byte with them."""
        return self.targets - self.needed

    def space(self, length: int) -> int:
        """How many bytes so many bytes of content take on all datanodes together."""
        return length * self.targets

    def length(self, space: int) -> int:
        """How many bytes of content take so many bytes on all datanodes together."""
        return space // self.targets


@lru_cache(maxsize=1024)
def replicated(replication: int) -> Redundancy:
    """That of a file with so many replicas. Equal ones are one object: millions refer to few."""
    return Redundancy(replication)
