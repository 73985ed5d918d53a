"""Power cuts at every step of the durable file operations, on a disk that forgets."""

import os
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import pytest

from zookeeper.fabric import disk
from zookeeper.fabric.errors import DiskFailed

Files = Dict[str, bytes]
Operation = Callable[[disk.SystemCalls], None]


class PowerCut(Exception):
    """The machine is off: no call after this one happens, no cleaning up either."""


class Inode:
    """A file's bytes as its readers see them, and as the platters hold them; or a directory."""

    def __init__(self, is_directory: bool = False) -> None:
        self.is_directory = is_directory
        self.live = bytearray()
        self.synced = b""


class Opened(NamedTuple):
    """What a descriptor stands for."""

    path: str
    inode: Inode


class ForgetfulDisk(disk.SystemCalls):
    """A disk in memory that keeps apart what was written and what a power cut would leave.

    An fsync of a file makes its bytes durable, not its name; an fsync of a directory makes the
    names in it durable, and nothing else. `calls` tells what was done, and before call number
    `cut_at` the power goes. Whatever was not synced may survive all the same, or may not.
    """

    def __init__(self, directories: Tuple[str, ...], files: Files, cut_at: int = -1) -> None:
        self.calls: List[str] = []
        self.cut_at = cut_at
        self._live: Dict[str, Inode] = {name: Inode(is_directory=True) for name in directories}
        self._opened: Dict[int, Opened] = {}
        for path, data in files.items():
            self._live[path] = Inode()
            self._live[path].live += data
            self._live[path].synced = data
        self._durable = dict(self._live)

    def _step(self, call: str, path: str) -> None:
        if len(self.calls) == self.cut_at:
            raise PowerCut
        self.calls.append(f"{call} {path}")

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        """A descriptor, of a new file if the flags say so."""
        self._step("open", path)
        if path not in self._live:
            if not flags & os.O_CREAT:
                raise FileNotFoundError(2, "No such file or directory")
            self._live[path] = Inode()
        if flags & os.O_TRUNC:
            self._live[path].live.clear()
        descriptor = len(self.calls)
        self._opened[descriptor] = Opened(path, self._live[path])
        return descriptor

    def close(self, descriptor: int) -> None:
        """Forget the descriptor."""
        del self._opened[descriptor]

    def write(self, descriptor: int, data: memoryview) -> int:
        """Append at most four bytes, so that a file takes several writes."""
        self._step("write", self._opened[descriptor].path)
        self._opened[descriptor].inode.live += data[:4]
        return len(data[:4])

    def read(self, descriptor: int, length: int) -> bytes:
        """All that is there, once."""
        path, inode = self._opened[descriptor]
        self._opened[descriptor] = Opened(path, Inode())
        return bytes(inode.live[:length])

    def fsync(self, descriptor: int) -> None:
        """Make bytes, or the names in a directory, durable."""
        path, inode = self._opened[descriptor]
        self._step("fsync", path)
        if not inode.is_directory:
            inode.synced = bytes(inode.live)
            return
        for name in set(self._live) | set(self._durable):
            if os.path.dirname(name) == path:
                self._settle(name)

    def _settle(self, name: str) -> None:
        if name in self._live:
            self._durable[name] = self._live[name]
        else:
            del self._durable[name]

    def rename(self, source: str, destination: str) -> None:
        """Give a file its new name, in memory."""
        self._step("rename", destination)
        self._live[destination] = self._live.pop(source)

    def unlink(self, path: str) -> None:
        """Take a name away, in memory."""
        self._step("unlink", path)
        if self._live.pop(path, None) is None:
            raise FileNotFoundError(2, "No such file or directory")

    def mkdir(self, path: str, mode: int) -> None:
        """Make a directory, in memory."""
        self._step("mkdir", path)
        self._live[path] = Inode(is_directory=True)

    def isdir(self, path: str) -> bool:
        """Whether readers see a directory there."""
        return path in self._live and self._live[path].is_directory

    def files(self) -> Files:
        """What readers see now."""
        return {path: bytes(inode.live) for path, inode in self._live.items()
                if not inode.is_directory}

    def survivors(self, *, names: bool, data: bool) -> Files:
        """The files after a power cut; `names` and `data`: what was not synced survives too."""
        durable = self._live if names else self._durable
        return {path: bytes(inode.live) if data else inode.synced
                for path, inode in durable.items()
                if not inode.is_directory and os.path.dirname(path) in durable}


