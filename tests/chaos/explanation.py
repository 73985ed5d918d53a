"""Whether one order of events explains all answers: linearizability of a small tree.

Every call that was answered took effect at one moment between question and answer; one of whose
fate nobody knows took effect at some moment after its question, or never; one that failed did not.
The search is Wing and Gong's with Lowe's memory of what was tried (Testing for linearizability,
2017): it goes from moment to moment and tries whatever may have come next. Two things keep it
short. A call that changes nothing is placed as soon as its answer is true, since that closes no
other way; and before and after a stretch of calls the tree is known, because nobody called then.
Of all ways that are open the search follows the one that explains most answers with the fewest
calls of unknown fate, for those can be anywhere, and mostly never were.
"""

import heapq
import itertools
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Set, Tuple

from tests.chaos.history import OK, READS, REFUSED, UNKNOWN, Call
from tests.simulation import plain_tree
from tests.simulation.plain_tree import DIRECTORY, Tree
from zookeeper.fabric import errors

STEPS_MAX = 100_000
"""A stretch that takes more is reported, too: as one that could not be judged."""

Answer = Tuple[Any, Tree]


class Unexplained(AssertionError):
    """No order of events explains what clients were told."""


def put(tree: Tree, path: str, content: int, replication: int, overwrite: bool) -> Answer:
    """A file appears, or takes another's place, in a directory that exists."""
    if tree.get(path) == DIRECTORY:
        return errors.IsADirectory, tree
    if path in tree and not overwrite:
        return errors.PathExists, tree
    return None, dict(tree, **{path: ("f", content, replication)})


def get(tree: Tree, path: str) -> Answer:
    """The number of a file's content."""
    node = tree.get(path)
    if node is not None and node != DIRECTORY:
        return node[1], tree
    if node is None and tree.get(plain_tree.parent_of(path), DIRECTORY) != DIRECTORY:
        return errors.NotADirectory, tree
    return errors.PathNotFound if node is None else errors.IsADirectory, tree


def listing(tree: Tree, path: str) -> Answer:
    """What `list` tells of each child of a directory: all but a file's content."""
    rows = []
    for other, node in sorted(tree.items()):
        if plain_tree.parent_of(other) == path:
            kind = ("d",) if node == DIRECTORY else ("f", node[2])
            rows.append((other.rpartition("/")[2], *kind))
    return tuple(rows), tree


MODELS: Dict[str, Callable[..., Answer]] = dict(
    plain_tree.MODELS, put=put, get=get, list=listing
)


class _Place(NamedTuple):
    """A point of the search: which calls are placed (a bit each), and the tree that they leave."""

    placed: int
    tree: Tree


class _Candidate(NamedTuple):
    bit: int
    call: Call


def explain(before: Tree, calls: Sequence[Call], after: Tree) -> None:
    """Find an order of `calls` that leads from one tree to the other; raises Unexplained."""
    _Search(calls, after).run(before)


class _Search:
    def __init__(self, calls: Sequence[Call], after: Tree) -> None:
        told = [call for call in calls if call.outcome in (OK, REFUSED)]
        doubtful = [c for c in calls if c.outcome == UNKNOWN and c.kind not in READS]
        told.sort(key=lambda call: call.ended)
        bits = [_Candidate(1 << n, call) for n, call in enumerate(told + doubtful)]
        self._told, self._doubtful = bits[: len(told)], bits[len(told) :]
        self._after = after
        self._seen: Set[Tuple[int, Tuple]] = set()
        self._order = itertools.count(1)
        self._furthest = -1
        self._complaint = ""

    def run(self, before: Tree) -> None:
        """Go on from place to place until one of them explains all."""
        heap = [(0, 0, 0, _Place(0, before))]
        while heap:
            place, left = self._place_reads(heapq.heappop(heap)[-1])
            key = (place.placed, tuple(sorted(place.tree.items())))
            if key in self._seen:
                continue
            self._seen.add(key)
            if not left and place.tree == self._after:
                return
            self._remember(place, left)
            if len(self._seen) > STEPS_MAX:
                raise Unexplained(f"not judged within {STEPS_MAX} steps; so far: {self._complaint}")
            supposed = bin(place.placed >> len(self._told)).count("1")
            for way in self._next(place, left):
                more = way.placed >> len(self._told) != place.placed >> len(self._told)
                heapq.heappush(heap, (len(left), supposed + more, next(self._order), way))
        raise Unexplained(self._complaint)

    def _place_reads(self, place: _Place) -> Tuple[_Place, List[_Candidate]]:
        """Place every call that may come now, is true now, and changes nothing; and who is left."""
        placed, tree = place
        left = [one for one in self._told if not one.bit & placed]
        while True:
            true = {
                one.bit for one in _candidates(left) if _apply(one.call, tree) == (True, tree)
            }
            if not true:
                return _Place(placed, tree), left
            placed |= sum(true)
            left = [one for one in left if one.bit not in true]

    def _next(self, place: _Place, left: List[_Candidate]) -> List[_Place]:
        """Where the search may go from here."""
        ways = []
        for one in _candidates(left):
            is_true, tree = _apply(one.call, place.tree)
            if is_true:
                ways.append(_Place(place.placed | one.bit, tree))
        latest = left[0].call.ended if left else float("inf")
        for one in self._doubtful:
            if not one.bit & place.placed and one.call.began <= latest:
                _, tree = _apply(one.call, place.tree)
                if tree != place.tree:
                    ways.append(_Place(place.placed | one.bit, tree))
        return ways

    def _remember(self, place: _Place, left: List[_Candidate]) -> None:
        """Keep what stopped the way that led furthest."""
        depth = len(self._told) - len(left)
        if depth > self._furthest:
            self._furthest = depth
            met = f"nothing explains\n{left[0].call}" if left else f"it is {self._after}"
            self._complaint = f"after {depth} calls the tree could be {place.tree}, but {met}"


def _candidates(left: List[_Candidate]) -> List[_Candidate]:
    """The calls that may have come next: those that began before any other one ended."""
    return [one for one in left if one.call.began <= left[0].call.ended]


def _apply(call: Call, tree: Tree) -> Tuple[bool, Tree]:
    """Whether a call's answer is true of this tree, and the tree after it."""
    result, after = MODELS[call.kind](tree, *call.args)
    return result == call.result, after
