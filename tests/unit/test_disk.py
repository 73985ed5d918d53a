"""Durable file operations on a real disk: what they leave, and what they say when it refuses."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from zookeeper.fabric import disk
from zookeeper.fabric.errors import CorruptData, DiskFailed, DiskFull, StartRefused


class Refusing(disk.SystemCalls):
    """A real disk that refuses one call the first time, and counts how often it was made."""

    def __init__(self, call: str, number: int) -> None:
        self.made = 0
        real = getattr(self, call)

        def refuse_once(*arguments: object) -> object:
            self.made += 1
            if self.made == 1:
                raise OSError(number, os.strerror(number))
            return real(*arguments)

        setattr(self, call, refuse_once)


class OneByteAtATime(disk.SystemCalls):
    """A real disk whose reads and writes are as short as the operating system allows."""

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write the first byte only."""
        return os.write(descriptor, data[:1])

    def read(self, descriptor: int, length: int) -> bytes:
        """Read one byte at most."""
        return os.read(descriptor, min(1, length))


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 5000])
def test_a_file_is_written_and_read_back(tmp_path: Path, data: bytes) -> None:
    path = str(tmp_path / "a")
    disk.write_file(path, b"older and longer content" * 1000)
    disk.write_file(path, data)
    assert disk.read_file(path, len(data)) == data
    assert os.listdir(tmp_path) == ["a"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_short_reads_and_writes_are_continued(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    disk.write_file(path, b"0123456789", OneByteAtATime())
    assert disk.read_file(path, 10, OneByteAtATime()) == b"0123456789"


def test_a_left_over_temporary_file_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "a.tmp").write_bytes(b"half of something longer")
    disk.write_file(str(tmp_path / "a"), b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert os.listdir(tmp_path) == ["a"]


def test_reading_what_is_not_there_or_is_too_long(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert disk.read_file(str(path), 10) is None
    path.write_bytes(bytes(11))
    with pytest.raises(CorruptData, match="holds more than the 10 bytes"):
        disk.read_file(str(path), 10)
    with pytest.raises(DiskFailed, match=f"cannot read {tmp_path}: Is a directory"):
        disk.read_file(str(tmp_path), 10)
    with pytest.raises(DiskFailed, match="Not a directory"):
        disk.read_file(str(path / "b"), 10)


@pytest.mark.parametrize("call", ["open", "write", "fsync", "close", "rename"])
@pytest.mark.parametrize(
    "number, failure",
    [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EFBIG, DiskFull),
     (errno.EIO, DiskFailed), (errno.EROFS, DiskFailed)],
)
def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, call: str, number: int, failure: type
) -> None:
    path = str(tmp_path / "a")
    disk.write_file(path, b"old")
    with pytest.raises(failure) as caught:
        disk.write_file(path, b"new", Refusing(call, number))
    assert caught.value.message == f"cannot write {path}: {os.strerror(number)}"
    assert type(caught.value) is failure
    assert disk.read_file(path, 3) == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_failed_fsync_is_never_tried_again(tmp_path: Path) -> None:
    system = Refusing("fsync", errno.EIO)
    with pytest.raises(DiskFailed, match="cannot write"):
        disk.write_file(str(tmp_path / "a"), b"new", system)
    assert system.made == 1

    system = Refusing("fsync", errno.EIO)
    with pytest.raises(DiskFailed, match=f"cannot sync directory {tmp_path}: Input/output error"):
        disk.fsync_directory(str(tmp_path), system)
    assert system.made == 1


def test_the_body_of_disk_errors_may_do_anything() -> None:
    with pytest.raises(DiskFull, match="^cannot use /a: No space left on device$") as caught:
        with disk.disk_errors("/a"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(DiskFailed, match="^cannot list /a: text without a number$"):
        with disk.disk_errors("/a", "list"):
            raise OSError("text without a number")
    with pytest.raises(CorruptData), disk.disk_errors("/a"):
        raise CorruptData("not the disk's fault")


def test_directories_are_made_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c"
    disk.make_directories(str(path))
    for made in (path, path.parent, path.parent.parent):
        assert stat.S_IMODE(os.stat(made).st_mode) == 0o700
    disk.make_directories(str(path))


def test_a_relative_directory_is_made_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    disk.make_directories("a/b")
    disk.write_file("name", b"x")
    assert (tmp_path / "a" / "b").is_dir()
    assert (tmp_path / "name").read_bytes() == b"x"


def test_a_file_in_the_way_of_a_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(DiskFailed, match="cannot make directory .*/a: File exists"):
            disk.make_directories(str(path))


def test_another_process_may_make_the_directory_first(tmp_path: Path) -> None:
    class Late(disk.SystemCalls):
        """Somebody else is always a little faster."""

        def mkdir(self, path: str, mode: int) -> None:
            """Find that the directory was made meanwhile."""
            os.mkdir(path, mode)
            os.mkdir(path, mode)

    disk.make_directories(str(tmp_path / "a" / "b"), Late())
    assert (tmp_path / "a" / "b").is_dir()


def test_space_is_that_of_the_file_system(tmp_path: Path) -> None:
    space = disk.space(str(tmp_path))
    assert 0 < space.free <= space.total
    assert space.total == os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize
    with pytest.raises(DiskFailed, match="cannot measure .*/absent: No such file"):
        disk.space(str(tmp_path / "absent"))


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = os.listdir("/dev/fd")
    disk.write_file(str(tmp_path / "a"), b"x")
    disk.read_file(str(tmp_path / "a"), 1)
    with disk.DirectoryLock(str(tmp_path)):
        with pytest.raises(StartRefused):
            disk.DirectoryLock(str(tmp_path))
    assert os.listdir("/dev/fd") == before


def test_a_directory_has_one_holder_at_a_time(tmp_path: Path) -> None:
    lock = disk.DirectoryLock(str(tmp_path))
    assert repr(lock) == f"<DirectoryLock {tmp_path} held>"
    with pytest.raises(StartRefused) as caught:
        disk.DirectoryLock(str(tmp_path))
    message = f"{tmp_path} is in use by process {os.getpid()}, this one: is it named twice"
    assert caught.value.message.startswith(message)
    lock.close()
    lock.close()
    assert repr(lock) == f"<DirectoryLock {tmp_path} free>"
    with disk.DirectoryLock(str(tmp_path)):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_lock_in_a_missing_directory_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskFailed, match="cannot lock .*/absent: No such file"):
        disk.DirectoryLock(str(tmp_path / "absent"))


def test_a_lock_ends_with_its_process_and_names_it_until_then(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("99999999999 from an older holder")
    program = (
        "import sys\n"
        "from zookeeper.fabric.disk import DirectoryLock\n"
        "lock = DirectoryLock(sys.argv[1])\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    root = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=root,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"locked\n"
        with pytest.raises(StartRefused, match=f"is in use by process {holder.pid}$"):
            disk.DirectoryLock(str(tmp_path))
        holder.kill()
        holder.wait()
        disk.DirectoryLock(str(tmp_path)).close()
