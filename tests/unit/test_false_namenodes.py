"""Somebody else answers at the namenode's address: a datanode believes and writes down nothing."""

from typing import Any, Iterator, List, Tuple

import pytest

from data_service.datanode.duties import Duties
from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block
from data_service.protocol.nodes import DELETE, Command, Target
from tests.support.links.played_namenode import NameNode, duties_of
from zookeeper.fabric.errors import ProtocolViolation, StartRefused


@pytest.fixture(name="duties")
def _duties(
    store: BlockStore, namenode: NameNode, obeyed: List[Command]
) -> Iterator[Duties]:
    made = duties_of(namenode, store, lambda command, _holds: obeyed.append(command))
    yield made
    made.stop()


@pytest.mark.parametrize("epoch", [10**22, 1 << 62, -1, None, "7", True])
def test_what_cannot_be_an_epoch_is_never_written_down(
    store: BlockStore, namenode: NameNode, duties: Duties, epoch: Any
) -> None:
    """Else whoever answers at the namenode's address for a moment locks the true one out."""
    duties.attend()
    namenode.answers["heartbeat"] = lambda *args: (epoch, ())
    namenode.answers["register"] = lambda info: (1, epoch, "cluster-1")
    for session in (duties.session, 0):
        duties.session = session
        with pytest.raises(ProtocolViolation):
            duties.attend()
    assert store.volumes.epoch == 5
    del namenode.answers["heartbeat"], namenode.answers["register"]
    duties.attend()


def test_no_epoch_of_another_cluster_is_remembered(
    store: BlockStore, namenode: NameNode, duties: Duties
) -> None:
    duties.attend()
    namenode.answers["register"] = lambda info: (1, 9, "cluster-2")
    duties.session = 0
    with pytest.raises(StartRefused):
        duties.attend()
    assert store.volumes.epoch == 5


BLOCKS = ((7, 1, 100),)
TARGETS = (("id", "host", 1800),)

REGISTRATIONS: Tuple[Any, ...] = (
    None, (), (1, 5), ("1", 5, "c"), (-1, 5, "c"), (1 << 63, 5, "c"), (1, 10**22, "c"),
    (1, 1 << 62, "c"), (1, 0, "c"), (1, -5, "c"), (1, True, "c"), (1, 5.0, "c"), (1, "5", "c"),
    (1, 5, b"c"), (1, 5, ""), (1, 5, "c\n"), (1, 5, "c" * 256))

ORDERS: Tuple[Any, ...] = (
    None, (5,), (5, None), (10**22, ()), (1 << 62, ()), (None, ()), (True, ()),
    (5, (None,)), (5, ((DELETE, BLOCKS),)), (5, ((None, BLOCKS, TARGETS),)),
    (5, (("\x1b[31m", BLOCKS, TARGETS),)), (5, ((DELETE, None, ()),)), (5, ((DELETE, (7,), ()),)),
    (5, ((DELETE, ((-7, 1, 1),), ()),)), (5, ((DELETE, ((7, 1, 10**22),), ()),)),
    (5, ((DELETE, BLOCKS, (("id", 1, 1800),)),)), (5, ((DELETE, BLOCKS, (("id", "h", 70000),)),)),
    (5, ((DELETE, (), ()),) * 10_001))


def test_what_is_no_answer_to_a_registration_is_refused(
    store: BlockStore, namenode: NameNode, duties: Duties
) -> None:
    store.volumes.remember_epoch(5)
    for answer in REGISTRATIONS:
        namenode.answers["register"] = lambda info, answer=answer: answer
        with pytest.raises(ProtocolViolation):
            duties.attend()
    assert namenode.methods() == ["register"] * len(REGISTRATIONS)
    assert store.volumes.cluster_id == "" and store.volumes.epoch == 5


def test_what_are_no_commands_is_refused(
    store: BlockStore, namenode: NameNode, duties: Duties, obeyed: List[Command]
) -> None:
    duties.attend()
    for answer in ORDERS:
        namenode.answers["heartbeat"] = lambda *_, answer=answer: answer
        with pytest.raises(ProtocolViolation):
            duties.attend()
    assert obeyed == [] and store.volumes.epoch == 5


def test_commands_are_rebuilt_from_the_wire(
    namenode: NameNode, duties: Duties, obeyed: List[Command]
) -> None:
    namenode.answers["heartbeat"] = lambda *_: (6, ((DELETE, BLOCKS, TARGETS),))
    duties.attend()
    assert obeyed == [Command(DELETE, (Block(7, 1, 100),), (Target("id", "host", 1800),))]
    assert obeyed[0].blocks[0].name == "blk_7_1" and obeyed[0].targets[0].host == "host"
