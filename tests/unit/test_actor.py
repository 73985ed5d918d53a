"""A datanode and its namenodes, played by the test: all are told, and the one that leads obeyed."""

import logging
import threading
from typing import Any, Callable, Iterator, List

import pytest

from data_service.datanode import actor as actor_module
from data_service.datanode import duties as duties_module
from data_service.datanode.actor import Actor
from data_service.datanode.incremental_report import RECEIVED
from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block
from data_service.protocol.nodes import DELETE, Command
from tests.support.clusters.waiting import wait_until
from tests.support.links.played_namenode import NameNode, actor_of
from zookeeper.fabric.errors import NotLeader, StartRefused, Unavailable

COMMAND = Command(DELETE, (Block(1, 1, 1),), ())


@pytest.fixture(name="pair")
def _pair() -> List[NameNode]:
    """The first one leads, in epoch 5; the second one stands by."""
    leader, standby = NameNode(), NameNode()
    standby.leads, standby.session = False, 500
    return [leader, standby]


@pytest.fixture(name="orders")
def _orders() -> List[Callable[[], bool]]:
    """Of each command that was to be obeyed, whether it still holds."""
    return []


@pytest.fixture(name="actor")
def _actor(
    store: BlockStore, pair: List[NameNode], orders: List[Callable[[], bool]]
) -> Iterator[Actor]:
    made = actor_of(pair, store, lambda _, holds: orders.append(holds))
    yield made
    made.stop()


def told(namenode: NameNode, block: Block) -> bool:
    """Whether a namenode has heard of a block that came."""
    return any(method == "block_changes" and block in args[1] for method, args in namenode.calls)


def take_over(pair: List[NameNode]) -> None:
    """The second one leads, in epoch 6, and the first one has heard of it."""
    pair[0].leads = False
    pair[1].leads, pair[1].epoch = True, 6


def test_an_outage_is_logged_once_and_its_end(
    store: BlockStore, namenode: NameNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pyhdfs.actor")
    tries = threading.Semaphore(0)

    def away(*_args: Any) -> Any:
        tries.release()
        raise Unavailable("nobody there")

    namenode.answers["register"] = away
    actor = actor_of([namenode], store)
    actor.start()
    for _ in range(5):
        assert tries.acquire(timeout=60)
    del namenode.answers["register"]
    actor.await_registration()
    wait_until(lambda: "namenode.reached" in caplog.text)
    assert caplog.text.count("namenode.out_of_reach") == 1
    assert caplog.text.count("namenode.reached") == 1
    actor.stop()


def test_a_refused_datanode_does_not_start(store: BlockStore, namenode: NameNode) -> None:
    namenode.fail("register", StartRefused("a copy of another disk"))
    actor = actor_of([namenode], store)
    actor.start()
    with pytest.raises(StartRefused, match="a copy of another disk"):
        actor.await_registration()
    actor.stop()


def test_who_is_refused_by_all_that_answer_does_not_start(
    store: BlockStore, pair: List[NameNode], actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor_module, "REFUSED_SECONDS", 0.05)
    refuse = StartRefused("a copy of another disk")
    pair[0].fail("register", *[refuse] * 1000)
    pair[1].fail("register", *[Unavailable("away")] * 1000)
    actor.start()
    with pytest.raises(StartRefused, match="a copy of another disk"):
        actor.await_registration()


def test_a_standby_that_refuses_prevents_nobody_from_starting(
    pair: List[NameNode], actor: Actor
) -> None:
    pair[1].fail("register", *[StartRefused("another process has it")] * 1000)
    actor.start()
    actor.await_registration()


def test_only_who_is_accepted_is_said_to_have_joined(
    store: BlockStore, pair: List[NameNode]
) -> None:
    joined: List[int] = []
    actor = actor_of(pair, store, joined=lambda: joined.append(1))
    leader, standby = actor._all
    pair[0].fail("register", StartRefused("another one is served there"))
    with pytest.raises(StartRefused):
        leader.attend()
    assert joined == []
    leader.attend()
    standby.attend()
    assert joined == [1], "once"
    actor.stop()


def test_a_datanode_is_ready_when_who_leads_knows_what_it_has(
    pair: List[NameNode], actor: Actor
) -> None:
    pair[0].fail("register", *[NotLeader("it loads")] * 5)
    actor.start()
    actor.await_registration()
    assert ["register"] * 6 == [method for method, _ in pair[0].calls if method == "register"]


def test_all_are_told_and_only_the_leader_is_waited_for(
    pair: List[NameNode], actor: Actor
) -> None:
    actor.start()
    actor.await_registration()
    wait_until(lambda: actor._all[1].has_reported)
    gate = threading.Event()
    pair[1].answers["block_changes"] = lambda *_: gate.wait(60)
    block = Block(7, 1, 1)
    actor.tell(RECEIVED, [block])
    assert told(pair[0], block)
    wait_until(lambda: told(pair[1], block))
    actor.tell(RECEIVED, [Block(8, 1, 1)])
    assert told(pair[0], Block(8, 1, 1)) and not told(pair[1], Block(8, 1, 1))
    gate.set()
    wait_until(lambda: told(pair[1], Block(8, 1, 1)))


def test_who_takes_over_is_obeyed_and_the_one_before_is_not(
    store: BlockStore, pair: List[NameNode], actor: Actor, orders: List[Callable[[], bool]]
) -> None:
    """Its last orders may still be on their way here, or wait for a slow disk."""
    first, second = actor._all
    first.attend()
    second.attend()
    pair[0].answers["heartbeat"] = lambda *_: (5, (COMMAND,), True)
    first.attend()
    assert [holds() for holds in orders] == [True]
    pair[1].leads, pair[1].epoch = True, 6
    second.attend()
    assert [holds() for holds in orders] == [False] and store.volumes.epoch == 6
    assert pair[0].interrupts == 1
    first._attend_once()
    assert len(orders) == 1, "a deposed leader was obeyed"
    assert pair[0].calls[-1] == ("epoch_known", (6,))
    pair[1].answers["heartbeat"] = lambda *_: (6, (COMMAND,), True)
    second.attend()
    assert [holds() for holds in orders] == [False, True]
    actor.tell(RECEIVED, [Block(9, 1, 1)])
    assert told(pair[1], Block(9, 1, 1))


def test_while_nobody_leads_nobody_is_waited_for(
    pair: List[NameNode], actor: Actor
) -> None:
    for duties in actor._all:
        duties.attend()
    pair[0].leads = False
    actor._all[0].attend()
    actor.tell(RECEIVED, [Block(7, 1, 1)])
    assert not told(pair[0], Block(7, 1, 1)) and not told(pair[1], Block(7, 1, 1))
    take_over(pair)
    actor._all[1].attend()
    assert told(pair[1], Block(7, 1, 1))


def test_who_does_not_lead_yet_is_asked_again_soon(
    store: BlockStore, pair: List[NameNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is removed before every datanode has acknowledged who leads: that takes no beat."""
    monkeypatch.setattr(duties_module, "_NOT_LEADER_PAUSE_SECONDS", 0.1)
    actor = actor_of(pair, store)
    (duties, _) = actor._all
    duties._heartbeat_seconds = 3.0
    duties._not_leader_pause = 0.1
    pair[0].fail("register", *[NotLeader("it loads")] * 7)
    pauses = [duties._attend_once() for _ in range(8)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 3.0, 0.0]
    pair[0].answers["heartbeat"] = lambda *_: (5, (), False)
    assert duties._attend_once() == 0.0
    actor.stop()
