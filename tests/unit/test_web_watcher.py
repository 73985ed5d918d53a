"""How a gateway looks at all daemons of a cluster, and through which doors it tells what it saw."""

import json
import threading
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from data_service.web.border import Border
from data_service.web.exchange.answers import Answer
from data_service.web.figures import watcher as watching
from data_service.web.figures.cluster_door import ClusterDoor
from data_service.web.figures.health_door import HealthDoor
from data_service.web.figures.log_lines import LINES_MAX, LogLines
from data_service.web.figures.sightings import Sighting
from data_service.web.figures.watcher import Place, Watcher
from data_service.web.front import Front
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.models.seen_cluster import look
from tests.support.models.web_asker import asked
from zookeeper.fabric import logs
from zookeeper.fabric.errors import PermissionDenied
from zookeeper.fabric.meter import Meter
from zookeeper.fabric.settings import Address

SEEN = {(one.role, one.address): one for one in look().sightings}
PLACES: List[Place] = [
    (role, Address(*address.split(":")[:1], int(address.split(":")[1]))) for role, address in SEEN
]


class Cluster:
    """Daemons that answer when they may: all but those in `hanging`, which wait for `free`."""

    def __init__(self) -> None:
        self.asked: List[Tuple[str, str]] = []
        self.hanging: List[str] = []
        self.free = threading.Event()
        self.seen = dict(SEEN)

    def ask(self, role: str, address: Address) -> Sighting:
        """What a daemon tells."""
        self.asked.append((role, str(address)))
        if str(address) in self.hanging:
            assert self.free.wait(PATIENCE_SECONDS)
        return self.seen[role, str(address)]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """One whose daemons all answer in the end."""
    made = Cluster()
    yield made
    made.free.set()


def watcher_of(cluster: Cluster, interval_seconds: float = 3600.0) -> Watcher:
    """Looks at it."""
    return Watcher(PLACES, cluster.ask, lambda: Sighting("gateway", "web:9870"), interval_seconds)


def test_all_are_asked_and_come_in_order(cluster: Cluster) -> None:
    seen = watcher_of(cluster).look()
    assert sorted(cluster.asked) == sorted(SEEN)
    assert seen.sightings == (*SEEN.values(), Sighting("gateway", "web:9870"))
    assert seen.leader is not None


def test_what_was_just_seen_is_told_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = watcher_of(cluster)
    assert watcher.look() is watcher.look() is watcher.last_look()
    assert len(cluster.asked) == len(SEEN)
    monkeypatch.setattr(watching, "FRESH_SECONDS", 0.0)
    stale = watcher_of(cluster)
    first = stale.look()
    assert stale.look() is not first


def test_a_crowd_waits_for_one_look(cluster: Cluster) -> None:
    cluster.hanging = ["localhost:1801"]
    watcher, found = watcher_of(cluster), []
    crowd = [threading.Thread(target=lambda: found.append(watcher.look())) for _ in range(20)]
    for one in crowd:
        one.start()
    wait_until(lambda: len(cluster.asked) == len(SEEN))
    cluster.free.set()
    for one in crowd:
        one.join(PATIENCE_SECONDS)
    assert len(found) == 20 and len({id(one) for one in found}) == 1
    assert len(cluster.asked) == len(SEEN)


def test_one_that_hangs_holds_nobody_up_and_is_not_asked_twice(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "DEADLINE_SECONDS", 0.2)
    monkeypatch.setattr(watching, "FRESH_SECONDS", 0.0)
    cluster.hanging = ["localhost:1802"]
    watcher = watcher_of(cluster)
    for _ in range(3):
        silent = [one for one in watcher.look().sightings if not one.up]
        assert [one.address for one in silent] == ["localhost:1802"]
        assert silent[0].error == "did not answer within 0.2 s"
    assert cluster.asked.count(("data_node", "localhost:1802")) == 1
    assert cluster.asked.count(("data_node", "localhost:1801")) == 3
    cluster.free.set()
    wait_until(lambda: all(one.up for one in watcher.look().sightings))


def test_more_daemons_than_threads_are_all_asked(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "ASKED_MAX", 2)
    assert all(one.up for one in watcher_of(cluster).look().sightings)
    assert sorted(cluster.asked) == sorted(SEEN)


def test_it_looks_by_itself_until_it_is_stopped(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "FRESH_SECONDS", 0.0)
    watcher = watcher_of(cluster, 0.01)
    watcher.start()
    wait_until(lambda: len(watcher.history()["times_ms"]) > 2)
    watcher.stop()
    asked_before = len(cluster.asked)
    assert not [one for one in threading.enumerate() if one.name == "figures"]
    assert len(cluster.asked) == asked_before


def test_a_stop_waits_for_nobody_who_hangs(cluster: Cluster) -> None:
    cluster.hanging = [address for _, address in SEEN]
    watcher = watcher_of(cluster)
    watcher.start()
    wait_until(lambda: len(cluster.asked) == len(SEEN))
    stopping = threading.Thread(target=watcher.stop)
    stopping.start()
    stopping.join(PATIENCE_SECONDS)
    assert not stopping.is_alive() and not cluster.free.is_set()


