"""Who is alive: by the heartbeats of a datanode, and by what the zookeeper sees of it."""

from itertools import count
from typing import Dict, Iterator, Optional

import pytest

from data_service.namenode.replicas.liveness import Liveness
from data_service.namenode.replicas.node import Node
from data_service.namenode.replicas.nodes import Nodes
from data_service.protocol.health import DEAD, LIVE, STALE
from tests.support.models.model_datanodes import CLUSTER_ID, POLICY, node_info, node_stats
from zookeeper.fabric.errors import SessionExpired


class World:
    """The nodes, and who judges them."""

    def __init__(self) -> None:
        self.nodes = Nodes(CLUSTER_ID, count(1), POLICY)
        self.liveness = Liveness(self.nodes, POLICY)

    def register(self, name: str, now: float) -> Node:
        """A process that serves the disk `name` registers."""
        node = self.nodes.register(node_info(name), now)
        self.liveness.registered(node, now)
        return node


@pytest.fixture(name="world")
def _world() -> Iterator[World]:
    world = World()
    yield world
    world.nodes.check()


def seen(*names: str) -> Dict[str, str]:
    """The zookeeper's view: these datanodes."""
    return {f"{name}:1800": name for name in names}


def pass_time(world: World, start: float, end: float, beating: Optional[int] = None) -> list:
    """Tick every second from `start` to `end`; one session may beat. Who died when."""
    died = []
    now = start
    while now < end:
        now += 1.0
        if beating is not None:
            world.liveness.heartbeat(beating, node_stats(), now)
        died += [(now, node.info.node_id) for node in world.liveness.tick(now).died]
    return died


def test_a_node_takes_replicas_when_both_see_it_and_its_report_is_in(world: World) -> None:
    world.liveness.see(seen(), 0.0)
    node = world.register("a", 0.0)
    assert (node.liveness, node.may_take_replicas) == (LIVE, False)
    node.reported = True
    assert node.may_take_replicas, "a zookeeper that was restarted may see it in a moment"
    for now in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0):
        world.liveness.heartbeat(node.session, node_stats(), now)
        world.liveness.tick(now)
    assert (node.liveness, node.may_take_replicas) == (STALE, False), "it never came to be seen"
    world.liveness.see(seen("a"), 7.0)
    world.liveness.heartbeat(node.session, node_stats(), 7.0)
    assert (node.liveness, node.may_take_replicas) == (LIVE, True)
    assert world.liveness.see(seen(), 8.0) == () and node.may_take_replicas


def test_silence_makes_stale_and_a_beat_makes_live_again(world: World) -> None:
    node = world.register("a", 0.0)
    pass_time(world, 0.0, 5.0)
    assert node.liveness == STALE
    world.liveness.heartbeat(node.session, node_stats(), 5.5)
    assert node.liveness == LIVE


def test_a_node_is_dead_only_when_both_have_lost_it(world: World) -> None:
    world.liveness.see(seen("a"), 0.0)
    node = world.register("a", 0.0)
    assert pass_time(world, 0.0, 39.0) == [], "the zookeeper still sees it"
    world.liveness.see(seen(), 39.0)
    assert pass_time(world, 39.0, 58.0) == []
    assert pass_time(world, 58.0, 60.0) == [(59.0, "a")]
    assert node.liveness == DEAD


def test_a_node_that_only_the_zookeeper_still_sees_dies_later(world: World) -> None:
    """A partial partition for good: the next failure would lose what it alone has."""
    world.liveness.see(seen("a"), 0.0)
    world.register("a", 0.0)
    assert pass_time(world, 0.0, 100.0) == [(60.0, "a")]


def test_a_zookeeper_that_cannot_be_asked_kills_nobody(world: World) -> None:
    world.liveness.see(None, 0.0)
    world.register("a", 0.0)
    assert pass_time(world, 0.0, 1000.0) == []


def test_a_node_that_beats_does_not_die_by_the_zookeeper_alone(world: World) -> None:
    world.liveness.see(seen(), 0.0)
    node = world.register("a", 0.0)
    assert pass_time(world, 0.0, 100.0, beating=node.session) == []
    assert node.liveness == STALE


def test_an_unreachable_zookeeper_has_lost_nobody(world: World) -> None:
    world.liveness.see(None, 0.0)
    node = world.register("a", 0.0)
    assert pass_time(world, 0.0, 100.0) == [] and node.liveness == STALE
    world.liveness.heartbeat(node.session, node_stats(), 100.0)
    assert node.liveness == LIVE, "it lives by its heartbeats"


def test_the_first_call_after_death_is_refused_hdfs_9107(world: World) -> None:
    world.liveness.see(seen(), 0.0)
    node = world.register("a", 0.0)
    old, node.reported = node.session, True
    assert pass_time(world, 0.0, 20.0) == [(20.0, "a")]
    with pytest.raises(SessionExpired):
        world.liveness.heartbeat(old, node_stats(), 21.0)
    again = world.register("a", 22.0)
    assert again is node and not node.reported and not node.dead


def test_a_late_tick_judges_nobody_and_moves_deadlines_hdfs_9107(world: World) -> None:
    world.liveness.see(seen(), 0.0)
    node = world.register("a", 0.0)
    assert pass_time(world, 0.0, 4.0) == []
    late = world.liveness.tick(604.0)
    assert late.late == pytest.approx(599.0) and late.died == () and node.liveness == LIVE
    assert pass_time(world, 604.0, 618.0) == []
    assert pass_time(world, 618.0, 620.0) == [(619.0, "a")], "20 s of the time that was lived"


def test_the_first_tick_may_be_late_too_hdfs_9107(world: World) -> None:
    world.liveness.see(seen(), 0.0)
    world.register("a", 0.0)
    assert world.liveness.tick(500.0).late > 0 and world.liveness.tick(501.0).died == ()
