"""A member's exports over a database of today, and a stub that asks it."""

from typing import Any, Callable, Dict, Optional, Tuple

from metadata_service.calls import MemberCalls
from metadata_service.edits import TABLES, Table, decode, encode
from metadata_service.exports import Exports
from metadata_service.metadata_db import MetadataDatabase
from metadata_service.quorum import NOBODY, OK, MemberStatus, Place
from metadata_service.schema import JOURNAL
from tests.support.models.sample_edits import file_edits, lines_of
from zookeeper.fabric.calls import Call

BYTES_MAX = 1 << 20


class StillMember:
    """Stores edits that come while it stands still, and applies them when it goes on.

    `before` is called before each page of an export.
    """

    def __init__(self, database: MetadataDatabase, clock: Callable[[], float]) -> None:
        self.database = database
        self.still = False
        self.waiting: Dict[int, str] = {}
        self.exports = Exports(self, BYTES_MAX, clock)
        self.calls = MemberCalls(self._perform)
        self.before: Callable[[], None] = lambda: None
        self.spoil: Callable[[bytes], bytes] = lambda payload: payload

    def add(self, count: int) -> None:
        """Some edits, of which each makes a file."""
        last = self.database.status[2] + len(self.waiting)
        for edit, line in zip(file_edits(last + 1, last + count),
                              lines_of(file_edits(last + 1, last + count))):
            self.waiting[edit.txid] = line
        if not self.still:
            self.go_on()

    def stand_still(self) -> Place:
        """See Image."""
        self.still = True
        return self._place(self.database.status[2])

    def go_on(self) -> None:
        """See Image."""
        self.still = False
        epoch = self.database.status[1]
        for txid, line in sorted(self.waiting.items()):
            self.database.append(epoch, txid, [encode(decode(line))])
        self.waiting.clear()

    def count_rows(self) -> Dict[str, int]:
        """See Image."""
        return {name: len(self.load(table, None, 10**6, 1 << 30).splitlines())
                for name, table in TABLES.items()}

    def load(self, table: Table, after: Any, limit: int, bytes_max: int) -> bytes:
        """See Image."""
        return self.database.load(table, after, limit, bytes_max)

    def status(self) -> MemberStatus:
        """What a member tells of which all is well."""
        cluster_id, epoch, last = self.database.status
        first = self.database.load(JOURNAL, None, 1, BYTES_MAX)
        place = self._place(last)
        return MemberStatus(cluster_id, "peer", epoch, "", epoch,
                            int(first.decode("ascii").split(",")[0][1:]) if first else 0, place,
                            place, last, NOBODY, (), True, 0.0, OK)

    def _place(self, txid: int) -> Place:
        rows = self.database.load(JOURNAL, txid - 1, 1, BYTES_MAX) if txid else b""
        return Place(txid, rows.decode("ascii").split('"')[1] if rows else "")

    def _perform(self, call: Call, args: Tuple[Any, ...], _seconds: Optional[float]) -> Any:
        if call.name == "status":
            return self.status()
        if call.name == "begin_export":
            return self.exports.begin()
        if call.name == "end_export":
            return self.exports.end(*args)
        self.before()
        table, after, limit = args[:3]
        if table == JOURNAL.name:
            return self.database.load(JOURNAL, after, limit, BYTES_MAX)
        return self.spoil(self.exports.load(args[3], table, after, limit))
