"""The durable record of a run, as nobody in the cluster sees it: what was decided, and its rows."""

from typing import Dict, List

from metadata_service.edits import Edit, decode
from metadata_service.quorum import Place
from tests.simulation.quorum.decided import Decided, Tables
from tests.simulation.violation import demand
from tests.simulation.world import World


class DurableRecord(Decided):
    """The witness of the quorum, which knows what the edits of a namenode mean besides.

    `fresh` are the rows of a namespace that nobody has changed, of which no edit tells.
    """

    def __init__(self, world: World, fresh: Tables) -> None:
        super().__init__()
        self.world = world
        self._fresh = fresh
        self.edits: List[Edit] = []
        self.tables: Tables = {name: {} for name in fresh}
        self.deleted_ever: Dict[int, None] = {}

    @property
    def last_txid(self) -> int:
        """The newest edit that was decided."""
        return len(self.edits)

    @property
    def epoch(self) -> int:
        """The newest one in which anybody was established."""
        return max(self.epochs, default=0)

    def decide(self, name: str, place: Place, lines: List[str]) -> None:
        """See Decided."""
        super().decide(name, place, lines)
        for line in self.lines[len(self.edits) :]:
            self._store(name, decode(line))

    def _store(self, name: str, edit: Edit) -> None:
        demand(edit.txid == self.last_txid + 1, edit, "does not follow", self.last_txid)
        self.edits.append(edit)
        self.world.note(f"edit {edit.txid} by {name}: {edit.operation} {edit.client_id}")
        for table, key, row in edit.changes:
            if row is None:
                self.tables[table].pop(key, None)
                continue
            self.tables[table][key] = row
            if table == "deleted_blocks":
                self.deleted_ever[key] = None

    def require_followed(self, name: str, txid: int, image: Dict[str, List[tuple]]) -> None:
        """What a namenode has in memory that stands by is what the decided edits make."""
        demand(txid <= self.last_txid, name, "follows to", txid, "and decided are only",
               self.last_txid)
        tables = self.tables_at(txid)
        for table, rows in image.items():
            known = {**self._fresh[table], **tables[table]}
            demand({row[0]: row for row in rows} == known, name, "has other rows at", txid,
                   "than were decided:", table)
