"""Images that are read page by page while edits go on coming in: what the member keeps of each.

Theory of operation. While anybody reads its image, a member stands still: it stores edits, and
applies none. So all pages are of one place, and there needs to be neither a second connection to
the database nor an old state. Who stops reading without a word must not keep it so for ever; an
export that was idle for a while has ended.
"""

import threading
import uuid
from typing import Any, Callable, Dict, Protocol, Union

from metadata_service.edits import TABLES, Table, decode_rows, split_lines
from metadata_service.quorum import Export, Place
from metadata_service.record.image_digest import ImageDigest
from zookeeper.fabric.errors import Busy, InvalidArgument, SessionExpired

IDLE_SECONDS = 10.0
SECONDS_MAX = 1800.0
"""A reader that takes longer would have the edits pile up that are not applied meanwhile."""

EXPORTS_MAX = 8
"""Readers at a time: some namenodes that start, and the other members."""


EXPORTS_OF_ONE = 4
"""So many of them for one caller: several of its processes, and some that are gone."""


class Image(Protocol):
    """The record whose image is read."""

    def stand_still(self) -> Place:
        """Apply no edit any more; where the image stands."""

    def is_still(self) -> bool:
        """Whether it has stood still since it was told so: another image may have come."""

    def go_on(self) -> None:
        """Apply edits again."""

    def count_rows(self) -> Dict[str, int]:
        """How many rows each image table has."""

    def load(self, table: Table, after: Any, limit: int, bytes_max: int) -> bytes:
        """Lines of rows in order of their keys."""


class _Reader:
    """One export under way."""

    def __init__(self, caller: str, now: float) -> None:
        self.caller = caller
        self.begun = self.used = now
        self.digest = ImageDigest()


class Exports:
    """The exports of one record. Thread-safe. `clock` gives monotonic seconds."""

    def __init__(self, image: Image, bytes_max: int, clock: Callable[[], float]) -> None:
        self._image = image
        self._bytes_max = bytes_max
        self._clock = clock
        self._lock = threading.Lock()
        self._readers: Dict[str, _Reader] = {}
        self._place = Place(0, "")

    def begin(self, caller: str) -> Export:
        """Stand still for one reader more, who is called so; raises Busy."""
        with self._lock:
            self._expire()
            if not self._image.is_still():
                self._readers.clear()
            if len(self._readers) >= EXPORTS_MAX:
                raise Busy(f"{EXPORTS_MAX} others read the image of this metadata service")
            own = [one for one in self._readers.values() if one.caller == caller]
            if len(own) >= EXPORTS_OF_ONE:
                raise Busy(f"{caller} reads the image of this metadata service {len(own)} times")
            if not self._readers:
                self._place = self._image.stand_still()
            export_id = str(uuid.uuid4())
            self._readers[export_id] = _Reader(caller, self._clock())
            return Export(export_id, self._place, tuple(self._image.count_rows().items()))

    def load(self, export_id: str, name: str, after: Union[int, str, None], limit: int) -> bytes:
        """A page of an image table, as MemberCalls says; raises SessionExpired."""
        table = TABLES.get(name)
        if table is None or not (after is None or type(after) is table.key.kind):
            raise InvalidArgument(f"there is no image table {name:.40} with a key {after!a:.40}")
        with self._lock:
            reader = self._reader(export_id)
            payload = self._image.load(table, after, limit, self._bytes_max)
            self._reader(export_id)
            lines = split_lines(payload)
            last = decode_rows(lines[-1].encode("ascii"))[0][0] if lines else after
            reader.digest.add(name, after, lines, last)
            return payload

    def end(self, export_id: str) -> str:
        """Go on when nobody else reads; the digest of what this reader has read."""
        with self._lock:
            reader = self._reader(export_id)
            self._leave(export_id)
            return reader.digest.digest()

    def expire(self) -> None:
        """End what was idle, or takes too long."""
        # Mostly there is none, and a look at the dictionary takes no lock.
        if self._readers:
            with self._lock:
                self._expire()

    def _reader(self, export_id: str) -> _Reader:
        self._expire()
        if not self._image.is_still():
            self._readers.clear()
        reader = self._readers.get(export_id)
        if reader is None:
            raise SessionExpired("this reading of the image is over, and edits went on: begin anew")
        reader.used = self._clock()
        return reader

    def _expire(self) -> None:
        now = self._clock()
        for export_id, reader in list(self._readers.items()):
            if now - reader.used > IDLE_SECONDS or now - reader.begun > SECONDS_MAX:
                self._leave(export_id)

    def _leave(self, export_id: str) -> None:
        del self._readers[export_id]
        if not self._readers:
            self._image.go_on()

    def __repr__(self) -> str:
        return f"<Exports: {len(self._readers)} read>"
