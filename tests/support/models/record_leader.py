"""What a leader does with the record, in one line each: for tests of a database of one member."""

import time
from typing import Sequence, Tuple

from metadata_service.calls import MemberCalls
from metadata_service.edits import decode_rows, join_lines
from metadata_service.member.member_lease import address_of
from metadata_service.quorum import START, Place
from metadata_service.record.exports import Exports
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.record.schema import JOURNAL
from metadata_service.service import MetadataService
from tests.support.models.sample_edits import BYTES_MAX


def lead(database: MetadataDatabase, name: str = "test", epoch: int = 0) -> int:
    """Claim an epoch, the next one unless it is given, and take the log over; the epoch."""
    status = database.status()
    epoch = epoch or status.promised + 1
    owner = f"localhost:1 {name}"
    member = database.claim(status.cluster_id, epoch, owner)
    database.adopt(epoch, owner, member.last, b"", member.decided, member.configuration)
    return epoch


def append(
    database: MetadataDatabase, epoch: int, first_txid: int, lines: Sequence[str]
) -> int:
    """Have edits stored from this one on; the last one that is stored then."""
    behind = place_of(database, first_txid - 1)
    return database.append(epoch, behind, join_lines(lines), behind.txid, ()).last.txid


def place_of(database: MetadataDatabase, txid: int) -> Place:
    """Where the log stands at an edit; with an invented digest if there is none."""
    if txid < 1:
        return START
    rows = decode_rows(database.load(JOURNAL, txid - 1, 1, BYTES_MAX))
    return Place(txid, rows[0][2] if rows and rows[0][0] == txid else "unknown")


def standing(database: MetadataDatabase) -> Tuple[str, int, int]:
    """Of which cluster it is, which epoch it promised, and its last edit."""
    status = database.status()
    return status.cluster_id, status.promised, status.last.txid


def served(database: MetadataDatabase, bytes_max: int = BYTES_MAX) -> MetadataService:
    """The service that answers for a database, without a connection."""
    return MetadataService(database, Exports(database, bytes_max, time.monotonic), bytes_max)


def fence(calls: MemberCalls) -> int:
    """End the term of who leads, as another process at its address would: the new epoch."""
    status = calls.status()
    owner = f"{address_of(status.owner)} stranger"
    return calls.claim(status.cluster_id, status.promised + 1, owner).promised
