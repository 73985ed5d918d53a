"""Whether this namenode leads, and how another one comes to lead: AvailabilityCalls."""

from typing import Callable, NoReturn, Optional, Tuple

from data_service.protocol.availability_calls import ACTIVE, Comparison, MemberRow, ServiceState
from metadata_service.leader.verdict import Verdict
from zookeeper.fabric.errors import InvalidArgument, NotLeader
from zookeeper.fabric.figures import Family


class Availability:
    """Answers AvailabilityCalls from what the daemon knows; one for all connections."""

    def __init__(
        self,
        state_of: Callable[[], ServiceState],
        hand_over: Callable[[], None],
        members_of: Callable[[], Tuple[MemberRow, ...]] = tuple,
        figures_of: Callable[[], Tuple[Family, ...]] = tuple,
        lag_of: Callable[[], Optional[Tuple[int, float]]] = lambda: None,
        compare: Optional[Callable[[], Verdict]] = None,
    ) -> None:
        self._state_of = state_of
        self._hand_over = hand_over
        self._members_of = members_of
        self._compare = compare
        self.figures = figures_of
        self.lag_of = lag_of
        """How far behind the record this namenode is, in edits and seconds, while it stands by;
        None: it still loads."""

    def service_state(self) -> ServiceState:
        """See AvailabilityCalls."""
        return self._state_of()

    def members(self) -> Tuple[MemberRow, ...]:
        """See AvailabilityCalls."""
        return self._members_of()

    def compare_members(self) -> Comparison:
        """See AvailabilityCalls."""
        if self._compare is None:
            raise NotLeader("there is no daemon that leads")
        verdict = self._compare()
        return Comparison(bool(verdict.digest), verdict.differing, verdict.silent)

    def hand_over(self) -> None:
        """See AvailabilityCalls."""
        self._hand_over()


def _to_nobody() -> NoReturn:
    raise InvalidArgument("there is no other namenode to hand over to")


ALWAYS_ACTIVE = Availability(lambda: ServiceState(ACTIVE, 0, ""), _to_nobody)
"""That of a core without a daemon around it."""
