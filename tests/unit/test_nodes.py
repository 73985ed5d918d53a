"""Datanodes: registration, sessions, clones, and the judgement of who is alive."""

from typing import Dict, Iterator, Optional

import pytest

from data_service.namenode.replicas.nodes import DEAD, LIVE, STALE, Nodes
from tests.support.models.model_datanodes import CLUSTER_ID, POLICY, node_info, node_stats
from zookeeper.fabric.errors import Busy, SessionExpired, StartRefused

EPOCH = 3


@pytest.fixture(name="nodes")
def _nodes() -> Iterator[Nodes]:
    nodes = Nodes(CLUSTER_ID, EPOCH << 32, POLICY)
    yield nodes
    nodes.check()


def seen(*names: str) -> Dict[str, str]:
    """The zookeeper's view: these datanodes."""
    return {f"{name}:1800": name for name in names}


def pass_time(nodes: Nodes, start: float, end: float, beating: Optional[int] = None) -> list:
    """Tick every second from `start` to `end`; one session may beat. Who died when."""
    died = []
    now = start
    while now < end:
        now += 1.0
        if beating is not None:
            nodes.heartbeat(beating, node_stats(), now)
        died += [(now, node.info.node_id) for node in nodes.tick(now).died]
    return died


def test_every_registration_is_a_new_session_of_this_epoch(nodes: Nodes) -> None:
    first = nodes.register(node_info("a"), 0.0).session
    second = nodes.register(node_info("a", "2"), 1.0).session
    assert EPOCH << 32 < first < second < (EPOCH + 1) << 32
    assert nodes.by_session(second).info.incarnation == "2"
    with pytest.raises(SessionExpired):
        nodes.by_session(first)


def test_a_session_of_an_earlier_namenode_is_not_mistaken_for_another_hdfs_1972() -> None:
    old = Nodes(CLUSTER_ID, EPOCH << 32, POLICY).register(node_info("a"), 0.0).session
    later = Nodes(CLUSTER_ID, EPOCH + 1 << 32, POLICY)
    later.register(node_info("b"), 0.0)
    with pytest.raises(SessionExpired):
        later.heartbeat(old, node_stats(), 1.0)


def test_a_datanode_of_another_cluster_is_refused_seaweedfs_8022(nodes: Nodes) -> None:
    with pytest.raises(StartRefused, match="belongs to cluster other"):
        nodes.register(node_info("a", cluster_id="other"), 0.0)
    assert nodes.register(node_info("a", cluster_id=""), 0.0).session, "a fresh disk may join"


def test_a_clone_of_a_living_datanode_is_refused_seaweedfs_6857(nodes: Nodes) -> None:
    session = nodes.register(node_info("a", "1", port=1801), 0.0).session
    nodes.heartbeat(session, node_stats(), 10.0)
    with pytest.raises(Busy, match="unless that process has just ended"):
        nodes.register(node_info("a", "2", port=1802), 12.0)
    nodes.heartbeat(session, node_stats(), 12.5)
    with pytest.raises(StartRefused, match="copy of its disk"):
        nodes.register(node_info("a", "2", port=1802), 13.0)
    assert nodes.by_session(session).info.port == 1801
    assert nodes.register(node_info("a", "2", port=1802), 16.0), "it has ended, after all"


def test_a_clone_at_the_same_address_does_not_take_turns_for_ever(nodes: Nodes) -> None:
    """A disk and a start script were copied: each registration would end the other's session."""
    nodes.register(node_info("a", "1"), 0.0)
    later = nodes.register(node_info("a", "2"), 1.0).session
    with pytest.raises(Busy):
        nodes.register(node_info("a", "1"), 1.5)
    nodes.heartbeat(later, node_stats(), 2.0)
    for now in (2.5, 4.0):
        with pytest.raises(StartRefused, match="copy of its disk"):
            nodes.register(node_info("a", "1"), now)
    assert nodes.by_session(later).info.incarnation == "2"
    assert nodes.register(node_info("a", "1"), 6.0), "the other one is silent"


