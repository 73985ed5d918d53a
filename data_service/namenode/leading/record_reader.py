"""Reads the record for a namenode: a whole image at one place, and the decided edits behind it.

Any member of the record will do, for only what is decided is read. One that does not answer, that
lags behind, or waits for the image of another as its own is damaged or not there yet, is left for
the next one.
"""

import time
from array import array
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from data_service.namenode.leading.recent import recent
from data_service.namenode.namenode_core import Core
from data_service.namenode.namespace.effects import digests_in
from data_service.namenode.namespace.image import BLOCKS, DIGESTS, INODES
from data_service.namenode.namespace.retries import ENTRIES_MAX, KEEP_SECONDS
from data_service.protocol.blocks import DIGEST_BYTES
from metadata_service.calls import MemberCalls
from metadata_service.edits import Edit, Row, decode, decode_rows, split_lines
from metadata_service.exporting import ExportedImage, Page
from metadata_service.quorum import MemberStatus
from metadata_service.record.schema import JOURNAL
from zookeeper.fabric import logs
from zookeeper.fabric.errors import CorruptData, DfsError, OutOfStep, Unavailable

log = logs.get("record_reader")

RECENT_SECONDS = KEEP_SECONDS + 60
"""Edits of so long before the last one are read at start, for the retry cache."""

PAGE_EDITS = 1_000

LED_SECONDS = 3.0
"""A member that has heard of a leader so lately has one."""


class News(NamedTuple):
    """Edits behind the one that was asked for, and up to where all is decided."""

    decided: int
    lines: List[str]


class RecordReader:
    """`members` are those of the record. With `yields`, as much time as a page took is left to a
    leader, who may share this machine, before the next one."""

    def __init__(self, members: Sequence[MemberCalls], yields: bool) -> None:
        self._members = members
        self._yields = yields
        self._turn = 0
        # Members that lack what was followed, of those asked in a row.
        self._short: Set[int] = set()

    @property
    def _calls(self) -> MemberCalls:
        return self._members[self._turn]

    def turn(self) -> None:
        """Ask the next member from now on."""
        self._turn = (self._turn + 1) % len(self._members)

    def status(self) -> MemberStatus:
        """What the member knows that is asked now."""
        return self._calls.status()

    def load(self, make: Callable[[str], Core], stopped: Callable[[], bool]) -> Core:
        """A new core with all that a member has applied, of the first that can tell it. Raises
        Unavailable when it is stopped, or no member can, and CorruptData when all are damaged."""
        trouble: Optional[DfsError] = None
        for _ in self._members:
            try:
                return self._load(make, stopped)
            except DfsError as error:
                damaged = isinstance(error, CorruptData)
                if stopped() or not (error.retryable or damaged):
                    raise
                log.warning("load.elsewhere", error=error.message)
                self.turn()
                # Who does not answer may come back with a record that is whole.
                trouble = error if trouble is None or error.retryable else trouble
        assert trouble is not None, "there are members"
        raise trouble

    def _load(self, make: Callable[[str], Core], stopped: Callable[[], bool]) -> Core:
        status = self._calls.status()
        if not status.cluster_id:
            self._require_new()
        core = make(status.cluster_id)
        with ExportedImage(self._calls) as image:
            yields = self._yields and status.silent_seconds < LED_SECONDS
            streamed = _Streamed(image, lambda seconds: _pause(seconds if yields else 0.0, stopped))
            last_txid = image.place.txid
            edits = self._recent(status, last_txid)
            core.state.load(streamed.tables(), edits, last_txid)
            core.digest = image.place.digest
        return core

    def _require_new(self) -> None:
        """Raises Unavailable when only the member that is asked now has no record yet."""
        for calls in self._members:
            try:
                cluster_id = calls.status().cluster_id
            except DfsError as error:
                log.debug("member.silent", error=error.message)
            else:
                if cluster_id:
                    raise Unavailable("this metadata service has no record yet, and another has")

    @contextmanager
    def _elsewhere(self) -> Iterator[None]:
        """What a damaged member cannot tell, another one can, if there is one: that raises
        Unavailable."""
        try:
            yield
        except CorruptData as error:
            if len(self._members) == 1:
                raise
            raise Unavailable(f"a metadata service is damaged: {error.message}") from error

    def behind(self, txid: int, wait_seconds: float) -> News:
        """The next edits behind this one, as soon as there are any, at the latest when the time is
        up. Raises OutOfStep when the record goes on elsewhere, or keeps these no more, and
        Unavailable when this member does not know as much."""
        with self._elsewhere():
            tail = self._calls.tail(txid, PAGE_EDITS, wait_seconds)
        if not tail.behind:
            self._short.clear()
            return News(tail.decided, split_lines(tail.payload))
        if tail.decided >= txid:
            raise OutOfStep(f"the record keeps no edits behind {txid} any more")
        # What was followed is decided, so a majority had it; others may get it yet.
        if self._calls.status().last.txid < txid:
            self._short.add(self._turn)
        if 2 * len(self._short) > len(self._members):
            raise OutOfStep(f"the record ends before edit {txid}, which was followed")
        raise Unavailable(f"this metadata service does not know of edit {txid} yet")

    def recorded(self, txid: int) -> List[str]:
        """Some of the edits behind this one, of the first member that has any; whoever is asked
        first may be the one that was lost together with the last leader, or has a new image."""
        trouble: DfsError = Unavailable(f"no metadata service has told of an edit behind {txid}")
        for _ in self._members:
            try:
                lines = self.behind(txid, 0.0).lines
            except (Unavailable, OutOfStep) as error:
                trouble = error
            else:
                if lines:
                    return lines
            self.turn()
        raise trouble

    def require_same(self, txid: int, digest: str) -> None:
        """Raises OutOfStep when edit `txid` of the record is none with this digest."""
        if not (txid and digest):
            return
        with self._elsewhere():
            rows = decode_rows(self._calls.load(JOURNAL.name, txid - 1, 1))
        for row in rows:
            if row[0] == txid and row[2] != digest:
                raise OutOfStep(f"edit {txid} of the record is another one than was followed")

    def _recent(self, status: MemberStatus, last_txid: int) -> Iterator[Edit]:
        kept_behind = status.first_txid - 1 if status.first_txid else last_txid
        after = max(last_txid - ENTRIES_MAX, kept_behind)
        found = recent(self._edits, after, last_txid, RECENT_SECONDS)
        return (edit for edit in found if edit.txid <= last_txid)

    def _edits(self, txid: int, limit: int) -> List[Edit]:
        return [decode(line) for line in split_lines(self._calls.tail(txid, limit, 0.0).payload)]

    def __repr__(self) -> str:
        return f"<RecordReader of {len(self._members)} members, {self._turn} is asked>"


