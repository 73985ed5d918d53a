"""Reads the record of the namespace through the namenode, and writes it into a backup."""

import os
from typing import Any, Dict, List

from data_service.filesystem.local import local_errors
from data_service.protocol.namenode_calls import NameNodeCalls
from metadata_service.edits import TABLES, Row, decode_rows
from metadata_service.member.member_record import place_of
from metadata_service.quorum import Place
from metadata_service.record.backup import BackedUp, Backup
from zookeeper.fabric import disk
from zookeeper.fabric.errors import LocalFileError

PAGE_ROWS = 1000
"""A page keeps the metadata service for some 10 ms, during which it makes no change durable."""

PAGES_BETWEEN = 10
"""After so many, the log is read on: what has been pruned of it could not be had any more."""


def back_up(calls: NameNodeCalls, directory: str) -> BackedUp:
    """Copy the record into a local directory, which is made, or empty; what is in the copy.

    Raises LocalFileError, DiskFull, DiskFailed, PermissionDenied, and CorruptData when the record
    was put back from a backup meanwhile, or anything was read that was never written.
    """
    _require_empty(directory)
    with disk.take_directory(directory):
        backup = Backup(directory)
        try:
            _begin(calls, backup)
            for name in TABLES:
                _copy(calls, backup, name)
            _follow(calls, backup)
            return backup.finish()
        finally:
            backup.close()


def _require_empty(directory: str) -> None:
    with local_errors(directory):
        if os.path.lexists(directory) and (os.listdir(directory) or os.path.islink(directory)):
            raise LocalFileError(f"{directory}: it is not empty, and no backup is written over")


def _begin(calls: NameNodeCalls, backup: Backup) -> None:
    last = calls.record_txid()
    known = _state(calls)
    edits = _page(calls, "journal", max(last - 2, 0))
    base = place_of(known["base"])
    if edits and edits[0][0] == last - 1:
        base = Place(last - 1, edits.pop(0)[2])
    backup.begin(known["cluster_id"], int(known["promised"]), base, edits)


def _state(calls: NameNodeCalls) -> Dict[str, str]:
    """What is known of the record as a whole."""
    known: Dict[str, str] = {}
    while True:
        rows = _page(calls, "state", max(known, default=None))
        if not rows:
            return known
        known.update(rows)


def _copy(calls: NameNodeCalls, backup: Backup, name: str) -> None:
    after, pages = None, 0
    while True:
        rows = _page(calls, name, after)
        if not rows:
            return
        backup.add_rows(TABLES[name], rows)
        after, pages = rows[-1][0], pages + 1
        if pages % PAGES_BETWEEN == 0:
            _follow(calls, backup)


def _follow(calls: NameNodeCalls, backup: Backup) -> None:
    """Take in all edits that are durable by now."""
    last = calls.record_txid()
    while backup.last_txid < last:
        edits = _page(calls, "journal", backup.last_txid)
        backup.add_edits(edits)
        if not edits:
            return


def _page(calls: NameNodeCalls, name: str, after: Any) -> List[Row]:
    return decode_rows(calls.record_rows(name, after, PAGE_ROWS))
