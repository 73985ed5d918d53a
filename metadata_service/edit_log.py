"""The edits that are kept, as a log in the database: dense, chained, pruned at its beginning.

Every edit's row has a digest of its text and of the digest before it. So two logs that agree on
the digest of one edit agree on all before it, and one that was cut and continued differently is
known at once. A log that was pruned begins at its `base`, the digest of the edit before its first.

Everything here runs inside a transaction of the caller's, and nothing is remembered before that
has been committed: `append` returns what the log will have then.
"""

from typing import Any, Iterator, List, NamedTuple, Sequence, Tuple

from metadata_service.chain import following
from metadata_service.schema import BASE, JOURNAL, SQL, STATE, put, read_state, verified
from metadata_service.sqlite import Connection
from zookeeper.fabric.errors import CorruptData, ProtocolViolation

PRUNE_EDITS = 256
"""How many edits more than asked for are kept, to be removed together."""


class Span(NamedTuple):
    """What a log has: its first kept txid, its last one, both 0 when it is empty, and the last
    one's digest."""

    first: int
    last: int
    digest: str


class EditLog:
    """The log in an open database. `span` is what it has by the last commit."""

    def __init__(self, connection: Connection, keep_edits: int) -> None:
        self._connection = connection
        self._keep_edits = keep_edits
        _, first, last = span_of(connection)
        digest = next(self._rows(last - 1, 1))[2] if last else base_of(connection)
        self.span = Span(first, last, digest)

    def behind(self, txid: int, limit: int) -> Iterator[str]:
        """The texts of the edits behind `txid`. Older ones than are kept are passed over."""
        return (row[3] for row in self._rows(txid, limit))

    def compare(self, first_txid: int, lines: Sequence[str]) -> None:
        """Raise ProtocolViolation when edits say something else than what is stored."""
        if lines and list(self.behind(first_txid - 1, len(lines))) != list(lines):
            raise ProtocolViolation(f"edits from {first_txid} differ from those stored there")

    def append(self, epoch: int, lines: Sequence[str]) -> Span:
        """Store the next edits and prune what is too old; what the log has then."""
        first, last, digest = self.span
        first = max(first, 1)
        for line in lines:
            last += 1
            digest = following(digest, line)
            put(self._connection, JOURNAL, (last, epoch, digest, line))
        surplus = last + 1 - first - self._keep_edits
        if surplus >= PRUNE_EDITS:
            # A bit at a time, yet never slower than edits come in.
            first += min(surplus, max(PRUNE_EDITS, 2 * len(lines)))
            self._prune(first)
        return Span(first, last, digest)

    def _prune(self, first: int) -> None:
        base = next(self._rows(first - 2, 1))[2]
        put(self._connection, STATE, (BASE, base))
        self._connection.execute("DELETE FROM journal WHERE txid < ?", (first,))

    def _rows(self, txid: int, limit: int) -> Iterator[List[Any]]:
        found = self._connection.execute(SQL["journal"].behind, (txid, limit))
        return (row for row, _ in verified(JOURNAL, found))


def span_of(connection: Connection, table: str = "journal") -> Tuple[int, int, int]:
    """(how many edits are kept, the first txid, the last); zeros when there are none."""
    query = f"SELECT count(*), ifnull(min(txid), 0), ifnull(max(txid), 0) FROM {table}"
    count, first, last = connection.execute(query).fetchone()
    return count, first, last


def base_of(connection: Connection) -> str:
    """The digest in front of the first kept edit."""
    return read_state(connection)[BASE]


def check_chain(connection: Connection, limit: int) -> None:
    """Raise CorruptData unless the first `limit` edits follow each other by their digests."""
    digest = base_of(connection)
    rows = connection.execute(SQL["journal"].first, (limit,))
    for (txid, _, found, line), _ in verified(JOURNAL, rows):
        digest = following(digest, line)
        if found != digest:
            raise CorruptData(f"edit {txid} does not follow the one before it")
