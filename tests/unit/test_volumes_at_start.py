"""Directories that are in trouble when a datanode starts: each costs its own replicas only."""

import shutil
from pathlib import Path
from typing import Callable, Dict, List

import pytest

from data_service.datanode.store import mounts
from data_service.datanode.store import layout
from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from tests.support.disks.replicas import noise
from tests.support.disks.stores import get, names, opened, put
from zookeeper.fabric import disk
from zookeeper.fabric.errors import StartRefused

DATA = noise(CHUNK_BYTES + 99)


def two_directories(tmp_path: Path) -> List[Path]:
    """Directory a with block 1, directory b with block 2, both used by a namenode of epoch 7."""
    roots = [tmp_path / "a", tmp_path / "b"]
    for block_id in (1, 2):
        store = opened(*roots[:block_id])
        put_on(store, roots[block_id - 1], block_id)
        store.volumes.join_cluster("c")
        store.volumes.remember_epoch(7)
        store.close()
    return roots


def put_on(store: BlockStore, root: Path, block_id: int) -> Block:
    """Store a replica in one directory."""
    target = [volume for volume in store.volumes.working if volume.root == str(root)]
    store.volumes.choice.roomiest = lambda *_: (target[0], 0)  # type: ignore[method-assign]
    return put(store, block_id, DATA)


def held(store: BlockStore) -> List[int]:
    """The ids of all good replicas."""
    return sorted(block.block_id for block in store.replicas.inventory().good)


def replace_by_a_file(root: Path) -> None:
    """Something else lies where the directory was."""
    shutil.rmtree(root)
    root.write_bytes(b"")


FATAL: Dict[str, Callable[[Path], object]] = {
    "an empty VERSION": lambda root: (root / "VERSION").write_bytes(b""),
    "a damaged VERSION": lambda root: (root / "VERSION").write_bytes(b"\xff\0"),
    "a huge VERSION": lambda root: (root / "VERSION").write_bytes(bytes(5000)),
    "a newer layout": lambda root: (root / "VERSION").write_text(
        (root / "VERSION").read_text().replace("layout=", "layout=9")),
    "no VERSION": lambda root: (root / "VERSION").unlink(),
    "a directory as VERSION": lambda root: ((root / "VERSION").unlink(),
                                            (root / "VERSION").mkdir()),
    "another datanode's": lambda root: (root / "VERSION").write_text(
        "cluster_id=c\nnode_id=other\nstorage_id=s\nlayout=2\n"),
    "another cluster's": lambda root: (root / "VERSION").write_text(
        (root / "VERSION").read_text().replace("cluster_id=c", "cluster_id=d")),
    "a file in its place": replace_by_a_file,
    "a dangling link": lambda root: (shutil.rmtree(root), root.symlink_to("nowhere/at/all")),
    "a file as tmp": lambda root: ((root / "tmp").rmdir(), (root / "tmp").write_bytes(b"")),
    "a file as a shard": lambda root: ((root / "finalized/fe").rmdir(),
                                       (root / "finalized/fe").write_bytes(b"")),
}

HARMLESS: Dict[str, Callable[[Path], object]] = {
    "a damaged epoch": lambda root: (root / "epoch").write_bytes(b"\x31\x8a"),
    "an empty epoch": lambda root: (root / "epoch").write_bytes(b""),
    "no epoch": lambda root: (root / "epoch").unlink(),
    "a damaged uptime": lambda root: (root / "uptime").write_bytes(b"\xff"),
    "a huge uptime": lambda root: (root / "uptime").write_bytes(bytes(1000)),
    "a damaged scan position": lambda root: (root / "scan_position").write_bytes(b"\xff"),
    "damaged mount points": lambda root: (root / mounts.FILE_NAME).write_bytes(b"[1"),
    "mount points of another kind": lambda root: (root / mounts.FILE_NAME).write_bytes(b'{"a": 1}'),
    "a directory in tmp": lambda root: (root / "tmp/lost+found").mkdir(),
    "a tree in tmp": lambda root: (root / "tmp/x/y").mkdir(parents=True),
    "no tmp": lambda root: (root / "tmp").rmdir(),
    "no trash": lambda root: (root / "trash").rmdir(),
    "an empty shard less": lambda root: (root / "finalized/fe").rmdir(),
    "a stranger": lambda root: (root / "notes.txt").write_text("mine"),
}


@pytest.mark.parametrize("damage", FATAL)
@pytest.mark.parametrize("which", [0, 1])
def test_a_directory_that_cannot_be_used_costs_its_replicas(
    tmp_path: Path, damage: str, which: int
) -> None:
    """An empty VERSION, as a power cut leaves it on some file systems, refused the whole start."""
    roots = two_directories(tmp_path)
    doomed, other = roots[which], roots[1 - which]
    if damage.startswith("another"):
        # Of two the first decides; with three the majority does.
        roots.append(tmp_path / "third")
        store = opened(*roots)
        store.volumes.join_cluster("c")
        store.close()
    FATAL[damage](doomed)
    store = opened(*roots)
    assert held(store) == [2 - which] and store.usage().failed_volumes == 1
    assert get(store, Block(2 - which, 1, len(DATA))) == DATA
    assert store.volumes.epoch == 7 and store.volumes.cluster_id == "c"
    assert [volume.failed for volume in store.volumes._volumes if volume.root == str(doomed)][0]
    assert "VERSION" in [path.name for path in other.iterdir()]
    put(store, 9, DATA)
    store.replicas.check()
    store.close()


