"""Who leads, as one namenode sees it: events in, actions out, and nothing in between.

Theory of operation. The zookeeper says who may lead; the metadata service, whose epoch every append
carries, says who does. A namenode that is elected claims a new epoch, which fences every earlier
one, loads the image, and serves. When its term is over it begins another, with empty hands, as long
as it is elected. A zookeeper that cannot be reached says nothing, and that changes nothing: it
stops failover, not service.

A term that cannot begin (a damaged image, a metadata service that only this machine does not reach,
a defect of ours) must not keep the role from others, nor claim epochs without end; and two
namenodes that both believe in their leadership would fence each other for ever. Then the role is
given up for a while, longer after each failure. A candidacy has a number, and so does an attempt to
lead: what is told of an earlier one is no news of this one.

Whoever is elected leads, is about to, or has a moment at which he tries again: `check` says so.
"""

from enum import Enum
from math import inf
from random import Random
from typing import List, NamedTuple, Optional, Union

from data_service.namenode.leading.epoch_floor import EpochFloor
from zookeeper.fabric.errors import CorruptData, DfsError, Fenced, ProtocolViolation

RETRY_SECONDS = 0.5
FENCED_PAUSE_SECONDS = 1.0
"""How long a fenced namenode is no candidate, so that another one can be elected."""

FAILED_PAUSE_SECONDS_MAX = 30.0
HAND_OVER_SECONDS = 10.0
"""How long a namenode that handed over is no candidate: another one takes the role at once, and if
none can, this one must have it again."""

LASTING_SECONDS = 60.0
"""A term that lasted for so long was no failure: the next pause is a short one again."""


class Elected(NamedTuple):
    """The zookeeper's word in a candidacy: whether we lead, in election `number`."""

    candidacy: int
    leads: bool
    number: int


class Loaded(NamedTuple):
    """An epoch was claimed and the image loaded."""

    attempt: int


class LoadFailed(NamedTuple):
    """They were not, because of an error."""

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
    """An administrator wants another namenode to lead."""


class Failed(NamedTuple):
    """An action met a defect."""

    error: Exception


class Woke(NamedTuple):
    """The moment `wake_at` has come, perhaps."""


Event = Union[Elected, Loaded, LoadFailed, TermOver, Outlived, HandOver, Failed, Woke]


class Campaign(NamedTuple):
    """Be a candidate; what the zookeeper says of it is told with this number."""

    candidacy: int


class Resign(NamedTuple):
    """Give the role up, and be no candidate any more."""


class ClaimAndLoad(NamedTuple):
    """Claim an epoch, not below `at_least`, and load the image; tell what came of it."""

    attempt: int
    at_least: int


class Serve(NamedTuple):
    """Answer, from what was loaded."""


class EndTerm(NamedTuple):
    """Answer nothing any more; also when what was loaded was never served."""


class ReleaseMemory(NamedTuple):
    """Give back what ended terms held."""


class Refuse(NamedTuple):
    """This process cannot lead with the record as it is: who has just started it should know."""

    error: Exception


Action = Union[Campaign, Resign, ClaimAndLoad, Serve, EndTerm, ReleaseMemory, Refuse]


class Standing(Enum):
    """Where a namenode stands."""

    CANDIDATE = "candidate, not elected"
    CLAIMING = "claims and loads"
    LEADING = "leads"
    WAITING = "elected, tries again later"
    RESTING = "no candidate for a while"


