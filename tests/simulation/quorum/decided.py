"""The witness of a run: what was decided, told as soon as a leader counts a majority."""

from typing import Any, Callable, Dict, List, Tuple

from metadata_service.edits import TABLES, decode
from metadata_service.quorum import Place
from metadata_service.record.chain import following
from tests.simulation.violation import demand

Tables = Dict[str, Dict[Any, tuple]]


class Decided:
    """All decided edits, in order; each fact that is told to it must fit to those before."""

    def __init__(self) -> None:
        self.lines: List[str] = []
        self._digests: List[str] = [""]
        self._images: List[Tuple[int, Tables]] = [(0, {name: {} for name in TABLES})]
        self.acknowledged = 0
        self.holders: Callable[[], List[str]] = list
        """The leaders that would answer now."""
        self.change_begins: Callable[[], None] = lambda: None
        """Told whenever a leader goes on with other members."""
        self.epochs: Dict[int, str] = {}

    def leads(self, name: str, epoch: int) -> None:
        """A majority has adopted this leader's log: an epoch has one owner."""
        owner = self.epochs.setdefault(epoch, name)
        demand(owner == name, name, "leads in epoch", epoch, "of", owner)

    def decide(self, name: str, place: Place, lines: List[str]) -> None:
        """A leader counts a majority for all of its log up to this place, which ends so."""
        first = place.txid - len(lines)
        demand(first <= len(self.lines), name, "decides edits behind", first, "of", len(self.lines))
        for number, line in enumerate(lines):
            txid = first + number
            if txid < len(self.lines):
                demand(line == self.lines[txid], name, "decides", line, "beside", self.lines[txid])
            else:
                self.lines.append(line)
                self._digests.append(following(self._digests[-1], line))
        demand(self._digests[place.txid] == place.digest, name, "decides another log at", place)

    def acknowledge(self, txid: int) -> None:
        """A client was told that its change is durable."""
        self.acknowledged = max(self.acknowledged, txid)

    def answered(self, name: str, txid: int) -> None:
        """A client was told what it read; it may not be older than what anybody was told of."""
        holders = self.holders()
        demand(len(holders) < 2, "two leaders hold a lease at once:", holders)
        demand(txid >= self.acknowledged, name, "answers as of edit", txid, "after",
               self.acknowledged, "was acknowledged")

    def require_applied(self, name: str, place: Place) -> None:
        """A member's image stands at a place that is decided."""
        demand(place.txid <= len(self.lines), name, "has applied", place, "and decided are only",
               len(self.lines))
        demand(self._digests[place.txid] == place.digest, name, "has applied another log:", place)

    def require_image(self, name: str, place: Place, tables: Tables) -> None:
        """A member's image is what the edits up to that place make."""
        self.require_applied(name, place)
        expected = self.tables_at(place.txid)
        demand(tables == expected, name, "has an image that is not that of", place)

    def tables_at(self, txid: int) -> Tables:
        """The tables that so many edits make; to be asked for in any order."""
        start, tables = max((i for i in self._images if i[0] <= txid), key=lambda i: i[0])
        if start == txid:
            return tables
        tables = {name: dict(rows) for name, rows in tables.items()}
        for line in self.lines[start:txid]:
            for table, key, row in decode(line).changes:
                if row is None:
                    tables[table].pop(key, None)
                else:
                    tables[table][key] = row
        self._images.append((txid, tables))
        return tables
