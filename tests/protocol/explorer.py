"""Visit every state that a model can reach, and say by which steps the first wrong one is reached.

A model says how it begins, which states one step leads to, and what must hold in each. A search
that goes on breadth first visits every state once; so when a rule is broken, the way that is
shown is a shortest one. Nothing is left to chance: within its bounds, a model that holds, holds.

A state is kept as its hash only, beside the hash of the state that it came from. That lets a
search of millions of states fit into memory; the names of the steps are found again, when they
are wanted, by going the same way once more.
"""

from typing import Dict, Generic, Iterator, List, NamedTuple, Optional, Tuple, TypeVar

S = TypeVar("S")

Step = Tuple[object, ...]
"""What happened: a sentence with gaps, and what to fill them with if somebody wants to read it."""


class Broken(AssertionError):
    """A rule does not hold in a state."""


def demand(holds: bool, rule: str, *facts: object) -> None:
    """Raise Broken with the rule, whose gaps are filled with the facts, unless it holds."""
    if not holds:
        raise Broken(rule.format(*facts))


class Model(Generic[S]):
    """What can be explored. States must be hashable, and equal when they mean the same."""

    def first(self) -> S:
        """The state in which everything begins."""
        raise NotImplementedError

    def successors(self, state: S) -> Iterator[Tuple[Step, S]]:
        """Every step that may come next, and the state that it leads to."""
        raise NotImplementedError

    def check(self, state: S) -> None:
        """Raise Broken when a rule does not hold in this state."""
        raise NotImplementedError


class Found(NamedTuple):
    """What a search came to: `broken` is the rule and `way` the steps to it, when one was broken.

    `depth` is how many steps the farthest state is away from the first; all states up to there
    were visited, and all there are if `finished`.
    """

    states: int
    steps: int
    depth: int
    finished: bool
    broken: str
    way: Tuple[str, ...]


def explore(model: Model[S], states_max: int) -> Found:
    """Visit all states, or the nearest `states_max` of them, until one breaks a rule."""
    first = model.first()
    came: Dict[int, Optional[int]] = {hash(first): None}
    frontier = [first]
    steps = depth = 0
    while frontier:
        following: List[S] = []
        for state in frontier:
            here = hash(state)
            for _, new in model.successors(state):
                steps += 1
                key = hash(new)
                if key in came:
                    continue
                came[key] = here
                broken = _broken(model, new)
                if broken:
                    way = _way(model, came, key)
                    return Found(len(came), steps, depth + 1, False, broken, way)
                following.append(new)
            if len(came) > states_max:
                return Found(len(came), steps, depth, False, "", ())
        frontier = following
        depth += bool(frontier)
    return Found(len(came), steps, depth, True, "", ())


def _broken(model: Model[S], state: S) -> str:
    try:
        model.check(state)
    except Broken as broken:
        return str(broken)
    return ""


def _way(model: Model[S], came: Dict[int, Optional[int]], last: int) -> Tuple[str, ...]:
    """The steps from the first state to the one with this hash."""
    keys: List[int] = []
    key: Optional[int] = last
    while key is not None:
        keys.append(key)
        key = came[key]
    state = model.first()
    way: List[str] = []
    for wanted in reversed(keys[:-1]):
        step, state = next(made for made in model.successors(state) if hash(made[1]) == wanted)
        words, *gaps = step
        way.append(str(words).format(*gaps))
    return tuple(way)
