"""Whether one order of events explains all answers: linearizability of a small tree.

Every call that was answered took effect at one moment between question and answer; one of whose
fate nobody knows took effect at some moment after its question, or never; one that failed did not.
The search is Wing and Gong's with Lowe's memory of what was tried (Testing for linearizability,
2017): it goes from moment to moment and tries whatever may have come next. What keeps it short:

- An answer that says that its call changed nothing, wherever it took place (a read, a refusal), is
  placed as soon as it is true, since that closes no other way. That holds for no other call: one
  that would change nothing now may have been the one that changed something later.
- Before and after a stretch of calls the tree is known, because nobody called then.
- Of all ways that are open it follows the one that explains most answers with the fewest calls of
  unknown fate, for those can be anywhere, and mostly never were. To suppose one more costs as much
  as `COST_OF_DOUBT` answers less. A place that another way reached with only some of the same calls
  of unknown fate is not gone on from: that way can do the same.
- What a call answers in a state is computed once.
"""

import heapq
import itertools
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from tests.chaos.history import OK, READS, REFUSED, UNKNOWN, Call
from tests.chaos.model import Model, State, steps_of, visible

STEPS_MAX = 300_000
"""A stretch that takes more is reported as one that could not be judged."""

COST_OF_DOUBT = 8
"""Measured on 60 random histories of 250 calls, a seventh of them of unknown fate: the longest
search takes 12,700 steps, with 5 it takes 36,400, and with 0 many do not end."""


class Unexplained(AssertionError):
    """No order of events explains what clients were told."""


class NotJudged(Exception):
    """Whether there is an order was not found out within the limit of steps."""


def explain(
    model: Model, before: State, calls: Sequence[Call], after: Optional[State]
) -> None:
    """Find an order of `calls` that leads from one state to the other, or to any when that is
    None; raises Unexplained, or NotJudged."""
    _Search(model, calls, after).run(before)


class _Place(NamedTuple):
    """A point of the search: which events are placed (a bit each), and the state that they
    leave, by its number."""

    told: int
    doubtful: int
    state: int


class _States:
    """Every state that the search met, numbered; and what calls do in them."""

    def __init__(self, model: Model, events: Sequence[Call]) -> None:
        self._model = model
        self._events = events
        self._numbers: Dict[tuple, int] = {}
        self._states: List[State] = []
        self._next: Dict[Tuple[int, int], Optional[int]] = {}

    def __getitem__(self, number: int) -> State:
        return self._states[number]

    def number(self, state: State) -> int:
        """The number of a state, the same for an equal one."""
        key = tuple(sorted(state.items()))
        number = self._numbers.setdefault(key, len(self._states))
        if number == len(self._states):
            self._states.append(state)
        return number

    def after(self, event: int, state: int) -> Optional[int]:
        """The state after an event in this one; None when it cannot have been answered as it was.

        An event that nobody knows the answer of may have been refused: then nothing changes.
        """
        key = (event, state)
        if key not in self._next:
            call = self._events[event]
            result, after = self._model.apply(call, self._states[state])
            if call.outcome == UNKNOWN:
                refused = isinstance(result, type)
                self._next[key] = state if refused else self.number(after)
            else:
                self._next[key] = self.number(after) if result == call.result else None
        return self._next[key]


class _Search:
    def __init__(self, model: Model, calls: Sequence[Call], after: Optional[State]) -> None:
        events = [event for call in calls for event in steps_of(call)]
        told = [event for event in events if event.outcome in (OK, REFUSED)]
        told.sort(key=lambda event: event.ended)
        self._told = told
        self._doubtful = [e for e in events if e.outcome == UNKNOWN and e.kind not in READS]
        self._all = (1 << len(told)) - 1
        # Who may come next while this one is the first to end of those that are left.
        self._rivals = [
            [n for n in range(first, len(told)) if told[n].began <= told[first].ended]
            for first in range(len(told))
        ]
        self._states = _States(model, told + self._doubtful)
        self._after = None if after is None else visible(after)
        self._seen: Dict[Tuple[int, int], List[int]] = {}
        self._order = itertools.count(1)
        self._furthest = -1
        self._complaint = ""

    def run(self, before: State) -> None:
        """Go on from place to place until one of them explains all."""
        heap = [(0, 0, 0, _Place(0, 0, self._states.number(before)))]
        steps = 0
        while heap:
            place = self._place_what_changes_nothing(heapq.heappop(heap)[-1])
            if not self._is_new(place):
                continue
            if self._is_end(place):
                return
            self._remember(place)
            steps += 1
            if steps > STEPS_MAX:
                raise NotJudged(f"not judged within {STEPS_MAX} steps; so far: {self._complaint}")
            for way in self._ways(place):
                left, supposed = len(self._told) - _count(way.told), _count(way.doubtful)
                cost = left + COST_OF_DOUBT * supposed
                heapq.heappush(heap, (cost, supposed, next(self._order), way))
        raise Unexplained(self._complaint)

    def _first_left(self, told: int) -> int:
        """The first to end of the calls that are not placed."""
        left = self._all & ~told
        return (left & -left).bit_length() - 1

    def _place_what_changes_nothing(self, place: _Place) -> _Place:
        """Place every call that may come now, is true now, and says that it changes nothing."""
        told, changed = place.told, True
        while changed and told != self._all:
            changed = False
            for n in self._rivals[self._first_left(told)]:
                if told >> n & 1 or not self._told[n].changes_nothing:
                    continue
                if self._states.after(n, place.state) == place.state:
                    told |= 1 << n
                    changed = True
        return place._replace(told=told)

    def _is_new(self, place: _Place) -> bool:
        """Whether nobody was here with the same calls of unknown fate, or with fewer."""
        others = self._seen.setdefault((place.told, place.state), [])
        if any(other & place.doubtful == other for other in others):
            return False
        others[:] = [other for other in others if place.doubtful & other != place.doubtful]
        others.append(place.doubtful)
        return True

    def _is_end(self, place: _Place) -> bool:
        if place.told != self._all:
            return False
        return self._after is None or visible(self._states[place.state]) == self._after

    def _ways(self, place: _Place) -> List[_Place]:
        """Where the search may go from here."""
        ways = []
        latest = float("inf")
        if place.told != self._all:
            first = self._first_left(place.told)
            latest = self._told[first].ended
            for n in self._rivals[first]:
                if not place.told >> n & 1:
                    state = self._states.after(n, place.state)
                    if state is not None:
                        ways.append(_Place(place.told | 1 << n, place.doubtful, state))
        for n, call in enumerate(self._doubtful):
            if not place.doubtful >> n & 1 and call.began <= latest:
                state = self._states.after(len(self._told) + n, place.state)
                if state is not None and state != place.state:
                    ways.append(_Place(place.told, place.doubtful | 1 << n, state))
        return ways

    def _remember(self, place: _Place) -> None:
        """Keep what stopped the way that led furthest."""
        depth = _count(place.told)
        if depth > self._furthest:
            self._furthest = depth
            if place.told == self._all:
                met = f"it is {self._after}"
            else:
                met = f"nothing explains\n{self._told[self._first_left(place.told)]}"
            state = self._states[place.state]
            self._complaint = f"after {depth} events the tree could be {state}, but {met}"


def _count(bits: int) -> int:
    return bin(bits).count("1")
