"""The members become more or fewer: one grows to three, or three shrink to one.

A member that is the only one decides by itself, and applies what it stores in the same transaction.
It is told by a leader like any other when it is the only one no more, and may hear of that later
than others, and than the edits that were sent to it before.
"""

from typing import Any, Tuple

from tests.protocol.members_model import MembersModel, State, Steps

ONE, THREE = frozenset((0,)), frozenset((0, 1, 2))


class GrowthModel(MembersModel):
    """Disk 0 is the only member at first; with blank disks it becomes one of three."""

    old, new = ONE, THREE

    def made(self, state: State) -> State:
        """One of the states that are the same but for who of the disks 1 and 2 is who."""
        state = super().made(state)
        twin = state._replace(
            disks=_swapped(state.disks),
            candidates=tuple([
                candidate._replace(
                    promises=_swapped(candidate.promises), stored=_swapped(candidate.stored),
                    versions=_swapped(candidate.versions))
                for candidate in state.candidates
            ]))  # fmt: skip
        return min(state, twin, key=hash)

    def alive(self, state: State) -> Tuple[int, ...]:
        """All disks answer."""
        return (0, 1, 2)

    def wipe(self, state: State) -> Steps:
        """No disk is lost."""
        return iter(())

    def wants_others(self, state: State) -> bool:
        """From the beginning."""
        return True


class ShrinkModel(GrowthModel):
    """Of three members disk 0 goes on alone."""

    old, new = THREE, ONE


def _swapped(disks: Tuple[Any, ...]) -> Tuple[Any, ...]:
    """With each other's place for disks 1 and 2."""
    return disks[:1] + disks[:0:-1]
