"""A member's exports, and a stub that asks for them."""

from typing import Any, Callable, Dict, Optional, Tuple

from metadata_service.calls import MemberCalls
from metadata_service.edits import Table
from metadata_service.quorum import MemberStatus, Place
from metadata_service.record.exports import Exports
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.record.schema import JOURNAL
from tests.support.models.record_leader import append
from tests.support.models.sample_edits import file_edits, lines_of
from zookeeper.fabric.calls import Call

BYTES_MAX = 1 << 20


class StillMember:
    """Has applied what came while it stood still as soon as it goes on.

    `before` is called before each page of an export.
    """

    def __init__(self, database: MetadataDatabase, clock: Callable[[], float]) -> None:
        self.database = database
        self.exports = Exports(self, BYTES_MAX, clock)
        self.calls = MemberCalls(self._perform)
        self.caller = "name_node at a"
        self.before: Callable[[], None] = lambda: None
        self.spoil: Callable[[bytes], bytes] = lambda payload: payload

    @property
    def still(self) -> bool:
        """Whether it applies no edits."""
        return self.database._core.still

    @property
    def waiting(self) -> int:
        """How many edits are not applied."""
        status = self.database.status()
        return status.last.txid - status.applied.txid

    def add(self, count: int) -> None:
        """Some edits, of which each makes a file."""
        last = self.database.status().last.txid
        epoch = self.database.status().promised
        append(self.database, epoch, last + 1, lines_of(file_edits(last + 1, last + count)))

    def stand_still(self) -> Place:
        """See Image."""
        return self.database.stand_still()

    def is_still(self) -> bool:
        """See Image."""
        return self.database.is_still()

    def go_on(self) -> None:
        """See Image."""
        self.database.go_on()
        while self.database.settle():
            pass

    def count_rows(self) -> Dict[str, int]:
        """See Image."""
        return self.database.count_rows()

    def load(self, table: Table, after: Any, limit: int, bytes_max: int) -> bytes:
        """See Image."""
        return self.database.load(table, after, limit, bytes_max)

    def status(self) -> MemberStatus:
        """What a member tells of which all is well."""
        return self.database.status()._replace(silent_seconds=0.0)

    def _perform(self, call: Call, args: Tuple[Any, ...], _seconds: Optional[float]) -> Any:
        if call.name == "status":
            return self.status()
        if call.name == "begin_export":
            return self.exports.begin(self.caller)
        if call.name == "end_export":
            return self.exports.end(*args)
        self.before()
        table, after, limit = args[:3]
        if table == JOURNAL.name:
            return self.database.load(JOURNAL, after, limit, BYTES_MAX)
        return self.spoil(self.exports.load(args[3], table, after, limit))