def _pause(seconds: float, stopped: Callable[[], bool]) -> None:
    if stopped():
        raise Unavailable("the image is not needed any more")
    time.sleep(seconds)


class _Streamed:
    """The tables of an image, read while they are taken: first the inodes, then the blocks. With
    the last of these all others are there, since to find what they mean takes longer than a member
    stands still. `between` is told after each page how long that took."""

    def __init__(self, image: ExportedImage, between: Callable[[float], None]) -> None:
        self._image = image
        self._pages = self._paced(between)
        self._page: Optional[Page] = None
        self._others: Dict[str, List[Row]] = {}
        self._digests = array("q"), bytearray()

    def tables(self) -> Dict[str, Any]:
        """To be taken in this order."""
        others = ("deleted_blocks", "counters", "delegations")
        self._others = {name: [] for name in others}
        return {
            INODES: self._rows(INODES),
            BLOCKS: self._rows_and_others(),
            **self._others,
            DIGESTS: self._unpacked(),
        }

    def _paced(self, between: Callable[[float], None]) -> Iterator[Page]:
        started = time.monotonic()
        for page in self._image.pages():
            yield page
            between(time.monotonic() - started)
            started = time.monotonic()

    def _rows(self, name: str) -> Iterator[Row]:
        while True:
            page = self._page = self._page or next(self._pages, None)
            if page is None or page.table.name != name:
                return
            self._page = None
            yield from page.rows

    def _rows_and_others(self) -> Iterator[Row]:
        yield from self._rows(BLOCKS)
        for name in ("deleted_blocks", DIGESTS, "counters", "delegations"):
            for row in self._rows(name):
                if name == DIGESTS:
                    self._pack(row)
                else:
                    self._others[name].append(row)
        self._image.finish()

    def _pack(self, row: Row) -> None:
        """A million of them as rows would take 200 MB for a moment."""
        numbers, digests = self._digests
        for number, digest in digests_in((row,)):
            numbers.append(number)
            digests += digest

    def _unpacked(self) -> Iterator[Tuple[int, str]]:
        numbers, digests = self._digests
        for index, number in enumerate(numbers):
            yield number, digests[DIGEST_BYTES * index : DIGEST_BYTES * (index + 1)].hex()
