"""Directories and replicas of layout 2, whose checksums are in files of their own."""

import errno
import threading
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import pytest

from data_service.datanode.background.directory_scanner import DirectoryScanner
from data_service.datanode.store import layout
from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from tests.support.disks.damage import DAMAGES, DAMAGES_OF_TWO, UNSEEN_BY_A_SCAN, Damage
from tests.support.disks.faulty_disk import FaultyDisk
from tests.support.disks.replicas import noise
from tests.support.disks.stores import get, names, opened, path_of, put
from tests.support.disks.two_files import data_of, make_older, meta_of, split
from zookeeper.fabric.errors import CorruptData, DiskFailed, DiskFull

SMALL, LARGE = noise(4096, 1), noise(2 * CHUNK_BYTES + 777, 2)


@pytest.fixture(name="older")
def _older(tmp_path: Path) -> Path:
    """A directory as the software of layout 2 left it, with blocks 1, 2 and 3."""
    store = opened(tmp_path / "a")
    for block_id, data in enumerate((b"", SMALL, LARGE), 1):
        put(store, block_id, data)
    store.close()
    make_older(tmp_path / "a")
    return tmp_path / "a"


@pytest.fixture(name="store")
def _store(older: Path) -> Iterator[BlockStore]:
    made = opened(older)
    yield made
    made.replicas.check()
    made.close()


def layout_of(root: Path) -> int:
    """What the directory's VERSION says."""
    return layout.decode_version((root / "VERSION").read_bytes()).layout


def test_two_files_are_what_the_software_of_layout_2_wrote(tmp_path: Path) -> None:
    """The bytes are those of a datanode of that time."""
    store = opened(tmp_path)
    path = path_of(tmp_path, put(store, 7, b"hello", generation=3))
    store.close()
    split(path)
    assert path.read_bytes() == b"hello"
    assert meta_of(path).read_bytes().hex() == (
        "5079444d000200010004000000000000" "0000000700000000000000030000000000000005ab639d3c"
        "3610a686"
    )


def test_what_is_there_is_served_as_it_is(older: Path, store: BlockStore) -> None:
    before = {path: path.read_bytes() for path in older.glob("finalized/*/*")}
    blocks = [Block(1, 1, 0), Block(2, 1, len(SMALL)), Block(3, 1, len(LARGE))]
    assert store.replicas.inventory()[:2] == (tuple(blocks), ())
    assert [get(store, block) for block in blocks] == [b"", SMALL, LARGE]
    assert all(store.verify(block) for block in blocks)
    assert store.usage().used == sum(map(len, before.values()))
    assert before == {path: path.read_bytes() for path in older.glob("finalized/*/*")}


@pytest.mark.parametrize("size", [len(SMALL), len(LARGE)])
def test_both_forms_lie_side_by_side(older: Path, store: BlockStore, size: int) -> None:
    new = put(store, 4, LARGE[:size])
    assert names(older, ("finalized",)).count("blk_4_1.meta") == 0
    store.close()
    again = opened(older)
    assert [get(again, block) for block in again.replicas.inventory().good] == [
        b"", SMALL, LARGE, LARGE[:size]]
    assert data_of(path_of(older, new)) == LARGE[:size]
    again.replicas.check()
    again.close()


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("damages", [DAMAGES, DAMAGES_OF_TWO], ids=["one file", "two files"])
def test_every_damage_is_noticed_by_a_reader_and_after_a_start(
    tmp_path: Path, damages: Dict[str, Damage], data: bytes
) -> None:
    store = opened(tmp_path)
    blocks = {name: put(store, number, data) for number, name in enumerate(damages)}
    store.close()
    if damages is DAMAGES_OF_TWO:
        make_older(tmp_path)
    store = opened(tmp_path)
    assert sorted(store.replicas.inventory().good) == sorted(blocks.values())
    for name, block in blocks.items():
        damages[name](path_of(tmp_path, block))
        with pytest.raises(CorruptData):
            get(store, block)
        assert not store.verify(block), name
    assert store.replicas.inventory().good == ()
    store.close()
    again = opened(tmp_path)
    unseen = (*UNSEEN_BY_A_SCAN, "zeroed")
    for name, block in blocks.items():
        if block in again.replicas.inventory().good:
            assert name in unseen and not again.verify(block), name
    assert again.replicas.inventory().good == ()
    again.replicas.check()
    again.close()