@pytest.mark.parametrize("damage", HARMLESS)
def test_small_damage_costs_nothing(tmp_path: Path, damage: str) -> None:
    roots = two_directories(tmp_path)
    store = opened(*roots)
    store.volumes.scan_position = 1
    store.volumes.empty_trash(1e9)
    store.close()
    HARMLESS[damage](roots[0])
    store = opened(*roots)
    assert held(store) == [1, 2] and store.usage().failed_volumes == 0
    assert store.volumes.epoch == 7 and store.volumes.scan_position == 1
    store.volumes.remember_epoch(7)
    put_on(store, roots[0], 254)  # Its shard is fe.
    store.remove(Block(254, 1, len(DATA)))
    put_on(store, roots[0], 510)
    store.move_to_trash(Block(510, 1, len(DATA)))
    store.close()
    assert (roots[0] / "epoch").read_bytes() == b"7\n", "what was damaged is written anew"


def test_a_directory_of_another_datanode_is_left_for_that_one(tmp_path: Path) -> None:
    opened(tmp_path / "a").close()
    opened(tmp_path / "b").close()
    store = opened(tmp_path / "a", tmp_path / "b")
    assert store.usage().failed_volumes == 1
    other = opened(tmp_path / "b")
    other.close()
    store.close()


def test_only_when_no_directory_can_be_used_the_start_is_refused(tmp_path: Path) -> None:
    roots = two_directories(tmp_path)
    for root in roots:
        (root / "VERSION").write_bytes(b"")
    with pytest.raises(StartRefused, match="VERSION.*VERSION"):
        opened(*roots)


def test_a_directory_that_another_process_holds_refuses_the_start(tmp_path: Path) -> None:
    """Else two datanodes that are started at once could have half of the directories each."""
    roots = two_directories(tmp_path)
    with disk.DirectoryLock(str(roots[1])):
        with pytest.raises(StartRefused, match="in use"):
            opened(*roots)


@pytest.mark.parametrize("alias", ["link", "again"])
def test_a_directory_that_is_named_twice_is_refused(tmp_path: Path, alias: str) -> None:
    opened(tmp_path / "a").close()
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(StartRefused, match="is in use by"):
        opened(tmp_path / "a", tmp_path / ("link" if alias == "link" else "a"))


def test_a_link_to_a_directory_is_as_good_as_the_directory(tmp_path: Path) -> None:
    store = opened(tmp_path / "a")
    put(store, 1, DATA)
    store.close()
    (tmp_path / "link").symlink_to("a")
    again = opened(tmp_path / "link")
    assert held(again) == [1]
    again.close()


def test_a_new_directory_gets_no_identity_that_is_only_guessed(tmp_path: Path) -> None:
    """The identity of the others is not known while none of them can be read."""
    roots = two_directories(tmp_path)[:1]
    (roots[0] / "VERSION").write_bytes(b"")
    with pytest.raises(StartRefused, match="not known"):
        opened(*roots, tmp_path / "new")
    assert names(tmp_path) == [] and not (tmp_path / "new" / "VERSION").exists()


def test_an_epoch_that_no_directory_knows_refuses_the_start(tmp_path: Path) -> None:
    roots = two_directories(tmp_path)
    for root in roots:
        (root / layout.EPOCH).write_bytes(b"?")
    with pytest.raises(StartRefused, match="epoch"):
        opened(*roots)


# Disks that are not mounted.


def mounted_at(monkeypatch: pytest.MonkeyPatch, *places: Path) -> None:
    """Pretend that disks are mounted at these places, and at the root."""
    points = {str(place) for place in places} | {"/"}
    monkeypatch.setattr(disk.os.path, "ismount", lambda path: str(path) in points)


@pytest.mark.parametrize("left", ["an empty directory", "nothing"])
def test_a_directory_whose_disk_is_not_mounted_is_no_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    """It would give all blocks up, and fill the disk of the system."""
    mounted_at(monkeypatch, tmp_path / "a", tmp_path / "b")
    roots = [tmp_path / "a" / "blocks", tmp_path / "b" / "blocks"]
    opened(*roots).close()
    for _ in range(2):
        shutil.rmtree(roots[0], ignore_errors=True)
        if left != "nothing":
            roots[0].mkdir()
        mounted_at(monkeypatch, tmp_path / "b")
        store = opened(*roots)
        assert store.usage().failed_volumes == 1 and len(store.volumes.working) == 1
        assert not (roots[0] / "VERSION").exists()
        assert str(tmp_path / "a") in store.volumes._volumes[0].failed
        store.close()
    # A new disk at the same place is one, and so is a disk where there was none before.
    mounted_at(monkeypatch, tmp_path / "a", tmp_path / "b", roots[0])
    store = opened(*roots)
    assert len(store.volumes.working) == 2
    store.close()


def test_a_directory_that_was_emptied_where_it_is_begins_anew(tmp_path: Path) -> None:
    roots = two_directories(tmp_path)
    shutil.rmtree(roots[0])
    store = opened(*roots)
    assert held(store) == [2] and store.usage().failed_volumes == 0
    store.close()


def test_the_table_of_mounts_tells_which_disks_are_awaited(tmp_path: Path) -> None:
    table = tmp_path / "fstab"
    (tmp_path / "a disk" / "blocks").mkdir(parents=True)
    awaited = f"{tmp_path}/a disk"
    escaped = awaited.replace(" ", "\\040")
    table.write_text(f"# a comment\n\nUUID=1 / ext4\nUUID=2 {escaped}/ ext4 defaults 0 0\nx\n")
    assert disk.awaited_mount(f"{awaited}/blocks", str(table)) == awaited
    assert disk.awaited_mount(awaited, str(table)) == awaited
    assert disk.awaited_mount(f"{awaited}s", str(table)) == ""
    assert disk.awaited_mount("/proc/self", str(table)) == ""
    assert disk.awaited_mount(awaited, str(tmp_path / "none")) == ""
