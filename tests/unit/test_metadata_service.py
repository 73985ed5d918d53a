"""The metadata service: who may call, what is refused, how its process starts and stops."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from metadata_service.calls import MemberCalls
from metadata_service.edits import split_lines
from metadata_service.leader.journal import Journal
from metadata_service.leader.member_ways import MemberWays
from metadata_service.quorum import NOBODY, START
from metadata_service.record import room
from metadata_service.record.metadata_db import MetadataDatabase
from metadata_service.record.opening import NAME
from metadata_service.service import Metadata, MetadataService
from tests.support.clusters.ports import Ports
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links.journals import rows_of
from tests.support.models.record_leader import append, lead, served
from tests.support.models.sample_edits import file_edits, image_after, lines_of
from zookeeper.fabric import disk
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.disk import Space
from zookeeper.fabric.errors import (
    DfsError,
    Fenced,
    InvalidArgument,
    PermissionDenied,
    ProtocolViolation,
    StartRefused,
    Unavailable,
)
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.pools import RemotePool
from zookeeper.fabric.rpc import Peer
from zookeeper.fabric.settings import Address, MetadataSettings, Settings

NAMENODE = Credentials(Principal("name_node", "localhost:1800"))


@pytest.fixture(name="settings")
def _settings(tmp_path: Path) -> Iterator[Settings]:
    ports = Ports()
    address = Address(ports.host, ports.take())
    yield Settings(metadata=MetadataSettings(hosts=(address,), metadata_dir=str(tmp_path / "m")))
    ports.close()


@pytest.fixture(name="daemon")
def _daemon(settings: Settings) -> Iterator[Metadata]:
    daemon = Metadata(settings, Credentials(Principal("metadata")))
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture(name="pool")
def _pool(daemon: Metadata, settings: Settings) -> Iterator[RemotePool]:
    pool = RemotePool("metadata", daemon.address, NAMENODE, settings.network)
    yield pool
    pool.close()


@pytest.fixture(name="ways")
def _ways(daemon: Metadata, settings: Settings) -> Iterator[MemberWays]:
    ways = MemberWays((daemon.address,), NAMENODE, settings.network)
    yield ways
    ways.close()


@pytest.fixture(name="service")
def _service(daemon: Metadata, settings: Settings) -> MetadataService:
    assert daemon._database is not None
    service = served(daemon._database, 1 << 19)
    service.peer = Peer(Principal("name_node", "localhost:1800"), "127.0.0.1")
    return service


def test_a_journal_records_over_a_real_connection(
    pool: RemotePool, ways: MemberWays, settings: Settings
) -> None:
    failures: List[DfsError] = []
    frame_bytes = settings.network.max_frame_bytes
    journal = Journal(ways, "test", 30.0, frame_bytes, failures.append)
    assert journal.open() == 1
    edits = file_edits(1, 80)
    lock = threading.Lock()

    def client() -> None:
        while True:
            with lock:
                if not edits[journal.last_txid :]:
                    return
                txid = journal.submit(edits[journal.last_txid])
            journal.wait(txid, 30.0)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls = MemberCalls(pool.perform)
    status = calls.status()
    assert (status.promised, status.last.txid, status.room) == (1, 80, True) and failures == []
    for name, rows in image_after(edits).items():
        assert list(rows_of(journal, name)) == [rows[key] for key in sorted(rows)]
    assert journal.checkpoint() == 80
    assert calls.claim(status.cluster_id, 2, "test").promised == 2
    with pytest.raises(Fenced):
        journal.checkpoint()
    with pytest.raises(DfsError):
        journal.wait(journal.submit(file_edits(81, 81)[0]))
    assert [type(error) for error in failures] == [Fenced]


@pytest.mark.parametrize(
    "principal", ["anonymous", "user:alice", "data_node:1", "name_nodes:x", "", "user:name_node:x"]
)
def test_nobody_but_a_namenode_may_call(service: MetadataService, principal: str) -> None:
    service.peer = Peer(Principal.parse(principal), "127.0.0.1")
    calls = [
        ("status",), ("claim", "", 1, "me"), ("adopt", 1, "me", START, b"", 0, NOBODY),
        ("append", 1, START, b"", 0, ()), ("prove", 1, 0), ("release", 1), ("tail", 0, 1, 0.0),
        ("undecided", 1, 0, 1), ("checkpoint", 1), ("load", "inodes", None, 1),
        ("begin_export",), ("end_export", "id"), ("image_digest", 1, 0), ("doubt", 1, ""),
        ("wish", "n:1", 2),
    ]  # fmt: skip
    exposed = {name for name in vars(MetadataService) if name.startswith("exposed_")}
    assert exposed == {"exposed_" + call[0] for call in calls}
    for name, *args in calls:
        with pytest.raises(PermissionDenied):
            getattr(service, "exposed_" + name)(*args)


def test_only_a_namenode_of_this_cluster_is_wished_for(service: MetadataService) -> None:
    """Whoever it is, nobody else could claim an epoch while its wish stands."""
    service.name_nodes = frozenset(["n:1", "n:2"])
    with pytest.raises(InvalidArgument, match="n:3"):
        service.exposed_wish("n:3", 2)
    cluster_id = service.exposed_status().cluster_id
    epoch = service.exposed_claim(cluster_id, 1, "n:1 x").promised
    assert service.exposed_prove(epoch, 0).wish == ""
    service.exposed_wish("n:2", 2)
    assert service.exposed_prove(epoch, 0).wish == "n:2"


class Text(str):
    """A string that is not exactly one."""


@pytest.mark.parametrize(
    "call",
    [
        ("claim", "", 1, None), ("claim", "", 1, Text("me")), ("claim", "", 1, "x" * 201),
        ("claim", "", 1, b"me"), ("claim", "", 1, ""), ("claim", "", 0, "me"),
        ("claim", "", True, "me"), ("claim", None, 1, "me"),
        # What all are told of must be something that they can be told.
        ("claim", "", 1, "me\n"), ("wish", "h:1\n", 1), ("wish", "\x1b[2J", 1),
        ("adopt", 1, "me", START, b"", 0, (1,)), ("adopt", 1, "me", (0,), b"", 0, NOBODY),
        ("adopt", 1, "me", START, b"", 0, (1, ((("m", 1),),))),
        ("append", True, START, b"", 0, ()), ("append", "1", START, b"", 0, ()),
        ("append", 1, (-1, ""), b"", 0, ()), ("append", 1, (0, "x" * 65), b"", 0, ()),
        ("append", 1, 1, b"", 0, ()), ("append", 1, START, "text", 0, ()),
        ("append", 1, START, b"", -1, ()), ("append", 1, START, b"", 0, (("m", 1),)),
        ("prove", 0, 0), ("prove", 1, None), ("release", "1"), ("load", "edits", None, 1),
        ("load", "sqlite_master", None, 1), ("load", b"inodes", None, 1),
        ("load", "journal", "1", 1), ("load", "state", 1, 1),
        ("load", "inodes", "1", 1), ("load", "counters", 1, 1), ("load", "inodes", True, 1),
        ("load", "inodes", None, 0), ("load", "inodes", None, -1), ("load", "inodes", None, None),
        ("tail", -1, 1, 0.0), ("tail", 0, 0, 0.0), ("tail", "0", 1, 0.0), ("tail", 0, True, 0.0),
        ("tail", 0, 1, "now"), ("undecided", 0, 0, 1), ("undecided", 1, 0, 0),
        ("checkpoint", True), ("checkpoint", "1"), ("load", "inodes", None, 1, 7),
    ],
    ids=str,
)  # fmt: skip
def test_arguments_of_the_wrong_kind_are_refused(service: MetadataService, call: tuple) -> None:
    name, *args = call
    with pytest.raises(InvalidArgument):
        getattr(service, "exposed_" + name)(*args)
    status = service.exposed_status()
    assert (status.promised, status.last, status.room) == (0, START, True)


@pytest.mark.parametrize("key", [1 << 63, -(1 << 70)])
def test_a_key_beyond_all_keys_is_refused(service: MetadataService, key: int) -> None:
    with pytest.raises(InvalidArgument):
        service.exposed_load("inodes", key, 1)


@pytest.mark.parametrize("payload", [b"\n", b"[]", b"\xff\xfe", b"null\nnull"])
def test_a_payload_that_is_no_edits_is_refused(service: MetadataService, payload: bytes) -> None:
    lead(service._database)
    with pytest.raises(ProtocolViolation):
        service.exposed_append(1, START, payload, 0, ())


def test_answers_fit_into_a_frame(service: MetadataService) -> None:
    lines = lines_of(file_edits(1, 3000))
    lead(service._database)
    for first in range(0, 3000, 500):
        append(service._database, 1, first + 1, lines[first : first + 500])
    service._bytes_max = 10_000
    rows = service.exposed_load("inodes", None, 1 << 40)
    edits = service.exposed_tail(0, 9999, 0.0).payload
    all_edits = service.exposed_undecided(1, 0, 9999)
    assert 5_000 < len(rows) <= 10_000 and 5_000 < len(edits) <= 10_000
    assert split_lines(edits) == lines[: len(split_lines(edits))] and all_edits == edits


def test_little_room_on_the_disk_is_told(
    service: MetadataService, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead(service._database)
    lines = lines_of(file_edits(1, 2))
    first = service.exposed_append(1, START, lines[0].encode(), 0, ())
    assert (first.last.txid, first.room) == (1, True)
    little = Space(1 << 30, room.RESERVE_BYTES - 1)
    monkeypatch.setattr(room.disk, "space", lambda path: little)
    service._database._room._measure_at = time.monotonic()
    second = service.exposed_append(1, first.last, lines[1].encode(), 1, ())
    assert (second.last.txid, second.room) == (2, False), "it is recorded still"
    assert service.exposed_status().room is False, "who changes nothing hears of it too"
    assert service.exposed_prove(1, 2).room is False and service.exposed_status().state == "full"


def test_a_disk_that_cannot_be_measured_costs_changes_and_no_reading(
    service: MetadataService, settings: Settings
) -> None:
    """No namenode could be sure that it leads, so none answered."""
    directory = Path(settings.metadata.metadata_dir)
    away = directory.rename(directory.with_name("away"))
    service._database._room._measure_at = 0.0
    assert service.exposed_status().room is False
    away.rename(directory)
    wait_until(lambda: service.exposed_status().room, what="it has room again")


def test_room_is_not_measured_for_every_append(
    service: MetadataService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took a tenth of an append's time."""
    measures: List[str] = []

    def measure(path: str) -> Space:
        measures.append(path)
        return Space(1 << 30, 1 << 29)

    monkeypatch.setattr(room.disk, "space", measure)
    monkeypatch.setattr(room, "ROOM_SECONDS", 3600.0)
    own = service._database._room
    own._measure_at = 0.0
    lead(service._database)
    for txid, line in enumerate(lines_of(file_edits(1, 5)), 1):
        assert append(service._database, 1, txid, [line]) == txid
    # Others in this process may measure theirs meanwhile.
    assert measures.count(own._directory) == 1


