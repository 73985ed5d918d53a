"""Power cuts at every step of the durable file operations, on a disk that forgets."""

import os
from pathlib import Path
from typing import Callable, Optional

import pytest

from tests.support.disks.forgetful_disk import ForgetfulDisk, aftermaths
from zookeeper.fabric import disk
from zookeeper.fabric.errors import DiskFailed

DIRECTORIES = ("/", "/d")
OLD, NEW = b"the old content", b"the new content, which is longer"


def check_write(old: Optional[bytes]) -> None:
    """After every power cut in write_file the old or the new is there; after it, the new."""
    files = {} if old is None else {"/d/a": old}
    worlds = list(aftermaths(DIRECTORIES, files, lambda on: disk.write_file("/d/a", NEW, on)))
    assert len(worlds) > 4 * 6
    for world in worlds:
        allowed = (NEW,) if world.returned else (old, NEW)
        assert world.files.get("/d/a") in allowed, world.story
        assert set(world.files) <= {"/d/a", "/d/a.tmp"}


def check_make_directories() -> None:
    """A file written into new directories is there after any power cut that follows."""

    def operation(on: disk.SystemCalls) -> None:
        disk.make_directories("/d/x/y", on)
        disk.write_file("/d/x/y/a", NEW, on)

    last = list(aftermaths(DIRECTORIES, {}, operation))[-4:]
    for world in last:
        assert world.returned and world.files == {"/d/x/y/a": NEW}, world.story


@pytest.mark.parametrize("old", [None, OLD, b""])
def test_a_written_file_is_old_or_new_after_any_power_cut(old: Optional[bytes]) -> None:
    check_write(old)


def test_new_directories_survive() -> None:
    check_make_directories()


def test_write_goes_fsync_file_then_rename_then_fsync_directory() -> None:
    recorder = ForgetfulDisk(DIRECTORIES, {})
    disk.write_file("/d/a", b"12345678", recorder)
    assert recorder.calls == [
        "open /d/a.tmp",
        "write /d/a.tmp",
        "write /d/a.tmp",
        "fsync /d/a.tmp",
        "rename /d/a",
        "open /d",
        "fsync /d",
    ]


def test_every_new_directory_is_synced_in_its_parent() -> None:
    recorder = ForgetfulDisk(DIRECTORIES, {})
    disk.make_directories("/d/x/y", recorder)
    assert recorder.calls == [
        "mkdir /d/x", "open /d", "fsync /d", "mkdir /d/x/y", "open /d/x", "fsync /d/x"]
    disk.make_directories("/d/x/y", recorder)
    assert len(recorder.calls) == 6


def test_a_lost_directory_sync_is_an_error_and_not_tried_again() -> None:
    class Failing(ForgetfulDisk):
        """Its directories cannot be synced."""

        def fsync(self, descriptor: int) -> None:
            """Work for files, fail for directories."""
            super().fsync(descriptor)
            if self._opened[descriptor].inode.is_directory:
                raise OSError(5, "Input/output error")

    failing = Failing(DIRECTORIES, {})
    with pytest.raises(DiskFailed, match="cannot sync directory /d: Input/output error"):
        disk.write_file("/d/a", NEW, failing)
    assert failing.calls.count("fsync /d") == 1


# Mutants: each leaves out one rule, and the checks above must notice every one of them.


def no_fsync_directory(path: str, system: disk.SystemCalls) -> None:
    """Leave the names to luck."""


def write_without_fsync(path: str, data: bytes, system: disk.SystemCalls) -> None:
    """Leave the bytes to luck."""
    descriptor = system.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    while data:
        data = data[system.write(descriptor, memoryview(data)):]
    system.close(descriptor)


def write_in_place(path: str, data: bytes, system: disk.SystemCalls) -> None:
    """Overwrite the old content before the new is whole."""
    disk._write_synced(path, data, system)
    disk.fsync_directory(os.path.dirname(path), system)


@pytest.mark.parametrize(
    "name, mutant, check",
    [
        ("fsync_directory", no_fsync_directory, lambda: check_write(OLD)),
        ("fsync_directory", no_fsync_directory, lambda: check_write(None)),
        ("fsync_directory", no_fsync_directory, check_make_directories),
        ("_write_synced", write_without_fsync, lambda: check_write(OLD)),
        ("write_file", write_in_place, lambda: check_write(OLD)),
    ],
)
def test_a_mutant_is_caught(
    monkeypatch: pytest.MonkeyPatch, name: str, mutant: Callable[..., None],
    check: Callable[[], None]
) -> None:
    check()
    monkeypatch.setattr(disk, name, mutant)
    with pytest.raises(AssertionError):
        check()


def test_the_forgetful_disk_does_what_a_real_one_does(tmp_path: Path) -> None:
    """A fake that behaves otherwise while the power is on would prove nothing."""
    root = str(tmp_path)
    fake = ForgetfulDisk((os.path.dirname(root), root), {})
    for system in (disk.SYSTEM, fake):
        disk.make_directories(f"{root}/x/y", system)
        disk.write_file(f"{root}/x/a", OLD, system)
        disk.write_file(f"{root}/x/a", NEW, system)
        disk.write_file(f"{root}/gone", OLD, system)
        system.unlink(f"{root}/gone")
        with pytest.raises(FileNotFoundError):
            system.unlink(f"{root}/gone")
        system.rename(f"{root}/x/a", f"{root}/x/y/b")
        assert disk.read_file(f"{root}/x/y/b", 100, system) == NEW
        assert disk.read_file(f"{root}/x/a", 100, system) is None
    assert fake.files() == {
        str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