class Visiting:
    """Visitors of whom one is an administrator: who says so. No datanode is known yet."""

    def __init__(self) -> None:
        self.proved = 0

    def client(self, request: Any, held: Any) -> "Visiting":
        """Whoever it is has proved it."""
        self.proved += 1
        self.superuser = request.parameters.text("user.name") == "root"
        return self

    def datanodes(self) -> Tuple[()]:
        """Names of none are kept from nobody."""
        return ()

    def require_superuser(self) -> None:
        """As the namenode answers it."""
        if not self.superuser:
            raise PermissionDenied("Access denied. Superuser privilege is required")


@pytest.fixture
def front(cluster: Cluster) -> Front:
    """The doors to what is seen."""
    watcher, lines = watcher_of(cluster), LogLines()
    visiting: Any = Visiting()
    doors = {"cluster": ClusterDoor(visiting, watcher, lines), "health": HealthDoor(watcher)}
    return Front(doors, Border(["web"]))  # type: ignore[arg-type]


def body_of(answer: Answer) -> Dict[str, Any]:
    """Its JSON."""
    assert answer.status == 200 and answer.content_type == "application/json"
    found: Dict[str, Any] = json.loads(answer.body)
    return found


def test_the_page_is_told_of_the_cluster(front: Front) -> None:
    assert body_of(asked(front, "GET", "/cluster/overview"))["health"]["severity"] == "good"
    assert len(body_of(asked(front, "GET", "/cluster/datanodes"))["datanodes"]) == 3
    assert body_of(asked(front, "GET", "/cluster/history"))["times_ms"] == []
    assert body_of(asked(front, "GET", "/cluster/log?user.name=root")) == {"lines": []}


@pytest.mark.parametrize("method, target, status", [
    ("GET", "/cluster", 404), ("GET", "/cluster/nothing", 404), ("GET", "/cluster/overview/", 404),
    ("POST", "/cluster/overview", 405), ("DELETE", "/cluster/log", 405), ("PUT", "/health", 405),
    ("GET", "/cluster/log?user.name=alice", 403), ("GET", "/cluster/log", 403),
    ("HEAD", "/cluster/overview", 200), ("GET", "/health?anything", 200),
])  # fmt: skip
def test_what_is_answered(front: Front, method: str, target: str, status: int) -> None:
    assert asked(front, method, target).status == status


def test_a_load_balancer_hears_whether_there_is_a_cluster(cluster: Cluster) -> None:
    for leads in (True, False):
        if not leads:
            cluster.seen["name_node", "localhost:1800"] = Sighting("name_node", "localhost:1800")
        front = Front({"health": HealthDoor(watcher_of(cluster))}, Border(["web"]))
        answer = asked(front, "GET", "/health")
        assert answer.status == (200 if leads else 503)
        assert answer.body == (
            b"ok\n" if leads else b"no namenode that leads answers this gateway\n")


def test_health_is_told_at_once_by_what_was_seen_last(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "FRESH_SECONDS", 0.0)
    watcher = watcher_of(cluster)
    front = Front({"health": HealthDoor(watcher)}, Border(["web"]))
    for _ in range(5):
        assert asked(front, "GET", "/health").status == 200
    assert len(cluster.asked) == len(SEEN)


def test_a_cluster_that_came_up_is_noticed_before_the_next_interval(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "FRESH_SECONDS", 0.0)
    place = "name_node", "localhost:1800"
    leading = cluster.seen[place]
    cluster.seen[place] = Sighting(*place)
    front = Front({"health": HealthDoor(watcher_of(cluster))}, Border(["web"]))
    assert asked(front, "GET", "/health").status == 503
    cluster.seen[place] = leading
    assert asked(front, "GET", "/health").status == 200


def test_requests_are_counted_by_method_and_door(cluster: Cluster) -> None:
    meter = Meter()
    front = Front({"health": HealthDoor(watcher_of(cluster))}, Border(["web"]), meter)
    for target in ("/health", "/health?x", "/secret/1", "/secret/2"):
        asked(front, "GET", target)
    asked(front, "POST", "/health")
    counted = {row.name: (row.made, row.failed) for row in meter.metrics()}
    assert counted == {"GET /health": (2, 0), "GET /…": (2, 2), "POST /health": (1, 1)}


def test_the_last_lines_of_the_log_are_kept() -> None:
    lines, log = LogLines(), logs.get("trial")
    lines.begin()
    try:
        log.error("disk.failed", path="/x y")
        told = lines.record()["lines"]
        assert [(row["level"], row["layer"], row["text"]) for row in told] == [
            ("ERROR", "trial", 'disk.failed path="/x y"')]
        assert told[0]["time_ms"] > 1_600_000_000_000
        for number in range(LINES_MAX + 50):
            logs.get("trial").error(f"event.{number}")
        assert len(lines.record()["lines"]) == LINES_MAX
    finally:
        lines.end()
    log.error("disk.failed.again")
    assert "again" not in lines.record()["lines"][-1]["text"]
