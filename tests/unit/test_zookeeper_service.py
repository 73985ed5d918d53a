"""The zookeeper's daemon: arguments, long polls, epochs on disk before they are told."""

import dataclasses
import math
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from tests.support.clusters.waiting import wait_until
from zookeeper import epoch_file
from zookeeper.election import decode_epochs
from zookeeper.fabric import disk
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import (
    DfsError,
    DiskFailed,
    DiskFull,
    InvalidArgument,
    SessionExpired,
    StartRefused,
    Unavailable,
)
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.rpc import Peer
from zookeeper.fabric.settings import Address, NetworkSettings, Settings, ZooKeeperSettings
from zookeeper.service import Coordination, ZooKeeper, ZooKeeperService

ROLE = "name_node"
CREDENTIALS = Credentials(Principal("name_node", "1"))


class Text(str):
    """A string that is not quite one, as a client could make."""


@pytest.fixture(name="coordination")
def _coordination(tmp_path: Path) -> Coordination:
    return Coordination(str(tmp_path), expiry_seconds=60.0)


@pytest.fixture(name="zookeeper")
def _zookeeper(tmp_path: Path) -> Iterator[ZooKeeper]:
    daemon = ZooKeeper(settings(tmp_path), CREDENTIALS)
    daemon.start()
    yield daemon
    daemon.stop()


def settings(folder: Path, **fields: Any) -> Settings:
    """Settings of a zookeeper at a free port."""
    fields = {"hosts": (Address("localhost", 0),), "zookeeper_dir": str(folder), **fields}
    return Settings(zookeeper=ZooKeeperSettings(**fields))


def served(coordination: Coordination, principal: str = "name_node") -> ZooKeeperService:
    """A connection of this principal."""
    made = ZooKeeperService(coordination)
    made.peer = Peer(Principal.parse(principal), "::1")
    return made


@contextmanager
def connected(daemon: ZooKeeper) -> Iterator[Remote]:
    """A client's connection."""
    remote = Remote.connect("zookeeper", daemon.address, CREDENTIALS, NetworkSettings())
    try:
        yield remote
    finally:
        remote.close()


def in_thread(call: Callable[[], object]) -> List[object]:
    """Run the call aside; the list gets its result or the error that it raised."""
    results: List[object] = []

    def run() -> None:
        try:
            results.append(call())
        except DfsError as error:
            results.append(error)

    threading.Thread(target=run, daemon=True).start()
    return results


def test_a_client_is_served_over_the_wire(zookeeper: ZooKeeper) -> None:
    with connected(zookeeper) as remote:
        session_id, expiry = remote.call("open_session", "localhost:1801", timeout=10)
        assert expiry == 10.0
        remote.call("create", session_id, "/name_nodes/localhost:1801", "node-1", timeout=10)
        version, rows = remote.call("children", "/name_nodes", timeout=10)
        assert rows == (("/name_nodes/localhost:1801", "node-1"),)
        assert remote.call("watch", "/name_nodes", version, 0, timeout=10) == (version, rows)
        assert remote.call("campaign", session_id, ROLE, "me", timeout=10) == (True, 1, "me")
        assert remote.call("leader", ROLE, timeout=10) == (1, "me")
        assert remote.call("heartbeat", session_id, timeout=10) == rows
        remote.call("resign", session_id, ROLE, timeout=10)
        assert remote.call("leader", ROLE, timeout=10) is None
        remote.call("remove", session_id, "/name_nodes/localhost:1801", timeout=10)
        remote.call("close_session", session_id, timeout=10)
        with pytest.raises(SessionExpired):
            remote.call("heartbeat", session_id, timeout=10)


@pytest.mark.parametrize("bad", [None, True, 1, 1.5, b"/a", ("/a",), Text("/a")])
def test_every_argument_must_be_text(coordination: Coordination, bad: object) -> None:
    server = served(coordination)
    arguments = {"open_session": 1, "heartbeat": 1, "close_session": 1, "create": 3, "remove": 2,
                 "children": 1, "campaign": 3, "resign": 2, "leader": 1}
    exposed = {name[8:] for name in dir(server) if name.startswith("exposed_")}
    untold = {"get_service_aliases", "get_service_name", "metrics", "figures", "watch"}
    assert exposed - untold <= set(arguments)
    for name, count in arguments.items():
        for position in range(count):
            values = ["/a"] * count
            values[position] = bad  # type: ignore[call-overload]
            with pytest.raises(InvalidArgument):
                getattr(server, f"exposed_{name}")(*values)


@pytest.mark.parametrize(
    "arguments",
    [(1, 0, 0), ("/a", "0", 0), ("/a", True, 0), ("/a", 0, "1"), ("/a", 0, -1),
     ("/a", 0, math.nan), ("/a", 0, True), ("a", -1, 0)],
)
def test_a_watch_checks_its_arguments(coordination: Coordination, arguments: tuple) -> None:
    with pytest.raises(InvalidArgument):
        served(coordination).exposed_watch(*arguments)


