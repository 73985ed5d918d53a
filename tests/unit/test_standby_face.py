"""Whom a namenode that stands by answers, and what: datanodes, with nothing to do but report."""

import threading
import time
from typing import Any, List

import pytest

from data_service.namenode.namenode_core import Core
from data_service.namenode.standing_by import Standby
from data_service.protocol.nodes import REPORT
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.models.model_datanodes import node_info, node_stats
from zookeeper.fabric.errors import NotLeader
from zookeeper.fabric.settings import Settings


@pytest.fixture(name="standby")
def _standby() -> Standby:
    """That of an empty image."""
    core = Core(Settings(), "cluster", "root")
    core.state.blocks.loaded(time.monotonic())
    return Standby(core)


def registered(standby: Standby, name: str = "a") -> int:
    """The session of a datanode."""
    info = node_info(name, cluster_id="")
    session: int = standby.tell_blocks(lambda blocks: blocks.register(info, time.monotonic()))
    return session


def test_a_datanode_registers_and_is_told_to_do_nothing(standby: Standby) -> None:
    session = registered(standby)
    assert not standby.leads and standby.heartbeat(session, node_stats(), 0.0) == (0, ())
    standby.ask_blocks(lambda blocks: blocks.want_report("a", 1800))
    ((command,), epoch) = standby.heartbeat(session, node_stats(), 0.0)[1], standby.epoch
    assert command.action == REPORT and epoch == 0


def test_whom_the_zookeeper_sees_and_this_namenode_does_not_hear_is_counted(
    standby: Standby
) -> None:
    registered(standby, "a")
    seen = {"a:1": node_info("a").node_id, "b:1": node_info("b").node_id}
    assert standby.core.heard_of(seen) == 1
    registered(standby, "b")
    assert standby.core.heard_of(seen) == 2
    with standby.lock:
        now = time.monotonic()
        for second in range(60):
            standby.core.state.blocks.monitor.tick(now + second, standby.core.random)
    assert standby.core.heard_of(seen) == 0, "who is silent is not heard"


def test_a_heartbeat_that_waits_is_answered_when_this_namenode_leads(standby: Standby) -> None:
    """Datanodes were told only with the next beat, seconds later."""
    session, answers = registered(standby), []

    def beat() -> None:
        answers.append(standby.heartbeat(session, node_stats(), PATIENCE_SECONDS))

    thread = threading.Thread(target=beat)
    thread.start()
    wait_until(lambda: len(standby.core.heartbeats) == 1)
    with standby.lock:
        standby.core.state.lead(7, time.monotonic())
    standby.core.wake_all()
    thread.join(PATIENCE_SECONDS)
    assert answers == [(7, ())] and standby.over


@pytest.mark.parametrize("ended", [True, False])
def test_nobody_is_heard_by_who_leads_or_has_nothing_in_memory(
    standby: Standby, ended: bool
) -> None:
    session = registered(standby)
    if ended:
        standby.end()
    else:
        standby.core.state.lead(7, time.monotonic())
    asked: List[Any] = [
        lambda: standby.heartbeat(session, node_stats(), 0.0),
        lambda: standby.tell_blocks(lambda blocks: None),
        lambda: standby.ask_blocks(lambda blocks: None),
    ]
    for ask in asked:
        with pytest.raises(NotLeader):
            ask()


def test_who_leads_no_more_is_heard_again_and_keeps_the_sessions(standby: Standby) -> None:
    session = registered(standby)
    standby.core.state.lead(7, time.monotonic())
    standby.core.state.stand_by()
    assert standby.heartbeat(session, node_stats(), 0.0) == (7, ())
