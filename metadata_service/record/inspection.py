"""Before a database is used: is it whole, is it the one of this directory, is nothing missing?

The rule: a directory that was used before is never taken for a new one. Whatever is missing,
damaged, foreign or old stops the start with a sentence on what to do, and stays as it was found, so
that a person can still repair it. The checks only read, through a connection that cannot write: one
that can would, when closed, copy the log into a damaged database.
"""

import os
from typing import AbstractSet, Any, Dict, Optional, Tuple

from metadata_service.member.member_record import record_of
from metadata_service.record import version_file
from metadata_service.record.edit_log import EditLog, check_chain, span_of
from metadata_service.record.migrations import LAYOUTS, Layout
from metadata_service.record.schema import (
    JOURNAL,
    LAYOUT,
    STATE,
    read_rows,
    read_state,
    statements,
    verified,
)
from metadata_service.record.version_file import Version
from metadata_service.record.write_ahead_log import dropped_commits, has_commit
from zookeeper.fabric import disk
from zookeeper.fabric.errors import CorruptData, StartRefused

_LOG_BYTES_MAX = 1 << 40
"""In practice no limit: the log grows for as long as a full disk keeps it from being emptied."""

ROWS_CHECKED = 50_000
"""Rows of each table whose checksums are compared at a start (about half a second). Those of the
others are when they are read, which a namenode does with all of them when it starts."""

EVERY_ROW = -1
"""As SQL has it, where it asks for a limit."""

ADVICE = "restore the whole directory from a backup; nothing was changed here"


def was_created(path: str, version: Optional[Version]) -> bool:
    """Whether there is a database to inspect; False for a directory that was never used.

    Looks at the files only. Raises StartRefused when the database is gone, and CorruptData when its
    log is damaged: SQLite would drop what follows the damage without a word.
    """
    with disk.disk_errors(path, "read"):
        exists = os.path.exists(path) and os.path.getsize(path) > 0
    log = _log(path)
    if not exists:
        if version is None and not log:
            return False
        raise StartRefused(f"{path} is missing or empty, yet it was used before: {ADVICE}")
    if dropped_commits(log) > 1:
        raise CorruptData(f"its log {path}-wal is broken in front of committed edits")
    return True


def is_logged(path: str) -> bool:
    """Whether the log has anything that is not in the database, as far as its bytes tell."""
    return has_commit(_log(path))


def _log(path: str) -> bytes:
    return disk.read_file(path + "-wal", _LOG_BYTES_MAX) or b""


def is_complete(connection: Any, path: str, version: Optional[Version]) -> bool:
    """Whether the open database may be used; False when its creation never came to an end.

    Raises StartRefused, CorruptData, or the errors of SQLite.
    """
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise CorruptData(" ".join(problem.split()))
    schema = {row[0] for row in connection.execute("SELECT sql FROM sqlite_master")}
    if not schema and version is None:
        return False
    number, layout = _layout_of(connection, schema)
    state = read_state(connection, layout.state_names)
    count, first, last = span_of(connection, layout.journal.name)
    if count != (last - first + 1 if last else 0):
        raise CorruptData("edits are missing")
    check_rows(connection, layout)
    if number == LAYOUT:
        _check_places(connection, state, first)
    found = Version(state["cluster_id"], number, int(state["log"]), state.get("member_id", ""))
    if version is not None:
        _match(path, found, version)
    elif int(state.get("promised") or state.get("epoch") or 0) or count:
        # Without either of them nobody was ever served: a first start ended before its end.
        raise StartRefused(
            f"{os.path.join(os.path.dirname(path), version_file.NAME)} is missing, yet {path} is "
            "in use: restore it from a backup, or if this database is the right one, write these "
            f"lines into it: {' '.join(found.lines().split())}"
        )
    return True


def _check_places(connection: Any, state: Dict[str, str], first: int) -> None:
    """Raise CorruptData unless log and image are where the state says."""
    record = record_of(state, EditLog(connection).last())
    if first and first != record.base.txid + 1:
        raise CorruptData("the oldest edits are missing")
    if not record.base.txid <= record.applied.txid <= record.last.txid:
        raise CorruptData("the newest edits are missing")


def layout_of(connection: Any) -> int:
    """The layout that the database says it has; CorruptData when it says none."""
    number = read_rows(connection).get("layout", "")
    if not number.isdecimal():
        raise CorruptData("it says no layout")
    return int(number)


def _layout_of(connection: Any, schema: AbstractSet[str]) -> Tuple[int, Layout]:
    """The number and the description of the layout of an open database."""
    if statements(STATE).create not in schema:
        raise CorruptData("its tables are not ours")
    number = layout_of(connection)
    layout = LAYOUTS.get(number)
    if layout is None or schema != layout.schema:
        raise CorruptData(f"its tables are not those of layout {number}")
    return number, layout


def _match(path: str, found: Version, version: Version) -> None:
    """Refuse a database that is not the one that VERSION speaks of."""
    if found.layout < version.layout:
        # The other way round a start that carried it forward ended before it wrote VERSION.
        raise StartRefused(
            f"{path} has layout {found.layout}, but VERSION beside it says {version.layout}: "
            "bring database and VERSION of one directory together"
        )
    if version.cluster_id and found.cluster_id != version.cluster_id:
        raise StartRefused(
            f"{path} is of cluster {found.cluster_id}, but VERSION beside it says "
            f"{version.cluster_id}: bring database and VERSION of one cluster together"
        )
    if version.member_id and found.member_id != version.member_id:
        raise StartRefused(
            f"{path} is of member {found.member_id}, but VERSION beside it says "
            f"{version.member_id}: bring database and VERSION of one directory together"
        )
    if found.log < version.log:
        raise StartRefused(
            f"{path} is an old copy, or its newest edits in {path}-wal are lost: {ADVICE}"
        )


def check_rows(
    connection: Any, layout: Layout = LAYOUTS[LAYOUT], rows: Optional[int] = None
) -> None:
    """Compare the first `rows` of each table with their checksums; CorruptData.

    EVERY_ROW are all of them; without a number it is a sample.
    """
    limit = ROWS_CHECKED if rows is None else rows
    for table in layout.tables:
        found = connection.execute(statements(table).first, (limit,))
        for _ in verified(table, found):
            pass
    if layout.journal is JOURNAL:
        base = read_rows(connection)["base"].rpartition(" ")[2]
        check_chain(connection, base, limit)
