"""Before a database is used: is it whole, is it the one of this directory, is nothing missing?

The rule: a directory that was used before is never taken for a new one. Whatever is missing,
damaged, foreign or old stops the start with a sentence on what to do, and stays as it was found, so
that a person can still repair it. The checks only read, through a connection that cannot write: one
that can would, when closed, copy the log into a damaged database.
"""

import os
from typing import Any, Dict, Optional, Tuple

from metadata_service import version_file
from metadata_service.edits import TABLES
from metadata_service.schema import EDITS, SQL, STATE, STATE_NAMES, verified
from metadata_service.version_file import Version
from metadata_service.write_ahead_log import dropped_commits, has_commit
from zookeeper.fabric import disk
from zookeeper.fabric.errors import CorruptData, StartRefused

_LOG_BYTES_MAX = 1 << 40
"""In practice no limit: the log grows for as long as a full disk keeps it from being emptied."""

ROWS_CHECKED = 50_000
"""Rows of each table whose checksums are compared at a start (about half a second). Those of the
others are when they are read, which a namenode does with all of them when it starts."""

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
    schema = connection.execute("SELECT sql FROM sqlite_master").fetchall()
    if not schema and version is None:
        return False
    if {row[0] for row in schema} != {sql.create for sql in SQL.values()}:
        raise CorruptData("its tables are not those of this layout")
    state = read_state(connection)
    count, first, last = span_of_edits(connection)
    if count != (last - first + 1 if last else 0):
        raise CorruptData("edits are missing")
    check_rows(connection)
    found = Version(state["cluster_id"], int(state["layout"]), int(state["log"]))
    if version is not None:
        _match(path, found, version)
    elif int(state["epoch"]) or count:
        # Without either of them nobody was ever served: a first start ended before its end.
        raise StartRefused(
            f"{os.path.join(os.path.dirname(path), version_file.NAME)} is missing, yet {path} is "
            "in use: restore it from a backup, or if this database is the right one, write these "
            f"lines into it: {' '.join(found.lines().split())}"
        )
    return True


def _match(path: str, found: Version, version: Version) -> None:
    """Refuse a database that is not the one that VERSION speaks of."""
    if found.layout != version.layout:
        raise StartRefused(
            f"{path} has layout {found.layout}, but VERSION beside it says {version.layout}: "
            "bring database and VERSION of one directory together"
        )
    if found.cluster_id != version.cluster_id:
        raise StartRefused(
            f"{path} is of cluster {found.cluster_id}, but VERSION beside it says "
            f"{version.cluster_id}: bring database and VERSION of one cluster together"
        )
    if found.log < version.log:
        raise StartRefused(
            f"{path} is an old copy, or its newest edits in {path}-wal are lost: {ADVICE}"
        )


def check_rows(connection: Any) -> None:
    """Compare the first ROWS_CHECKED rows of each table with their checksums; CorruptData."""
    for table in (EDITS, *TABLES.values()):
        for _ in verified(table, connection.execute(SQL[table.name].first, (ROWS_CHECKED,))):
            pass


def read_state(connection: Any) -> Dict[str, str]:
    """The table `state`, every row of which must be there; CorruptData otherwise."""
    rows = connection.execute(SQL["state"].first, (len(STATE_NAMES) + 1,))
    state = {row[0]: row[1] for row, _ in verified(STATE, rows)}
    if set(state) != set(STATE_NAMES):
        raise CorruptData("rows of table state are missing")
    return state


def span_of_edits(connection: Any) -> Tuple[int, int, int]:
    """(how many edits are kept, the first txid, the last); zeros when there are none."""
    query = "SELECT count(*), ifnull(min(txid), 0), ifnull(max(txid), 0) FROM edits"
    return connection.execute(query).fetchone()