class Aftermath(NamedTuple):
    """One world after a power cut: what is on the disk, and whether the operation had returned."""

    returned: bool
    files: Files
    story: str


def aftermaths(directories: Tuple[str, ...], files: Files, operation: Operation
               ) -> Iterator[Aftermath]:
    """Every world that a power cut can leave: before each step, and after the last."""
    returned, cut_at = False, 0
    while not returned:
        broken = ForgetfulDisk(directories, files, cut_at)
        try:
            operation(broken)
            returned = True
        except PowerCut:
            cut_at += 1
        for names in (False, True):
            for data in (False, True):
                story = f"{broken.calls}, unsynced names {names}, unsynced data {data}"
                yield Aftermath(returned, broken.survivors(names=names, data=data), story)


DIRECTORIES = ("/", "/d", "/e")
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


def check_rename() -> None:
    """After every power cut in rename_durably both files are whole, and none without a name."""
    for target in ("/d/b", "/e/b"):
        for old in (None, OLD):
            files = {"/d/a": NEW, **({} if old is None else {target: old})}
            for world in aftermaths(
                DIRECTORIES, files, lambda on: disk.rename_durably("/d/a", target, on)
            ):
                assert NEW in world.files.values(), world.story
                assert world.files.get(target) in ((NEW,) if world.returned else (old, NEW))
                assert not world.returned or world.files == {target: NEW}, world.story


def check_remove() -> None:
    """After remove_durably the file never comes back; before, it is whole."""
    for world in aftermaths(
        DIRECTORIES, {"/d/a": OLD}, lambda on: disk.remove_durably("/d/a", on)
    ):
        assert world.files == {} or not world.returned and world.files == {"/d/a": OLD}


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


def test_a_renamed_file_has_a_name_after_any_power_cut() -> None:
    check_rename()


def test_a_removed_file_stays_removed() -> None:
    check_remove()


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


def test_rename_syncs_the_new_directory_before_the_old_one() -> None:
    recorder = ForgetfulDisk(DIRECTORIES, {"/d/a": NEW})
    disk.rename_durably("/d/a", "/e/b", recorder)
    assert recorder.calls == ["rename /e/b", "open /e", "fsync /e", "open /d", "fsync /d"]


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


def sync_the_old_directory_first(source: str, destination: str, system: disk.SystemCalls) -> None:
    """Let the old name go before the new one is there."""
    system.rename(source, destination)
    for path in (source, destination):
        disk.fsync_directory(os.path.dirname(path), system)


@pytest.mark.parametrize(
    "name, mutant, check",
    [
        ("fsync_directory", no_fsync_directory, lambda: check_write(OLD)),
        ("fsync_directory", no_fsync_directory, lambda: check_write(None)),
        ("fsync_directory", no_fsync_directory, check_rename),
        ("fsync_directory", no_fsync_directory, check_remove),
        ("fsync_directory", no_fsync_directory, check_make_directories),
        ("_write_synced", write_without_fsync, lambda: check_write(OLD)),
        ("write_file", write_in_place, lambda: check_write(OLD)),
        ("rename_durably", sync_the_old_directory_first, check_rename),
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
        disk.remove_durably(f"{root}/gone", system)
        disk.remove_durably(f"{root}/gone", system)
        disk.rename_durably(f"{root}/x/a", f"{root}/x/y/b", system)
        assert disk.read_file(f"{root}/x/y/b", 100, system) == NEW
        assert disk.read_file(f"{root}/x/a", 100, system) is None
    assert fake.files() == {
        str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
