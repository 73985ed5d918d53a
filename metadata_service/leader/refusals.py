"""What follows when members refuse to store what they are sent: for now, or for good."""

from typing import Mapping, Optional, Set

from metadata_service.leader.majorities import can_decide
from metadata_service.quorum import Configuration
from zookeeper.fabric.errors import DfsError, DiskFull, Fenced


def ending(configuration: Configuration, refusals: Mapping[str, DfsError]) -> Optional[DfsError]:
    """Why no majority can be had, by what members (their ids) refused with last: a later epoch, a
    lasting error, or full disks, in this order; None while one can be."""
    lost: Set[str] = set()
    for is_one in (_is_fenced, _is_lasting, _is_full):
        found = [one for one, error in refusals.items() if is_one(error)]
        lost.update(found)
        if found and not can_decide(configuration, lost):
            return refusals[found[0]]
    return None


def _is_fenced(error: DfsError) -> bool:
    return isinstance(error, Fenced)


def _is_lasting(error: DfsError) -> bool:
    return not error.retryable and not isinstance(error, DiskFull)


def _is_full(error: DfsError) -> bool:
    return isinstance(error, DiskFull)
