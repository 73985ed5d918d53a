"""The digest of a block tells a replica of it from whatever else a datanode may hold or claim."""

import struct
from random import Random
from typing import List, Tuple

import pytest

from data_service.protocol.blocks import (
    DIGEST_BYTES,
    Block,
    SealedBlock,
    pack_blocks,
    unpack_sealed,
)
from data_service.protocol.checksums import block_digest
from data_service.protocol.nodes import DELETE, REPLICATE, TRASH, VERIFY
from data_service.protocol.redundancy import replicated
from tests.support.models.block_side import sealed
from tests.support.models.model_datanodes import POLICY, ModelCluster
from tests.support.models.namenode_core import Core, refusal
from zookeeper.fabric import errors

TRUE, FALSE = b"\1" * DIGEST_BYTES, b"\2" * DIGEST_BYTES
BLOCK = Block(7, 1, 100)
SEALED = SealedBlock(*BLOCK, TRUE)
FORGED = SealedBlock(*BLOCK, FALSE)


def cluster(names: str = "abc", replicas: int = 2, strict: bool = True) -> ModelCluster:
    """Datanodes that have reported, and a block that nobody has yet."""
    world = ModelCluster(
        tuple(names), Random(0), POLICY._replace(digests_needed=strict)
    ).start_all()
    world.blocks.track(BLOCK, 1, replicated(replicas), 0, TRUE)
    return world


def tell(world: ModelCluster, name: str, *received: object, verified: Tuple = ()) -> None:
    """What a datanode says that it has received, or read."""
    session = world.nodes[name].session
    world.blocks.block_changes(session, received, (), (), world.now, verified)
    world.blocks.check()


def report(world: ModelCluster, name: str, *held: object) -> None:
    """A full report."""
    node = world.nodes[name]
    node.report_id += 1000
    while not world.blocks.block_report(
        node.session, node.report_id, 0, 1, held, world.now  # type: ignore[arg-type]
    ):
        pass
    world.blocks.check()


def health(world: ModelCluster) -> Tuple[int, int]:
    """How many good replicas the block has, and how many that are none."""
    found = world.census.health(BLOCK.block_id)
    return found.live, found.corrupt


def orders(world: ModelCluster, name: str) -> List[str]:
    """What a datanode is told to do, as far as it is about the block."""
    world.blocks.monitor.tick(world.now, world.random)
    session = world.nodes[name].session
    commands = world.blocks.take_commands(session, world.now, world.durable_txid)
    return [command.action for command in commands if BLOCK in command.blocks]


def test_a_digest_is_of_the_length_and_of_every_checksum_in_its_place() -> None:
    assert len(block_digest(5, [1])) == DIGEST_BYTES
    digests = {block_digest(*told) for told in
               [(5, (1,)), (6, (1,)), (5, (2,)), (5, (1, 2)), (5, (2, 1)), (0, ())]}
    assert len(digests) == 6


def test_a_report_has_the_digests_beside_the_blocks() -> None:
    blocks = [Block(number, 1, 10) for number in range(3)]
    data, digests = pack_blocks(blocks), TRUE + FALSE + TRUE
    assert list(unpack_sealed(data, digests)) == [
        SealedBlock(*block, digest) for block, digest in zip(blocks, (TRUE, FALSE, TRUE))
    ]
    # One who tells none, or not as many, has told none.
    for other in (b"", digests[:-1], digests + TRUE):
        assert list(unpack_sealed(data, other)) == [SealedBlock(*block) for block in blocks]
    with pytest.raises(struct.error):
        list(unpack_sealed(data[:-1], b""))


# Replicas that count, and others.


def test_only_a_replica_with_the_writers_digest_counts() -> None:
    world = cluster()
    tell(world, "a", SEALED)
    tell(world, "b", FORGED)
    tell(world, "c", BLOCK)
    assert health(world) == (1, 2)


def test_in_mode_simple_an_older_release_may_tell_no_digest() -> None:
    world = cluster(strict=False)
    tell(world, "a", BLOCK)
    tell(world, "b", FORGED)
    assert health(world) == (1, 1)


def test_a_block_of_an_older_release_has_no_digest() -> None:
    world = cluster()
    world.blocks.track(Block(8, 1, 10), 1, replicated(1))
    tell(world, "a", Block(8, 1, 10))
    tell(world, "b", SealedBlock(8, 1, 10, TRUE))
    assert world.census.health(8).live == 2


def test_who_claims_every_block_in_a_full_report_has_none() -> None:
    """Case who_g: two datanodes that reported all blocks had all true replicas removed."""
    world = cluster("abcd")
    tell(world, "a", SEALED)
    tell(world, "b", SEALED)
    report(world, "c", FORGED)
    report(world, "d", BLOCK)
    assert health(world) == (2, 2)
    for name in "ab":
        assert orders(world, name) == []
    for name in "cd":
        assert orders(world, name) == [TRASH]


