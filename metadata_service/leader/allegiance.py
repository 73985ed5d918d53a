"""Which members stand by the leader of an epoch, by their answers to its questions.

A member that says it has promised no newer epoch promises none for longer than a proof lasts. So a
majority that says so is a proof that nobody else leads, as of the moment when the first of its
members was asked. One that has promised a newer epoch never takes that back.
"""

from math import inf
from typing import Dict, NamedTuple, Optional

from metadata_service.epochs import is_believable
from metadata_service.leader.majorities import can_decide, reached
from metadata_service.quorum import Configuration, Proved

DESERTED_SECONDS = 10.0
"""How long a leader goes on that some members have left, too few to follow another, while it has a
majority. Without one it would only keep the rest from following another as well."""


WISH_HEARD_SECONDS = 1.0
"""A member's word of a wish counts for so long after it was asked."""


class Wish(NamedTuple):
    """The address of a namenode that would lead, and how many datanodes miss the leader there."""

    address: str
    missed_by: int


NO_WISH = Wish("", 0)


class Allegiance:
    """That to one epoch. Moments are of any one clock."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        # By the id of a member: when it was last asked and had promised this epoch; which newer
        # one it has promised; and since when there was one that has.
        self._asked_at: Dict[str, float] = {}
        self._left: Dict[str, int] = {}
        self._left_since = inf
        self._wishes: Dict[str, Wish] = {}

    def answered(self, answer: Proved, asked_at: float) -> None:
        """A member that was asked at this moment said this."""
        member = answer.member_id
        if answer.promised > self.epoch:
            self.left(member, answer.promised, asked_at)
        elif answer.promised == self.epoch:
            self._asked_at[member] = max(asked_at, self._asked_at.get(member, -inf))
            self._wishes[member] = Wish(answer.wish, answer.missed_by)

    def left(self, member: str, promised: int, now: float) -> None:
        """A member has promised this newer epoch. One that no namenode can have come to since is
        nobody's: to claim another one would not bring the member back."""
        if not is_believable(promised, self.epoch):
            return
        self._left[member] = max(promised, self._left.get(member, 0))
        self._left_since = min(self._left_since, now)

    def proved_at(self, configuration: Configuration) -> Optional[float]:
        """The moment as of which majorities stand by this epoch; None before there was one."""
        return reached(configuration, self._asked_at)

    def wish(self, configuration: Configuration, now: float) -> Wish:
        """What one namenode wishes at majorities of the members, so that it can be the next one;
        NO_WISH when there is no such."""
        told = {
            one: wish for one, wish in self._wishes.items()
            if wish.address and now - self._asked_at[one] <= WISH_HEARD_SECONDS
        }  # fmt: skip
        for address in sorted({wish.address for wish in told.values()}):
            own = {one: wish.missed_by for one, wish in told.items() if wish.address == address}
            missed_by = reached(configuration, own)
            if missed_by is not None:
                return Wish(address, missed_by)
        return NO_WISH

    def fenced_by(self, configuration: Configuration) -> int:
        """The newest epoch that was promised since, when no majority is left to this one, or 0."""
        if can_decide(configuration, self._left.keys()):
            return 0
        return max(self._left.values(), default=0)

    @property
    def has_lost_some(self) -> bool:
        """Whether any member has promised a newer epoch."""
        return bool(self._left)

    def is_deserted(self, now: float) -> bool:
        """Whether some members have left for so long that a new epoch should unite them."""
        return now - self._left_since >= DESERTED_SECONDS

    def __repr__(self) -> str:
        return f"<Allegiance to {self.epoch} of {len(self._asked_at)}, {len(self._left)} left>"
