"""The record of the namespace on a disk that is full to the last byte: it is read, and led."""

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Callable, Iterator, Type

import pytest

from metadata_service.edits import Edit, encode
from metadata_service.member.member_database import MemberDatabase
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.record.opening import NAME as DATABASE
from metadata_service.record.spare_promise import NAME, Promise
from metadata_service.record.sqlite import require_alone
from metadata_service.service import Metadata
from tests.support.clusters.ports import Ports
from tests.support.clusters.waiting import wait_until
from tests.support.disks.small_disk import CannotMount, SmallDisk
from tests.support.models import record_leader
from tests.support.models.record_leader import lead, standing
from zookeeper.fabric import disk
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import Busy, DiskFull, Fenced, StartRefused
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.settings import Address, MetadataSettings, Settings

KEEP = 1000


@pytest.fixture(name="small")
def _small(tmp_path: Path) -> Iterator[SmallDisk]:
    try:
        made = SmallDisk(tmp_path / "small", 4 << 20)
    except CannotMount as error:
        pytest.skip(f"nobody may mount a disk here: {error}")
    yield made
    made.close()


def opened(small: SmallDisk) -> MetadataDatabase:
    """The database on this disk, filled again before a start, as other programs would do."""
    return MetadataDatabase.open(str(small.path), KEEP)


def append(database: MetadataDatabase, epoch: int) -> int:
    """One more edit, of 100 KB."""
    txid = database.status().last.txid + 1
    edit = Edit(txid, "op", "client", txid, "x" * 100_000, (("inodes", txid, None),))
    return record_leader.append(database, epoch, txid, [encode(edit)])


def killed_after(directory: Path, program: str) -> None:
    """Run a program with an open database, and end its process without closing that."""
    text = "import os, sys; from metadata_service.record.metadata_db import MetadataDatabase\n"
    text += "from tests.support.models.record_leader import lead\n"
    text += f"database = MetadataDatabase.open(sys.argv[1], {KEEP})\n{program}\nos._exit(0)"
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", text, str(directory)], check=True, timeout=60, cwd=root)


def test_a_full_disk_is_opened_and_gives_epochs_and_takes_no_edit(small: SmallDisk) -> None:
    """A namenode could not lead, so nothing could be read until somebody made room."""
    database = opened(small)
    epoch = lead(database, "first")
    for _ in range(3):
        append(database, epoch)
    for _ in range(4):
        small.fill()
        database.close()
        small.fill()
        database = opened(small)
        assert standing(database)[1:] == (epoch, 3)
        newer = lead(database, "next")
        assert newer == epoch + 1 and lead(database, "next", newer) == newer
        assert database.status().log_epoch == newer
        with pytest.raises(Fenced):
            lead(database, "other", newer)
        with pytest.raises(Fenced):
            append(database, epoch)
        with pytest.raises(DiskFull):
            append(database, newer)
        database.check()
        epoch = newer
    small.drain()
    assert append(database, epoch) == 4
    database.check()
    database.close()
    again = opened(small)
    assert standing(again)[1:] == (epoch, 4)
    again.check()
    again.close()


@pytest.mark.parametrize("times", [1, 3])
def test_also_after_a_crash_a_full_disk_is_opened(small: SmallDisk, times: int) -> None:
    """Then there is a log to apply, and no room for it in the database."""
    killed_after(small.path, "lead(database, 'first')")
    small.fill()
    for number in range(times):
        killed_after(small.path, f"assert lead(database, 'again {number}') == {number} + 2")
    database = opened(small)
    assert standing(database)[1:] == (1 + times, 0)
    small.drain()
    assert append(database, 1 + times) == 1
    database.check()
    database.close()


def test_a_log_is_begun_before_the_first_change_once_there_is_room(small: SmallDisk) -> None:
    """Else an edit could be in a log whose loss nobody would notice."""
    database = opened(small)
    lead(database, "first")
    database.close()
    before = (small.path / "VERSION").read_bytes()
    small.fill()
    database = opened(small)
    epoch = lead(database, "second")
    assert (small.path / "VERSION").read_bytes() == before
    small.drain()
    append(database, epoch)
    assert (small.path / "VERSION").read_bytes() != before
    database.close()


def test_the_spare_claim_of_another_cluster_is_none(tmp_path: Path) -> None:
    ours, theirs = str(tmp_path / "a"), str(tmp_path / "b")
    for directory in (ours, theirs):
        disk.make_directories(directory)
    database = MetadataDatabase.open(ours, KEEP)
    database._spare.write(Promise(99, "localhost:1 other", 99))
    database.close()
    (tmp_path / "b" / NAME).write_bytes((tmp_path / "a" / NAME).read_bytes())
    for directory, epoch in ((theirs, 0), (ours, 99)):
        database = MetadataDatabase.open(directory, KEEP)
        assert database.status().promised == epoch and lead(database, "x") == epoch + 1
        database.close()


def test_a_damaged_spare_claim_refuses_the_start(tmp_path: Path) -> None:
    database = MetadataDatabase.open(str(tmp_path), KEEP)
    database._spare._record.write(b"not an epoch")
    database.close()
    with pytest.raises(StartRefused, match="epoch.spare"):
        MetadataDatabase.open(str(tmp_path), KEEP)


def test_a_database_that_somebody_has_open_is_told_before_it_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"")
    require_alone(str(path))
    program = f"import fcntl; f = open({str(path)!r}, 'r+'); fcntl.lockf(f, fcntl.LOCK_SH, "
    program += "510, 0x40000002); print('locked', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"locked\n"
        with pytest.raises(Busy):
            require_alone(str(path))
        holder.kill()
    require_alone(str(path))


def test_a_damaged_member_on_a_full_disk_waits_for_room(
    small: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    """It ended, and somebody had to start it again, although the others need it only later."""
    ports = Ports()
    hosts = tuple(Address(ports.host, ports.take()) for _ in range(3))
    settings = Settings(metadata=MetadataSettings(hosts=hosts, metadata_dir=str(small.path)))
    MemberDatabase.begin(str(small.path), KEEP, 1.0, str(hosts[0])).close()
    (small.path / DATABASE).write_bytes(b"no database" * 1000)
    small.fill()
    for ends in (True, False):
        caplog.clear()
        daemon = Metadata(settings, Credentials(Principal("metadata")))
        starting = threading.Thread(target=suppressing, args=(DiskFull, daemon.start))
        starting.start()
        wait_until(lambda: "awaits_room" in caplog.text, what="word of the full disk")
        if not ends:
            small.drain()
            wait_until(lambda: list(small.path.glob("damaged-*/" + DATABASE)) != [])
            wait_until(lambda: "cluster" in daemon.ready, what="a blank member")
        daemon.stop()
        starting.join(60)
        assert not starting.is_alive()
    ports.close()


def suppressing(kind: Type[Exception], deed: Callable[[], None]) -> None:
    """Do it, whether or not it ends by an error of this kind."""
    with suppress(kind):
        deed()
