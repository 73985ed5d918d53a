"""The zookeeper's daemon: arguments, long polls, who leads, and its life."""

import dataclasses
import math
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import (
    DfsError,
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

CREDENTIALS = Credentials(Principal("name_node", "1"))


class Text(str):
    """A string that is not quite one, as a client could make."""


@pytest.fixture(name="coordination")
def _coordination() -> Coordination:
    return Coordination(expiry_seconds=60.0)


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
        assert remote.call("heartbeat", session_id, timeout=10) == rows
        assert remote.call("leader", timeout=10) is None
        remote.call("create", session_id, "/leader/localhost:1801", "7", timeout=10)
        assert remote.call("leader", timeout=10) == (7, "localhost:1801")
        remote.call("remove", session_id, "/name_nodes/localhost:1801", timeout=10)
        remote.call("close_session", session_id, timeout=10)
        with pytest.raises(SessionExpired):
            remote.call("heartbeat", session_id, timeout=10)


@pytest.mark.parametrize("bad", [None, True, 1, 1.5, b"/a", ("/a",), Text("/a")])
def test_every_argument_must_be_text(coordination: Coordination, bad: object) -> None:
    server = served(coordination)
    arguments = {"open_session": 1, "heartbeat": 1, "close_session": 1, "create": 3, "remove": 2,
                 "children": 1, "leader": 0}
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


def test_who_leads_is_the_one_of_the_newest_epoch(coordination: Coordination) -> None:
    """The one before may be gone without a goodbye."""
    session_id = coordination.open_session("nn")
    for address, epoch in (("a:1", "9"), ("b:1", "10"), ("c:1", "odd"), ("d:1", "9" * 30)):
        coordination.create(session_id, f"/leader/{address}", epoch)
    assert coordination.leader() == (10, "b:1")
    coordination.close_session(session_id)
    assert coordination.leader() is None


def test_versions_differ_after_a_restart() -> None:
    versions = {Coordination(expiry_seconds=60.0).children("/a").version for _ in range(4)}
    assert len(versions) == 4


def test_two_zookeepers_do_not_share_a_directory(zookeeper: ZooKeeper, tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="in use"):
        ZooKeeper(settings(tmp_path), CREDENTIALS)
    with connected(zookeeper) as remote:
        assert remote.call("leader", timeout=10) is None


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
