"""The names of a big directory in order, while somebody lists it page by page.

Made for the first page of a listing and dropped after the last one: sorting 50,000 names for every
page took the namenode minutes for one listing. Every entry that comes or goes moves what is behind
it; so what a listing left behind that nobody goes on with is dropped after some changes.
"""

from bisect import bisect_left, bisect_right, insort
from typing import Iterable, List

CHANGES_MAX = 1000
"""So many entries come or go between two pages of a listing that is going on, at most."""


class SortedNames:
    """The order is that of code points, which is that of the names' UTF-8 bytes."""

    __slots__ = ("_names", "_changes")

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(names)
        self._changes = 0

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<SortedNames of {len(self)} entries>"

    @property
    def is_wanted(self) -> bool:
        """Whether somebody may ask for the next page yet."""
        return self._changes < CHANGES_MAX

    def add(self, name: str) -> None:
        """An entry has come."""
        insort(self._names, name)
        self._changes += 1

    def remove(self, name: str) -> None:
        """An entry has gone."""
        del self._names[bisect_left(self._names, name)]
        self._changes += 1

    def after(self, name: str, limit: int) -> List[str]:
        """At most `limit` names that follow this one; all names follow the empty one."""
        self._changes = 0
        start = bisect_right(self._names, name) if name else 0
        return self._names[start : start + limit]

    def equals(self, names: Iterable[str]) -> bool:
        """Whether it is what these names make."""
        return self._names == sorted(names)
