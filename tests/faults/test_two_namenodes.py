"""Two namenodes: one leads, one stands by; who was replaced can change nothing and says so."""

import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from data_service.filesystem import FileSystem
from data_service.filesystem.users import current_user
from data_service.protocol.files import FileStatus
from metadata_service.calls import MemberCalls
from tests.support.models.record_leader import fence
from tests.support.clusters.cluster import Cluster
from tests.support.disks.replicas import block_names, holders, noise, wait_gone, wait_replicas
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric.errors import DfsError, Fenced, NotLeader, PermissionDenied, Unavailable
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.pools import RemotePool
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address, load

CONTENT = noise(100_000, 3)


class Pair:
    """A cluster with two namenodes, of which the one at index 0 led first."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.daemons = [cluster.daemons[role] for role in cluster.name_nodes]
        self.addresses = [Address(*cluster.address(role)) for role in cluster.name_nodes]
        self.settings = load(str(cluster.config))

    def ask(self, which: int, method: str, *args: Any) -> Any:
        """Call one namenode itself, past the search for the leader."""
        credentials = credentials_of(self.settings, Principal("user", current_user()))
        remote = Remote.connect(
            "name_node", self.addresses[which], credentials, self.settings.network
        )
        try:
            return remote.call(method, *args, timeout=30)
        finally:
            remote.close()

    def leads(self, which: int) -> bool:
        """Whether this namenode answers as the leader."""
        try:
            self.ask(which, "cluster_status")
        except (NotLeader, Unavailable):
            return False
        return True


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two namenodes and two datanodes."""
    options = {"network": {"call_timeout_seconds": 3}}
    with Cluster(tmp_path, data_nodes=2, name_nodes=2, **options) as cluster:
        assert "standby" in cluster.daemons["name_node_1"].output()
        yield Pair(cluster)


def put(file_system: FileSystem, path: str) -> None:
    """Store the content."""
    with file_system.open(path, "wb") as file:
        file.write(CONTENT)


def wait_settled(file_system: FileSystem) -> None:
    """Wait, with a client that has been served before, until whoever leads takes changes."""

    def is_so() -> bool:
        live = [node for node in file_system.datanodes() if node.state == "live"]
        return len(live) == 2 and not file_system.cluster_status().safe_mode

    wait_until(is_so, what="two live datanodes and the end of safe mode")


def test_a_namenode_that_was_paused_until_another_led_can_change_nothing_and_says_so(
    pair: Pair,
) -> None:
    with pair.cluster.file_system() as file_system:
        put(file_system, "/old")
        names = block_names(file_system, "/old")
        pair.daemons[0].pause()
        # The client finds the new leader by itself.
        wait_settled(file_system)
        assert file_system.delete("/old")
        put(file_system, "/new")
        assert pair.leads(1)
        asked: Dict[str, object] = {}

        def ask(method: str, *args: Any) -> None:
            try:
                asked[method] = pair.ask(0, method, *args)
            except DfsError as error:
                asked[method] = error

        # Requests that wait for the sleeper are what it meets first when it wakes up.
        questions = [
            threading.Thread(target=ask, args=arguments)
            for arguments in (
                ("stat", "/old"),
                ("block_locations", "/old", 0, 1),
                ("mkdir", ("tester", 1), "/stray", False, 0o755),
                ("delete", ("tester", 2), "/old", False),
                ("cluster_status",),
            )
        ]
        for question in questions:
            question.start()
        pair.daemons[0].resume()
        for question in questions:
            question.join()
        kinds = {type(answer) for answer in asked.values()}
        assert kinds <= {NotLeader, Unavailable, Fenced}, asked
        wait_until(lambda: "term.ended" in pair.daemons[0].output())
        assert not pair.leads(0) and pair.leads(1)
        assert [status.name for status in file_system.list("/")] == ["new"]
        wait_gone(pair.cluster, names)
        with file_system.open("/new") as file:
            assert file.read() == CONTENT


def test_a_namenode_whose_epoch_is_over_stops_at_its_next_change(pair: Pair) -> None:
    metadata = Address(*pair.cluster.address("metadata"))
    credentials = credentials_of(pair.settings, Principal("name_node"))
    pool = RemotePool("metadata", metadata, credentials, pair.settings.network)
    with pair.cluster.file_system() as file_system:
        put(file_system, "/kept")
        before = file_system.cluster_status().epoch
        claimed = fence(MemberCalls(pool.perform, PATIENCE_SECONDS))
        assert claimed > before
        with pytest.raises((NotLeader, Unavailable, Fenced)):
            pair.ask(0, "mkdir", ("tester", 1), "/stray", False, 0o755)
        # Then one of the two claims a newer one, for nobody proves that he leads in this one.
        wait_until(lambda: file_system.cluster_status().epoch > claimed)
        wait_settled(file_system)
        assert [status.name for status in file_system.list("/")] == ["kept"]
        put(file_system, "/more")
    pool.close()


