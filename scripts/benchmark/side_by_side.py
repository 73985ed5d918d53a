"""Figures of several sides beside each other, and the table of them. Pure.

All are taken in every round, seconds apart, and divided round by round: an hour in which the
machine is slow is slow for each of them.
"""

from statistics import median
from typing import Dict, List, Optional, Sequence, Tuple

from scripts.benchmark.results import aligned, number

Samples = List[Tuple[float, ...]]
"""Of all sides, together from each round."""


class SideBySide:
    """Samples by group and name, both in the order in which their first ones came.

    `compared` are pairs of `sides`: which is told in parts of which.
    """

    def __init__(self, sides: Sequence[str], compared: Sequence[Tuple[str, str]]) -> None:
        self._sides = tuple(sides)
        self._compared = {
            f"{one} : {other}": (sides.index(one), sides.index(other)) for one, other in compared
        }
        self._groups: Dict[str, Dict[Tuple[str, str], Samples]] = {}

    def add(self, group: str, name: str, unit: str, *figures: float) -> None:
        """One more round of a row: a figure of each side."""
        assert len(figures) == len(self._sides), "a figure of each side"
        rows = self._groups.setdefault(group, {})
        rows.setdefault((name, unit), []).append(figures)

    def as_json(self) -> List[Dict[str, object]]:
        """The rows as plain values, for a program."""
        return [
            {
                "group": group,
                "name": name,
                "unit": unit,
                **dict(zip(self._sides, map(list, zip(*samples)))),
                "ratios": self._ratios(samples),
            }
            for group, rows in self._groups.items()
            for (name, unit), samples in rows.items()
        ]

    def table(self) -> str:
        """The rows for a person."""
        head = ("", *self._sides, "unit", *self._compared)
        cells = {
            group: [self._cells(name, unit, samples) for (name, unit), samples in rows.items()]
            for group, rows in self._groups.items()
        }
        every = [head, *(line for lines in cells.values() for line in lines)]
        widths = [max(map(len, column)) for column in zip(*every)]
        numbers = [column for column in range(1, len(head)) if head[column] != "unit"]
        parts = [
            "\n".join([group, *(aligned(line, widths, numbers) for line in [head, *lines])])
            for group, lines in cells.items()
        ]
        return "\n\n".join(parts)

    def _cells(self, name: str, unit: str, samples: Samples) -> Tuple[str, ...]:
        figures = [number(median(side)) for side in zip(*samples)]
        ratios = self._ratios(samples).values()
        shown = ["" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
        return ("  " + name, *figures, unit, *shown)

    def _ratios(self, samples: Samples) -> Dict[str, Optional[float]]:
        """By the name of a pair, the median of the rounds; None where there was nothing to divide
        by, as with processor time that is too short to be counted."""
        found: Dict[str, Optional[float]] = {}
        for pair, (one, other) in self._compared.items():
            quotients = [figures[one] / figures[other] for figures in samples if figures[other]]
            found[pair] = median(quotients) if quotients else None
        return found
