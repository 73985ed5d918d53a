"""The image of the namespace, as tables in the database: what all edits together have made.

Everything here runs inside a transaction of the caller's.
"""

from typing import Any, Iterable, Iterator

from metadata_service.edits import TABLES, Edit, Table
from metadata_service.record.schema import SQL, put, verified
from metadata_service.record.sqlite import Connection, Cursor


def apply(cursor: Cursor, edits: Iterable[Edit]) -> int:
    """Make the changes of these edits; how many rows that touched.

    Of a row that several of them change, the last state is written: files made at the same time in
    one directory change its row each.
    """
    last = {(name, key): row for edit in edits for name, key, row in edit.changes}
    for (name, key), row in last.items():
        if row is None:
            cursor.execute(SQL[name].drop, (key,))
        else:
            put(cursor, TABLES[name], row)
    return len(last)


def lines(connection: Connection, table: Table, after: Any, limit: int) -> Iterator[str]:
    """Encoded rows in order of their keys, from behind key `after` (None: from the first)."""
    sql = SQL[table.name]
    if after is None:
        rows = connection.execute(sql.first, (limit,))
    else:
        rows = connection.execute(sql.behind, (after, limit))
    return (line for _, line in verified(table, rows))


def count(connection: Connection, name: str) -> int:
    """How many rows a table has."""
    return int(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0])
