"""Reads the record for a namenode: a whole image at one place, and the edits behind it."""

import time
from typing import Any, Callable, Dict, Iterator, List, Tuple

from data_service.namenode.namenode_core import Core
from data_service.namenode.namespace.retries import ENTRIES_MAX, KEEP_SECONDS
from metadata_service.calls import MetadataCalls
from metadata_service.edits import TABLES, Edit, Row, decode, decode_rows, split_lines
from metadata_service.recent import recent
from zookeeper.fabric.errors import OutOfStep, ProtocolViolation, Unavailable

RECENT_SECONDS = KEEP_SECONDS + 60
"""Edits of so long before the last one are read at start, for the retry cache."""

PAGE_ROWS = 5_000
PAGE_EDITS = 1_000


class RecordReader:
    """`calls` go to the record. With `yields`, as much time as a page took is left to others, who
    may share this machine, before the next one."""

    def __init__(self, calls: MetadataCalls, yields: bool) -> None:
        self._calls = calls
        self._yields = yields

    def load(self, make: Callable[[str], Core], stopped: Callable[[], bool]) -> Core:
        """A new core with everything that is recorded now. Raises Unavailable when it is stopped.

        Rows come page by page, while others are changed. So the edits since the first page are
        carried out on the rows once more: each names whole rows, and twice is the same as once.
        """
        status = self._calls.status()
        tables: Dict[str, Dict[Any, Row]] = {name: {} for name in TABLES}
        for name, rows in tables.items():
            for row in self._rows(name, stopped):
                rows[row[0]] = row
        last_txid = status.last_txid
        while True:
            edits = self._edits(last_txid, PAGE_EDITS)
            if not edits:
                break
            for edit in edits:
                for name, key, changed in edit.changes:
                    if changed is None:
                        tables[name].pop(key, None)
                    else:
                        tables[name][key] = changed
            last_txid = edits[-1].txid
        core = make(status.cluster_id)
        after = max(last_txid - ENTRIES_MAX, 0)
        newest = (
            edit for edit in recent(self._edits_kept, after, last_txid, RECENT_SECONDS)
            if edit.txid <= last_txid
        )  # fmt: skip
        ordered = {name: _taken(rows) for name, rows in tables.items()}
        core.state.load(ordered, newest, last_txid)
        return core

    def behind(self, txid: int) -> Tuple[int, List[Edit]]:
        """(up to where all is durable, the next edits behind this one). Raises OutOfStep when the
        record has others, or not these any more."""
        last_txid = self._calls.status().last_txid
        if last_txid < txid:
            raise OutOfStep(f"the record ends at edit {last_txid}; {txid} was followed")
        return last_txid, self._edits(txid, PAGE_EDITS) if last_txid > txid else []

    def _rows(self, name: str, stopped: Callable[[], bool]) -> Iterator[Row]:
        after = None
        while True:
            if stopped():
                raise Unavailable("the image is not needed any more")
            started = time.monotonic()
            rows = decode_rows(self._calls.load(name, after, PAGE_ROWS))
            if not rows:
                return
            if not all(map(TABLES[name].accepts, rows)):
                raise ProtocolViolation(f"the metadata service sent odd rows of {name}")
            yield from rows
            after = rows[-1][0]
            if self._yields:
                time.sleep(time.monotonic() - started)

    def _edits(self, txid: int, limit: int) -> List[Edit]:
        edits = self._edits_kept(txid, limit)
        if edits and edits[0].txid != txid + 1:
            raise OutOfStep(f"the record keeps no edit {txid + 1} any more")
        return edits

    def _edits_kept(self, txid: int, limit: int) -> List[Edit]:
        return [decode(line) for line in split_lines(self._calls.edits_since(txid, limit))]

    def __repr__(self) -> str:
        return f"<RecordReader of {self._calls!r}>"


def _taken(rows: Dict[Any, Row]) -> Iterator[Row]:
    """The rows in the order of their keys; each is forgotten here when it is taken."""
    for key in sorted(rows):
        yield rows.pop(key)
