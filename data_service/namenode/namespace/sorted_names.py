"""The names of a directory in order, also while entries come and go.

A big directory keeps them for as long as it is big. Sorting a million names for the first page of a
listing would take half a second, in which nobody else is answered; one list of them all would be
moved for every entry that comes. So they stand in runs of a thousand or two: an entry moves those
of one run only.
"""

from bisect import bisect_left, bisect_right, insort
from typing import Iterable, List

RUN_MAX = 2000
"""A run with more names than this is cut into two."""


class SortedNames:
    """The order is that of code points, which is that of the names' UTF-8 bytes.

    `_lasts` has the last name of every run; no run is empty.
    """

    __slots__ = ("_runs", "_lasts")

    def __init__(self, names: Iterable[str]) -> None:
        ordered = sorted(names)
        step = max(1, RUN_MAX // 2)
        self._runs = [ordered[place : place + step] for place in range(0, len(ordered), step)]
        self._lasts = [run[-1] for run in self._runs]

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def __repr__(self) -> str:
        return f"<SortedNames of {len(self)} entries>"

    def add(self, name: str) -> None:
        """An entry has come."""
        if not self._runs:
            self._runs, self._lasts = [[name]], [name]
            return
        place = min(bisect_left(self._lasts, name), len(self._runs) - 1)
        run = self._runs[place]
        insort(run, name)
        if len(run) > RUN_MAX:
            middle = len(run) // 2
            self._runs[place : place + 1] = run[:middle], run[middle:]
            self._lasts.insert(place, run[middle - 1])
            place += 1
        self._lasts[place] = self._runs[place][-1]

    def remove(self, name: str) -> None:
        """An entry has gone."""
        place = bisect_left(self._lasts, name)
        run = self._runs[place]
        del run[bisect_left(run, name)]
        if run:
            self._lasts[place] = run[-1]
        else:
            del self._runs[place], self._lasts[place]

    def after(self, name: str, limit: int) -> List[str]:
        """At most `limit` names that follow this one; all names follow the empty one."""
        found: List[str] = []
        place = bisect_right(self._lasts, name) if name else 0
        start = bisect_right(self._runs[place], name) if name and place < len(self._runs) else 0
        while len(found) < limit and place < len(self._runs):
            found += self._runs[place][start : start + limit - len(found)]
            place, start = place + 1, 0
        return found

    def equals(self, names: Iterable[str]) -> bool:
        """Whether it is what these names make, and its runs are as they should be."""
        kept = [name for run in self._runs for name in run]
        whole = all(0 < len(run) <= RUN_MAX for run in self._runs)
        return whole and kept == sorted(names) and self._lasts == [run[-1] for run in self._runs]
