"""The log's edits as a chain: every edit has a digest of its text and of the digest before it.

So two logs that agree on the digest of one edit agree on all before it, and one that was cut and
continued differently is known at once.
"""

import hashlib
from typing import Iterable, Iterator, List, NamedTuple, Sequence

from metadata_service.edits import Edit, Row, decode, split_lines
from metadata_service.quorum import Place
from zookeeper.fabric.errors import CorruptData, ProtocolViolation

_DIGEST_BYTES = 16


class Entry(NamedTuple):
    """An edit of the log, as text and as what it says."""

    txid: int
    digest: str
    line: str
    edit: Edit

    @property
    def place(self) -> Place:
        """Where the log stands that ends with it."""
        return Place(self.txid, self.digest)


def following(digest: str, line: str) -> str:
    """The digest of the edit with this text, behind the edit with that digest."""
    text = f"{digest}\n{line}".encode("ascii")
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()


def places(behind: Place, lines: Iterable[str]) -> Iterator[Place]:
    """Where a log stands after each of these edits, which follow that place."""
    txid, digest = behind
    for line in lines:
        txid, digest = txid + 1, following(digest, line)
        yield Place(txid, digest)


def check_follows(rows: Sequence[Row]) -> None:
    """Raise CorruptData unless each of these rows of the log follows the one before it."""
    for (_, _, before, _), (txid, _, digest, line) in zip(rows, rows[1:]):
        if following(before, line) != digest:
            raise CorruptData(f"edit {txid} does not follow the one before it")


def entries_of(behind: Place, payload: bytes) -> List[Entry]:
    """The edits in the payload's lines, as a log that goes on from `behind` has them.

    Raises ProtocolViolation on what is no edit, or is not numbered densely from there.
    """
    txid, digest = behind
    entries: List[Entry] = []
    for line in split_lines(payload):
        edit = decode(line)
        txid, digest = txid + 1, following(digest, line)
        if edit.txid != txid:
            raise ProtocolViolation(f"edits behind {behind.txid} are not numbered densely")
        entries.append(Entry(txid, digest, line, edit))
    return entries