def test_a_false_replica_stays_false_until_its_datanode_tells_the_right_digest() -> None:
    world = cluster(strict=False)
    tell(world, "a", FORGED)
    tell(world, "a", BLOCK)
    assert health(world) == (0, 1), "nothing new was told"
    tell(world, "a", SEALED)
    assert health(world) == (1, 0)


def test_a_replica_that_counted_counts_no_more_when_its_content_is_another() -> None:
    world = cluster()
    tell(world, "a", SEALED)
    report(world, "a", FORGED)
    assert health(world) == (0, 1)


def test_what_was_told_before_the_block_was_known_is_judged_then() -> None:
    world = cluster()
    for name, digest in (("a", TRUE), ("b", FALSE)):
        tell(world, name, SealedBlock(9, 1, 5, digest))
    world.blocks.track(Block(9, 1, 5), 1, replicated(2), 0, TRUE)
    found = world.census.health(9)
    assert (found.live, found.corrupt) == (1, 1)


def test_a_copy_that_comes_otherwise_is_none_and_its_source_has_failed() -> None:
    world = cluster("abc", replicas=2)
    tell(world, "a", SEALED)
    assert orders(world, "a") == [REPLICATE]
    (target,) = [name for name in "bc" if BLOCK.block_id in world.blocks._nodes.get(name).expected]
    tell(world, target, FORGED)
    assert health(world) == (1, 1) and world.census.counts().pending_replication == 0
    assert orders(world, "a") == [], "the next attempt comes after a pause"


# What is a reason to remove a replica.


def surplus() -> ModelCluster:
    """A block that one datanode too many has."""
    world = cluster("abc", replicas=2)
    for name in "abc":
        tell(world, name, SEALED)
    return world


def asked(world: ModelCluster) -> List[str]:
    """The datanodes that are to read their replicas."""
    return [name for name in "abc" if VERIFY in orders(world, name)]


def test_a_surplus_replica_goes_when_those_that_stay_were_read() -> None:
    world = surplus()
    stay = asked(world)
    assert len(stay) == 2
    for name in stay:
        tell(world, name, verified=(SEALED,))
    (victim,) = [name for name in "abc" if name not in stay]
    assert orders(world, victim) == [DELETE]


@pytest.mark.parametrize("told, good", [(BLOCK, 2), (FORGED, 2)])
def test_who_does_not_tell_what_he_has_read_is_no_reason(told: object, good: int) -> None:
    world = surplus()
    stay = asked(world)
    tell(world, stay[0], verified=(SEALED,))
    tell(world, stay[1], verified=(told,))
    assert health(world) == (good, 1)
    (victim,) = [name for name in "abc" if name not in stay]
    assert orders(world, victim) == []


def test_in_mode_simple_who_tells_no_digest_is_none_either() -> None:
    world = cluster("abc", strict=False)
    for name in "abc":
        tell(world, name, BLOCK)
    for name in asked(world):
        tell(world, name, verified=(BLOCK,))
    assert health(world) == (3, 0)
    assert all(DELETE not in orders(world, name) for name in "abc")


# Files that are being written.


def test_a_file_that_was_changed_on_its_way_does_not_appear() -> None:
    core = Core()
    file_id = core.create("/f")
    located = core.add(file_id, 0)
    block = located.block._replace(length=50)
    for target in located.targets:
        session = core.nodes.sessions[target.node_id]
        core.state.blocks.block_changes(session, [SealedBlock(*block, FALSE)], [], [], 0.0)
    why = refusal(errors.CorruptData, lambda: core.complete(file_id, [block]))
    assert "2 datanodes hold something else as blk_1_1 than its writer sent" in why
    assert not core.state.image.root.children


def test_a_replica_that_was_changed_is_made_up_for_before_the_file_appears() -> None:
    core = Core()
    file_id = core.create("/f")
    located = core.add(file_id, 0)
    block = located.block._replace(length=50)
    core.nodes.receive(block, located.targets[:1])
    session = core.nodes.sessions[located.targets[1].node_id]
    core.state.blocks.block_changes(session, [SealedBlock(*block, FALSE)], [], [], 0.0)
    refusal(errors.NotEnoughReplicas, lambda: core.complete(file_id, [block]))
    core.state.blocks.monitor.tick(0.0, core.random)
    (copy,) = core.nodes.copies()
    assert copy.blocks == (block,) and copy.targets[0] not in located.targets
    core.nodes.receive(block, copy.targets)
    assert core.complete(file_id, [block]).replicas == 2
    assert core.state.blocks.digest(block.block_id) == sealed(block).digest


def test_digests_outlive_the_namenode_and_end_with_their_blocks() -> None:
    core = Core()
    core.put("/f", 10, 20)
    core.put("/g", 30)
    core.concat("/f", "/g")
    numbers = [number for number, _, _ in core.blocks("/f")]
    before = [core.state.blocks.digest(number) for number in numbers]
    core.restart()
    assert [core.state.blocks.digest(number) for number in numbers] == before
    assert len(set(before)) == 3 and b"" not in before
    core.delete("/f")
    core.sweep()
    assert not core.metadata.tables["digests"]
