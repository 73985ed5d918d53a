"""How the database of a directory is opened: looked at, then made, or brought to today's layout."""

import os
import uuid
from contextlib import contextmanager
from typing import Iterator, Optional

from metadata_service import version_file
from metadata_service.inspection import ADVICE, is_complete, is_logged, layout_of, was_created
from metadata_service.migrations import migrate
from metadata_service.schema import LAYOUT, SQL, STATE, STATE_NAMES, put
from metadata_service.sqlite import (
    LOOK,
    LOOK_WITHOUT_LOG,
    WRITE,
    Connection,
    closed_on_error,
    connect,
    require_alone,
    translated,
)
from metadata_service.version_file import Version
from zookeeper.fabric import disk
from zookeeper.fabric.errors import Busy, CorruptData, StartRefused

NAME = "metadata.db"

RESTORING = NAME + ".restoring"
"""What the database of a backup is called while it is put in the place of a lost one."""


@contextmanager
def opened_whole(directory: str) -> Iterator[Connection]:
    """The only connection to the database in `directory`, which is whole and of today's layout.

    It is created in a directory that was never used, and closed when the block fails. Raises
    StartRefused when anything is missing, damaged, foreign or too new, also when the block finds
    that: then nothing has been changed.
    """
    path = os.path.join(directory, NAME)
    if os.path.exists(os.path.join(directory, RESTORING)):
        # An empty record would be begun where somebody's whole one is missing.
        raise StartRefused(f"{directory}: a backup was being put back, and that was cut short: "
                           "begin again with --restore")
    version = version_file.read(directory)
    try:
        connection = connect(path, WRITE) if _inspect(path, version) else create(path)
        with closed_on_error(connection):
            _carry_forward(connection)
            yield connection
    except CorruptData as error:
        raise StartRefused(f"{path} is damaged ({error.message}): {ADVICE}") from None
    except Busy:
        raise StartRefused(f"another program has {path} open: end it first") from None


def _inspect(path: str, version: Optional[Version]) -> bool:
    """Whether a whole database is at `path`; False when one shall be created there."""
    if not was_created(path, version):
        return False
    require_alone(path)
    connection = connect(path, LOOK if is_logged(path) else LOOK_WITHOUT_LOG)
    try:
        with translated():
            return is_complete(connection, path, version)
    finally:
        connection.close()


def create(path: str) -> Connection:
    """A new database without any edit, of a cluster of its own."""
    # Made here, and not by SQLite, which would open it to everybody; its log follows it.
    disk.write_file(path, b"")
    connection = connect(path, WRITE)
    values = (str(uuid.uuid4()), str(LAYOUT), "0", "0", "", "")
    with closed_on_error(connection), translated():
        connection.execute("BEGIN IMMEDIATE")
        for sql in SQL.values():
            connection.execute(sql.create)
        for row in zip(STATE_NAMES, values):
            put(connection, STATE, row)
        connection.execute("COMMIT")
    return connection


def _carry_forward(connection: Connection) -> None:
    """Make it one of the current layout, when it is older."""
    with translated():
        layout = layout_of(connection)
        if layout < LAYOUT:
            connection.execute("BEGIN IMMEDIATE")
            migrate(connection, layout)
            connection.execute("COMMIT")
