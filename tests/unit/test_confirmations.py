"""A file is complete when its datanodes have confirmed as many replicas as there can be."""

from tests.support.models.block_side import STATS
from tests.support.models.namenode_core import Core, refusal
from zookeeper.fabric import errors


def test_complete_waits_for_every_replica() -> None:
    core = Core()
    file_id = core.create("/f")
    located = core.add(file_id, 0)
    block = located.block._replace(length=50)
    why = "File /f cannot be completed: blk_1_1 is confirmed by {} of 2 datanodes"
    assert refusal(errors.NotEnoughReplicas, lambda: core.complete(file_id, [block])) == (
        why.format(0)
    )
    core.nodes.receive(block, located.targets[:1])
    assert refusal(errors.NotEnoughReplicas, lambda: core.complete(file_id, [block])) == (
        why.format(1)
    )
    # The same datanode again is not a second replica, and another length is none at all.
    core.nodes.receive(block, located.targets[:1])
    core.nodes.receive(block._replace(length=49), located.targets[1:])
    refusal(errors.NotEnoughReplicas, lambda: core.complete(file_id, [block]))
    core.nodes.receive(block, located.targets[1:])
    assert core.complete(file_id, [block]).replicas == 2


def test_fewer_datanodes_than_replicas_are_said() -> None:
    core = Core(datanodes=1)
    file_id = core.create("/f", replication=3)
    blocks = core.write(file_id, 10)
    done = core.complete(file_id, blocks)
    assert (done.replicas, done.status.replication) == (1, 3)
    empty = core.create("/empty", replication=3)
    assert core.complete(empty, ()).replicas == 3


def test_a_block_that_left_out_a_living_datanode_is_copied_before_the_file_appears() -> None:
    """HDFS-16146, HDFS-16968: a pipeline shrank after failures, and the file was closed with fewer
    replicas although other datanodes lived."""
    core = Core()
    file_id = core.create("/f", replication=3)
    located = core.add(file_id, 0, excluded=["node-1"])
    block = located.block._replace(length=50)
    core.nodes.receive(block, located.targets)
    why = refusal(errors.NotEnoughReplicas, lambda: core.complete(file_id, [block]))
    assert why.endswith("is confirmed by 2 of 3 datanodes")
    core.state.blocks.monitor.tick(0.0, core.random)
    copies = core.nodes.copies()
    assert [(command.blocks, [target.node_id for target in command.targets])
            for command in copies] == [((block,), ["node-1"])]
    core.nodes.receive(block, copies[0].targets)
    assert core.complete(file_id, [block]).replicas == 3


def test_a_block_whose_target_died_before_it_told_is_copied_before_the_file_appears() -> None:
    core = Core()
    file_id = core.create("/f")
    located = core.add(file_id, 0)
    block = located.block._replace(length=50)
    core.nodes.receive(block, located.targets[:1])
    blocks = core.state.blocks
    refusal(errors.NotEnoughReplicas, lambda: core.complete(file_id, [block]))
    assert blocks.get(block.block_id) is None, "the other one may still tell of it"
    died = located.targets[1].node_id
    alive = {at: node_id for at, node_id in core.nodes.addresses.items() if node_id != died}
    for second in range(1, 64):
        blocks.monitor.zookeeper_view(alive, float(second))
        for node_id in alive.values():
            blocks.heartbeat(core.nodes.sessions[node_id], STATS, float(second), 0)
        blocks.monitor.tick(float(second), core.random)
    refusal(errors.NotEnoughReplicas, lambda: core.complete(file_id, [block]))
    blocks.monitor.tick(64.0, core.random)
    del core.nodes.sessions[died]
    (copy,) = core.nodes.copies()
    assert copy.blocks == (block,)
    core.nodes.receive(block, copy.targets)
    assert core.complete(file_id, [block]).replicas == 2


def test_a_datanode_without_room_is_not_waited_for() -> None:
    """Promise 1: fewer replicas when fewer datanodes can take them, and it is said."""
    core = Core()
    file_id = core.create("/f", replication=3)
    located = core.add(file_id, 0, excluded=["node-1"])
    block = located.block._replace(length=50)
    core.nodes.receive(block, located.targets)
    core.nodes.beat("node-1", remaining=49)
    assert core.complete(file_id, [block]).replicas == 2


def test_a_target_that_is_full_by_now_is_waited_for() -> None:
    core = Core()
    file_id = core.create("/f", replication=3)
    located = core.add(file_id, 0)
    block = located.block._replace(length=50)
    core.nodes.receive(block, located.targets[1:])
    core.nodes.beat(located.targets[0].node_id, remaining=0)
    refusal(errors.NotEnoughReplicas, lambda: core.complete(file_id, [block]))
    core.nodes.receive(block, located.targets[:1])
    assert core.complete(file_id, [block]).replicas == 3