@pytest.mark.parametrize("which", [path_of, lambda *place: meta_of(path_of(*place))])
def test_either_file_is_missed_when_it_is_gone(
    older: Path, store: BlockStore, which: Callable[[Path, Block], Path]
) -> None:
    block = store.replicas.find(3, 1).block
    which(older, block).unlink()
    scanner = DirectoryScanner(store, 1e6)
    for _ in layout.SHARDS:
        scanner.look()
    assert store.replicas.inventory().corrupt == (block,)


def test_both_files_go_together(older: Path, store: BlockStore) -> None:
    _, second, third = store.replicas.inventory().good
    store.remove(second)
    store.move_to_trash(third)
    assert names(older, ("finalized",)) == ["blk_1_1", "blk_1_1.meta"]
    assert len(names(older, ("trash",))) == 2
    assert store.volumes.empty_trash(-1e9) == 2


# The directory.


def test_it_stays_as_it_is_until_a_replica_is_written(older: Path, store: BlockStore) -> None:
    """So long the software of layout 2 can have it back."""
    store.volumes.join_cluster("c")
    get(store, Block(3, 1, len(LARGE)))
    assert layout_of(older) == 2
    store.discard(store.create(4, 1, 10))
    assert layout_of(older) == layout.LAYOUT_VERSION
    store.close()
    again = opened(older)
    assert again.volumes.cluster_id == "c" and len(again.replicas) == 3
    again.close()


def test_it_is_brought_forward_before_a_file_is_made(older: Path) -> None:
    system = FaultyDisk()
    store = opened(older, system=system)
    system.calls.clear()
    put(store, 4, SMALL)
    put(store, 5, SMALL)
    steps = [f"{name} {Path(path).name}" for name, path in system.calls]
    assert steps[:6] == ["open VERSION.tmp", "write VERSION.tmp", "fsync VERSION.tmp",
                         "rename VERSION", "open a", "fsync a"]
    assert sum("VERSION" in step for step in steps) == 4
    store.close()


def test_a_full_disk_serves_what_it_has_and_takes_nothing(older: Path) -> None:
    system = FaultyDisk()
    system.faults = {"write": errno.ENOSPC}
    store = opened(older, system=system)
    with pytest.raises(DiskFull):
        store.create(4, 1, 10)
    assert layout_of(older) == 2 and not store.volumes.failed
    assert get(store, Block(2, 1, len(SMALL))) == SMALL
    system.faults = {}
    put(store, 4, SMALL)
    assert layout_of(older) == layout.LAYOUT_VERSION
    store.close()


def test_a_disk_that_fails_at_that_moment_has_no_new_replica(older: Path) -> None:
    system = FaultyDisk()
    system.faults, system.where = {"fsync": errno.EIO}, "VERSION"
    store = opened(older, system=system)
    with pytest.raises(DiskFailed):
        store.create(4, 1, 10)
    assert store.volumes.failed == 1 and layout_of(older) == 2
    assert "blk_4_1" not in names(older)
    store.close()


def test_many_first_writers_and_probes_do_not_disturb_each_other(
    older: Path, store: BlockStore
) -> None:
    """A probe that met a VERSION which was just changing would have failed the volume."""
    (volume,) = store.volumes.working
    failures: List[BaseException] = []
    start = threading.Barrier(6)

    def work(number: int) -> None:
        try:
            start.wait(60)
            if number == 0:
                store.volumes.join_cluster("c")
            elif number == 1:
                for _ in range(20):
                    volume.probe()
            else:
                put(store, 10 + number, SMALL)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and not volume.failed
    version = layout.decode_version((older / "VERSION").read_bytes())
    assert (version.cluster_id, version.layout) == ("c", layout.LAYOUT_VERSION)
    assert version == volume.directory.version
