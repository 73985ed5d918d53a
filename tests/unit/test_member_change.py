"""Members are replaced, added and taken away under a leader that goes on writing."""

import threading
import time
from typing import Any, Iterator, List, Sequence

import pytest

from metadata_service.leader import joint_change, member_change
from metadata_service.leader.claiming import lead
from metadata_service.leader.majorities import is_majority
from metadata_service.leader.member_change import MemberChange
from metadata_service.leader.members import Members
from metadata_service.quorum import BLANK
from tests.support.clusters.waiting import wait_until
from tests.support.models.quorum_members import ListMember, ModelWays
from zookeeper.fabric.errors import Busy, Unavailable

PATIENCE_SECONDS = 20.0
BYTES_MAX = 1 << 20


@pytest.fixture(name="often", autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_change, "LOOK_SECONDS", 0.02)


class Cluster:
    """Members at addresses of their own, and whoever leads them."""

    def __init__(self, names: str) -> None:
        self.ways = ModelWays(*[ListMember(name) for name in names])
        self.leaders: List[Members] = []

    def lead(self, hosts: Sequence[str] = (), admits: bool = True) -> Members:
        """A new leader, which knows of these addresses, and admits other disks there or not."""
        self.ways.addresses = tuple(hosts) or self.ways.addresses
        for leader in self.leaders:
            leader.close()
        owner = f"namenode:1 {len(self.leaders)}"
        leader = lead(self.ways, owner, 0, 20.0, BYTES_MAX, 0.3, admits)
        self.leaders.append(leader)
        return leader

    def replace(self, address: str, name: str) -> ListMember:
        """An emptied disk at this address, which has filled itself."""
        new = ListMember(name)
        with self.ways.lock:
            self.ways.members[address] = new
            source = max(self.ways.members.values(), key=lambda one: one.applied)
            new.pull(source)
            new.cluster_id = source.cluster_id
        return new

    def logs(self) -> List[str]:
        """What each member has."""
        return ["".join(one.lines) for one in self.ways.members.values()]


@pytest.fixture(name="cluster")
def _cluster() -> Iterator[Cluster]:
    made = Cluster("abc")
    yield made
    for leader in made.leaders:
        leader.close()


def write(leader: Members, text: str) -> None:
    """Append an edit a letter."""
    leader.append(leader.record.last.txid + 1, list(text), PATIENCE_SECONDS)


def ids(leader: Members) -> List[List[str]]:
    """Who decides, set by set."""
    return [[member_id for member_id, _ in some] for some in leader.configuration.sets]


def test_an_emptied_disk_takes_the_place_of_the_lost_one(cluster: Cluster) -> None:
    leader = cluster.lead()
    write(leader, "abc")
    new = cluster.replace("c:1", "d")
    wait_until(lambda: ids(leader) == [["a", "b", "d"]])
    write(leader, "de")
    wait_until(lambda: cluster.logs() == ["abcde"] * 3)
    wait_until(lambda: new.configuration == leader.configuration and leader.awaited() == "")
    assert leader.configuration.version == 3
    leader.check()


def test_an_emptied_disk_stays_outside_where_config_ini_says_so(cluster: Cluster) -> None:
    leader = cluster.lead(admits=False)
    write(leader, "abc")
    new = cluster.replace("c:1", "d")
    wait_until(lambda: leader.waits_for)
    write(leader, "de")
    assert leader.waits_for == "c:1 has another disk, d, and admit_new_disks is no"
    assert ids(leader) == [["a", "b", "c"]] and "de" not in cluster.logs()[2]
    later = cluster.lead()
    with cluster.ways.lock:
        new.pull(cluster.ways.members["a:1"])
    wait_until(lambda: ids(later) == [["a", "b", "d"]] and not later.waits_for)


def test_who_does_not_decide_promises_nothing_to_a_candidate_that_loses(cluster: Cluster) -> None:
    write(cluster.lead(admits=False), "abc")
    new = cluster.replace("c:1", "d")

    def refuse(address: str, method: str) -> bool:
        if method == "claim" and address != "c:1":
            raise Busy("the lease of another runs")
        return False

    cluster.ways.fate = refuse
    with pytest.raises(Busy):
        cluster.lead()
    assert new.promised == 0
    cluster.ways.fate = lambda *_: False
    leader = cluster.lead()
    wait_until(lambda: ids(leader) == [["a", "b", "d"]])


