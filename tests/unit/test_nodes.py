"""Datanodes: registration, sessions and clones."""

from itertools import count
from typing import Iterator

import pytest

from data_service.namenode.replicas.liveness import Liveness
from data_service.namenode.replicas.nodes import Nodes
from data_service.protocol.health import DEAD
from tests.support.models.model_datanodes import CLUSTER_ID, POLICY, node_info, node_stats
from zookeeper.fabric.errors import Busy, SessionExpired, StartRefused

EPOCH = 3


@pytest.fixture(name="nodes")
def _nodes() -> Iterator[Nodes]:
    nodes = Nodes(CLUSTER_ID, count((EPOCH << 32) + 1), POLICY)
    yield nodes
    nodes.check()


def beat(nodes: Nodes, session: int, now: float, remaining: int = 1 << 40) -> None:
    """A heartbeat, of a datanode with so much room."""
    Liveness(nodes, POLICY).heartbeat(session, node_stats(remaining=remaining), now)


def test_every_registration_is_a_new_session_of_this_epoch(nodes: Nodes) -> None:
    first = nodes.register(node_info("a"), 0.0).session
    second = nodes.register(node_info("a", "2"), 1.0).session
    assert EPOCH << 32 < first < second < (EPOCH + 1) << 32
    assert nodes.by_session(second).info.incarnation == "2"
    with pytest.raises(SessionExpired):
        nodes.by_session(first)


def test_a_session_of_an_earlier_namenode_is_not_mistaken_for_another_hdfs_1972() -> None:
    old = Nodes(CLUSTER_ID, count((EPOCH << 32) + 1), POLICY).register(node_info("a"), 0.0).session
    later = Nodes(CLUSTER_ID, count((EPOCH + 1 << 32) + 1), POLICY)
    later.register(node_info("b"), 0.0)
    with pytest.raises(SessionExpired):
        beat(later, old, 1.0)


def test_a_datanode_of_another_cluster_is_refused_seaweedfs_8022(nodes: Nodes) -> None:
    with pytest.raises(StartRefused, match="belongs to cluster other"):
        nodes.register(node_info("a", cluster_id="other"), 0.0)
    assert nodes.register(node_info("a", cluster_id=""), 0.0).session, "a fresh disk may join"


def test_a_clone_of_a_living_datanode_is_refused_seaweedfs_6857(nodes: Nodes) -> None:
    session = nodes.register(node_info("a", "1", port=1801), 0.0).session
    beat(nodes, session, 10.0)
    with pytest.raises(Busy, match="unless that process has just ended"):
        nodes.register(node_info("a", "2", port=1802), 12.0)
    beat(nodes, session, 12.5)
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
    beat(nodes, later, 2.0)
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
        beat(nodes, old, 3.6)


def test_a_restart_at_the_same_address_replaces_at_once(nodes: Nodes) -> None:
    nodes.register(node_info("a", "1"), 0.0)
    assert nodes.register(node_info("a", "2"), 0.1).info.incarnation == "2"


def test_another_disk_at_an_address_replaces_the_one_before_at_once(nodes: Nodes) -> None:
    """A disk was replaced. HDFS removes the old datanode, too, whose disk nobody serves."""
    old = nodes.register(node_info("a", host="h"), 0.0)
    with pytest.raises(Busy):
        nodes.register(node_info("b", host="h"), 1.0)
    nodes.register(node_info("b", host="h"), 4.0)
    assert (old.session, old.liveness, nodes.take_vacated()) == (0, DEAD, [old])
    assert nodes.take_vacated() == []
    assert [node.info.node_id for node in nodes if not node.removed] == ["b"]
    back = nodes.register(node_info("a", host="h2"), 5.0)
    assert back is old and [node.removed for node in nodes] == [False, False]


def test_two_datanodes_at_one_address_do_not_take_turns_for_ever(nodes: Nodes) -> None:
    """Two machines were both started as datanode 0."""
    first = nodes.register(node_info("a", host="h"), 0.0).session
    for second in range(1, 10):
        beat(nodes, first, second + 0.5)
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
    nodes.end_session(node)
    node.liveness = DEAD
    nodes.forget(node)
    assert nodes.register(node_info("c"), 26.0)


def test_expected_bytes_are_taken_off_the_free_ones(nodes: Nodes) -> None:
    node = nodes.register(node_info("a"), 0.0)
    beat(nodes, node.session, 1.0, remaining=100)
    node.expect(1, 30)
    node.expect(1, 40)
    assert node.free == 60
    node.unexpect(1)
    node.unexpect(1)
    assert node.free == 100