def test_a_disk_that_moved_registers_once_its_old_process_is_silent(nodes: Nodes) -> None:
    old = nodes.register(node_info("a", "1", port=1801), 0.0).session
    node = nodes.register(node_info("a", "2", port=1802), 3.5)
    assert node.target.port == 1802 and len(nodes) == 1
    with pytest.raises(SessionExpired):
        nodes.heartbeat(old, node_stats(), 3.6)


def test_a_restart_at_the_same_address_replaces_at_once(nodes: Nodes) -> None:
    nodes.register(node_info("a", "1"), 0.0)
    assert nodes.register(node_info("a", "2"), 0.1).info.incarnation == "2"


def test_another_disk_at_an_address_replaces_the_one_before_at_once(nodes: Nodes) -> None:
    """A disk was replaced. HDFS removes the old datanode, too, whose disk nobody serves."""
    old = nodes.register(node_info("a", host="h"), 0.0)
    with pytest.raises(Busy):
        nodes.register(node_info("b", host="h"), 1.0)
    nodes.register(node_info("b", host="h"), 4.0)
    assert (old.session, old.state, nodes.take_vacated()) == (0, DEAD, [old])
    assert nodes.take_vacated() == []
    assert [status.node_id for status in nodes.statuses(4.0)] == ["b"]
    back = nodes.register(node_info("a", host="h2"), 5.0)
    assert back is old and [status.node_id for status in nodes.statuses(5.0)] == ["b", "a"]


def test_two_datanodes_at_one_address_do_not_take_turns_for_ever(nodes: Nodes) -> None:
    """Two machines were both started as datanode 0."""
    first = nodes.register(node_info("a", host="h"), 0.0).session
    for second in range(1, 10):
        nodes.heartbeat(first, node_stats(), second + 0.5)
        with pytest.raises(Busy if second == 1 else StartRefused, match="datanode a is alive at h"):
            nodes.register(node_info("b", host="h"), second + 0.7)
    assert nodes.by_session(first).info.node_id == "a" and len(nodes) == 1


def test_the_number_of_datanodes_is_limited(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_service.namenode.replicas.nodes.NODES_MAX", 2)
    nodes.register(node_info("a"), 0.0)
    node = nodes.register(node_info("b"), 0.0)
    with pytest.raises(StartRefused, match="2 datanodes are known"):
        nodes.register(node_info("c"), 0.0)
    nodes.see(seen("a"), 0.0)
    pass_time(nodes, 0.0, 25.0)
    assert node.dead
    nodes.forget(node)
    assert nodes.register(node_info("c"), 26.0)


def test_a_node_is_usable_when_both_see_it_and_its_report_is_in(nodes: Nodes) -> None:
    nodes.see(seen(), 0.0)
    node = nodes.register(node_info("a"), 0.0)
    assert (node.state, node.usable) == (LIVE, False)
    node.reported = True
    assert node.usable, "a zookeeper that was restarted may see it in a moment"
    for now in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0):
        nodes.heartbeat(node.session, node_stats(), now)
        nodes.tick(now)
    assert (node.state, node.usable) == (STALE, False), "it never came to be seen"
    nodes.see(seen("a"), 7.0)
    nodes.heartbeat(node.session, node_stats(), 7.0)
    assert (node.state, node.usable) == (LIVE, True)
    assert nodes.see(seen(), 8.0) == () and node.usable


def test_silence_makes_stale_and_a_beat_makes_live_again(nodes: Nodes) -> None:
    node = nodes.register(node_info("a"), 0.0)
    pass_time(nodes, 0.0, 5.0)
    assert node.state == STALE
    nodes.heartbeat(node.session, node_stats(), 5.5)
    assert node.state == LIVE


def test_a_node_is_dead_only_when_both_have_lost_it(nodes: Nodes) -> None:
    nodes.see(seen("a"), 0.0)
    node = nodes.register(node_info("a"), 0.0)
    assert pass_time(nodes, 0.0, 39.0) == [], "the zookeeper still sees it"
    nodes.see(seen(), 39.0)
    assert pass_time(nodes, 39.0, 58.0) == []
    assert pass_time(nodes, 58.0, 60.0) == [(59.0, "a")]
    assert node.state == DEAD