def test_a_candidate_does_not_call_silent_whom_it_asks_for_nothing(cluster: Cluster) -> None:
    write(cluster.lead(admits=False), "abc")
    cluster.replace("c:1", "d")

    def lose(address: str, method: str) -> bool:
        if method == "claim" and address == "b:1":
            raise Unavailable("lost the connection")
        return False

    cluster.ways.fate = lose
    with pytest.raises(Unavailable, match="b:1 lost the connection; c:1 has another disk than"):
        cluster.lead()


def test_a_look_that_breaks_is_not_the_last_one(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, broken = member_change.wanted, threading.Event()

    def breaks_once(*args: Any) -> Any:
        if not broken.is_set():
            broken.set()
            raise RuntimeError("can't start new thread")
        return real(*args)

    monkeypatch.setattr(member_change, "wanted", breaks_once)
    leader = cluster.lead()
    assert broken.wait(PATIENCE_SECONDS)
    cluster.replace("c:1", "d")
    wait_until(lambda: ids(leader) == [["a", "b", "d"]])


def test_the_other_old_member_may_go_once_the_new_one_decides(cluster: Cluster) -> None:
    leader = cluster.lead()
    write(leader, "abc")
    cluster.replace("c:1", "d")
    wait_until(lambda: ids(leader) == [["a", "b", "d"]])
    cluster.ways.dead.add("b:1")
    write(leader, "de")
    assert cluster.logs() == ["abcde", "abc", "abcde"]
    later = cluster.lead()
    assert ids(later) == [["a", "b", "d"]] and later.record.last.txid == 5


def test_members_are_added_and_taken_away_while_edits_go_on(cluster: Cluster) -> None:
    for address in ("b:1", "c:1"):
        cluster.ways.dead.add(address)
    alone = cluster.lead(["a:1"])
    write(alone, "ab")
    cluster.ways.dead.clear()
    for address, name in (("b:1", "e"), ("c:1", "f")):
        cluster.replace(address, name)
    leader = cluster.lead(["a:1", "b:1", "c:1"])
    stop, written = threading.Event(), []

    def load() -> None:
        while not stop.is_set():
            write(leader, "x")
            written.append("x")

    thread = threading.Thread(target=load)
    thread.start()
    wait_until(lambda: ids(leader) == [["a", "e", "f"]])
    stop.set()
    thread.join()
    assert cluster.lead(["a:1", "b:1", "c:1"]).record.last.txid == 2 + len(written)
    last = cluster.lead(["a:1"])
    wait_until(lambda: ids(last) == [["a"]])
    cluster.ways.dead |= {"b:1", "c:1"}
    write(last, "z")
    assert cluster.logs()[0] == "ab" + "x" * len(written) + "z"
    assert [lane.address for lane in last.lanes] == ["a:1"]
    assert cluster.lead(["a:1"]).record.last.txid == 3 + len(written)


def test_nothing_is_known_of_another_disk_at_an_address(cluster: Cluster) -> None:
    leader = cluster.lead()
    write(leader, "abc")
    lane = leader.lanes[2]
    wait_until(lambda: lane.version == 1)
    cluster.replace("c:1", "d").state = BLANK
    wait_until(lambda: lane.member_id == "d")
    assert (lane.acked, lane.version) == (-1, -1)


def test_nobody_is_admitted_before_he_has_the_record(cluster: Cluster) -> None:
    leader = cluster.lead()
    write(leader, "abc")
    new = cluster.replace("c:1", "d")
    new.state = BLANK
    MemberChange(leader, True).look(time.monotonic())
    assert ids(leader) == [["a", "b", "c"]]
    new.state = ""
    wait_until(lambda: ids(leader) == [["a", "b", "d"]])


def test_a_change_that_is_not_agreed_on_is_taken_back(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joint_change, "JOINT_SECONDS_MAX", 0.2)
    alone = cluster.lead(["a:1"])
    write(alone, "ab")
    for address, name in (("b:1", "e"), ("c:1", "f")):
        cluster.replace(address, name)

    def cut(address: str, method: str) -> bool:
        # They vanish just when both sets have to agree.
        if len(cluster.leaders) == 2 and len(cluster.leaders[1].configuration.sets) == 2:
            cluster.ways.dead.update({"b:1", "c:1"})
            if address != "a:1":
                raise Unavailable("cut off")
        return False

    cluster.ways.fate = cut
    leader = cluster.lead(["a:1", "b:1", "c:1"])
    wait_until(lambda: leader.configuration.version >= 3 and ids(leader) == [["a"]])
    write(leader, "c")
    assert leader.decided == 3 and is_majority(leader.configuration, {"a"})
