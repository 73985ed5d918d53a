"""What a member does with its database to catch up: takes edits or an image, or another name."""

import os
from typing import List, Optional

from metadata_service.edits import Row
from metadata_service.member.catch_up_plan import Mark
from metadata_service.member.member_database import MemberDatabase
from metadata_service.member.member_record import Record, changed_rows, rows_of
from metadata_service.quorum import MemberStatus, Place
from metadata_service.record import setting_aside, version_file
from metadata_service.record.incoming import IncomingImage, install
from metadata_service.record.opening import NAME, renamed
from metadata_service.record.schema import JOURNAL, LAYOUT, SQL, STATE, put, verified
from metadata_service.record.sqlite import (
    WRITE,
    Connection,
    close,
    connect,
    transaction,
    translated,
)
from metadata_service.record.version_file import Version
from zookeeper.fabric import logs
from zookeeper.fabric.errors import CorruptData, OutOfStep

log = logs.get("upkeep")

_ALL = -1
"""As SQL has it, where it asks for a limit."""


class Upkeep:
    """Of one database, in this directory; see `catch_up.Member`."""

    def __init__(self, database: MemberDatabase, directory: str) -> None:
        self._database = database
        self._directory = directory
        self._furthest = (0, 0)

    def status(self) -> MemberStatus:
        """What the member knows."""
        return self._database.status()

    def acknowledged(self) -> Mark:
        """The furthest that it has said that it has: it may have less now, when it took edits that
        are decided in the place of some that never were."""
        status = self._database.status()
        self._furthest = max(self._furthest, (status.log_epoch, status.last.txid))
        return self._furthest

    def digest(self, txid: int) -> Optional[str]:
        """That of an edit in its log; None when it is not kept (any more)."""
        return self._database.digest(txid)

    def distrust(self, error: CorruptData) -> None:
        """Serve nobody until an image of a peer comes."""
        log.error("member.damaged", directory=self._directory, error=error.message)
        self._database.distrust(error)

    def dispute(self, disputed: bool) -> None:
        """Whether its log differs from that of a peer, and nobody can tell who is right."""
        self._database.dispute(disputed)

    def take(self, behind: Place, payload: bytes) -> None:
        """Take edits that are decided, behind a place that this member has applied."""
        self._database.pull(behind, payload)

    def begin_image(self) -> IncomingImage:
        """A new image to fill."""
        return IncomingImage(self._directory)

    def install(self, image: IncomingImage, place: Place, peer: MemberStatus) -> None:
        """Go on with this image, which stands at that place, in the place of the member's own.

        It stays who it is, and keeps what it promised, and its edits behind the image if they go on
        from there: they may be decided, and this member was counted for them. Who cannot read
        these is another member from then on, and its files are put aside. One that was blank knows
        from its peer who decides. Raises OutOfStep, and changes nothing, when edits between the
        image and those that are kept would be lost.
        """

        def exchange(record: Record, number: int, connection: Connection) -> Connection:
            member_id = record.member_id
            try:
                image.add_edits(_tail(record, connection, place))
            except CorruptData as error:
                record = self._renamed(record, error.message)
            base, last = image.log
            configuration = record.configuration
            if not configuration.sets:
                configuration = peer.configuration
            new = record._replace(
                cluster_id=peer.cluster_id, base=base, last=last, applied=place,
                configuration=configuration,
            )  # fmt: skip
            image.finish({**rows_of(new), "log": str(number)})
            close(connection)
            if record.member_id != member_id:
                setting_aside.set_aside(self._directory, "damaged")
                setting_aside.keep_newest(self._directory, "damaged")
            install(self._directory, Version(peer.cluster_id, LAYOUT, number, record.member_id))
            return connect(os.path.join(self._directory, NAME), WRITE)

        self._database.exchange(exchange)

    def renew(self, why: str) -> None:
        """Be another member, whose rows nobody trusts, until an image of a peer takes their place.
        So there is no moment in which nothing is left of the record here."""

        def exchange(record: Record, number: int, connection: Connection) -> Connection:
            new = self._renamed(record, why)
            # Whoever is killed in between starts all the same: no name contradicts any.
            version_file.write(self._directory, Version(record.cluster_id, LAYOUT, number))
            with transaction(connection):
                for row in changed_rows(record, new).items():
                    put(connection, STATE, row)
            return connection

        self._database.exchange(exchange)
        self._database.distrust(CorruptData(why))

    def _renamed(self, record: Record, why: str) -> Record:
        new = renamed(record)
        log.error("member.renewed", was=record.member_id, now=new.member_id, why=why)
        self._furthest = (0, 0)
        return new


def _tail(record: Record, connection: Connection, place: Place) -> List[Row]:
    """The edits behind this place in the log of a member, if the place is in it. CorruptData when
    they are not what was written, OutOfStep when some are not kept any more. Who has followed no
    leader yet, by this name, was counted for none."""
    if not record.log_epoch:
        return []
    if place.txid < record.base.txid:
        raise OutOfStep(f"the image is of edit {place.txid}, and edits behind {record.base.txid} "
                        "are kept here: another one is needed")
    if place.txid >= record.last.txid:
        return []
    with translated():
        found = connection.execute(SQL[JOURNAL.name].behind, (place.txid - 1, _ALL))
        rows = [tuple(row) for row, _ in verified(JOURNAL, found)]
    if place == record.base:
        return rows
    if not rows or (rows[0][0], rows[0][2]) != place:
        return []
    return rows[1:]
