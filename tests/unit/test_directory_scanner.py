"""Replicas whose files are gone, and nobody has read them."""

import shutil
from pathlib import Path
from typing import List

import pytest

from data_service.datanode.store import layout
from data_service.datanode.background import directory_scanner as scanner_module
from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.background.directory_scanner import DirectoryScanner
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from tests.support.disks.replicas import noise
from tests.support.disks.stores import path_of, put
from tests.support.disks.two_files import meta_of, split
from tests.support.clusters.waiting import wait_until

DATA = noise(CHUNK_BYTES + 99)
WEEKS = 1e6


def looked(scanner: DirectoryScanner) -> None:
    """All folders had their turn."""
    for _ in layout.SHARDS:
        scanner.look()


def test_what_was_removed_by_hand_is_told_and_the_rest_is_not(tmp_path: Path) -> None:
    told: List[Block] = []
    store = BlockStore([str(tmp_path / "a"), str(tmp_path / "b")], 0, told.append)
    store.open()
    blocks = [put(store, block_id, DATA) for block_id in range(1, 9)]
    store.close()
    for root in (tmp_path / "a", tmp_path / "b"):
        for block in blocks[3:5]:
            if path_of(root, block).exists():
                split(path_of(root, block))
    store = BlockStore([str(tmp_path / "a"), str(tmp_path / "b")], 0, told.append)
    store.open()
    where = {block: root for block in blocks for root in (tmp_path / "a", tmp_path / "b")
             if path_of(root, block).exists()}
    scanner = DirectoryScanner(store, WEEKS)
    looked(scanner)
    assert told == []
    path_of(where[blocks[1]], blocks[1]).unlink()
    meta_of(path_of(where[blocks[4]], blocks[4])).unlink()
    shutil.rmtree(path_of(where[blocks[6]], blocks[6]).parent)
    store.remove(blocks[7])
    looked(scanner)
    assert sorted(told) == [blocks[1], blocks[4], blocks[6]]
    looked(scanner)
    assert len(told) == 3 and not store.volumes.failed
    store.close()


def test_a_replica_that_goes_while_its_folder_is_listed_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: List[Block] = []
    store = BlockStore([str(tmp_path)], 0, told.append)
    store.open()
    old = put(store, 1, DATA)
    volume = store.volumes.working[0]
    names_in = volume.names_in

    def meanwhile(shard: str) -> set:
        if shard == "01":
            store.remove(old)
        found = names_in(shard)
        if shard == "02":
            put(store, 2, DATA)
        return found

    monkeypatch.setattr(volume, "names_in", meanwhile)
    put(store, 258, DATA)
    looked(DirectoryScanner(store, WEEKS))
    assert told == []
    store.close()


def test_a_directory_that_is_not_there_any_more_has_failed(tmp_path: Path) -> None:
    """Also when nobody reads or writes: a disk was unmounted."""
    store = BlockStore([str(tmp_path / "a")], 0)
    store.open()
    put(store, 1, DATA)
    (tmp_path / "a").rename(tmp_path / "away")
    looked(DirectoryScanner(store, WEEKS))
    assert store.volumes.failed == 1 and store.replicas.inventory()[:2] == ((), ())
    store.close()


def test_another_disk_in_the_same_place_is_not_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its room would be that of the disk of the system."""
    store = BlockStore([str(tmp_path / "a")], 0)
    store.open()
    store.close()
    store = BlockStore([str(tmp_path / "a")], 0)
    store.open()
    assert store.usage().capacity > 0
    monkeypatch.setattr(store.volumes.working[0].directory, "_device", -1)
    assert store.usage().capacity == 0 and store.volumes.failed == 1
    store.close()


@pytest.mark.parametrize("period", [0.2, 1.0, 60.0, 21600.0])
def test_all_folders_come_by_in_the_period(tmp_path: Path, period: float) -> None:
    scanner = DirectoryScanner(BlockStore([str(tmp_path)], 0), period)
    rounds = len(layout.SHARDS) / scanner._at_once * scanner._pause
    assert rounds <= max(period, scanner_module.PAUSE_SECONDS_MIN) * 1.01


def test_the_thread_notices_and_survives_a_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: List[Block] = []
    store = BlockStore([str(tmp_path)], 0, told.append)
    store.open()
    block = put(store, 1, DATA)
    monkeypatch.setattr(scanner_module, "PAUSE_SECONDS_MIN", 0.01)
    scanner = DirectoryScanner(store, 0.01)
    good_on, calls = store.replicas.good_on, []

    def broken(*arguments: object) -> List[Block]:
        calls.append(1)
        if len(calls) < 3:
            raise KeyError("a defect")
        return good_on(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store.replicas, "good_on", broken)
    scanner.start()
    path_of(tmp_path, block).unlink()
    wait_until(lambda: told == [block])
    scanner.stop()
    store.close()
