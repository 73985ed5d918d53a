"""The metadata service as a process: killed at any moment, restarted, claimed by two namenodes."""

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from metadata_service.leader.journal import Journal
from metadata_service.leader.member_ways import MemberWays
from metadata_service.record.opening import NAME
from tests.support.clusters.daemon import Daemon
from tests.support.clusters.ports import Ports
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links.journals import edits_of, rows_of
from tests.support.models.sample_edits import file_edit, file_edits, image_after
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import Busy, DfsError
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.settings import Address, NetworkSettings

LAUNCHER = Path(__file__).resolve().parents[2] / "metadata_service" / "metadata.py"


class Process:
    """The metadata service as a process of its own, and journals on it."""

    def __init__(self, folder: Path) -> None:
        self._ports = Ports()
        self.address = Address(self._ports.host, self._ports.take())
        self.directory = folder / "metadata"
        self.config = folder / "config.ini"
        self.config.write_text(
            f"[metadata]\nmetadata_hosts = {self.address}\nmetadata_dir = {self.directory}\n"
        )
        self.command = [sys.executable, str(LAUNCHER), "--config", str(self.config)]
        self.daemon = Daemon("metadata", self.command, folder / "metadata.log", dict(os.environ))
        self.ways: List[MemberWays] = []

    def start(self) -> None:
        """Start, and wait until it serves."""
        self.daemon.start()
        self.daemon.wait_ready()

    def run(self) -> "subprocess.CompletedProcess[str]":
        """Run it from another folder to an end that comes by itself."""
        return subprocess.run(
            self.command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, cwd="/"
        )

    def journal(self, on_failure: Callable[[DfsError], None] = lambda error: None) -> Journal:
        """A journal of another namenode."""
        own = Principal("name_node", str(len(self.ways)))
        network = NetworkSettings()
        credentials = Credentials(own)
        ways = MemberWays((self.address,), credentials, network)
        self.ways.append(ways)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            journal = Journal(ways, str(own), 60.0, network.max_frame_bytes, on_failure)
            try:
                journal.open()
                return journal
            except Busy:
                # The one before was killed, and its lease runs.
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def close(self) -> None:
        """Leave nothing behind."""
        for ways in self.ways:
            ways.close()
        self.daemon.kill_group()
        self._ports.close()


@pytest.fixture(name="process")
def _process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path)
    yield process
    process.close()


def test_a_damaged_directory_is_one_line_and_an_exit_status(process: Process) -> None:
    process.start()
    assert process.daemon.terminate() == 0
    os.truncate(process.directory / NAME, 0)
    done = process.run()
    assert done.returncode == 1 and done.stdout == ""
    said = [line for line in done.stderr.splitlines() if line.startswith("metadata: ")]
    assert len(said) == 1 and "missing or empty" in said[0]
    assert "Traceback" not in done.stderr


def test_a_second_process_on_the_directory_is_refused(process: Process) -> None:
    process.start()
    done = process.run()
    assert done.returncode == 1 and "in use by process" in done.stderr
    assert process.daemon.terminate() == 0


def record_until_killed(process: Process, journal: Journal, kill_at: int) -> List[int]:
    """Four threads record; SIGKILL once `kill_at` is durable. The txids that were answered."""
    lock = threading.Lock()
    answered: List[int] = []

    def client() -> None:
        while process.daemon.running:
            with lock:
                txid = journal.submit(file_edit(journal.last_txid + 1))
            try:
                journal.wait(txid)
            except DfsError:
                return
            answered.append(txid)

    threads = [threading.Thread(target=client, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: journal.durable_txid >= kill_at)
    process.daemon.kill()
    journal.close()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
    return answered


def test_kill_at_any_moment_loses_nothing_that_was_answered(process: Process) -> None:
    chance = random.Random(11)
    answered = [0]
    for _ in range(6):
        process.start()
        journal = process.journal()
        assert journal.durable_txid >= max(answered), "an answered edit is gone"
        stored: Any = {edit.txid: edit for edit in edits_of(journal)}
        assert list(stored) == list(range(1, journal.durable_txid + 1))
        assert all(edit == file_edit(txid) for txid, edit in stored.items())
        image = image_after(stored.values())
        for name, rows in image.items():
            assert list(rows_of(journal, name)) == [rows[key] for key in sorted(rows)]
        kill_at = journal.durable_txid + chance.randrange(1, 700)
        answered += record_until_killed(process, journal, kill_at)
    assert max(answered) > 500


def test_a_journal_outlives_a_restart_of_the_service(process: Process) -> None:
    failures: List[DfsError] = []
    process.start()
    journal = process.journal(failures.append)
    done: List[int] = []

    def namenode() -> None:
        while len(done) < 300 or not restarted.is_set():
            journal.check_room()
            txid = journal.submit(file_edit(journal.last_txid + 1))
            journal.wait(txid)
            done.append(txid)

    restarted = threading.Event()
    thread = threading.Thread(target=namenode, daemon=True)
    thread.start()
    for end in (process.daemon.kill, process.daemon.terminate):
        end()
        process.start()
    restarted.set()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive() and failures == [] and done == list(range(1, len(done) + 1))


def test_of_two_namenodes_only_the_newer_one_writes(process: Process) -> None:
    """The older one was paused and comes back; also over a restart of the service (F11)."""
    failures: List[DfsError] = []
    process.start()
    older = process.journal(failures.append)
    older.wait(older.submit(file_edit(1)))
    newer = process.journal()
    newer.wait(newer.submit(file_edit(2)))
    process.daemon.kill()
    process.start()
    with pytest.raises(DfsError, match="epoch 1 is over"):
        older.wait(older.submit(file_edit(2, "of the older one")))
    assert [error.code for error in failures] == ["fenced"]
    newer.wait(newer.submit(file_edit(3)))
    assert edits_of(newer) == file_edits(1, 3)