def test_a_watch_is_bounded(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: List[float] = []

    def watch(_path: str, _version: int, seconds: float, _gone: object) -> None:
        asked.append(seconds)

    monkeypatch.setattr(coordination, "watch", watch)
    server = served(coordination)
    for seconds in (5, 1e9, math.inf):
        server.exposed_watch("/a", 0, seconds)
    assert asked == [5, 30.0, 30.0]


def test_a_watch_answers_at_a_change(coordination: Coordination) -> None:
    session_id = coordination.open_session("node-1")
    version = coordination.children("/a").version
    results = in_thread(lambda: coordination.watch("/a", version, 30.0))
    coordination.create(session_id, "/b/1", "not the watched parent")
    coordination.create(session_id, "/a/1", "x")
    wait_until(lambda: results)
    assert results == [coordination.children("/a")]
    assert coordination.watch("/a", version, 30.0) == results[0], "an old version waits for nothing"


def test_a_watch_ends_with_its_time(coordination: Coordination) -> None:
    known = coordination.children("/a")
    assert coordination.watch("/a", known.version, 0.01) == known


def test_a_watch_ends_when_the_zookeeper_stops(coordination: Coordination) -> None:
    version = coordination.children("/a").version
    results = in_thread(lambda: coordination.watch("/a", version, 3600.0))
    coordination.stop()
    wait_until(lambda: results)
    assert type(results[0]) is Unavailable


def test_no_epoch_is_told_before_it_is_on_disk(
    coordination: Coordination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_while_writing: List[object] = []
    real = disk.write_file

    def write(path: str, data: bytes) -> None:
        told_while_writing.append(coordination.leader(ROLE))
        real(path, data)

    monkeypatch.setattr(epoch_file.disk, "write_file", write)
    session_id = coordination.open_session("nn")
    assert coordination.campaign(session_id, ROLE, "me") == (True, 1, "me")
    assert coordination.campaign(session_id, ROLE, "me") == (True, 1, "me")
    assert told_while_writing == [None], "one write, and nobody led before it"
    assert decode_epochs((tmp_path / "epochs").read_bytes()) == {ROLE: 1}


def test_a_disk_that_fails_makes_no_leader(
    coordination: Coordination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: str, _data: bytes) -> None:
        raise DiskFailed("no disk")

    session_id = coordination.open_session("nn")
    with monkeypatch.context() as patched:
        patched.setattr(epoch_file.disk, "write_file", fail)
        with pytest.raises(DiskFailed):
            coordination.campaign(session_id, ROLE, "me")
    assert coordination.leader(ROLE) is None
    assert coordination.campaign(session_id, ROLE, "me").epoch == 2
    assert decode_epochs((tmp_path / "epochs").read_bytes()) == {ROLE: 2}


def test_a_full_disk_takes_an_epoch_all_the_same(
    coordination: Coordination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To read files needs no room, but it needs a leader, also after the zookeeper's restart."""
    def fail(_path: str, _data: bytes) -> None:
        raise DiskFull("no room")

    assert coordination.campaign(coordination.open_session("nn"), ROLE, "me").epoch == 1
    with monkeypatch.context() as patched:
        patched.setattr(epoch_file.disk, "write_file", fail)
        for epoch in range(2, 7):
            again = Coordination(str(tmp_path), 10.0)
            session_id = again.open_session("nn")
            assert again.campaign(session_id, ROLE, "me").epoch == epoch
    last = Coordination(str(tmp_path), 10.0)
    assert last.campaign(last.open_session("nn"), ROLE, "me").epoch == 7
    assert decode_epochs((tmp_path / "epochs").read_bytes()) == {ROLE: 7}


def test_a_full_disk_without_a_spare_record_makes_no_leader(
    coordination: Coordination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: str, _data: bytes) -> None:
        raise DiskFull("no room")

    (tmp_path / "epochs.spare").unlink()
    monkeypatch.setattr(epoch_file.disk, "write_file", fail)
    for at in (coordination, Coordination(str(tmp_path), 10.0)):
        with pytest.raises(DiskFull):
            at.campaign(at.open_session("nn"), ROLE, "me")


def test_a_slow_disk_delays_no_heartbeat(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, may_end = threading.Event(), threading.Event()

    def write(_path: str, _data: bytes) -> None:
        writing.set()
        may_end.wait()

    monkeypatch.setattr(epoch_file.disk, "write_file", write)
    candidate, other = coordination.open_session("nn"), coordination.open_session("dn")
    results = in_thread(lambda: coordination.campaign(candidate, ROLE, "me"))
    assert writing.wait(30)
    for session_id in (candidate, other):
        coordination.heartbeat(session_id)
    coordination.create(other, "/a/1", "")
    assert coordination.leader(ROLE) is None and not results
    may_end.set()
    wait_until(lambda: results)
    assert results == [(True, 1, "me")]


def test_a_candidate_that_is_gone_when_its_epoch_is_durable_does_not_lead(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = coordination.open_session("nn-1"), coordination.open_session("nn-2")
    with monkeypatch.context() as patched:
        patched.setattr(
            epoch_file.disk, "write_file", lambda _path, _data: coordination.close_session(first)
        )
        with pytest.raises(SessionExpired):
            coordination.campaign(first, ROLE, "1")
    assert coordination.leader(ROLE) is None
    assert coordination.campaign(second, ROLE, "2") == (True, 2, "2")


def test_concurrent_campaigns_write_in_order(
    coordination: Coordination, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: List[Dict[str, int]] = []
    writing, one_at_a_time = threading.Lock(), []

    def write(_path: str, data: bytes) -> None:
        alone = writing.acquire(blocking=False)
        one_at_a_time.append(alone)
        # Whoever may come in between comes in now.
        threading.Event().wait(0.001)
        written.append(decode_epochs(data))
        if alone:
            writing.release()

    monkeypatch.setattr(epoch_file.disk, "write_file", write)
    told: List[tuple] = []

    def compete(number: int) -> None:
        session_id = coordination.open_session(f"nn-{number}")
        for turn in range(50):
            role = f"role_{turn % 3}"
            leads, epoch, _ = coordination.campaign(session_id, role, "")
            assert not leads or any(epochs.get(role) == epoch for epochs in written)
            if leads:
                told.append((role, epoch))
            coordination.resign(session_id, role)

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for older, newer in zip(written, written[1:]):
        assert all(newer[role] >= epoch for role, epoch in older.items())
    assert all(one_at_a_time)
    assert len(set(told)) == len(told) >= 50, "no epoch twice"


def test_a_restarted_process_replaces_its_predecessor_as_leader(coordination: Coordination) -> None:
    old = coordination.open_session("nn-1")
    assert coordination.campaign(old, ROLE, "old").leads
    new, other = coordination.open_session("nn-1"), coordination.open_session("nn-2")
    assert coordination.campaign(other, ROLE, "other") == (False, 1, "old")
    assert coordination.campaign(new, ROLE, "new") == (True, 2, "new")
    assert coordination.campaign(old, ROLE, "old") == (False, 2, "new")


def test_epochs_go_on_and_versions_differ_after_a_restart(tmp_path: Path) -> None:
    versions = set()
    for life in range(1, 5):
        coordination = Coordination(str(tmp_path), expiry_seconds=60.0)
        versions.add(coordination.children("/a").version)
        assert coordination.leader(ROLE) is None
        assert coordination.campaign(coordination.open_session("nn"), ROLE, "").epoch == life
    assert len(versions) == 4


@pytest.mark.parametrize("content", [b"", b"\0" * 40, b"epochs 1\nname_node 3\n", b"x" * 100_000])
def test_damaged_epochs_refuse_the_start(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "epochs"
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(StartRefused, match="epochs is damaged"):
            ZooKeeper(settings(tmp_path), CREDENTIALS)
    assert path.read_bytes() == content
    path.unlink()
    ZooKeeper(settings(tmp_path), CREDENTIALS).stop()


def test_two_zookeepers_do_not_share_a_directory(zookeeper: ZooKeeper, tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="in use"):
        ZooKeeper(settings(tmp_path), CREDENTIALS)
    with connected(zookeeper) as remote:
        assert remote.call("leader", ROLE, timeout=10) is None


def test_a_silent_client_is_removed_and_its_watchers_told(tmp_path: Path) -> None:
    daemon = ZooKeeper(settings(tmp_path, session_expiry_seconds=0.4), CREDENTIALS)
    daemon.start()
    with connected(daemon) as remote:
        session_id, _ = remote.call("open_session", "node-1", timeout=10)
        remote.call("create", session_id, "/name_nodes/a", "", timeout=10)
        version, rows = remote.call("children", "/name_nodes", timeout=10)
        while rows:
            version, rows = remote.call("watch", "/name_nodes", version, 30, timeout=40)
        with pytest.raises(SessionExpired):
            remote.call("heartbeat", session_id, timeout=10)
    daemon.stop()


def test_a_failing_tick_does_not_end_the_ticking(
    zookeeper: ZooKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: List[int] = []

    def fail() -> None:
        failures.append(1)
        raise RuntimeError("a defect")

    monkeypatch.setattr(zookeeper._coordination, "tick", fail)
    wait_until(lambda: len(failures) >= 2)


def test_stop_sends_watchers_home_and_frees_the_directory(tmp_path: Path) -> None:
    daemon = ZooKeeper(settings(tmp_path), CREDENTIALS)
    daemon.start()
    with connected(daemon) as remote:
        version, _ = remote.call("children", "/a", timeout=10)
        results = in_thread(lambda: remote.call("watch", "/a", version, 30, timeout=40))
        wait_until(lambda: "1 busy" in repr(daemon._server))
        daemon.stop()
        wait_until(lambda: results)
    assert isinstance(results[0], Unavailable)
    again = dataclasses.replace(settings(tmp_path).zookeeper, hosts=(daemon.address,))
    ZooKeeper(Settings(zookeeper=again), CREDENTIALS).stop()