def test_a_node_that_only_the_zookeeper_still_sees_dies_later(nodes: Nodes) -> None:
    """A partial partition for good: the next failure would lose what it alone has."""
    nodes.see(seen("a"), 0.0)
    nodes.register(node_info("a"), 0.0)
    assert pass_time(nodes, 0.0, 100.0) == [(60.0, "a")]


def test_a_zookeeper_that_cannot_be_asked_kills_nobody(nodes: Nodes) -> None:
    nodes.see(None, 0.0)
    nodes.register(node_info("a"), 0.0)
    assert pass_time(nodes, 0.0, 1000.0) == []


def test_a_node_that_beats_does_not_die_by_the_zookeeper_alone(nodes: Nodes) -> None:
    nodes.see(seen(), 0.0)
    node = nodes.register(node_info("a"), 0.0)
    assert pass_time(nodes, 0.0, 100.0, beating=node.session) == []
    assert node.state == STALE


def test_an_unreachable_zookeeper_has_lost_nobody(nodes: Nodes) -> None:
    nodes.see(None, 0.0)
    node = nodes.register(node_info("a"), 0.0)
    assert pass_time(nodes, 0.0, 100.0) == [] and node.state == STALE
    nodes.heartbeat(node.session, node_stats(), 100.0)
    assert node.state == LIVE, "it lives by its heartbeats"


def test_the_first_call_after_death_is_refused_hdfs_9107(nodes: Nodes) -> None:
    nodes.see(seen(), 0.0)
    node = nodes.register(node_info("a"), 0.0)
    old, node.reported = node.session, True
    assert pass_time(nodes, 0.0, 20.0) == [(20.0, "a")]
    with pytest.raises(SessionExpired):
        nodes.heartbeat(old, node_stats(), 21.0)
    again = nodes.register(node_info("a"), 22.0)
    assert again is node and not node.reported and not node.dead


def test_a_late_tick_judges_nobody_and_moves_deadlines_hdfs_9107(nodes: Nodes) -> None:
    nodes.see(seen(), 0.0)
    node = nodes.register(node_info("a"), 0.0)
    assert pass_time(nodes, 0.0, 4.0) == []
    late = nodes.tick(604.0)
    assert late.late == pytest.approx(599.0) and late.died == () and node.state == LIVE
    assert pass_time(nodes, 604.0, 618.0) == []
    assert pass_time(nodes, 618.0, 620.0) == [(619.0, "a")], "20 s of the time that was lived"


def test_the_first_tick_may_be_late_too_hdfs_9107(nodes: Nodes) -> None:
    nodes.see(seen(), 0.0)
    nodes.register(node_info("a"), 0.0)
    assert nodes.tick(500.0).late > 0 and nodes.tick(501.0).died == ()


def test_statuses_are_sorted_by_address_and_tell_seconds(nodes: Nodes) -> None:
    nodes.register(node_info("b", port=1802), 0.0)
    session = nodes.register(node_info("a", port=1801), 1.0).session
    nodes.heartbeat(session, node_stats(remaining=5), 2.0)
    first, second = nodes.statuses(4.0)
    assert (first.node_id, first.last_contact_seconds, first.stats.remaining) == ("a", 2.0, 5)
    assert (second.node_id, second.last_contact_seconds, second.state) == ("b", 4.0, LIVE)
    assert repr(nodes) == "<Nodes 2 live, 0 stale, 0 dead>" and nodes.live() == 2


def test_expected_bytes_are_taken_off_the_free_ones(nodes: Nodes) -> None:
    node = nodes.register(node_info("a"), 0.0)
    nodes.heartbeat(node.session, node_stats(remaining=100), 1.0)
    node.expect(1, 30)
    node.expect(1, 40)
    assert node.free == 60
    node.unexpect(1)
    node.unexpect(1)
    assert node.free == 100
