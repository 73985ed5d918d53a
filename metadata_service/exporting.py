"""Reads the image of one metadata service at one place: for a namenode that begins to follow, and
for a member that lacks more than its peers keep as edits."""

from types import TracebackType
from typing import Any, Iterator, List, NamedTuple, Optional, Type

from metadata_service.calls import MemberCalls
from metadata_service.edits import TABLES, Row, Table, decode_rows, split_lines
from metadata_service.record.image_digest import ImageDigest
from metadata_service.record.schema import JOURNAL
from zookeeper.fabric import logs
from zookeeper.fabric.errors import CorruptData, DfsError, ProtocolViolation

log = logs.get("exporting")

BEGIN_ROWS = 20
"""The first page tells how large rows are."""

PAGE_ROWS = 1000
"""A page keeps the metadata service for some 10 ms, during which it makes no change durable."""


class Page(NamedTuple):
    """Some rows of a table, in order of their keys, and how many bytes they were on their way."""

    table: Table
    rows: List[Row]
    size: int


class ExportedImage:
    """An image while it is read, in a `with` block:

        with ExportedImage(calls) as image:
            for page in image.pages():
                …
            image.finish()

    Nothing of it may be used before `finish` has come back. Raises SessionExpired when too much
    time went by between two pages, and what the calls raise: then it is to be begun anew.
    """

    def __init__(self, calls: MemberCalls, page_bytes: int = 1 << 30) -> None:
        """`page_bytes`: about so large is a page at most, for who reads slowly on purpose."""
        self._calls = calls
        self._page_bytes = page_bytes
        self._page_rows = BEGIN_ROWS
        self._digest = ImageDigest()
        self._ended = False

    def __enter__(self) -> "ExportedImage":
        found = self._calls.begin_export()
        self._export_id, self.place = found.export_id, found.applied
        self.count = sum(count for _, count in found.rows)
        """How many rows there are to read."""
        return self

    def pages(self) -> Iterator[Page]:
        """All rows of all tables."""
        for table in TABLES.values():
            after: Any = None
            while True:
                payload = self._calls.load(table.name, after, self._page_rows, self._export_id)
                rows = self._rows(table, payload)
                last = rows[-1][0] if rows else after
                self._digest.add(table.name, after, split_lines(payload), last)
                if not rows:
                    break
                fitting = len(rows) * self._page_bytes // len(payload)
                self._page_rows = max(1, min(fitting, PAGE_ROWS))
                yield Page(table, rows, len(payload))
                after = last

    def edits(self, limit: int) -> Iterator[Page]:
        """The rows of the log up to the image's place, at most so many; fewer when fewer are kept.

        Whether each follows the one before it is for who stores them to see.
        """
        after = max(self.place.txid - limit, 0)
        while after < self.place.txid:
            payload = self._calls.load(JOURNAL.name, after, PAGE_ROWS)
            rows = [row for row in self._rows(JOURNAL, payload) if row[0] <= self.place.txid]
            if not rows:
                return
            yield Page(JOURNAL, rows, len(payload))
            after = rows[-1][0]

    def _rows(self, table: Table, payload: bytes) -> List[Row]:
        rows = decode_rows(payload)
        if not all(map(table.accepts, rows)):
            raise ProtocolViolation(f"the metadata service sent odd rows of {table.name}")
        return rows

    def finish(self) -> str:
        """End it; the digest of the image. Raises CorruptData unless what was read is what the
        member had."""
        self._ended = True
        digest = self._calls.end_export(self._export_id)
        if digest != self._digest.digest():
            raise CorruptData("an image came otherwise than it was sent: it is read anew")
        return digest

    def __exit__(
        self,
        _kind: Optional[Type[BaseException]],
        _error: Optional[BaseException],
        _trace: Optional[TracebackType],
    ) -> None:
        if not self._ended:
            try:
                self._calls.end_export(self._export_id)
            except DfsError as error:
                log.debug("export.left", error=error.message, effect="it ends by itself")
