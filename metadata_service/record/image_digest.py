"""One digest of a whole image, by which two members know whether their rows are the same.

It is of the lines of all rows, table by table in the order of TABLES, and in each by key. So it is
taken while the rows go by, page after page, and no row has to be kept.
"""

import hashlib
from typing import Any, List, Sequence, Tuple

from metadata_service.edits import TABLES
from zookeeper.fabric.errors import InvalidArgument

_DIGEST_BYTES = 16
_NAMES = tuple(TABLES)


class ImageDigest:
    """The digest of the pages that were added so far; the last one may be added again."""

    def __init__(self) -> None:
        self._before = self._hash = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        # Where the last page began, and where the next one has to: (number of the table, key).
        self._begun: Tuple[int, Any] = (0, None)
        self._next: Tuple[int, Any] = (0, None)

    def add(self, table: str, after: Any, lines: Sequence[str], last: Any) -> None:
        """The lines of the rows behind key `after` (None: from the first) up to that with key
        `last`. Raises InvalidArgument unless the page follows the one before it."""
        place = _NAMES.index(table), after
        if place == self._begun:
            self._hash = self._before
        elif place != self._next and not (place[0] > self._next[0] and after is None):
            raise InvalidArgument(f"a page of {table} behind {after!a:.40} is none of an image "
                                  "that is read in order")
        self._before, self._hash = self._hash, self._hash.copy()
        for line in (*self._headings(place), *lines):
            self._hash.update(line.encode("ascii") + b"\n")
        self._begun = place
        self._next = (place[0], last if lines else after)

    def _headings(self, place: Tuple[int, Any]) -> List[str]:
        """The names of the tables that begin here, so that no row can be of another one."""
        number, after = place
        return [_NAMES[number]] if after is None else []

    def digest(self) -> str:
        """It in hexadecimal digits."""
        return self._hash.hexdigest()

    def __repr__(self) -> str:
        return f"<ImageDigest, next {self._next}>"
