"""Who leads, as one namenode sees it: events in, actions out, and nothing in between.

Theory of operation. A namenode loads the image and follows the record, so that it knows at any time
what the one knows that leads. Only then it is a candidate. When nobody leads, it claims a new
epoch, which fences every earlier one, takes over what is recorded and not followed yet, and serves.
When its term is over it follows again; with what it has in memory if all of that is recorded, else
it loads anew. The members of the record say who leads: whom a majority has promised the newest
epoch.

A term that cannot begin (a damaged image, a record that only this machine does not reach, a defect
of ours) must not keep the role from others, nor claim epochs without end; and two namenodes that
both believe in their leadership would fence each other for ever. Then the role is given up for a
while, longer after each failure. A candidacy has a number, and so does an attempt to follow or to
lead: what is told of an earlier one is no news of this one.

Whoever has the role leads, is about to, or will try again at a certain moment: `check` says so.
"""

from enum import Enum
from math import inf
from random import Random
from typing import List, NamedTuple, Optional, Union

from data_service.namenode.leading.epoch_floor import EpochFloor
from data_service.namenode.leading.pauses import RETRY_SECONDS, Pauses
from zookeeper.fabric.errors import Busy, CorruptData, DfsError, Fenced, ProtocolViolation

FENCED_PAUSE_SECONDS = 1.0
"""How long a fenced namenode is no candidate, so that another one can claim."""

HAND_OVER_SECONDS = 5.0
"""How long a namenode that handed over lets another one go first, at most: when none takes the
role, this one must have it again; when one does, this one stands by for it at once."""


class Vacant(NamedTuple):
    """No leader is heard of in a candidacy: the role is ours to claim."""

    candidacy: int


class Loaded(NamedTuple):
    """The image is in memory, and follows the record."""

    attempt: int


class Lost(NamedTuple):
    """It could not be loaded, or be followed any more, because of an error."""

    attempt: int
    error: Exception


class TookOver(NamedTuple):
    """An epoch was claimed, and everything that is recorded is in memory."""

    attempt: int


class NotTakenOver(NamedTuple):
    """That was not so, because of an error."""

    attempt: int
    error: Exception


class TermOver(NamedTuple):
    """The term ended by itself: the proof of leadership, or the journal, failed."""

    attempt: int
    error: Exception


class Outlived(NamedTuple):
    """In a term of epoch `own`, a datanode said that it has obeyed `known`."""

    attempt: int
    known: int
    own: int


class HandOver(NamedTuple):
    """Another namenode should lead: an administrator wants it, or most datanodes hear only that."""


class Failed(NamedTuple):
    """An action met a defect."""

    error: Exception


class Woke(NamedTuple):
    """The moment `wake_at` has come, perhaps."""


Event = Union[
    Vacant, Loaded, Lost, TookOver, NotTakenOver, TermOver, Outlived, HandOver, Failed, Woke
]


class Campaign(NamedTuple):
    """Be a candidate; what is heard of leaders is told with this number. For `yields` seconds any
    other one goes first, unless one has been heard to lead by then."""

    candidacy: int
    yields: float = 0.0


class Resign(NamedTuple):
    """Give the role up, and be no candidate any more."""


class Follow(NamedTuple):
    """Follow the record with what is in memory, or load the image if it is not; tell what comes of
    it."""

    attempt: int


class TakeOver(NamedTuple):
    """Claim an epoch, not below `at_least`, and take over; tell what came of it."""

    attempt: int
    at_least: int


class Serve(NamedTuple):
    """Answer, from what was loaded."""


class EndTerm(NamedTuple):
    """Answer nothing any more; also when what was taken over was never served."""


class Refuse(NamedTuple):
    """This process cannot lead with the record as it is: who has just started it should know."""

    error: Exception


Action = Union[Campaign, Resign, Follow, TakeOver, Serve, EndTerm, Refuse]


class Standing(Enum):
    """Where a namenode stands."""

    LOADING = "loads the image"
    PAUSING = "will load the image after a while"
    RESTING = "follows, and is no candidate for a while"
    FOLLOWING = "follows, candidate"
    CLAIMING = "claims and takes over"
    LEADING = "leads"


