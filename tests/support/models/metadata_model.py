"""The metadata service as dictionaries: it takes edits one by one and gives rows back."""

from typing import Any, Dict, List

from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.state import State
from metadata_service.edits import TABLES, Edit, decode, encode
from tests.support.models.block_side import new_blocks

Tables = Dict[str, Dict[Any, tuple]]


class MetadataModel:
    """The image tables, all edits, and the tables as they stood after each of them."""

    def __init__(self) -> None:
        self.edits: List[Edit] = []
        self.history: List[Tables] = [{name: {} for name in TABLES}]

    @property
    def tables(self) -> Tables:
        """The tables as they stand."""
        return self.history[-1]

    @property
    def last_txid(self) -> int:
        """The number of the last edit."""
        return len(self.edits)

    def store(self, outcome: Outcome) -> Any:
        """Carry out the outcome's edit, as it would come off the wire; the outcome's result."""
        if outcome.edit is not None:
            edit = decode(encode(outcome.edit))
            assert edit.txid == self.last_txid + 1, "edits are numbered densely"
            self.edits.append(edit)
            self.history.append({name: dict(table) for name, table in self.tables.items()})
            for table, key, row in edit.changes:
                if row is None:
                    self.tables[table].pop(key, None)
                else:
                    self.tables[table][key] = row
        assert outcome.depends <= self.last_txid, "an outcome waits for what does not exist"
        return outcome.result

    def start(
        self, txid: int = -1, edits: int = 50, settling_seconds: float = 0.0
    ) -> State:
        """A namenode that has loaded the tables as they were after `txid`, default: the last."""
        txid = txid if txid >= 0 else self.last_txid
        state = State(new_blocks(settling_seconds), "root", "supergroup", 10.0, 30.0)
        tables = self.history[txid]
        rows = {name: [table[key] for key in sorted(table)] for name, table in tables.items()}
        state.load(rows, self.edits[max(0, txid - edits) : txid], txid)
        return state
