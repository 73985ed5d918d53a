"""A copy of the record in a directory of its own, written while edits go on; and put back.

Theory of operation. Pages of the tables come in one after the other, and between them the record
changes, so that together they are an image of no moment. But an edit holds whole rows: when all
edits since before the first page are carried out once more, in their order, the tables are what the
last of them left, whatever a page knew already. So nothing has to stand still for a backup, and
nobody has to keep an old state for it.

What is made is a directory as the metadata service itself has one. Its VERSION comes last: a copy
that was cut short has none, and is refused by whoever would use it.
"""

import filecmp
import os
import shutil
from typing import Dict, NamedTuple, Sequence

from metadata_service.edits import Row
from metadata_service.quorum import Place
from metadata_service.record import version_file
from metadata_service.record.inspection import EVERY_ROW, check_rows, is_complete
from metadata_service.record.migrations import LAYOUTS
from metadata_service.record.opening import BACKUP, NAME, RESTORING
from metadata_service.record.record_copy import RecordCopy
from metadata_service.record.schema import LAYOUT
from metadata_service.record.sqlite import LOOK_WITHOUT_LOG, connect, translated
from metadata_service.record.version_file import Version
from zookeeper.fabric import disk
from zookeeper.fabric.errors import CorruptData, DiskFailed, StartRefused

_EDITS_AT_ONCE = 1000


class BackedUp(NamedTuple):
    """What a backup holds: whose record, the last edit in it, and how many rows, by table."""

    cluster_id: str
    last_txid: int
    rows: Dict[str, int]


class Backup:
    """A backup that is being written into `directory`, which holds nothing and is the caller's.

    First `begin`, then pages and edits, at last `finish`. Raises DiskFull, DiskFailed.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._copy = RecordCopy(os.path.join(directory, NAME))
        self._cluster_id, self._base_txid = "", 0
        self.add_rows = self._copy.put_rows
        """Adds a page of an image table, as it was at some moment since `begin`."""

    @property
    def last_txid(self) -> int:
        """The last edit that it has."""
        return self._copy.last_txid

    def begin(self, cluster_id: str, epoch: int, base: Place, edits: Sequence[Row]) -> None:
        """Whose record it is, and the first edits of its log, behind `base`.

        Pages that are added later must be of a moment when the first of them was durable.
        """
        self._cluster_id = cluster_id
        self._copy.set_state({
            "cluster_id": cluster_id, "promised": str(epoch), "log_epoch": str(epoch),
            "owner": BACKUP,
        })  # fmt: skip
        self._base_txid = base.txid
        self._copy.begin_log(base)
        self.add_edits(edits)

    def add_edits(self, rows: Sequence[Row]) -> None:
        """The rows of the log behind `last_txid`. Raises CorruptData when these are others: the
        record was put back from a backup meanwhile, or its log was pruned faster than it was read.
        """
        self._copy.add_edits(rows)

    def finish(self) -> BackedUp:
        """Carry the edits out, compare all with its checksums, and make it one that may be used.

        Raises CorruptData when the disk gives back something else than was written.
        """
        txid = self._base_txid
        while txid < self.last_txid:
            txid = self._copy.carry_out(txid, _EDITS_AT_ONCE)
        counts = self._copy.checked()
        number = int(self._copy.state()["log"])
        self._copy.settle()
        self.close()
        version_file.write(self._directory, Version(self._cluster_id, LAYOUT, number))
        return BackedUp(self._cluster_id, self.last_txid, counts)

    def close(self) -> None:
        """Close the database. One that is not finished has no VERSION, and nobody takes it."""
        self._copy.close()


def version_of(backup: str) -> Version:
    """What the VERSION of a backup says. Raises StartRefused unless the backup is whole, and every
    row in it is what was written once; only read."""
    version = version_file.read(backup)
    source = os.path.join(backup, NAME)
    if version is None or not os.path.exists(source):
        raise StartRefused(f"{backup} is no whole backup: there is no VERSION, or no {NAME} in it")
    if os.path.exists(source + "-wal"):
        raise StartRefused(f"{source} is in use, or was when it was copied: a backup is what "
                           "`client.py admin -backup` makes")
    try:
        connection = connect(source, LOOK_WITHOUT_LOG)
        try:
            with translated():
                whole = is_complete(connection, source, version)
                if whole:
                    check_rows(connection, LAYOUTS[version.layout], EVERY_ROW)
        finally:
            connection.close()
    except CorruptData as error:
        raise StartRefused(f"the backup {backup} is damaged ({error.message}): take another one; "
                           "nothing was changed") from None
    if not whole:
        raise StartRefused(f"the backup {backup} holds no record: take another one")
    return version


def restore(backup: str, version: Version, directory: str) -> None:
    """Put the backup of a record, whose `version_of` that is, into the directory of a metadata
    service that has none.

    The caller holds the lock of that directory. Raises StartRefused when there is a record, which
    then stays as it is, and DiskFailed when the disk gives back something else than was written.
    """
    source, path = os.path.join(backup, NAME), os.path.join(directory, NAME)
    copy = os.path.join(directory, RESTORING)
    begun = os.path.exists(copy)
    if os.path.exists(path) or (version_file.read(directory) is not None and not begun):
        raise StartRefused(f"{directory} has a record of its own: if the backup was put there "
                           "before, start without --restore; else move it away first; nothing was "
                           "changed")  # fmt: skip
    with disk.disk_errors(copy, "write"):
        shutil.copyfile(source, copy)
        os.chmod(copy, 0o600)
        with open(copy, "rb+") as file:
            os.fsync(file.fileno())
        same = filecmp.cmp(source, copy, shallow=False)
    if not same:
        raise DiskFailed(f"{copy} is not what was written: replace the disk of {directory}")
    version_file.write(directory, version)
    with disk.disk_errors(path, "write"):
        os.rename(copy, path)
    disk.fsync_directory(directory)