class Pauses:
    """How long to wait after a failure: twice as long after each, up to a limit."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._next = RETRY_SECONDS

    def after_failure(self) -> float:
        """Seconds to wait now; namenodes that fail for one reason must not stay in step."""
        pause = self._next
        self._next = min(2 * pause, FAILED_PAUSE_SECONDS_MAX)
        return pause * self._random.uniform(0.75, 1.0)

    def after_term(self, seconds: float) -> float:
        """Seconds to wait now that a term is over that lasted for so long."""
        if seconds >= LASTING_SECONDS:
            self._next = RETRY_SECONDS
            return 0.0
        return self.after_failure()

    def __repr__(self) -> str:
        return f"<Pauses, next {self._next:g} s>"


class Leadership:
    """One namenode's. `start` and `handle` return what is to be done, in this order; `handle` wants
    a `Woke` at `wake_at` (inf: never). `alone`: no other namenode could lead instead."""

    def __init__(self, alone: bool, random: Random) -> None:
        self._alone = alone
        self._pauses = Pauses(random)
        self._floor = EpochFloor()
        self.standing = Standing.CANDIDATE
        self.wake_at = inf
        self.trouble = ""
        """Why this namenode does not lead although it would, for a person; or empty."""
        self._candidacy = 0
        self._elected = False
        self._election = 0
        self._attempt = 0
        # What ended the term while it was still being loaded.
        self._over: Optional[TermOver] = None
        self._began_at = 0.0

    @property
    def serves(self) -> bool:
        """Whether a term runs."""
        return self.standing is Standing.LEADING

    def start(self) -> List[Action]:
        """Begin, as a candidate."""
        return [Campaign(self._candidacy)]

    def handle(self, event: Event, now: float) -> List[Action]:
        """What to do about an event."""
        if isinstance(event, Elected):
            return self._told(event, now)
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
        if self.standing is not Standing.CLAIMING:
            return []
        return self._loaded(now) if isinstance(event, Loaded) else self._not_loaded(event, now)

    def _told(self, event: Elected, now: float) -> List[Action]:
        if event.candidacy != self._candidacy or self.standing is Standing.RESTING:
            return []  # It was given up meanwhile.
        self._elected = event.leads
        self._election = event.number if event.leads else self._election
        if event.leads:
            return self._claim() if self.standing is Standing.CANDIDATE else []
        if self.standing is Standing.CLAIMING:
            return []  # What comes of it shows.
        ended = self._ended()
        self._stand(Standing.CANDIDATE)
        return ended

    def _woken(self, now: float) -> List[Action]:
        if now < self.wake_at:
            return []
        if self.standing is Standing.WAITING:
            return self._claim()
        self._candidacy += 1
        self._stand(Standing.CANDIDATE)
        return [Campaign(self._candidacy)]

    def _claim(self) -> List[Action]:
        self._attempt += 1
        self._over = None
        self._stand(Standing.CLAIMING)
        # Who restores a backup of the record has an older count of epochs in it.
        return [ClaimAndLoad(self._attempt, max(self._election, self._floor.value))]

    def _loaded(self, now: float) -> List[Action]:
        self._stand(Standing.LEADING)
        self._began_at, self.trouble = now, ""
        if self._over is not None:
            return self._over_by(self._over, now)
        if not self._elected:
            ended = self._ended()
            self._stand(Standing.CANDIDATE)
            return ended
        return [Serve()]

    def _not_loaded(self, event: LoadFailed, now: float) -> List[Action]:
        error = event.error
        actions: List[Action] = [ReleaseMemory()]
        self.trouble = trouble_of(error) or self.trouble
        damaged = isinstance(error, (CorruptData, ProtocolViolation))
        if damaged:
            actions.append(Refuse(error))
        if not self._elected:
            self._stand(Standing.CANDIDATE)
            return actions
        if isinstance(error, Fenced):
            return self._rest(FENCED_PAUSE_SECONDS, now) + actions
        if self._alone and isinstance(error, DfsError) and not damaged:
            self._stand(Standing.WAITING, now + RETRY_SECONDS)
            return actions
        return self._rest(self._pauses.after_failure(), now) + actions

    def _over_by(self, event: TermOver, now: float) -> List[Action]:
        if self.standing is Standing.CLAIMING:
            self._over = event
        if self.standing is not Standing.LEADING:
            return []
        ended, error = self._ended(), event.error
        if isinstance(error, Fenced):
            return ended[:1] + self._rest(FENCED_PAUSE_SECONDS, now) + ended[1:]
        recording = isinstance(error, DfsError)
        self.trouble = f"could not record a change: {error}" if recording else trouble_of(error)
        self._wait_after_term(now)
        return ended

    def _outlived(self, event: Outlived, now: float) -> List[Action]:
        if self.standing is not Standing.LEADING:
            return []
        if not self._floor.told(event.known, event.own, now):
            return []
        ended = self._ended()
        self._wait_after_term(now)
        return ended

    def _hand_over(self, now: float) -> List[Action]:
        if self._alone or not self.serves:
            return []
        ended = self._ended()
        return ended[:1] + self._rest(HAND_OVER_SECONDS, now) + ended[1:]

    def _failed(self, error: Exception, now: float) -> List[Action]:
        """Also a defect must not leave us elected, serving nothing, in everybody's way."""
        self.trouble = trouble_of(error)
        if self.standing is Standing.RESTING:
            return []
        return [EndTerm(), *self._rest(self._pauses.after_failure(), now), ReleaseMemory()]

    def _ended(self) -> List[Action]:
        return [EndTerm(), ReleaseMemory()] if self.serves else []

    def _wait_after_term(self, now: float) -> None:
        if self._elected:
            pause = self._pauses.after_term(now - self._began_at)
            self._stand(Standing.WAITING, now + pause)
        else:
            self._stand(Standing.CANDIDATE)

    def _rest(self, seconds: float, now: float) -> List[Action]:
        self._elected = False
        self._stand(Standing.RESTING, now + seconds)
        return [Resign()]

    def _stand(self, standing: Standing, wake_at: float = inf) -> None:
        self.standing, self.wake_at = standing, wake_at

    def check(self) -> None:
        """Assert that nobody is elected, or rests, and does nothing about it."""
        waits = self.wake_at < inf
        assert waits == (self.standing in (Standing.WAITING, Standing.RESTING)), self
        if self._elected:
            busy = (Standing.CLAIMING, Standing.LEADING, Standing.WAITING)
            assert self.standing in busy, self
        else:
            idle = (Standing.CANDIDATE, Standing.RESTING, Standing.CLAIMING)
            assert self.standing in idle, self
        assert self._over is None or self._over.attempt == self._attempt

    def __repr__(self) -> str:
        return f"<Leadership: {self.standing.value}, candidacy {self._candidacy}>"


def trouble_of(error: Exception) -> str:
    """Why no term can begin, as the rest of a sentence that has "it"; empty: it will pass."""
    if isinstance(error, Fenced):
        return ""
    if isinstance(error, (CorruptData, ProtocolViolation)):
        return f"cannot use the record of the namespace: {error.message}"
    if isinstance(error, DfsError):
        return f"waits for the metadata service: {error.message}"
    return f"met an unexpected error ({type(error).__name__}); see its log"
