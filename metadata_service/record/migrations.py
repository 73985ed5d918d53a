"""Databases of older layouts: how to know one, and how each becomes one of the next layout.

A database is carried forward at a start, layout by layout, in one transaction: all of it happens,
or nothing. Its old form is not kept, so a program of before cannot read it afterwards; it says so
by the layout in VERSION. What a layout was stands here in its own words, frozen: the descriptions
of the current one change with the next.
"""

import uuid
from typing import Callable, Dict, FrozenSet, Iterator, NamedTuple, Tuple

from metadata_service.edits import TABLES, Column, Table
from metadata_service.record.chain import following
from metadata_service.record.edit_log import span_of
from metadata_service.record.schema import (
    JOURNAL,
    LAYOUT,
    SQL,
    STATE,
    STATE_NAMES,
    put,
    read_state,
    statements,
    verified,
)
from metadata_service.record.sqlite import Connection


class Layout(NamedTuple):
    """The tables of a database, and the names of its state's rows."""

    journal: Table
    image: Tuple[Table, ...]
    state_names: Tuple[str, ...]

    @property
    def tables(self) -> Tuple[Table, ...]:
        """All tables whose rows have checksums of their own."""
        return (self.journal, *self.image)

    @property
    def schema(self) -> FrozenSet[str]:
        """The SQL texts that made the database."""
        return frozenset(statements(table).create for table in (*self.tables, STATE))


_EDITS_1 = Table("edits", Column("txid", int), Column("epoch", int), Column("edit", str))
_DIGESTS, _DELEGATIONS = TABLES["digests"], TABLES["delegations"]
_IMAGE = tuple(TABLES.values())
"""Of the current layout. Who changes one of TABLES writes down here what it was."""
_IMAGE_3 = tuple(table for table in _IMAGE if table is not _DELEGATIONS)
_IMAGE_2 = tuple(table for table in _IMAGE_3 if table is not _DIGESTS)
"""Of layout 1, too."""
_STATE_1 = ("cluster_id", "layout", "log", "epoch", "owner")
_STATE_2 = (*_STATE_1, "base")
"""Of layouts 3 and 4, too; `base` is the digest of the edit before the first kept one."""

LAYOUTS: Dict[int, Layout] = {
    1: Layout(_EDITS_1, _IMAGE_2, _STATE_1),
    2: Layout(JOURNAL, _IMAGE_2, _STATE_2),
    3: Layout(JOURNAL, _IMAGE_3, _STATE_2),
    4: Layout(JOURNAL, _IMAGE, _STATE_2),
    LAYOUT: Layout(JOURNAL, _IMAGE, STATE_NAMES),
}
"""Layout 2 chains the edits by digests, and tells the digest before the first kept one. Layout 3
has a table for the digests of blocks, layout 4 one for delegation tokens. Layout 5 says of a member
of a quorum what it has promised, stored and applied."""


def migrate(connection: Connection, layout: int) -> None:
    """Make a whole database of this layout one of the current layout. Inside a transaction."""
    for older in range(layout, LAYOUT):
        _STEPS[older](connection)
        put(connection, STATE, ("layout", str(older + 1)))


def _chain_edits(connection: Connection) -> None:
    """From 1 to 2."""
    put(connection, STATE, ("base", ""))
    connection.execute(SQL["journal"].create)
    digest = ""
    for txid, epoch, line in _edits_of_layout_1(connection):
        digest = following(digest, line)
        put(connection, JOURNAL, (txid, epoch, digest, line))
    connection.execute("DROP TABLE edits")


def _add_digests(connection: Connection) -> None:
    """From 2 to 3: blocks that were written before have none."""
    connection.execute(SQL[_DIGESTS.name].create)


def _add_delegations(connection: Connection) -> None:
    """From 3 to 4: nobody had any."""
    connection.execute(SQL[_DELEGATIONS.name].create)


def _found_quorum(connection: Connection) -> None:
    """From 4 to 5: who was the only one is the only member, and has applied all that it has."""
    state = read_state(connection, _STATE_2)
    member_id = str(uuid.uuid4())
    first = span_of(connection).first
    rows = {
        "member_id": member_id,
        "promised": state["epoch"],
        "log_epoch": state["epoch"],
        "base": f"{first - 1} {state['base']}" if first > 1 else "",
        "applied": "",
        "configuration": f'[1,[[["{member_id}",""]]]]',
        "witness": "[]",
    }
    connection.execute(SQL[STATE.name].drop, ("epoch",))
    for row in rows.items():
        put(connection, STATE, row)


def _edits_of_layout_1(connection: Connection) -> Iterator[Tuple[int, int, str]]:
    rows = connection.execute("SELECT txid, epoch, edit, crc FROM edits ORDER BY txid")
    for (txid, epoch, line), _ in verified(_EDITS_1, rows):
        yield txid, epoch, line


_STEPS: Dict[int, Callable[[Connection], None]] = {
    1: _chain_edits, 2: _add_digests, 3: _add_delegations, 4: _found_quorum,
}  # fmt: skip
