"""How well a block is kept: a judgement of its good replicas by what its redundancy wants.

A replica is part of the target when its node is in service. One on a node that is being taken out
still keeps the block from being lost, as long as the node is there, but it is to be replaced. One
on a node that is away for maintenance will come back: so many fewer are wanted of the others, but
enough of them to read the block. Too many there are only beyond the full target: those that
a node in maintenance brings back are not made twice.
"""

from typing import Iterable, Sequence

from data_service.namenode.replicas.node import Node
from data_service.protocol.redundancy import Redundancy

MISSING, CORRUPT, FULL, EXCESS, UNDER = range(5)
"""What a block is: no replica, only corrupt ones, enough good ones, too many, or some but too few:
then UNDER plus the level of its urgency."""

LEVELS = 8
"""Of urgency; 0 is the first."""


def is_content(told: bytes, digest: bytes, needed: bool) -> bool:
    """Whether a replica whose datanode told this digest holds what the block's writer sent, whose
    digest is the other one. Where none is told none can be compared: that may pass unless one is
    `needed`."""
    return told == digest or not digest or not (told or needed)


def in_service(holders: Iterable[Node]) -> int:
    """How many replicas are part of the target."""
    return sum([node.in_service for node in holders])


def required(redundancy: Redundancy, holders: Iterable[Node]) -> int:
    """How many replicas must be on nodes in service."""
    returning = sum([node.returns for node in holders])
    return max(redundancy.targets - returning, redundancy.needed)


def lacking(redundancy: Redundancy, holders: Sequence[Node]) -> int:
    """How many replicas are to be made."""
    return max(0, required(redundancy, holders) - in_service(holders))


def urgency(good: int, wanted: int, needed: int = 1) -> int:
    """The level of a block that lacks replicas: 0 when the next loss would be one of data, then by
    how many it lacks."""
    return 0 if good <= needed else max(1, LEVELS - (wanted - good))


def judge(redundancy: Redundancy, holders: Sequence[Node], is_corrupt: bool) -> int:
    """What a block is that has these good replicas; `is_corrupt` is whether it has bad ones."""
    if len(holders) < redundancy.needed:
        return CORRUPT if is_corrupt else MISSING
    good = in_service(holders)
    if good >= redundancy.targets:
        return FULL if good == redundancy.targets else EXCESS
    wanted = required(redundancy, holders)
    return FULL if good >= wanted else UNDER + urgency(good, wanted, redundancy.needed)
