"""A datanode verifies what it is told to, and says what it found."""

import os
import shutil
from pathlib import Path
from typing import Iterable, Iterator, List, Tuple

import pytest

from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.store.trash_folder import TrashFolder
from data_service.datanode.incremental_report import CORRUPT, VERIFIED
from data_service.datanode.background.verifier import Verifier
from data_service.protocol.blocks import Block, Told, sealed
from data_service.protocol.checksums import block_digest, crc32
from tests.support.disks.damage import DAMAGES, flip_in
from tests.support.disks.stores import names, opened, path_of, put
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import BlockMissing, Busy, CorruptData

DATA = b"0123456789" * 100
DIGEST = block_digest(len(DATA), [crc32(DATA)])


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[BlockStore]:
    made = opened(tmp_path)
    yield made
    made.close()


class Answers:
    """What the namenode would hear."""

    def __init__(self, store: BlockStore) -> None:
        self.told: List[Tuple[str, Block]] = []
        self.lost = 0
        self.verifier = Verifier(store, self._tell, self._lose)

    def _tell(self, kind: str, blocks: Iterable[Told]) -> None:
        for told in blocks:
            assert sealed(told).digest == (DIGEST if kind == VERIFIED else b"")
            self.told.append((kind, sealed(told).block))

    def _lose(self) -> None:
        self.lost += 1


def test_good_corrupt_and_missing_replicas_are_told_apart(
    tmp_path: Path, store: BlockStore
) -> None:
    good, bad = put(store, 1, DATA), put(store, 2, DATA)
    flip_in(path_of(tmp_path, bad), 500)
    answers = Answers(store)
    answers.verifier.order([good, bad, Block(3, 1, 10), Block(1, 1, 7)])
    wait_until(lambda: len(answers.told) >= 2 and answers.lost == 2)
    assert sorted(answers.told) == [(CORRUPT, bad), (VERIFIED, good)]
    assert store.replicas.inventory()[:2] == ((good,), (bad,))


def test_what_was_found_damaged_is_served_again_when_all_of_it_is_right(
    store: BlockStore
) -> None:
    block = put(store, 1, DATA)
    store.mark_corrupt(block, "a read that failed")
    with pytest.raises(CorruptData):
        store.read(1, 1)
    with store.read(1, 1, as_it_is=True) as replica:
        assert os.pread(replica.descriptor, len(DATA), 0) == DATA, "it is all that is left"
    assert store.verify(block)
    assert store.replicas.inventory()[:2] == ((block,), ())
    store.read(1, 1).__exit__()
    store.replicas.check()


def test_the_name_of_a_replica_is_not_enough(store: BlockStore) -> None:
    put(store, 1, DATA)
    with pytest.raises(BlockMissing):
        store.verify(Block(1, 1, 7))
    with pytest.raises(BlockMissing):
        store.verify(Block(1, 2, len(DATA)))


