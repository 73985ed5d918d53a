"""Edits for tests of the journal and the metadata service, and what a database must hold after."""

from typing import Any, Dict, Iterable, List

from metadata_service.edits import TABLES, Edit, Row, decode_rows, encode
from metadata_service.record.metadata_db import MetadataDatabase

Image = Dict[str, Dict[Any, Row]]

BYTES_MAX = 1 << 20


def inode_row(inode_id: int, name: str, parent: int = 1) -> Row:
    """A file's row."""
    return (inode_id, parent, name, "f", "alice", "staff", 0o644, 1_700_000_000_000, 0, 3, 1 << 27,
            None, None)


def file_edit(txid: int, name: str = "", call_number: int = 0) -> Edit:
    """Completing a file: three rows change, and every third time another file goes."""
    changes = [
        ("inodes", txid + 10, inode_row(txid + 10, name or f"file-{txid} é")),
        ("blocks", txid + 20, (txid + 20, 1, 1 << 20, txid + 10, 0)),
        ("counters", "next_block", ("next_block", txid + 21)),
    ]
    if txid % 3 == 0:
        changes.append(("inodes", txid + 8, None))
        changes.append(("deleted_blocks", txid + 18, (txid + 18, 1)))
    return Edit(txid, "complete", f"client-{txid % 5}", call_number or txid, "null", tuple(changes))


def file_edits(first: int, last: int) -> List[Edit]:
    """The edits numbered from `first` to `last`, both included."""
    return [file_edit(txid) for txid in range(first, last + 1)]


def lines_of(edits: Iterable[Edit]) -> List[str]:
    """The edits as they travel."""
    return [encode(edit) for edit in edits]


def image_after(edits: Iterable[Edit]) -> Image:
    """The tables after these edits, by a plain model."""
    image: Image = {name: {} for name in TABLES}
    for edit in edits:
        for table, key, row in edit.changes:
            image[table].pop(key, None)
            if row is not None:
                image[table][key] = row
    return image


def image_of(database: MetadataDatabase, page_rows: int = 100) -> Image:
    """The tables of a database, read page by page."""
    image: Image = {}
    for name, table in TABLES.items():
        rows: List[Row] = []
        while True:
            after = rows[-1][0] if rows else None
            page = decode_rows(database.load(table, after, page_rows, BYTES_MAX))
            if not page:
                break
            rows += page
        assert [row[0] for row in rows] == sorted({row[0] for row in rows}), "in order of keys"
        image[name] = {row[0]: row for row in rows}
    return image
