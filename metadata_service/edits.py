"""An edit: one transaction on the namespace, as row changes that replay the same everywhere.

`TABLES` is the one description of the image: the namenode fills its maps from rows of this shape,
the metadata service makes its SQL from it, and an edit is checked against it before it is stored.

On the wire and in the database an edit is one line of JSON text in ASCII. Several edits (and the
rows of a table) travel as lines of one bytes value, so that the sender, the database and a standby
keep the very same text: a repeated edit is recognised by comparing text, and nothing is encoded
twice.
"""

import itertools
import json
import zlib
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from zookeeper.fabric.errors import ProtocolViolation

Row = Tuple[Any, ...]
"""A row's values (int, str or None) in the order of its table's columns, the key first."""

EDIT_BYTES_MAX = 2 << 20
"""What an edit may have: an append of one fits into half of the smallest message that is allowed
(FRAME_BYTES_MIN of the settings)."""

Change = Tuple[str, Any, Optional[Row]]
"""(table, key, the whole new row); None in the row's place deletes it, whether it exists or not."""


class Edit(NamedTuple):
    """One transaction. All of its changes are durable together, or none is.

    `txid` numbers edits densely from 1. (`client_id`, `call_number`) names the call that caused it,
    and `result` (JSON text) what it was answered: a repeated call finds both here after a restart.
    `wall_ms` is when it was submitted (0: unknown), `digest` tells of the call's arguments. (Edits
    that were recorded before there were these two have neither.)
    """

    txid: int
    operation: str
    client_id: str
    call_number: int
    result: str
    changes: Tuple[Change, ...]
    wall_ms: int = 0
    digest: str = ""


class Column(NamedTuple):
    """A column of the image; `kind` is int (signed, 64 bits) or str; `optional` admits None."""

    name: str
    kind: type
    optional: bool = False


class Table:
    """A table of the image. Its first column is its key."""

    def __init__(self, name: str, *columns: Column) -> None:
        self.name = name
        self.columns = columns
        self.key = columns[0]
        kinds = [(c.kind, type(None)) if c.optional else (c.kind,) for c in columns]
        # Every allowed combination of types: a row is then checked by one look into this set.
        self._shapes = frozenset(itertools.product(*kinds))

    def accepts(self, row: Sequence[Any]) -> bool:
        """Whether `row` has the right number of values, each of its column's type."""
        return tuple(map(type, row)) in self._shapes

    def __repr__(self) -> str:
        return f"<Table {self.name}({', '.join(column.name for column in self.columns)})>"


TABLES: Dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "inodes",
            Column("id", int),
            Column("parent", int),
            Column("name", str),
            Column("kind", str),
            Column("owner", str),
            Column("grp", str),
            Column("mode", int),
            Column("mtime_ms", int),
            Column("atime_ms", int),
            Column("replication", int),
            Column("block_size", int),
            Column("name_quota", int, optional=True),
            Column("space_quota", int, optional=True),
        ),
        Table(
            "blocks",
            Column("id", int),
            Column("generation", int),
            Column("length", int),
            Column("inode", int),
            Column("position", int),
        ),
        Table("deleted_blocks", Column("id", int), Column("generation", int)),
        Table("digests", Column("id", int), Column("digest", str)),
        Table("counters", Column("name", str), Column("value", int)),
        Table(
            "delegations",
            Column("id", int),
            Column("owner", str),
            Column("renewer", str),
            Column("proxy", str),
            Column("issued_ms", int),
            Column("max_ms", int),
            Column("proved_at", int),
            Column("key_id", str),
            Column("expires_ms", int),
        ),
    )
}

_decode_json = json.JSONDecoder().raw_decode


def _encoder() -> Callable[[Any], str]:
    """What makes JSON text of values. `JSONEncoder.encode` makes an encoder in C anew for each,
    which takes longer than that takes for a row; where Python has it, one does for all."""
    plain = json.JSONEncoder(separators=(",", ":"), check_circular=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    quote = json.encoder.encode_basestring_ascii
    parts = make(None, plain.default, quote, None, ":", ",", False, False, True)
    return lambda value: "".join(parts(value, 0))


_encode_json = _encoder()
_HEAD = (int, str, str, int, str)
_TAILS = ((), (int, str))


def encode(edit: Edit) -> str:
    """The edit as one line of ASCII JSON; equal edits give equal text. TypeError on odd values."""
    return _encode_json(edit)


def decode(text: str) -> Edit:
    """The edit in `text`, checked against TABLES; raises ProtocolViolation on anything else."""
    try:
        fields, end = _decode_json(text)
        if end < len(text):
            raise ValueError("more than one value")
        head, changes, tail = _parts(fields)
        if tuple(map(type, head)) != _HEAD or type(changes) is not list:
            raise ValueError("not the fields of an edit")
        if tuple(map(type, tail)) not in _TAILS:
            raise ValueError("not the fields behind an edit's changes")
        parts: List[Any] = [*head, tuple([_decode_change(*change) for change in changes]), *tail]
        return Edit(*parts)
    except (ValueError, TypeError, RecursionError) as error:
        raise ProtocolViolation(f"malformed edit: {str(error)[:200]}") from None


def _parts(fields: Any) -> Tuple[List[Any], Any, List[Any]]:
    if type(fields) is not list or len(fields) <= len(_HEAD):
        raise ValueError("not the fields of an edit")
    return fields[: len(_HEAD)], fields[len(_HEAD)], fields[len(_HEAD) + 1 :]


def _decode_change(name: Any, key: Any, row: Any) -> Change:
    table = TABLES.get(name)
    if table is None:
        raise ValueError(f"no table {name!r:.50}")
    if type(key) is not table.key.kind:
        raise ValueError(f"a key of {name} of the wrong type")
    if row is None:
        return name, key, None
    if type(row) is not list or not table.accepts(row) or row[0] != key:
        raise ValueError(f"a row that does not fit {name}")
    return name, key, tuple(row)


def encode_row(row: Row) -> str:
    """A row as one line of ASCII JSON."""
    return _encode_json(row)


def decode_rows(payload: bytes) -> List[Row]:
    """The rows in the lines of `payload`; ProtocolViolation on anything but lists of values."""
    try:
        lines = b"[" + payload.replace(b"\n", b",") + b"]"
        return [tuple(row) for row in json.loads(lines)]
    except (ValueError, TypeError, RecursionError) as error:
        raise ProtocolViolation(f"malformed rows: {str(error)[:200]}") from None


def checksum(line: str) -> int:
    """The CRC32 of an encoded row, stored beside it: SQLite itself does not checksum its pages."""
    return zlib.crc32(line.encode("ascii"))


def join_lines(lines: Iterable[str]) -> bytes:
    """Many encoded edits or rows as one value for the wire."""
    return "\n".join(lines).encode("ascii")


def split_lines(payload: bytes) -> List[str]:
    """The reverse of `join_lines`; raises ProtocolViolation on bytes that are not ASCII."""
    try:
        return payload.decode("ascii").split("\n") if payload else []
    except UnicodeDecodeError:
        raise ProtocolViolation("edits are ASCII text") from None