def test_a_put_goes_on_when_the_leader_is_killed_and_the_other_takes_over(pair: Pair) -> None:
    with pair.cluster.file_system() as file_system:
        with file_system.open("/through", "wb", block_size=65536) as file:
            file.write(CONTENT[:70_000])
            pair.daemons[0].kill()
            file.write(CONTENT[70_000:])
        assert pair.leads(1)
        with file_system.open("/through") as file:
            assert file.read() == CONTENT
        names = block_names(file_system, "/through")
        full = all(len(holders(pair.cluster, name)) == 2 for name in names)
        assert full or pair.cluster.warnings, "fewer replicas, and nothing was said"
        wait_replicas(pair.cluster, "/through", 2)
        status = FileStatus._make(pair.ask(1, "stat", "/through"))
        assert status.length == len(CONTENT)
    pair.daemons[0].start()
    assert "standby" in pair.daemons[0].wait_ready()


def test_a_leader_that_stops_hands_over_at_once(pair: Pair) -> None:
    with pair.cluster.file_system() as file_system:
        put(file_system, "/before")
        assert pair.daemons[0].terminate() == 0
        wait_settled(file_system)
        put(file_system, "/after")
        assert pair.leads(1)
        assert [status.name for status in file_system.list("/")] == ["after", "before"]


def test_an_administrator_has_the_other_one_lead_under_load(pair: Pair) -> None:
    haadmin = pair.cluster.client
    first, second = (str(address) for address in pair.addresses)
    states = haadmin("haadmin", "-getAllServiceState")
    assert [line.split() for line in states.text.splitlines()] == [
        [first, "active"], [second, "standby"],
    ]  # fmt: skip
    with pair.cluster.file_system() as file_system:
        put(file_system, "/before")
        with file_system.open("/through", "wb", block_size=65536) as file:
            file.write(CONTENT[:70_000])
            done = haadmin("haadmin", "-failover", "nn0", "nn1")
            assert (done.status, done.text) == (0, "Failover from nn0 to nn1 successful\n"), done
            file.write(CONTENT[70_000:])
        assert pair.leads(1) and not pair.leads(0)
        for path in ("/before", "/through"):
            with file_system.open(path) as file:
                assert file.read() == CONTENT
    assert haadmin("haadmin", "-getServiceState", "nn1").text == "active\n"
    assert haadmin("haadmin", "-getServiceState", second).text == "active\n"
    assert haadmin("haadmin", "-checkHealth", "0").status == 0
    heads, row = haadmin("haadmin", "-members").text.splitlines()
    assert heads.split()[:4] == ["address", "id", "promised", "log"]
    metadata = Address(*pair.cluster.address("metadata"))
    assert row.startswith(str(metadata)) and row.split()[-2:] == ["yes", "ok"]
    same = haadmin("haadmin", "-verify")
    assert (same.status, same.text) == (0, "all metadata services have the same rows\n"), same
    again = haadmin("haadmin", "-failover", "nn0", "nn1")
    assert again.status == 255 and "Can't failover to an active service" in again.err
    # And back: who handed over is a candidate again, after a while.
    assert haadmin("haadmin", "-failover", "nn1", "nn0").status == 0
    assert pair.leads(0)


def test_who_cannot_prove_that_he_leads_is_not_called_active(pair: Pair) -> None:
    haadmin = pair.cluster.client

    def states() -> List[str]:
        lines = haadmin("haadmin", "-getAllServiceState").text.splitlines()
        return [line.split()[-1] for line in lines]

    pair.cluster.kill("metadata")
    # It goes on to try for much longer than others need to take over.
    wait_until(lambda: states() == ["standby", "standby"], 10, "nobody who leads")
    unwell = haadmin("haadmin", "-checkHealth", "nn0")
    assert unwell.status == 255 and "Health check failed: nn0 " in unwell.err, unwell
    _, row, said, *led = haadmin("haadmin", "-members").text.splitlines()
    assert len(led) == 2 and all("does not lead: it " in line for line in led)
    assert "does not take part: cannot reach" in said and "Start it" in said
    _, *numbers = row.partition(" cannot reach ")[0].split()
    assert set(numbers) == {"-"}, "of a member that is not there nothing is known"
    pair.cluster.start_daemon("metadata")
    wait_until(lambda: sorted(states()) == ["active", "standby"])


def test_what_haadmin_cannot_do_it_says(pair: Pair) -> None:
    haadmin = pair.cluster.client
    for words, said in (
        (("-getServiceState", "nn7"), "Unable to determine service address for namenode 'nn7'"),
        (("-failover", "nn0"), "failover: incorrect arguments"),
        (("-transitionToActive", "nn1"), "use -failover"),
        (("-levitate",), "levitate: Unknown command"),
    ):
        done = haadmin("haadmin", *words)
        assert done.status == 255 and said in done.err, done
    with pair.cluster.file_system("alice") as file_system, file_system.name_nodes() as nodes:
        assert nodes.state(pair.addresses[0]).state == "active"
        with pytest.raises(PermissionDenied):
            nodes.hand_over(pair.addresses[0])
    pair.daemons[1].kill()
    done = haadmin("haadmin", "-failover", "nn0", "nn1")
    assert done.status == 255 and "Unable to get service state for NameNode at" in done.err
    down = haadmin("haadmin", "-getAllServiceState")
    assert down.status == 0 and "Failed to connect: " in down.text
    assert pair.leads(0)
