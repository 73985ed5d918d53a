"""The database of a member that has peers: its image can be compared with theirs, and replaced.

Whoever is alone with a damaged row goes on as well as he can, for nobody else has a copy. A member
that has peers serves nobody any more, and takes another image.
"""

from contextlib import contextmanager
from typing import Any, Callable, Iterator, Optional

from metadata_service.edits import TABLES, Table, decode_rows, split_lines
from metadata_service.member.member_core import Change
from metadata_service.member.member_record import Record
from metadata_service.quorum import DAMAGED, DISPUTED, Stored, Tail
from metadata_service.record import distrust, setting_aside
from metadata_service.record.chain import check_follows
from metadata_service.record.image_digest import ImageDigest
from metadata_service.record.metadata_db import MetadataDatabase, log
from metadata_service.record.opening import opened
from metadata_service.record.schema import JOURNAL, read_state
from metadata_service.record.sqlite import Connection, translated
from zookeeper.fabric.errors import Busy, CorruptData, DfsError, OutOfStep

PLACE_SECONDS = 5.0
"""How long a member that is to stand at an edit may take to come there."""

PAGE_ROWS = 1_000

Exchange = Callable[[Record, int, Connection], Connection]
"""Puts another database in the place of the one of this record, whose log has this number, and
whose connection it closes; the connection to the other one."""


class MemberDatabase(MetadataDatabase):
    """See MetadataDatabase."""

    _digest: Optional[str] = None
    """Of the image that was compared last."""

    @classmethod
    def begin(
        cls, directory: str, keep_edits: int, lease_seconds: float, address: str
    ) -> "MemberDatabase":
        """Open the database of one of several members, or begin a blank one.

        A damaged database is put aside. The member is another one then, which is blank, and takes
        the record from the others.
        """
        try:
            with opened(directory, address, blank=True) as connection:
                return cls(directory, connection, keep_edits, lease_seconds)
        except CorruptData as error:
            log.error("member.damaged", directory=directory, error=error.message)
            setting_aside.set_aside(directory, "damaged")
            setting_aside.keep_newest(directory, "damaged")
        with opened(directory, address, blank=True) as connection:
            return cls(directory, connection, keep_edits, lease_seconds)

    @contextmanager
    def _halted(self, epoch: int, txid: int, seconds: float) -> Iterator[None]:
        """Stand at this edit for as long as the block takes. Raises OutOfStep unless it comes
        there within so many seconds, and Busy for who is second."""
        core = self._core
        with self._guard:
            core.require_promise(epoch)
            if core.halt is not None:
                raise Busy("the rows of this member are being compared already")
            core.halt = txid
        try:
            with self._news:
                self._news.wait_for(
                    lambda: core.record.applied.txid >= txid or self._closed, seconds)
                if core.record.applied.txid != txid:
                    raise OutOfStep(f"this member is at edit {core.record.applied.txid}, "
                                    f"and not at {txid}")
            yield
        finally:
            core.halt = None
            self.wake()

    def distrust(self, error: CorruptData) -> None:
        """Its rows are not what was written: serve nobody, until another image has come, also
        after a start. A member that is alone goes on, for nobody else has one."""
        with self._lock:
            if self._core.record.is_alone or self._core.trouble == DAMAGED:
                return
            self._serve_nobody(error)
            try:
                distrust.note(self._directory, error.message)
            except DfsError as failure:
                log.error("distrust.not_noted", error=failure.message,
                          effect="a start would forget it")

    def dispute(self, disputed: bool) -> None:
        """Whether its log differs from that of a peer, and nobody can tell who is right."""
        with self._guard:
            if self._core.trouble != DAMAGED:
                self._core.trouble = DISPUTED if disputed else ""

    def digest(self, txid: int) -> Optional[str]:
        """That of an edit in the log; None when it is not kept (any more)."""
        with self._trusted(), self._lock, translated():
            return self._core.digest(txid, self._log)

    def _use(self, connection: Connection) -> None:
        super()._use(connection)
        why = distrust.noted(self._directory)
        if why is not None and not self._core.record.is_alone:
            self._serve_nobody(CorruptData(why))
        elif why is not None:
            log.warning("distrust.forgotten", was=why, because="nobody else has the rows")
            distrust.forget(self._directory)

    def _serve_nobody(self, error: CorruptData) -> None:
        with self._guard:
            self._core.trouble = DAMAGED
            self._transactions.fail(error)

    def exchange(self, replace: Exchange) -> None:
        """Go on with another database, which `replace` puts in the place of this one: given its
        record, the number of its log, and its connection, which it closes. Or it raises OutOfStep,
        and has left all as it is."""
        with self._lock:
            try:
                with translated():
                    number = int(read_state(self._connection)["log"])
                self._use(replace(self._core.record, number, self._connection))
            except OutOfStep:
                raise
            except BaseException as error:
                self._transactions.fail(error)
                raise

    def image_digest(self, epoch: int, txid: int) -> str:
        """See ScrubCalls."""
        digest = ImageDigest()
        with self._halted(epoch, txid, PLACE_SECONDS):
            for table in TABLES.values():
                after: Any = None
                while True:
                    lines = split_lines(self.load(table, after, PAGE_ROWS, 1 << 30))
                    last = decode_rows(lines[-1].encode("ascii"))[0][0] if lines else after
                    digest.add(table.name, after, lines, last)
                    if not lines:
                        break
                    after = last
        self._digest = digest.digest()
        return self._digest

    def doubt(self, epoch: int, digest: str) -> None:
        """See ScrubCalls."""
        with self._lock:
            self._core.require_promise(epoch)
        if self._digest not in (None, digest):
            self.distrust(CorruptData("its rows differ from those of the other members"))
            self._digest = None

    # What is read of a damaged record is damaged, too, perhaps.

    def load(self, table: Table, after: Any, limit: int, bytes_max: int) -> bytes:
        """See MetadataDatabase; edits of the log that do not follow each other are damage, too."""
        with self._trusted():
            payload = super().load(table, after, limit, bytes_max)
            if table is JOURNAL:
                check_follows(decode_rows(payload))
            return payload

    def tail(self, txid: int, limit: int, wait: float, bytes_max: int) -> Tail:
        """See MetadataDatabase."""
        with self._trusted():
            return super().tail(txid, limit, wait, bytes_max)

    def undecided(self, epoch: int, txid: int, limit: int, bytes_max: int) -> bytes:
        """See MetadataDatabase."""
        with self._trusted():
            return super().undecided(epoch, txid, limit, bytes_max)

    def _change(self, decide: Callable[[], Optional[Change]]) -> Stored:
        with self._trusted():
            return super()._change(decide)

    def _trusted(self) -> "_Trust":
        if self._core.trouble == DAMAGED:
            raise CorruptData("this member is damaged, and waits for the image of another one")
        return _Trust(self)


class _Trust:
    """Ends when the block finds something damaged. (Every append is such a block, and a generator
    in its place took longer than the member's decision.)"""

    __slots__ = ("_database",)

    def __init__(self, database: MemberDatabase) -> None:
        self._database = database

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: Optional[BaseException], _trace: object) -> None:
        if isinstance(error, CorruptData):
            self._database.distrust(error)
