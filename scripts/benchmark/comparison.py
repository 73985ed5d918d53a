"""What got worse since a run that was saved: ratios to the floors, and memory. Pure.

Absolute speeds are those of an hour of a machine, so only what has a floor is compared, in parts of
it; and memory, which does not depend on the hour. A row got worse when both the median of its
rounds and the best of them are worse than those before, by more than the tolerance: a slower change
is slower in every round, a disturbance is not.
"""

from statistics import median
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

MIB_UNIT = "MiB"
FALLING = ("ms", "s", MIB_UNIT)
"""Units of figures that are better when they are smaller."""

Rows = Sequence[Mapping[str, Any]]
"""As `Results.as_json` gives them."""


class Worse(NamedTuple):
    """A row that was `before` and is `now`, in the median: in parts of its floor, or in its unit.

    It is so many times worse at least: in the median, and at its best.
    """

    group: str
    name: str
    before: float
    now: float
    factor: float

    def __str__(self) -> str:
        figures = f"{self.before:.3g} before, {self.now:.3g} now"
        return f"{self.group}: {self.name}: {self.factor:.2f} times worse: {figures}"


def what_got_worse(before: Rows, now: Rows, tolerance: float) -> List[Worse]:
    """The rows that are worse by more than `tolerance`, a fraction, in the order of `now`.

    ValueError when there is no row to compare.
    """
    known = _comparable(before)
    found: List[Worse] = []
    compared = 0
    for (group, name), (values, falling) in _comparable(now).items():
        if (group, name) in known:
            compared += 1
            was, best = known[group, name][0], min if falling else max
            factor = min(
                _times_worse(median(was), median(values), falling),
                _times_worse(best(was), best(values), falling),
            )
            if factor > 1 + tolerance:
                found.append(Worse(group, name, median(was), median(values), factor))
    if not compared:
        raise ValueError("the saved run measured nothing that this one did")
    return found


def _times_worse(before: float, now: float, falling: bool) -> float:
    return now / before if falling else before / now


def _comparable(rows: Rows) -> Dict[Tuple[str, str], Tuple[Sequence[float], bool]]:
    """(group, name) -> values of the rounds, and whether they are better when smaller."""
    return {
        (row["group"], row["name"]): (row.get("ratios", row["samples"]), row["unit"] in FALLING)
        for row in rows
        if "floor" in row or row["unit"] == MIB_UNIT
    }
