"""The database's tables as SQL text, and its rows as verified lines.

Beside the image tables of `edits.py` there are two: the log of the edits themselves, and the state
of the service. Every table has one more column than its rows have values, `crc`: SQLite notices a
damaged structure, but not a flipped bit in a name or a number. What a table was in an older layout
stands in `migrations.py`.
"""

from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Tuple

from metadata_service.edits import TABLES, Column, Row, Table, checksum, encode_row
from metadata_service.member import member_record
from zookeeper.fabric.errors import CorruptData

LAYOUT = 5
"""The arrangement of directory and database that this program writes."""

JOURNAL = Table(
    "journal",
    Column("txid", int),
    Column("epoch", int),
    Column("digest", str),
    Column("edit", str),
)
STATE = Table("state", Column("name", str), Column("value", str))
STATE_NAMES = ("layout", "log", *member_record.ROWS)
"""The rows of the state: of the file, and of the member whose it is."""
_STATE_ROWS_MAX = 1000


class Statements(NamedTuple):
    """The SQL of one table. SQLite's module keeps what it compiled, by this text."""

    create: str
    put: str
    drop: str
    first: str
    behind: str


def statements(table: Table) -> Statements:
    """The SQL of a table, with the column of its checksums."""
    kinds = {int: "INTEGER", str: "TEXT"}
    key, name = table.key.name, table.name
    columns = [
        f"{column.name} {kinds[column.kind]}{'' if column.optional else ' NOT NULL'}"
        for column in table.columns
    ]
    columns[0] += " PRIMARY KEY"
    options = " WITHOUT ROWID" if table.key.kind is str else ""
    names = ", ".join([column.name for column in table.columns] + ["crc"])
    marks = ", ".join("?" * (len(table.columns) + 1))
    return Statements(
        create=f"CREATE TABLE {name} ({', '.join(columns)}, crc INTEGER NOT NULL){options}",
        put=f"INSERT OR REPLACE INTO {name} ({names}) VALUES ({marks})",
        drop=f"DELETE FROM {name} WHERE {key} = ?",
        first=f"SELECT {names} FROM {name} ORDER BY {key} LIMIT ?",
        behind=f"SELECT {names} FROM {name} WHERE {key} > ? ORDER BY {key} LIMIT ?",
    )


SQL: Dict[str, Statements] = {
    table.name: statements(table) for table in (*TABLES.values(), JOURNAL, STATE)
}


def stored(row: Row) -> Row:
    """The row as it is stored: with its checksum behind it."""
    return (*row, checksum(encode_row(row)))


def put(cursor: Any, table: Table, row: Row) -> None:
    """Store a row in the place of the one with its key, if there is one."""
    cursor.execute(SQL[table.name].put, stored(row))


def read_rows(connection: Any) -> Dict[str, str]:
    """The rows of the table `state`; CorruptData when one is damaged."""
    rows = connection.execute(SQL["state"].first, (_STATE_ROWS_MAX,))
    return {row[0]: row[1] for row, _ in verified(STATE, rows)}


def read_state(connection: Any, names: Tuple[str, ...] = STATE_NAMES) -> Dict[str, str]:
    """The table `state`, every row of which must be there; CorruptData otherwise."""
    state = read_rows(connection)
    if set(state) != set(names):
        raise CorruptData("rows of table state are missing")
    return state


def verified(table: Table, rows: Iterable[Tuple[Any, ...]]) -> Iterator[Tuple[List[Any], str]]:
    """Each stored row without its checksum, and as a line; CorruptData when the two disagree."""
    for *row, crc in rows:
        try:
            line = encode_row(tuple(row))
        except TypeError:
            line = ""  # A value of a type that is never written: bytes.
        if checksum(line) != crc:
            raise CorruptData(f"row {str(row[0])[:50]} of table {table.name} is damaged")
        yield row, line


def bounded(lines: Iterable[str], bytes_max: int) -> Iterator[str]:
    """The first line, then as many as fit into `bytes_max` bytes with it."""
    total = 0
    for line in lines:
        total += len(line) + 1
        if total > bytes_max and total > len(line) + 1:
            return
        yield line
