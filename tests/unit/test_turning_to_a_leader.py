"""A datanode and a namenode that takes over: what it is told before it may count on anything."""

import threading
from types import SimpleNamespace
from typing import Callable, Iterator, List

import pytest

from data_service.datanode import duties as duties_module
from data_service.datanode import incremental_report
from data_service.datanode import obedience as obedience_module
from data_service.datanode.duties import Duties
from data_service.datanode.incremental_report import DELETED
from data_service.datanode.obedience import Obedience
from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block
from data_service.protocol.nodes import DELETE, REPORT, Command
from tests.support.clusters.waiting import wait_until
from tests.support.disks.stores import put
from tests.support.links.played_namenode import NameNode, duties_of
from zookeeper.fabric.errors import InvalidArgument, SessionExpired, Unavailable

FIRST_ROUND = ["register", "block_report", "block_report", "heartbeat"]


@pytest.fixture(name="duties")
def _duties(store: BlockStore, namenode: NameNode, obeyed: List[Command]) -> Iterator[Duties]:
    made = duties_of(namenode, store, lambda command, _holds: obeyed.append(command))
    yield made
    made.stop()


def test_a_namenode_that_stands_by_hears_everything_and_commands_nothing(
    store: BlockStore, namenode: NameNode, duties: Duties, obeyed: List[Command]
) -> None:
    namenode.leads, namenode.epoch = False, 9
    put(store, 7, b"x")
    duties.attend()
    assert namenode.methods() == FIRST_ROUND and store.volumes.epoch == 0
    command = Command(DELETE, (Block(7, 1, 1),), ())
    namenode.answers["heartbeat"] = lambda *_: (9, (command, Command(REPORT, (), ())), False)
    duties.attend()
    assert obeyed == [] and not duties.leads and store.volumes.epoch == 0
    namenode.methods()
    del namenode.answers["heartbeat"]
    duties.attend()
    assert namenode.methods() == FIRST_ROUND[1:], "a report anybody may ask for"


def acknowledged(namenode: NameNode) -> List[int]:
    """The epochs that heartbeats acknowledged since the last time."""
    found = [args[3] for method, args in namenode.calls if method == "heartbeat"]
    namenode.calls.clear()
    return found


def test_a_new_epoch_is_acknowledged_when_what_was_ordered_before_is_done_and_told(
    store: BlockStore, namenode: NameNode
) -> None:
    """HDFS-1972: who leads now counted on replicas that were about to go."""
    orders: List[Callable[[], bool]] = []
    obedience = Obedience(store.volumes)
    duties = duties_of(namenode, store, lambda _, holds: orders.append(holds), obedience=obedience)
    namenode.answers["heartbeat"] = lambda *_: (5, (Command(DELETE, (Block(1, 1, 1),), ()),))
    duties.attend()
    del namenode.answers["heartbeat"]
    assert acknowledged(namenode) == [5], "who registers has turned to it"
    namenode.epoch = 6
    running, may_end = threading.Event(), threading.Event()

    def remove() -> None:
        with obedience.removal():
            running.set()
            may_end.wait(60)
            duties.note(DELETED, [Block(1, 1, 1)])

    remover = threading.Thread(target=remove)
    remover.start()
    assert running.wait(60) and orders[0]()
    beating = threading.Thread(target=duties.attend)
    beating.start()
    wait_until(lambda: not orders[0](), what="the end of the older order")
    assert store.volumes.epoch == 6 and beating.is_alive()
    may_end.set()
    beating.join(60)
    remover.join(60)
    assert acknowledged(namenode) == [5]
    duties.attend()
    assert [method for method, _ in namenode.calls] == ["block_changes", "heartbeat"]
    assert acknowledged(namenode) == [6]
    duties.stop()


def test_a_removal_that_does_not_end_begins_a_new_session(
    store: BlockStore, namenode: NameNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duties_module, "REMOVALS_SECONDS_MAX", 0.01)
    obedience = Obedience(store.volumes)
    duties = duties_of(namenode, store, obedience=obedience)
    duties.attend()
    namenode.epoch = 6
    with obedience.removal():
        with pytest.raises(SessionExpired):
            duties.attend()
        duties.session = 0  # As the thread does that attends.
        namenode.methods()
        duties.attend()
        assert [method for method, _ in namenode.calls] == FIRST_ROUND
        assert acknowledged(namenode) == [6]
    duties.stop()


def test_nothing_is_acknowledged_before_a_report_that_is_due(
    namenode: NameNode, duties: Duties
) -> None:
    """A change that was refused is not told: the report says it."""
    duties.attend()
    namenode.epoch = 6
    duties.attend()
    namenode.calls.clear()
    namenode.fail("block_changes", InvalidArgument("no"))
    duties.note(DELETED, [Block(1, 1, 1)])
    duties.attend()
    assert acknowledged(namenode) == [0]
    duties.attend()
    assert acknowledged(namenode) == [6]


def test_too_much_news_ends_the_session(
    store: BlockStore, namenode: NameNode, duties: Duties, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental_report, "KEPT_MAX", 2)
    duties.attend()
    duties.note(DELETED, [Block(number, 1, 1) for number in range(3)])
    assert duties.session == 0
    namenode.methods()
    duties.attend()
    assert namenode.methods() == FIRST_ROUND


def test_all_namenodes_are_told_for_how_long_the_one_that_leads_was_not_heard(
    store: BlockStore, namenode: NameNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=lambda: clock.now, now=100.0)
    monkeypatch.setattr(obedience_module, "time", clock)
    obedience, other = Obedience(store.volumes), NameNode()
    leader = duties_of(namenode, store, obedience=obedience)
    standby = duties_of(other, store, obedience=obedience)
    other.leads, other.epoch = False, 0

    def told(seconds: float) -> float:
        clock.now += seconds
        standby.attend()
        unheard_seconds: float = other.calls[-1][1][4]
        return unheard_seconds

    assert told(7.0) == 7.0, "nobody was heard since the start"
    leader.attend()
    assert told(2.0) == 2.0
    leader.tell(DELETED, [Block(1, 1, 1)])
    assert told(3.0) == 3.0, "each answer counts"
    namenode.fail("heartbeat", Unavailable("cut off"))
    with pytest.raises(Unavailable):
        leader.attend()
    assert told(1.0) == 4.0
    namenode.leads = False
    leader.attend()
    assert told(1.0) == 1.0, "as far as was known it led until it said that it does not"
    leader.attend()
    assert told(1.0) == 2.0
    other.leads, other.epoch = True, 6
    standby.attend()
    assert obedience.unheard_seconds == 0.0
    for duties in (leader, standby):
        duties.stop()