def test_orders_wait_for_each_other_and_their_number_is_limited(
    store: BlockStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_service.datanode.background.verifier._WAITING_MAX", 5)
    blocks = [put(store, number, DATA) for number in range(1, 9)]
    answers = Answers(store)
    answers.verifier.order(blocks)
    wait_until(lambda: len(answers.told) >= 5)
    answers.verifier.order(blocks[:1])
    wait_until(lambda: answers.told[-1] == (VERIFIED, blocks[0]) and len(answers.told) == 6)
    answers.verifier.stop()
    answers.verifier.order(blocks)
    assert repr(answers.verifier) == "<Verifier 0 waiting>"


def doubled(tmp_path: Path) -> Tuple[BlockStore, Block]:
    """A replica that was copied to a second directory while the first was away, and both."""
    first = opened(tmp_path / "a")
    block = put(first, 1, DATA, generation=2)
    first.close()
    shutil.copytree(tmp_path / "a" / "finalized", tmp_path / "copied")
    both = opened(tmp_path / "a", tmp_path / "b")
    both.close()
    shutil.rmtree(tmp_path / "b" / "finalized")
    shutil.copytree(tmp_path / "copied", tmp_path / "b" / "finalized")
    return opened(tmp_path / "a", tmp_path / "b"), block


def test_of_a_replica_in_two_directories_one_goes_to_the_trash(tmp_path: Path) -> None:
    store, block = doubled(tmp_path)
    assert store.replicas.doubles() == [block] and store.settle_double(block)
    assert store.replicas.doubles() == [] and store.replicas.inventory()[:2] == ((block,), ())
    kept = [names(tmp_path / folder, ["finalized"]) for folder in "ab"]
    trashed = [names(tmp_path / folder, ["trash"]) for folder in "ab"]
    assert sorted(map(len, kept)) == [0, 1] and sorted(map(len, trashed)) == [0, 1]
    assert store.verify(block)
    store.close()


@pytest.mark.parametrize("damaged", ["a", "b"])
def test_of_two_replicas_the_good_one_is_kept(tmp_path: Path, damaged: str) -> None:
    store, block = doubled(tmp_path)
    flip_in(path_of(tmp_path / damaged, block), 500)
    answers = Answers(store)
    answers.verifier.start()
    wait_until(lambda: answers.told == [(VERIFIED, block)])
    assert store.replicas.inventory()[:2] == ((block,), ()) and store.verify(block)
    store.replicas.check()
    store.close()


@pytest.mark.parametrize("damage", ["label-gone", "data-bit"])
def test_a_replica_deleted_while_a_damaged_double_lay_beside_it_leaves_none(
    tmp_path: Path, damage: str
) -> None:
    store, block = doubled(tmp_path)
    store.close()
    if damage == "label-gone":
        DAMAGES[damage](path_of(tmp_path / "b", block))  # Its length cannot be told any more.
    else:
        flip_in(path_of(tmp_path / "b", block), 500)
    store = opened(tmp_path / "a", tmp_path / "b")
    assert store.settle_double(block)
    store.remove(block)
    assert all(names(tmp_path / folder, ["finalized"]) == [] for folder in "ab")
    store.close()


def replace(root: Path, block: Block, data: bytes, generation: int) -> None:
    """Have a directory keep another replica of a block than it does."""
    path_of(root, block).unlink()
    store = opened(root)
    put(store, block.block_id, data, generation)
    store.close()


def test_a_double_of_before_the_last_change_goes_to_the_trash(tmp_path: Path) -> None:
    store, block = doubled(tmp_path)
    store.close()
    replace(tmp_path / "b", block, DATA, block.generation - 1)
    store = opened(tmp_path / "a", tmp_path / "b")
    assert store.replicas.doubles() == [block] and store.settle_double(block)
    store.remove(block)
    assert all(names(tmp_path / folder, ["finalized"]) == [] for folder in "ab")
    assert len(names(tmp_path / "b", ["trash"])) == 1
    store.close()


def test_a_double_that_could_not_be_put_aside_goes_with_the_replica(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, block = doubled(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(Busy):
        patch.setattr(TrashFolder, "take_in", _refuse)
        store.settle_double(block)
    store.remove(block)
    assert all(names(tmp_path / folder, ["finalized"]) == [] for folder in "ab")
    store.close()


def _refuse(*_args: object) -> None:
    raise Busy("the disk does not answer")


def test_a_good_double_of_another_length_goes_with_the_replica(tmp_path: Path) -> None:
    """Nobody can tell which is right, so neither is put aside."""
    store, block = doubled(tmp_path)
    store.close()
    replace(tmp_path / "b", block, DATA[:10], block.generation)
    store = opened(tmp_path / "a", tmp_path / "b")
    assert store.settle_double(block)
    assert all(names(tmp_path / folder, ["trash"]) == [] for folder in "ab")
    store.remove(block)
    assert all(names(tmp_path / folder, ["finalized"]) == [] for folder in "ab")
    store.close()


def test_of_two_damaged_replicas_both_are_kept(tmp_path: Path) -> None:
    store, block = doubled(tmp_path)
    for folder in "ab":
        flip_in(path_of(tmp_path / folder, block), 500)
    assert not store.settle_double(block)
    assert all(len(names(tmp_path / folder, ["finalized"])) == 1 for folder in "ab")
    assert store.replicas.inventory()[:2] == ((), (block,))
    store.close()
