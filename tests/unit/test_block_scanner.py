"""The background scanner: every replica once a period, damage told, position kept."""

import threading
from pathlib import Path
from typing import Iterator, List

import pytest

from data_service.datanode.background import block_scanner as scanner_module
from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.background.block_scanner import BlockScanner
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from tests.support.disks.replicas import noise
from tests.support.disks.stores import path_of, put
from tests.support.clusters.waiting import wait_until

DATA = noise(2 * CHUNK_BYTES + 777)
FAST = 1 << 40


@pytest.fixture(name="told")
def _told() -> List[Block]:
    return []


@pytest.fixture(name="store")
def _store(tmp_path: Path, told: List[Block]) -> Iterator[BlockStore]:
    made = BlockStore([str(tmp_path)], 0, told.append)
    made.open()
    yield made
    made.close()


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_all_come_by_in_turn_also_those_that_are_new(
    store: BlockStore, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(scanner_module, "BATCH_BLOCKS", batch)
    scanner = BlockScanner(store, 1000.0, FAST)
    assert scanner.scan_next() is None
    for block_id in (5, 1, 9):
        put(store, block_id, DATA)
    seen = [scanner.scan_next() for _ in range(2)]
    put(store, 7, DATA)
    store.remove(Block(1, 1, len(DATA)))
    seen += [scanner.scan_next() for _ in range(6)]
    ids = [block.block_id for block in seen if block]
    assert ids == ([1, 5, 9, 5, 7, 9, 5, 7] if batch == 1000 else [1, 5, 7, 9, 5, 7, 9, 5])


def test_a_replica_costs_the_same_however_many_there_are(
    store: BlockStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them were listed and compared for each, so the work grew with their square."""
    for block_id in range(1, 30):
        put(store, block_id, b"x")
    lists: List[int] = []
    good_after = store.replicas.good_after

    def listed(block_id: int, limit: int) -> List[Block]:
        lists.append(limit)
        return good_after(block_id, limit)

    monkeypatch.setattr(store.replicas, "good_after", listed)
    monkeypatch.setattr(store.replicas, "inventory", None)
    monkeypatch.setattr(store, "usage", None)
    scanner = BlockScanner(store, 1000.0, FAST)
    for _ in range(29):
        assert scanner.scan_next() and scanner.interval()
    assert lists == [scanner_module.BATCH_BLOCKS]


def test_a_defect_does_not_end_the_thread(
    store: BlockStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, 1, DATA)
    calls: List[int] = []

    def broken(*_: int) -> List[Block]:
        calls.append(1)
        raise KeyError("a defect")

    monkeypatch.setattr(store.replicas, "good_after", broken)
    scanner = BlockScanner(store, 1e-3, FAST)
    scanner.start()
    wait_until(lambda: len(calls) > 2)
    scanner.stop()


@pytest.mark.parametrize("position", [0, len(DATA) // 2, len(DATA) - 1])
def test_a_flipped_bit_that_nobody_reads_is_found(
    tmp_path: Path, store: BlockStore, told: List[Block], position: int
) -> None:
    good, bad = put(store, 1, DATA), put(store, 2, DATA)
    with path_of(tmp_path, bad).open("r+b") as file:
        file.seek(position)
        file.write(bytes([DATA[position] ^ 4]))
    scanner = BlockScanner(store, 1000.0, FAST)
    for _ in range(4):
        scanner.scan_next()
    assert told == [bad] and store.replicas.inventory()[:2] == ((good,), (bad,))


def test_a_replica_that_was_just_removed_is_not_damaged(
    store: BlockStore, told: List[Block], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HDFS-11160: a scanner took what it met half-way for damage."""
    block = put(store, 1, DATA)
    scanner = BlockScanner(store, 1000.0, FAST)
    store.remove(block)
    monkeypatch.setattr(store.replicas, "good_after", lambda *_: [block])
    assert scanner.scan_next() == block and told == []


def test_the_position_survives_a_restart(store: BlockStore) -> None:
    for block_id in (1, 2, 3):
        put(store, block_id, DATA)
    first = BlockScanner(store, 1e-6, FAST)  # Always time to save.
    first.scan_next()
    first.scan_next()
    assert store.volumes.scan_position == 2
    again = BlockScanner(store, 1000.0, FAST)
    again.start()
    wait_until(lambda: repr(again) == "<BlockScanner at block 2>")
    again.stop()
    assert again.scan_next() == Block(3, 1, len(DATA))


def test_the_pace_is_one_round_a_period(store: BlockStore) -> None:
    scanner = BlockScanner(store, 1000.0, FAST)
    assert scanner.interval() == 1000.0
    for block_id in range(10):
        put(store, block_id, b"x")
    assert scanner.interval() == 100.0


def test_a_block_is_read_no_faster_than_the_rate(
    store: BlockStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, 1, DATA)
    scanner = BlockScanner(store, 1000.0, 1000)
    waits: List[float] = []
    monkeypatch.setattr(scanner._stopping, "wait", waits.append)
    scanner.scan_next()
    assert len(waits) == 3 and waits[-1] == pytest.approx(len(DATA) / 1000, abs=5.0)


def test_it_stops_in_the_middle_of_a_slow_block(store: BlockStore) -> None:
    put(store, 1, DATA)
    scanner = BlockScanner(store, 0.001, 1)
    scanner.start()
    running = [thread for thread in threading.enumerate() if thread.name == "block_scanner"]
    assert running
    scanner.stop()
    for thread in running:
        thread.join(timeout=60)
        assert not thread.is_alive()


def test_the_thread_keeps_going_round(store: BlockStore, told: List[Block], tmp_path: Path,
                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner_module, "LOOK_SECONDS_MAX", 0.01)
    scanner = BlockScanner(store, 0.02, FAST)
    scanner.start()
    block = put(store, 1, DATA)
    path_of(tmp_path, block).write_bytes(b"?")
    wait_until(lambda: told == [block])
    scanner.stop()