class Leadership:
    """One namenode's. `start` and `handle` return what is to be done, in this order; `handle` wants
    a `Woke` at `wake_at` (inf: never). `alone`: no other namenode could lead instead."""

    def __init__(self, alone: bool, random: Random) -> None:
        self._alone = alone
        self._pauses = Pauses(random)
        self._floor = EpochFloor()
        self.standing = Standing.LOADING
        self.wake_at = inf
        self.trouble = ""
        """Why this namenode does not lead although it would, for a person; or empty."""
        self._candidacy = 0
        self._is_candidate = False
        self._has_role = False
        self._attempt = 0
        self._rests_until = -inf
        self._yields_until = -inf
        # What ended the term before it was served.
        self._over: Optional[TermOver] = None
        self._began_at = 0.0

    @property
    def serves(self) -> bool:
        """Whether a term runs."""
        return self.standing is Standing.LEADING

    def start(self) -> List[Action]:
        """Begin to load."""
        return self._follow()

    def handle(self, event: Event, now: float) -> List[Action]:
        """What to do about an event."""
        if isinstance(event, Vacant):
            return self._told(event)
        if isinstance(event, Woke):
            return self._woken(now)
        if isinstance(event, HandOver):
            return self._hand_over(now)
        if isinstance(event, Failed):
            return self._failed(event.error, now)
        if event.attempt != self._attempt:
            return []
        if isinstance(event, Outlived):
            return self._outlived(event, now)
        if isinstance(event, TermOver):
            return self._over_by(event, now)
        if isinstance(event, Lost):
            return self._lost(event.error, now)
        if isinstance(event, Loaded):
            return self._loaded(now) if self.standing is Standing.LOADING else []
        if self.standing is not Standing.CLAIMING:
            return []
        if isinstance(event, TookOver):
            return self._took_over(now)
        return self._not_taken_over(event.error, now)

    # Following.

    def _follow(self) -> List[Action]:
        self._attempt += 1
        self._stand(Standing.LOADING)
        return [Follow(self._attempt)]

    def _loaded(self, now: float) -> List[Action]:
        if now < self._rests_until:
            self._stand(Standing.RESTING, self._rests_until)
            return []
        self.trouble = ""
        if self._has_role:
            return self._claim()
        self._stand(Standing.FOLLOWING)
        if self._is_candidate:
            return []
        self._candidacy += 1
        self._is_candidate = True
        return [Campaign(self._candidacy, max(0.0, self._yields_until - now))]

    def _lost(self, error: Exception, now: float) -> List[Action]:
        """It has no image: also a candidate is none any more until it has one."""
        resigned = [] if self._keeps_role(error) else self._resign()
        self.trouble = trouble_of(error) or self.trouble
        passes = isinstance(error, DfsError) and not _is_damage(error)
        pause = RETRY_SECONDS if passes else self._pauses.after_failure()
        self._stand(Standing.PAUSING, now + pause)
        return resigned + ([Refuse(error)] if _is_damage(error) else [])

    def _woken(self, now: float) -> List[Action]:
        if now < self.wake_at:
            return []
        return self._follow() if self.standing is Standing.PAUSING else self._loaded(now)

    # Leading.

    def _told(self, event: Vacant) -> List[Action]:
        if event.candidacy != self._candidacy or not self._is_candidate:
            return []  # It was given up meanwhile.
        self._has_role = True
        if self.standing is Standing.FOLLOWING:
            return self._claim()
        return []  # While it claims: what comes of that shows.

    def _claim(self) -> List[Action]:
        self._attempt += 1
        self._over = None
        self._stand(Standing.CLAIMING)
        # Who restores a backup of the record has an older count of epochs in it.
        return [TakeOver(self._attempt, self._floor.value)]

    def _took_over(self, now: float) -> List[Action]:
        self._stand(Standing.LEADING)
        self._began_at, self.trouble = now, ""
        if self._over is not None:
            return self._over_by(self._over, now)
        return [Serve()]

    def _not_taken_over(self, error: Exception, now: float) -> List[Action]:
        self.trouble = trouble_of(error) or self.trouble
        refused: List[Action] = [Refuse(error)] if _is_damage(error) else []
        if isinstance(error, (Fenced, Busy)):
            # Another one claimed first, or was heard to lead after all.
            return self._rest(self._pauses.after_lost_claim(), now) + self._follow()
        if self._keeps_role(error):
            self._stand(Standing.PAUSING, now + RETRY_SECONDS)
            return refused
        return self._rest(self._pauses.after_failure(), now) + self._follow() + refused

    def _over_by(self, event: TermOver, now: float) -> List[Action]:
        if self.standing is Standing.CLAIMING:
            self._over = event
        if self.standing is not Standing.LEADING:
            return []
        error = event.error
        if isinstance(error, Fenced):
            return self._end_and_rest(FENCED_PAUSE_SECONDS, now)
        recording = isinstance(error, DfsError)
        self.trouble = f"could not record a change: {error}" if recording else trouble_of(error)
        return self._end_and_pause(now)

    def _outlived(self, event: Outlived, now: float) -> List[Action]:
        if self.standing is not Standing.LEADING:
            return []
        if not self._floor.told(event.known, event.own, now):
            return []
        return self._end_and_pause(now)

    def _hand_over(self, now: float) -> List[Action]:
        if self._alone or not self.serves:
            return []
        self._yields_until = now + HAND_OVER_SECONDS
        return self._end_and_rest(0.0, now)

    def _failed(self, error: Exception, now: float) -> List[Action]:
        """Also a defect must not leave us the role, serving nothing, in everybody's way."""
        self.trouble = trouble_of(error)
        pause = self._pauses.after_failure()
        ended: List[Action] = [EndTerm(), *self._rest(pause, now)]
        self._stand(Standing.PAUSING, now + pause)
        return ended

    def _end_and_rest(self, seconds: float, now: float) -> List[Action]:
        return self._ended() + self._rest(seconds, now) + self._follow()

    def _end_and_pause(self, now: float) -> List[Action]:
        """Let others lead, if there are any, and try again; at once after a term that lasted."""
        pause = self._pauses.after_term(now - self._began_at)
        if not self._alone:
            return self._end_and_rest(pause, now)
        ended = self._ended()
        if not pause:
            return ended + self._follow()
        self._stand(Standing.PAUSING, now + pause)
        return ended

    def _ended(self) -> List[Action]:
        return [EndTerm()] if self.serves else []

    def _keeps_role(self, error: Exception) -> bool:
        """Whether nobody is helped by giving the role up: it is tried again instead."""
        return self._alone and isinstance(error, DfsError) and not _is_damage(error)

    def _rest(self, seconds: float, now: float) -> List[Action]:
        self._rests_until = now + seconds
        return self._resign()

    def _resign(self) -> List[Action]:
        resigned: List[Action] = [Resign()] if self._is_candidate else []
        self._is_candidate = self._has_role = False
        return resigned

    def _stand(self, standing: Standing, wake_at: float = inf) -> None:
        self.standing, self.wake_at = standing, wake_at

    def check(self) -> None:
        """Assert that nobody has the role, or waits, and does nothing about it."""
        waits = self.wake_at < inf
        assert waits == (self.standing in (Standing.PAUSING, Standing.RESTING)), self
        if self._has_role:
            assert self._is_candidate, self
            assert self.standing not in (Standing.FOLLOWING, Standing.RESTING), self
        if self.standing in (Standing.FOLLOWING, Standing.CLAIMING, Standing.LEADING):
            assert self._is_candidate, self
            assert self._has_role or self.standing is Standing.FOLLOWING, self
        assert self.standing is not Standing.RESTING or not self._is_candidate, self
        assert self._over is None or self._over.attempt == self._attempt or not self.serves

    def __repr__(self) -> str:
        return f"<Leadership: {self.standing.value}, candidacy {self._candidacy}>"


def _is_damage(error: Exception) -> bool:
    return isinstance(error, (CorruptData, ProtocolViolation))


def trouble_of(error: Exception) -> str:
    """Why no term can begin, as the rest of a sentence that has "it"; empty: it will pass."""
    if isinstance(error, Fenced):
        return ""
    if isinstance(error, (CorruptData, ProtocolViolation)):
        return f"cannot use the record of the namespace: {error.message}"
    if isinstance(error, DfsError):
        return f"waits for the metadata service: {error.message}"
    return f"met an unexpected error ({type(error).__name__}); see its log"
