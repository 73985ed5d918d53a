"""The rows of delegation tokens in memory: which are good, and until when."""

from collections import Counter
from typing import Counter as Counts
from typing import Dict, Iterable, Iterator, List, Optional

from data_service.protocol.delegation_tokens import Delegation
from metadata_service.edits import Row


class GivenTokens:
    """Those that were given out, and neither cancelled nor forgotten since."""

    def __init__(self) -> None:
        self._rows: Dict[int, Row] = {}
        self._of: Counts[str] = Counter()
        # What is left of the present look at all of them.
        self._looked_at: Iterator[int] = iter(())

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, number: int, row: Optional[Row]) -> None:
        """Carry out the change of a row: this one is new, or gone when it is None."""
        before = self._rows.pop(number, None)
        if before is not None:
            owner = Delegation(*before[:-1]).owner
            self._of[owner] -= 1
            if not self._of[owner]:
                del self._of[owner]
        if row is not None:
            self._rows[number] = row
            self._of[Delegation(*row[:-1]).owner] += 1

    def load(self, rows: Iterable[Row]) -> None:
        """Put what is stored."""
        for row in rows:
            self.put(row[0], row)

    def rows(self) -> List[Row]:
        """All of them, ordered by number."""
        return sorted(self._rows.values())

    def count_of(self, owner: str) -> int:
        """How many a user has."""
        return self._of[owner]

    def expires_ms(self, delegation: Delegation) -> Optional[int]:
        """Until when just this one is good, if it is not renewed; None when it is not known."""
        row = self._rows.get(delegation.number)
        return int(row[-1]) if row is not None and Delegation(*row[:-1]) == delegation else None

    def find(self, number: int) -> Optional[Delegation]:
        """The one of this number."""
        row = self._rows.get(number)
        return None if row is None else Delegation(*row[:-1])

    def expired(self, wall_ms: int, looks: int) -> List[int]:
        """The numbers of those of the next `looks` ones that are over. Round after round, all are
        looked at: a round is short however many there are."""
        found = []
        for _ in range(min(looks, len(self._rows))):
            number = next(self._looked_at, None)
            if number is None:
                self._looked_at = iter(list(self._rows))
                number = next(self._looked_at)
            row = self._rows.get(number)
            if row is not None and row[-1] <= wall_ms:
                found.append(number)
        return found

    def check(self) -> None:
        """Assert that the counts are those of the rows."""
        assert self._of == Counter(Delegation(*row[:-1]).owner for row in self._rows.values())

    def __repr__(self) -> str:
        return f"<GivenTokens {len(self._rows)} of {len(self._of)} users>"
