"""Placement: distinct nodes with room, the writer's host first, racks as in HDFS, then chance."""

from collections import Counter
from random import Random
from typing import List

import pytest

from data_service.namenode.replicas.node import Node
from data_service.namenode.replicas.placement import choose_surplus, choose_targets, refusal
from tests.support.models.model_datanodes import node_info, node_stats

SIZE = 100


def node(index: int, rack: str = "/r", host: str = "", remaining: int = 10_000,
         streams: int = 0) -> Node:
    """A datanode that may take replicas."""
    made = Node(index, node_info(f"n{index}", host=host, rack=rack), 0.0)
    made.stats = node_stats(remaining, streams)
    made.reported = True
    return made


def choose(nodes: List[Node], count: int, seed: int = 0, writer: str = "", holders: tuple = (),
           size: int = SIZE) -> List[Node]:
    """Targets for a writer, or for a copy beside `holders`."""
    return choose_targets(nodes, count, holders, writer, size, Random(seed))


@pytest.mark.parametrize("seed", range(30))
def test_targets_are_distinct_tahoe_happiness(seed: int) -> None:
    nodes = [node(index, rack=f"/r{index % 3}") for index in range(6)]
    chosen = choose(nodes, 4, seed)
    assert len(set(chosen)) == 4
    assert len(choose(nodes, 9, seed)) == 6, "no more than there are"


@pytest.mark.parametrize("seed", range(20))
def test_the_first_is_on_the_writers_host(seed: int) -> None:
    nodes = [node(0, host="x"), node(1, host="here"), node(2, host="here"), node(3, host="y")]
    assert choose(nodes, 3, seed, writer="here")[0].info.host == "here"
    assert len({target.info.host for target in choose(nodes, 3, seed, writer="here")}) == 3


@pytest.mark.parametrize("seed", range(20))
def test_three_replicas_are_on_two_racks_as_in_hdfs(seed: int) -> None:
    nodes = [node(index, rack=f"/r{index // 3}") for index in range(9)]
    first, second, third = [target.info.rack for target in choose(nodes, 3, seed, writer="n4")]
    assert first == "/r1" and second != first and third == second


@pytest.mark.parametrize("seed", range(20))
def test_no_rack_gets_more_than_its_share(seed: int) -> None:
    nodes = [node(index, rack=f"/r{index % 2}") for index in range(12)]
    racks = Counter(target.info.rack for target in choose(nodes, 8, seed))
    assert max(racks.values()) <= (8 - 1) // 2 + 2


@pytest.mark.parametrize("seed", range(10))
def test_a_copy_goes_to_another_rack_when_all_holders_share_one(seed: int) -> None:
    nodes = [node(index, rack="/r0") for index in range(5)] + [node(5, rack="/r1")]
    assert choose(nodes, 1, seed, holders=(nodes[0], nodes[1])) == [nodes[5]]


def test_wishes_give_way_but_room_does_not() -> None:
    nodes = [node(0, rack="/a"), node(1, rack="/a"), node(2, rack="/b", remaining=SIZE - 1)]
    assert set(choose(nodes, 3)) == set(nodes[:2])
    nodes[1].expect(7, 10_000 - SIZE + 1)
    assert choose(nodes, 1) == [nodes[0]], "what is on its way counts as used"
    assert set(choose(nodes, 3)) == set(nodes[:2]), "while there is other room"
    nodes[1].unexpect(7)
    assert set(choose(nodes, 3)) == set(nodes[:2])


def test_holders_are_never_chosen() -> None:
    nodes = [node(index) for index in range(3)]
    assert choose(nodes, 3, holders=(nodes[1],)) in ([nodes[0], nodes[2]], [nodes[2], nodes[0]])
    assert choose(nodes, 1, holders=tuple(nodes)) == []


def test_free_space_attracts_and_load_repels() -> None:
    empty, full, busy = node(0), node(1, remaining=1_000), node(2, streams=19)
    random = Random(1)
    drawn = Counter(choose_targets([empty, full, busy], 1, (), "", SIZE, random)[0].index
                    for _ in range(2_000))
    assert drawn[0] > 5 * drawn[1] > 0 and drawn[0] > 8 * drawn[2] > 0


def test_the_same_seed_gives_the_same_choice() -> None:
    nodes = [node(index) for index in range(8)]
    assert choose(nodes, 3, 5) == choose(nodes, 3, 5)
    assert len({tuple(choose(nodes, 3, seed)) for seed in range(20)}) > 5


def test_surplus_goes_from_a_crowded_rack_then_the_fullest_node() -> None:
    lone = node(0, rack="/b", remaining=1)
    wide, tight = node(1, remaining=900), node(2, remaining=800)
    assert choose_surplus([lone, wide, tight], [lone, wide, tight], 2, 1) is tight
    assert choose_surplus([lone], [lone, wide, tight], 2, 1) is lone


def test_what_came_unasked_goes_first_unless_only_it_is_on_another_rack() -> None:
    """It may be a lie, of a node that tells of room and racks what it likes."""
    true = [node(index, rack="/a", remaining=1) for index in range(2)]
    other, false = node(2, rack="/b", remaining=1), node(3, rack="/x", remaining=9999)
    false.unasked.add(7)
    for others, wanted, victim in (
        ([*true, other], 3, false), ([true[0], other], 2, false), ([true[0]], 1, false),
        (true, 2, true[0]),
    ):  # fmt: skip
        holders = [*others, false]
        assert choose_surplus(holders, holders, wanted, 7) is victim
        assert choose_surplus(holders, holders, wanted, 8) is not false


def test_the_refusal_is_hdfs_sentence() -> None:
    sentence = (
        "File /x._COPYING_ could only be written to 0 of the 1 minReplication nodes. There are 0 "
        "datanode(s) running and 0 node(s) are excluded in this operation.")
    assert refusal("/x._COPYING_", 0, frozenset(), 0, 5).message == sentence


def test_the_refusal_tells_of_full_datanodes() -> None:
    message = refusal("/x", 3, {"a"}, 2, 100).message
    assert message.endswith("in this operation. 2 of them have no room for 100 bytes.")


def test_promised_room_is_left_to_others_only_as_long_as_there_is_other_room() -> None:
    """A promise costs nothing: who gathers them must not keep everybody else from writing."""
    nodes = [node(number, remaining=1000) for number in range(3)]
    for full in nodes[:2]:
        full.expect(7, 990)
    for seed in range(20):
        chosen = choose_targets(nodes, 1, (), "", 100, Random(seed))
        assert chosen == [nodes[2]]
    assert len(choose_targets(nodes, 2, (), "", 100, Random(1))) == 2
    assert choose_targets(nodes, 2, (), "", 1001, Random(1)) == []
