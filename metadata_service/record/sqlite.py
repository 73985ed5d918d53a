"""The gate to SQLite: its connections, and its errors as ours.

A connection that only looks takes no lock and makes no file: who wants to look first asks
`require_alone`. It needs no shared memory beside the database, which on a full disk could not be
made, or would end the process (SIGBUS) when it is touched. A log without any commit must not be
looked at: SQLite would remove it when the connection is closed.
"""

import pathlib
import sqlite3
from contextlib import contextmanager
from typing import Iterator, Optional

from zookeeper.fabric import disk
from zookeeper.fabric.errors import (
    Busy,
    CorruptData,
    DfsError,
    DiskFailed,
    DiskFull,
    InternalError,
    ProtocolViolation,
    StartRefused,
)

Connection = sqlite3.Connection
Cursor = sqlite3.Cursor
_LOCK_BYTES = (0x40000000, 512)
"""Where SQLite's locks lie in a database file: https://sqlite.org/src/file/src/os.h."""


def require_alone(path: str) -> None:
    """Raises Busy when another program has the database open."""
    if disk.is_locked(path, *_LOCK_BYTES):
        raise Busy("another program uses the database of the metadata service")


LOOK, LOOK_WITHOUT_LOG, WRITE = "mode=ro&vfs=unix-none", "mode=ro&immutable=1", "mode=rw"


def connect(path: str, mode: str) -> Connection:
    """A connection, in one of these modes; raises Busy when another program holds it."""
    with translated():
        connection = sqlite3.connect(
            f"{pathlib.Path(path).absolute().as_uri()}?{mode}",
            uri=True,
            isolation_level=None,  # Transactions begin and end where the code says so.
            check_same_thread=False,
            timeout=1.0,
        )
        with closed_on_error(connection):
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            if mode == WRITE:
                _configure(connection, path)
        return connection


def _configure(connection: Connection, path: str) -> None:
    if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
        raise StartRefused(f"{path}: this file system does not support a write-ahead log")
    # `fullfsync` matters on macOS only, where a plain fsync leaves data in the drive's cache.
    for setting in ("synchronous=FULL", "fullfsync=ON", "wal_autocheckpoint=0",
                    "cell_size_check=ON", "cache_size=-16384"):
        connection.execute("PRAGMA " + setting)


@contextmanager
def closed_on_error(connection: Connection) -> Iterator[None]:
    """Close the connection when the block fails."""
    try:
        yield
    except (sqlite3.Error, DfsError):
        with translated():
            connection.close()
        raise


class _Border:
    """Where SQLite's errors become ours. (Every change passes it several times, and a generator in
    its place took longer than a statement.)"""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: Optional[BaseException], _trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise _our_own(error) from error
        if isinstance(error, UnicodeDecodeError):
            raise CorruptData(f"text in it is not UTF-8: {error.reason}") from None
        if isinstance(error, (OverflowError, UnicodeEncodeError)):
            raise ProtocolViolation(f"a value that cannot be stored: {error}") from None


_BORDER = _Border()


def translated() -> _Border:
    """SQLite's errors come out of the block as ours."""
    return _BORDER


def _our_own(error: sqlite3.Error) -> DfsError:
    # The error codes are in the exception from Python 3.11 on only; the texts are stable.
    text = str(error)
    if "is full" in text:
        return DiskFull("the disk of the metadata service is full")
    if "is locked" in text:
        return Busy("another program uses the database of the metadata service")
    if isinstance(error, sqlite3.ProgrammingError):
        return InternalError(f"SQLite was misused: {text}")
    if isinstance(error, sqlite3.OperationalError) and "decode" not in text:
        return DiskFailed(f"the database of the metadata service failed: {text}")
    return CorruptData(text)


def roll_back(connection: Connection) -> None:
    """Undo the transaction, if there still is one: after some errors SQLite has done so."""
    with translated():
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Commit what the block writes, or undo all of it. Raises our errors."""
    with translated():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise


def close(connection: Connection) -> None:
    """Close it; SQLite copies the log into the database if it can. Raises our errors."""
    with translated():
        connection.close()
