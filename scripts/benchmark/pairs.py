"""Figures of ours beside those of a peer, and the table of them. Pure.

Both are taken in every round, seconds apart, and divided round by round: an hour in which the
machine is slow is slow for both.
"""

from statistics import median
from typing import Dict, List, Tuple

from scripts.benchmark.results import aligned, number

_HEAD = ("", "ours", ":", "theirs", "unit", "ratio")
_NUMBERS = (1, 3, 5)

Samples = List[Tuple[float, float]]
"""Of ours and theirs, one pair from each round."""


class Pairs:
    """Samples by group and name, both in the order in which their first ones came."""

    def __init__(self) -> None:
        self._groups: Dict[str, Dict[Tuple[str, str], Samples]] = {}

    def add(self, group: str, name: str, unit: str, ours: float, theirs: float) -> None:
        """One more round of a row."""
        rows = self._groups.setdefault(group, {})
        rows.setdefault((name, unit), []).append((ours, theirs))

    def as_json(self) -> List[Dict[str, object]]:
        """The rows as plain values, for a program."""
        return [
            {
                "group": group,
                "name": name,
                "unit": unit,
                "ours": [ours for ours, _ in samples],
                "theirs": [theirs for _, theirs in samples],
                "ratio": ratio(samples),
            }
            for group, rows in self._groups.items()
            for (name, unit), samples in rows.items()
        ]

    def table(self) -> str:
        """The rows for a person."""
        cells = {
            group: [_cells(name, unit, samples) for (name, unit), samples in rows.items()]
            for group, rows in self._groups.items()
        }
        every = [_HEAD, *(line for lines in cells.values() for line in lines)]
        widths = [max(map(len, column)) for column in zip(*every)]
        parts = [
            "\n".join([group, *(aligned(line, widths, _NUMBERS) for line in [_HEAD, *lines])])
            for group, lines in cells.items()
        ]
        return "\n\n".join(parts)


def ratio(samples: Samples) -> float:
    """Ours in parts of theirs: the median of the rounds."""
    return median(ours / theirs for ours, theirs in samples)


def _cells(name: str, unit: str, samples: Samples) -> Tuple[str, ...]:
    ours, theirs = (number(median(side)) for side in zip(*samples))
    return ("  " + name, ours, ":", theirs, unit, f"{ratio(samples):.2f}")
