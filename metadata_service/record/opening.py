"""How the database of a directory is opened: looked at, then made, or brought to today's layout."""

import os
import uuid
from contextlib import contextmanager
from typing import Iterator, Optional

from metadata_service.member.member_record import Record, alone, changed_rows, record_of, rows_of
from metadata_service.quorum import NOBODY, START
from metadata_service.record import previous_form, version_file
from metadata_service.record.edit_log import EditLog
from metadata_service.record.inspection import (
    ADVICE,
    is_complete,
    is_logged,
    layout_of,
    was_created,
)
from metadata_service.record.migrations import migrate
from metadata_service.record.schema import LAYOUT, SQL, STATE, put, read_state
from metadata_service.record.sqlite import (
    LOOK,
    LOOK_WITHOUT_LOG,
    WRITE,
    Connection,
    closed_on_error,
    connect,
    require_alone,
    translated,
)
from metadata_service.record.version_file import Version
from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import Busy, CorruptData, StartRefused

log = logs.get("migrations")

NAME = "metadata.db"

_FILES = (NAME, NAME + "-wal", version_file.NAME)
"""What a record consists of, while nobody has it open."""

RESTORING = NAME + ".restoring"
"""What the database of a backup is called while it is put in the place of a lost one."""


BACKUP = "backup"
"""Who owns the promise of the database of a backup."""

RESTORE_LEAP = 65_536
"""How many epochs a record that is put back from a backup leaves free: they were given out since
the backup was made, and datanodes remember them."""

EMPTY = Record("", "", 0, "", 0, START, START, START, NOBODY, ())
"""The record of a member that is blank, and has no name."""


@contextmanager
def opened_whole(directory: str, address: str, blank: bool) -> Iterator[Connection]:
    """See `opened`. Raises StartRefused also for what is damaged."""
    path = os.path.join(directory, NAME)
    try:
        with opened(directory, address, blank) as connection:
            yield connection
    except CorruptData as error:
        raise StartRefused(f"{path} is damaged ({error.message}): {ADVICE}") from None


@contextmanager
def opened(directory: str, address: str, blank: bool) -> Iterator[Connection]:
    """The only connection to the database in `directory`, which is whole and of today's layout.

    In a directory that was never used it is created: for a cluster of its own, in which it is the
    only member, at this address; or `blank`, to become a member of some quorum. It is closed when
    the block fails. Raises StartRefused when anything is missing, foreign or too new, CorruptData
    when it is damaged, also when the block finds that: then nothing has been changed.
    """
    path = os.path.join(directory, NAME)
    if os.path.exists(os.path.join(directory, RESTORING)):
        # An empty record would be begun where somebody's whole one is missing.
        raise StartRefused(f"{directory}: a backup was being put back, and that was cut short: "
                           "begin again with --restore")
    version = version_file.read(directory)
    try:
        layout = _inspect(path, version)
        if layout:
            if layout < LAYOUT:
                # Before it is open here: whoever closes a copied file lets go of SQLite's locks.
                previous_form.keep(directory, _FILES, layout)
            connection = connect(path, WRITE)
        else:
            connection = create(path, blank_record() if blank else _founder(address))
        with closed_on_error(connection):
            _carry_forward(connection)
            _settle_in(connection, address)
            yield connection
    except Busy:
        raise StartRefused(f"another program has {path} open: end it first") from None


def _inspect(path: str, version: Optional[Version]) -> int:
    """The layout of the whole database that is at `path`; 0 when one shall be created there."""
    if not was_created(path, version):
        return 0
    require_alone(path)
    connection = connect(path, LOOK if is_logged(path) else LOOK_WITHOUT_LOG)
    try:
        with translated():
            return layout_of(connection) if is_complete(connection, path, version) else 0
    finally:
        connection.close()


def create(path: str, record: Record) -> Connection:
    """A new database of this record, which has no edits."""
    # Made here, and not by SQLite, which would open it to everybody; its log follows it.
    disk.write_file(path, b"")
    connection = connect(path, WRITE)
    rows = {"layout": str(LAYOUT), "log": "0", **rows_of(record)}
    with closed_on_error(connection), translated():
        connection.execute("BEGIN IMMEDIATE")
        for sql in SQL.values():
            connection.execute(sql.create)
        for row in rows.items():
            put(connection, STATE, row)
        connection.execute("COMMIT")
    return connection


def blank_record() -> Record:
    """That of a new member without a record, which has a name."""
    return EMPTY._replace(member_id=_new_id())


def renamed(record: Record) -> Record:
    """The same rows as those of another member, which has acknowledged nothing by its name."""
    return record._replace(member_id=_new_id(), log_epoch=0, witness=())


def _founder(address: str) -> Record:
    member_id = _new_id()
    return blank_record()._replace(
        cluster_id=_new_id(), member_id=member_id, configuration=alone(member_id, address)
    )


def _new_id() -> str:
    return str(uuid.uuid4())


def _settle_in(connection: Connection, address: str) -> None:
    """Who comes from a backup is somebody else: the member whose copy it is may live, too. And
    before there were several members, none had to know its address."""
    with translated():
        rows = read_state(connection)
        before = record = record_of(rows, EditLog(connection).last())
        if record.owner == BACKUP:
            member_id, leap = _new_id(), record.promised + RESTORE_LEAP
            # Its log is newer than any of before, too, or a member that was left over, whose record
            # goes further, would say who decides.
            record = record._replace(
                member_id=member_id, promised=leap, log_epoch=leap, owner="restored",
                configuration=alone(member_id, address), witness=(),
            )  # fmt: skip
        if record.configuration == alone(record.member_id, ""):
            record = record._replace(configuration=alone(record.member_id, address))
        if record != before:
            connection.execute("BEGIN IMMEDIATE")
            for row in changed_rows(before, record).items():
                put(connection, STATE, row)
            connection.execute("COMMIT")


def _carry_forward(connection: Connection) -> None:
    """Make it one of the current layout, when it is older."""
    with translated():
        layout = layout_of(connection)
        if layout < LAYOUT:
            connection.execute("BEGIN IMMEDIATE")
            migrate(connection, layout)
            connection.execute("COMMIT")
            log.info("database.migrated", was=layout, layout=LAYOUT)
