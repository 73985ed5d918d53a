"""A whole image of the record, which takes the place of a member's own database.

Theory of operation. Rows come page by page into `incoming.db`, a database that nobody looks into.
When all have come and are what was sent, it gets what is the member's own: what it promised, its
identity, and its edits behind the image. Then it is closed, synced, and called `installing.db`:
from that moment it is the member's record. What follows can be done again: the old log goes (SQLite
would apply it to whatever database lies beside it), and so does any distrust of the old rows;
VERSION is written, and the database gets its name. A start finishes what was begun, and deletes an
image that never became whole.
"""

import os
from typing import Iterable, Mapping, Sequence, Tuple

from metadata_service.edits import Row, Table
from metadata_service.quorum import Place
from metadata_service.record import distrust, version_file
from metadata_service.record.opening import NAME
from metadata_service.record.record_copy import RecordCopy
from metadata_service.record.schema import LAYOUT, read_state
from metadata_service.record.sqlite import LOOK_WITHOUT_LOG, connect, translated
from metadata_service.record.version_file import Version
from zookeeper.fabric import disk, logs
from zookeeper.fabric.disk import SYSTEM, SystemCalls

log = logs.get("incoming")

INCOMING = "incoming.db"
WHOLE = "installing.db"

_LOGS = ("-wal", "-shm")
"""What SQLite keeps beside a database."""


class IncomingImage:
    """An image on its way into `directory`. Raises DiskFull, DiskFailed, CorruptData."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        discard(directory)
        self._copy = RecordCopy(os.path.join(directory, INCOMING))

    def put_rows(self, table: Table, rows: Sequence[Row]) -> None:
        """A page of an image table."""
        self._copy.put_rows(table, rows)

    def begin_log(self, base: Place) -> None:
        """The log begins behind this place."""
        self._copy.begin_log(base)

    def add_edits(self, rows: Sequence[Row]) -> None:
        """The next rows of the log; CorruptData unless they follow those before."""
        self._copy.add_edits(rows)

    @property
    def log(self) -> Tuple[Place, Place]:
        """Where its log begins and ends."""
        return self._copy.base, self._copy.last

    def check(self) -> None:
        """Read everything back; CorruptData when the disk gives back something else."""
        self._copy.checked()

    def finish(self, state: Mapping[str, str]) -> None:
        """Make it the member's record, with these rows of the state. The member's own database
        must not change any more; it is replaced by `install`."""
        self._copy.set_state(state)
        self._copy.settle()
        self._copy.close()
        path, whole = (os.path.join(self._directory, name) for name in (INCOMING, WHOLE))
        with disk.disk_errors(whole, "rename"):
            os.rename(path, whole)
        disk.fsync_directory(self._directory)

    def close(self) -> None:
        """Give it up, unless it is finished."""
        self._copy.close()

    def __repr__(self) -> str:
        return f"<IncomingImage in {self._directory}>"


def install(directory: str, version: Version, system: SystemCalls = SYSTEM) -> None:
    """Replace the database in `directory`, which nobody has open, by the image that is finished.

    May be done again after it was cut short anywhere.
    """
    path = os.path.join(directory, NAME)
    doubted = os.path.join(directory, distrust.NAME)
    _remove([*(path + suffix for suffix in _LOGS), doubted], system)
    disk.fsync_directory(directory, system)
    version_file.write(directory, version, system)
    with disk.disk_errors(path, "rename"):
        system.rename(os.path.join(directory, WHOLE), path)
    disk.fsync_directory(directory, system)


def resume(directory: str) -> None:
    """Before a directory is looked at: finish an installation that was cut short, and delete an
    image that never became whole. The caller holds the directory's lock."""
    discard(directory)
    whole = os.path.join(directory, WHOLE)
    if not os.path.exists(whole):
        return
    connection = connect(whole, LOOK_WITHOUT_LOG)
    try:
        with translated():
            state = read_state(connection)
    finally:
        connection.close()
    install(directory, Version(state["cluster_id"], LAYOUT, int(state["log"]), state["member_id"]))
    log.info("image.installed", directory=directory, after="a start in between")


def discard(directory: str, system: SystemCalls = SYSTEM) -> None:
    """Delete an image that never became whole."""
    path = os.path.join(directory, INCOMING)
    _remove([path, *(path + suffix for suffix in _LOGS)], system)


def _remove(paths: Iterable[str], system: SystemCalls) -> None:
    for path in paths:
        with disk.disk_errors(path, "remove"):
            try:
                system.unlink(path)
            except FileNotFoundError:
                continue
