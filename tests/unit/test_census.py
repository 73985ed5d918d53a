"""The census: what `report` tells of the datanodes."""

from itertools import count

from data_service.namenode.replicas.blocks import Blocks
from data_service.protocol.health import LIVE
from tests.support.models.model_datanodes import CLUSTER_ID, POLICY, node_info, node_stats


def test_datanodes_are_sorted_by_address_and_tell_seconds() -> None:
    blocks = Blocks(CLUSTER_ID, POLICY, count(1))
    blocks.register(node_info("b", port=1802), 0.0)
    session = blocks.register(node_info("a", port=1801), 1.0)
    blocks.heartbeat(session, node_stats(remaining=5), 2.0, 0)
    first, second = blocks.census.datanodes(4.0)
    assert (first.node_id, first.last_contact_seconds, first.stats.remaining) == ("a", 2.0, 5)
    assert (second.node_id, second.last_contact_seconds, second.state) == ("b", 4.0, LIVE)
    assert "<Nodes 2 live, 0 stale, 0 dead>" in repr(blocks)
    assert blocks.census.live_nodes() == 2


def test_a_disk_that_is_not_served_any_more_stands_in_no_report() -> None:
    blocks = Blocks(CLUSTER_ID, POLICY, count(1))
    blocks.register(node_info("a", host="h"), 0.0)
    blocks.register(node_info("b", host="h"), 10.0)
    assert [row.node_id for row in blocks.census.datanodes(10.0)] == ["b"]
    blocks.register(node_info("a", host="h2"), 11.0)
    assert [row.node_id for row in blocks.census.datanodes(11.0)] == ["b", "a"]
