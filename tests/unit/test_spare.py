"""A record that is renewed in place: on a full disk, and in the middle of a crash."""

from pathlib import Path

import pytest

from tests.support.disks.small_disk import CannotMount, SmallDisk
from zookeeper.fabric import disk
from zookeeper.fabric.errors import DiskFull
from zookeeper.fabric.spare import SpareRecord


def made(path: Path, size: int = 5000) -> SpareRecord:
    """A record that was prepared."""
    record = SpareRecord(str(path), size)
    record.prepare()
    return record


@pytest.mark.parametrize("size", [1, 4072, 4073, 5000, 20000])
def test_the_newest_content_is_read(tmp_path: Path, size: int) -> None:
    path = tmp_path / "spare"
    assert made(path, size).read() is None
    for number in range(1, 8):
        content = bytes([number]) * (size if number % 2 else 1)
        made(path, size).write(content)
        assert made(path, size).read() == content
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_write_that_was_cut_short_leaves_the_older_content(tmp_path: Path) -> None:
    """The place that is written over is never the one that counts."""
    path = tmp_path / "spare"
    record = made(path, 5000)
    record.write(b"one" * 1000)
    record.write(b"two" * 1000)
    before = path.read_bytes()
    record.write(b"three" * 1000)
    after = path.read_bytes()
    for cut in range(0, len(after) + 1, 512):
        path.write_bytes(after[:cut] + before[cut:])
        assert made(path, 5000).read() in (b"two" * 1000, b"three" * 1000)
        made(path, 5000).write(b"four")
        assert made(path, 5000).read() == b"four"


@pytest.mark.parametrize("content", [b"", b"x", bytes(100000), b"\xff" * 16384])
def test_a_file_of_somebody_else_is_no_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "spare"
    path.write_bytes(content)
    record = SpareRecord(str(path), 5000)
    assert record.read() is None
    record.prepare()
    record.write(b"mine")
    assert record.read() == b"mine"


def test_without_a_file_it_is_the_disk_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = SpareRecord(str(tmp_path / "spare"), 100)
    assert record.read() is None
    with pytest.raises(DiskFull):
        record.write(b"x")

    def fail(_path: str, _data: bytes) -> None:
        raise DiskFull("no room")

    monkeypatch.setattr(disk, "write_file", fail)
    with pytest.raises(DiskFull):
        record.prepare()


def test_a_full_disk_takes_new_content(tmp_path: Path) -> None:
    try:
        small = SmallDisk(tmp_path / "small", 1 << 20)
    except CannotMount as error:
        pytest.skip(f"nobody may mount a disk here: {error}")
    try:
        record = made(small.path / "spare")
        small.fill()
        with pytest.raises(DiskFull):
            disk.write_file(str(small.path / "other"), b"x")
        for content in (b"one", b"two", b"three" * 900):
            record.write(content)
            assert made(small.path / "spare").read() == content
    finally:
        small.close()
