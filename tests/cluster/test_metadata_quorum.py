"""Three metadata services, of which any one may be lost: nothing acknowledged goes."""

import threading
from typing import Callable, Iterator, List

import pytest

from data_service.filesystem import FileSystem
from metadata_service.calls import MemberCalls
from metadata_service.quorum import MemberStatus
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.pools import RemotePool
from zookeeper.fabric.settings import Address, load


@pytest.fixture(name="cluster", scope="module")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    options = {
        "zookeeper": {"session_expiry_seconds": 2, "session_heartbeat_seconds": 0.3},
        "name_node": {"replication_factor": 1, "stale_seconds": 1, "dead_seconds": 2},
    }
    folder = tmp_path_factory.mktemp("quorum")
    with Cluster(folder, data_nodes=1, name_nodes=2, members=3, **options) as cluster:
        yield cluster


class Load:
    """Makes directories, one after the other, and knows which it was told are there."""

    def __init__(self, file_system: FileSystem, parent: str) -> None:
        self._file_system, self._parent = file_system, parent
        self.made: List[str] = []
        self._over = threading.Event()
        self.failures: List[DfsError] = []
        self._thread = threading.Thread(target=self._run)
        file_system.mkdir(parent)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            name = f"{len(self.made):06}"
            try:
                self._file_system.mkdir(f"{self._parent}/{name}")
            except DfsError as error:
                self.failures.append(error)
                return
            self.made.append(name)

    def goes_on(self, count: int = 20) -> None:
        """Returns once so many more were made."""
        enough = len(self.made) + count
        wait_until(lambda: len(self.made) >= enough or self.failures, what="changes that go on")
        assert not self.failures, self.failures

    def end(self) -> List[str]:
        """Make no more; what was made."""
        self._over.set()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive() and not self.failures, self.failures
        return self.made


def statuses(cluster: Cluster) -> List[MemberStatus]:
    """What the members that run tell of themselves."""
    settings = load(str(cluster.config))
    found = []
    for role in cluster.members:
        if cluster.daemons[role].running:
            host, port = cluster.address(role)
            credentials = credentials_of(settings, Principal("name_node", "localhost:1"))
            pool = RemotePool("metadata", Address(host, port), credentials, settings.network)
            found.append(MemberCalls(pool.perform).status())
            pool.close()
    return found


def equal(cluster: Cluster) -> bool:
    """Whether all members have the same log, and have applied all of it."""
    found = statuses(cluster)
    places = {place for one in found for place in (one.last, one.applied)}
    return len(places) == 1 and len(found) == len(cluster.members)


def under(cluster: Cluster, parent: str, trouble: Callable[[Load], None]) -> None:
    """Make changes while there is trouble: all that were acknowledged are there, and no others."""
    with cluster.file_system() as file_system:
        load = Load(file_system, parent)
        try:
            load.goes_on()
            trouble(load)
        finally:
            made = load.end()
        names = [status.name for status in file_system.list(parent)]
        assert names == made


def test_all_members_have_all_of_it(cluster: Cluster) -> None:
    under(cluster, "/whole", lambda load: None)
    wait_until(lambda: equal(cluster))
    found = statuses(cluster)
    assert len({one.member_id for one in found}) == 3
    assert len({one.cluster_id for one in found}) == 1
    assert {one.configuration.version for one in found} == {1}


@pytest.mark.parametrize("number", [0, 2])
def test_a_member_is_killed_and_catches_up(cluster: Cluster, number: int) -> None:
    role = cluster.members[number]

    def kill(load: Load) -> None:
        cluster.kill(role)
        load.goes_on(100)
        cluster.start_daemon(role)
        load.goes_on()

    under(cluster, f"/killed-{number}", kill)
    wait_until(lambda: equal(cluster))


def test_a_member_is_paused_and_catches_up(cluster: Cluster) -> None:
    role = cluster.members[1]

    def pause(load: Load) -> None:
        cluster.pause(role)
        load.goes_on(100)
        cluster.resume(role)
        load.goes_on()

    under(cluster, "/paused", pause)
    wait_until(lambda: equal(cluster))


def test_the_leader_is_killed_while_a_member_is_away(cluster: Cluster) -> None:
    def kill(load: Load) -> None:
        cluster.pause(cluster.members[1])
        load.goes_on()
        cluster.kill("name_node")
        load.goes_on()
        cluster.resume(cluster.members[1])
        load.goes_on()
        cluster.start_daemon("name_node")

    under(cluster, "/led", kill)
    wait_until(lambda: equal(cluster))


def test_two_members_are_killed_and_changes_wait_for_one(cluster: Cluster) -> None:
    def kill(load: Load) -> None:
        for role in cluster.members[:2]:
            cluster.kill(role)
        cluster.start_daemon(cluster.members[1])
        load.goes_on()
        cluster.start_daemon(cluster.members[0])
        load.goes_on()

    under(cluster, "/waited", kill)
    wait_until(lambda: equal(cluster))