def test_a_restart_keeps_everything(settings: Settings) -> None:
    seen: List[Any] = []
    for _ in range(3):
        daemon = Metadata(settings, Credentials(Principal("metadata")))
        daemon.start()
        pool = RemotePool("metadata", daemon.address, NAMENODE, settings.network)
        assert daemon._database is not None
        seen.append(MemberCalls(pool.perform).status())
        epoch = lead(daemon._database, "me")
        txid = seen[-1].last.txid + 1
        assert append(daemon._database, epoch, txid, lines_of(file_edits(txid, txid))) == txid
        assert str(daemon.address) in daemon.ready and seen[-1].cluster_id in daemon.ready
        pool.close()
        daemon.stop()
        daemon.stop()
    found = [(status.promised, status.log_epoch, status.last.txid) for status in seen]
    assert found == [(0, 0, 0), (1, 1, 1), (2, 2, 2)]
    assert len({(status.cluster_id, status.member_id) for status in seen}) == 1


def test_who_stops_it_does_not_wait_for_who_follows(
    daemon: Metadata, pool: RemotePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standby asks for the next edit, and the answer comes with it, or after a while."""
    assert daemon._database is not None
    waiting, answers = threading.Event(), []
    news = daemon._database._news

    def wait_for(*args: Any) -> bool:
        waiting.set()
        return really_wait(*args)

    really_wait = news.wait_for
    monkeypatch.setattr(news, "wait_for", wait_for)

    def follow() -> None:
        try:
            MemberCalls(pool.perform, PATIENCE_SECONDS).tail(0, 10, PATIENCE_SECONDS)
        except Unavailable as error:
            answers.append(error.message)

    thread = threading.Thread(target=follow)
    thread.start()
    assert waiting.wait(PATIENCE_SECONDS)
    daemon.stop()
    thread.join(PATIENCE_SECONDS)
    assert answers == ["the metadata service stops"]


def test_a_second_process_on_the_directory_is_refused(
    daemon: Metadata, settings: Settings
) -> None:
    again = Metadata(settings, Credentials(Principal("metadata")))
    with pytest.raises(StartRefused, match="in use"):
        again.start()
    again.stop()


def test_a_refused_start_lets_go_of_the_directory(daemon: Metadata, settings: Settings) -> None:
    elsewhere = settings.metadata.metadata_dir + "2"
    taken = replace(settings, metadata=replace(settings.metadata, metadata_dir=elsewhere))
    again = Metadata(taken, Credentials(Principal("metadata")))
    with pytest.raises(StartRefused, match="cannot listen"):
        again.start()
    again.stop()
    daemon.stop()
    once_more = Metadata(taken, Credentials(Principal("metadata")))
    once_more.start()
    once_more.stop()
    assert Path(elsewhere, NAME).exists()


def test_stopped_before_it_started_it_stays_stopped(settings: Settings) -> None:
    daemon = Metadata(settings, Credentials(Principal("metadata")))
    daemon.stop()
    daemon.start()
    assert not Path(settings.metadata.metadata_dir).exists()


def test_who_stops_during_a_long_start_does_not_wait_for_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large database was looked through to its end before SIGTERM was heard."""
    looking, go_on = threading.Event(), threading.Event()
    really_open = MetadataDatabase.open

    def slow(directory: str, keep_edits: int, *args: Any, **named: Any) -> MetadataDatabase:
        looking.set()
        assert go_on.wait(60)
        return really_open(directory, keep_edits, *args, **named)

    monkeypatch.setattr(MetadataDatabase, "open", slow)
    daemon = Metadata(settings, Credentials(Principal("metadata")))
    starting = threading.Thread(target=daemon.start)
    starting.start()
    assert looking.wait(60)
    daemon.stop()
    assert starting.is_alive(), "it ended without the database"
    go_on.set()
    starting.join(60)
    with disk.DirectoryLock(settings.metadata.metadata_dir):
        really_open(settings.metadata.metadata_dir, 100).close()


def test_everything_in_the_directory_is_the_owners_only(settings: Settings) -> None:
    """In a directory that was there already, everybody could read the names of all files."""
    directory = Path(settings.metadata.metadata_dir)
    directory.mkdir(parents=True)
    for _ in range(2):
        for path in [directory, *directory.iterdir()]:
            path.chmod(0o777)
        daemon = Metadata(settings, Credentials(Principal("metadata")))
        old = os.umask(0)
        try:
            daemon.start()
            found = [directory, *directory.iterdir()]
            assert directory / "metadata.db-wal" in found
            assert [path for path in found if path.stat().st_mode & 0o077] == []
        finally:
            os.umask(old)
            daemon.stop()
