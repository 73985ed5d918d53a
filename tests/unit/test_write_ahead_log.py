"""A log torn at its end is as it should be; a log damaged inside is found, wherever it is."""

import random
import sqlite3
from pathlib import Path
from typing import List, Tuple

import pytest

from metadata_service.record.write_ahead_log import dropped_commits
from tests.support.disks.write_ahead_log import FRAME_BYTES, transaction_ends


def log_with(tmp_path: Path, transactions: int, earlier: int = 0) -> Tuple[bytes, List[int]]:
    """SQLite's own log of so many transactions, behind which lie leftovers of `earlier` ones.

    And where each transaction's last frame ends.
    """
    path = tmp_path / "some.db"
    connection = sqlite3.connect(str(path), isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        for number in range(earlier):
            connection.execute("INSERT INTO t VALUES (?, ?)", (number, "x" * 3000))
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
        for number in range(transactions):
            connection.execute("BEGIN")
            for part in range(1 + number % 3):
                key = 1_000 + 10 * number + part
                connection.execute("INSERT INTO t VALUES (?, ?)", (key, "y" * 3000))
            connection.execute("COMMIT")
        log = Path(f"{path}-wal").read_bytes()
    finally:
        connection.close()
    ends = transaction_ends(log)
    assert len(ends) == transactions
    return log, ends


@pytest.fixture(name="log", params=[0, 60], ids=["new file", "file used before"])
def _log(request: pytest.FixtureRequest, tmp_path: Path) -> Tuple[bytes, List[int]]:
    log, ends = log_with(tmp_path, transactions=8, earlier=request.param)
    assert (len(log) > ends[-1]) == bool(request.param), "leftovers, or none"
    return log, ends


def flipped(data: bytes, offset: int, bit: int = 0) -> bytes:
    """The same bytes but for one bit."""
    return data[:offset] + bytes([data[offset] ^ 1 << bit]) + data[offset + 1 :]


def test_a_whole_log_is_whole(log: Tuple[bytes, List[int]]) -> None:
    assert dropped_commits(log[0]) == 0
    assert dropped_commits(b"") == dropped_commits(log[0][:31]) == 0


def test_a_torn_tail_is_no_damage(log: Tuple[bytes, List[int]]) -> None:
    data, ends = log
    for end in range(ends[-2], ends[-1], 500):
        assert dropped_commits(data[:end]) <= 1


def test_frames_of_the_last_transaction_that_were_written_in_another_order_are_no_damage(
    log: Tuple[bytes, List[int]]
) -> None:
    """At a power cut the disk may have written the commit's frame but not the one before it."""
    data, ends = log
    assert ends[-1] - ends[-2] >= 2 * FRAME_BYTES
    lost = bytes(FRAME_BYTES)
    assert dropped_commits(data[: ends[-2]] + lost + data[ends[-2] + FRAME_BYTES :]) == 1


@pytest.mark.parametrize("seed", range(60))
def test_a_flipped_bit_before_the_last_two_transactions_is_found(
    log: Tuple[bytes, List[int]], seed: int
) -> None:
    data, ends = log
    chance = random.Random(seed)
    damaged = flipped(data, chance.randrange(32, ends[-3]), chance.randrange(8))
    assert dropped_commits(damaged) >= 2


def test_damage_is_counted(log: Tuple[bytes, List[int]]) -> None:
    data, ends = log
    assert dropped_commits(flipped(data, ends[0] + 100)) == len(ends) - 1
    assert dropped_commits(flipped(data, ends[-2] - 100)) == 2
    assert dropped_commits(flipped(data, ends[-1] - 100)) == 1


def test_a_broken_header_leaves_nothing_to_count(log: Tuple[bytes, List[int]]) -> None:
    """Another check knows then: VERSION tells the number of the log that the database lost."""
    assert [dropped_commits(flipped(log[0], offset)) for offset in range(32)] == [0] * 32
