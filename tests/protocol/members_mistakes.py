"""Planted mistakes in how the members change: each is one rule gotten wrong, and must be caught."""

from typing import FrozenSet, Sequence, Tuple

from tests.protocol.log_model import put
from tests.protocol.members_model import (
    Candidate,
    Configuration,
    Disk,
    MembersModel,
    State,
    is_quorum,
)
from tests.protocol.resize_model import GrowthModel


class WipedMemberKeepsItsName(MembersModel):
    """A blank disk goes on under the identity of the lost one, and is believed."""

    def alive(self, state: State) -> Tuple[int, ...]:
        """The same as ever."""
        return (0, 1, 2)

    def after_wipe(self, disks: Tuple[Disk, ...]) -> Tuple[Disk, ...]:
        """Everything that disk 2 had promised and stored is gone."""
        return put(disks, 2, Disk(0, 0, (), 0, (1, (self.old,))))

    def sets_of_a_change(self) -> Tuple[FrozenSet[int], ...]:
        """There is nothing to change."""
        return (self.old,)


class NoJointDecision(MembersModel):
    """The new members decide alone at once."""

    def sets_of_a_change(self) -> Tuple[FrozenSet[int], ...]:
        """Only the new set."""
        return (self.new,)


class LongestLogConfigures(MembersModel):
    """A candidate goes by the configuration that came with the longest log, not by the newest."""

    def newest_configuration(self, best: Sequence[Disk]) -> Configuration:
        """That of the longest log, and of equal ones an older."""
        return max(best, key=lambda disk: (len(disk.log), -disk.configuration[0])).configuration


class OldMembersAreNotAsked(MembersModel):
    """The joint configuration is left when only the new members have stored it."""

    def is_known(self, candidate: Candidate) -> bool:
        """A majority of the new set."""
        version, sets = candidate.configuration
        known = [m for m, stored in enumerate(candidate.versions) if stored >= version]
        return len(sets) == 2 and is_quorum(known, (version, sets[1:]))


class NewMembersLackTheLog(MembersModel):
    """The joint configuration is left before the new members have what the old ones decided."""

    def may_leave_joint(self, candidate: Candidate) -> bool:
        """Only whether the configuration is known."""
        return self.is_known(candidate)


class WhatIsOnItsWayIsForgotten(GrowthModel):
    """The joint configuration is left when the new members have what the old one is known to have:
    it may have applied more, of which its leader has not heard."""

    def may_leave_joint(self, candidate: Candidate) -> bool:
        """By what was heard."""
        version, sets = candidate.configuration
        old, new = (self.agreed(candidate._replace(configuration=(version, (some,))))
                    for some in sets)
        return self.is_known(candidate) and 0 <= old <= new


class OneOfTwoSetsDecides(GrowthModel):
    """The only member goes on applying what it stores when it has heard that others are to come."""

    def decides_alone(self, m: int, disk: Disk) -> bool:
        """Also while there are two sets."""
        return frozenset((m,)) in disk.configuration[1]
