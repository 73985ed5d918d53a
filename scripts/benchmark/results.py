"""Results: samples by name, what they are compared with, and the table of them. Pure.

A sample and the floor that it is compared with are taken seconds apart, once in each round, and
divided round by round; the ratio is the median of these quotients. So a machine that is slower
for a minute, because others use it too, is slower for both.
"""

from statistics import median
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple


class Goal(NamedTuple):
    """What a figure shall reach: itself, or where it has a floor, its ratio to that."""

    bound: float
    at_most: bool = False

    def is_met(self, value: float) -> bool:
        """Whether the value is on the right side of the bound."""
        return value <= self.bound if self.at_most else value >= self.bound

    def __str__(self) -> str:
        return f"{'<=' if self.at_most else '>='} {self.bound:g}"


class Row:
    """One figure: its unit, its goal if it has one, and one sample from each round.

    `floor` names the row of the same group that it is compared with.
    """

    def __init__(
        self, group: str, name: str, unit: str, goal: Optional[Goal], floor: str
    ) -> None:
        self.group = group
        self.name = name
        self.unit = unit
        self.goal = goal
        self.floor = floor
        self.samples: List[float] = []

    @property
    def median(self) -> float:
        """The figure to quote."""
        return median(self.samples)

    def __repr__(self) -> str:
        return f"<Row {self.group}: {self.name}, {self.samples} {self.unit}>"


class Results:
    """All rows by group, both in the order in which their first samples came."""

    def __init__(self) -> None:
        self._groups: Dict[str, Dict[str, Row]] = {}

    @property
    def rows(self) -> Sequence[Row]:
        """Every row, those of a group together."""
        return tuple(row for group in self._groups.values() for row in group.values())

    def add(
        self,
        group: str,
        name: str,
        value: float,
        unit: str,
        goal: Optional[Goal] = None,
        floor: str = "",
    ) -> None:
        """One more sample of a row; names are unique within a group."""
        rows = self._groups.setdefault(group, {})
        row = rows.setdefault(name, Row(group, name, unit, goal, floor))
        same = (row.unit, row.goal, row.floor) == (unit, goal, floor)
        assert same, f"{row} was another figure before"
        row.samples.append(value)

    def ratios(self, row: Row) -> List[float]:
        """Round by round, the row in parts of its floor; the samples themselves without one."""
        if not row.floor:
            return row.samples
        other = self._groups[row.group][row.floor]
        assert len(other.samples) == len(row.samples), f"{row} and {other} are no pairs"
        return [mine / its for mine, its in zip(row.samples, other.samples)]

    def as_json(self) -> List[Dict[str, object]]:
        """The rows as plain values, for a program."""
        return [self._as_json(row) for row in self.rows]

    def _as_json(self, row: Row) -> Dict[str, object]:
        found: Dict[str, object] = {
            "group": row.group,
            "name": row.name,
            "unit": row.unit,
            "median": row.median,
            "samples": row.samples,
        }
        if row.floor:
            found.update(floor=row.floor, ratios=self.ratios(row))
        if row.goal is not None:
            judged = median(self.ratios(row))
            found.update(judged=judged, goal=dict(row.goal._asdict(), met=row.goal.is_met(judged)))
        return found

    def table(self) -> str:
        """The rows for a person: a part for each group, columns aligned over all of them."""
        cells = [self._cells(row) for row in self.rows]
        head = ("", "median", "lowest", "highest", "unit", "goal", "reached", "")
        widths = [max(map(len, column)) for column in zip(head, *cells)]
        lines: List[str] = []
        group = ""
        for row, line in zip(self.rows, cells):
            if row.group != group:
                group = row.group
                lines += ["", group, aligned(head, widths)]
            lines.append(aligned(line, widths))
        return "\n".join(lines[1:])

    def _cells(self, row: Row) -> Tuple[str, ...]:
        numbers = (row.median, min(row.samples), max(row.samples))
        cells = ("  " + row.name,) + tuple(map(number, numbers)) + (row.unit,)
        if row.goal is None:
            return cells + ("", "", "")
        judged = median(self.ratios(row))
        goal = f"{row.goal} of {row.floor}" if row.floor else str(row.goal)
        reached = f"{judged:.2f}" if row.floor else number(judged)
        return cells + (goal, reached, "yes" if row.goal.is_met(judged) else "NO")


def number(value: float) -> str:
    """Three digits or more, with commas between thousands."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


_NUMBERS = (1, 2, 3, 6)
"""The columns whose digits stand below each other."""


def aligned(
    cells: Sequence[str], widths: Sequence[int], numbers: Sequence[int] = _NUMBERS
) -> str:
    """One line of a table: words to the left, and to the right what is in the `numbers` columns."""
    parts = [
        cell.rjust(width) if column in numbers else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths))
    ]
    return "  ".join(parts).rstrip()
