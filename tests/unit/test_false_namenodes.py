"""Somebody else answers at the namenode's address: a datanode believes and writes down nothing."""

from pathlib import Path
from typing import Any, Iterator

import pytest

from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.actor import NameNodeActor
from tests.support.links.played_namenode import NameNode
from tests.support.disks.stores import opened
from zookeeper.fabric.errors import ProtocolViolation, StartRefused
from zookeeper.fabric.settings import Address, DataNodeSettings


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[BlockStore]:
    made = opened(tmp_path)
    yield made
    made.close()


@pytest.fixture(name="namenode")
def _namenode() -> NameNode:
    return NameNode()


@pytest.fixture(name="actor")
def _actor(store: BlockStore, namenode: NameNode) -> Iterator[NameNodeActor]:
    settings = DataNodeSettings(heartbeat_seconds=0.01)
    made = NameNodeActor(
        Address("127.0.0.1", 1801), settings, store, namenode,  # type: ignore[arg-type]
        lambda command, _holds: None, lambda: 0)
    yield made
    made.stop()


@pytest.mark.parametrize("epoch", [10**22, 1 << 62, -1, None, "7", True])
def test_what_cannot_be_an_epoch_is_never_written_down(
    store: BlockStore, namenode: NameNode, actor: NameNodeActor, epoch: Any
) -> None:
    """Else whoever answers at the namenode's address for a moment locks the true one out."""
    actor.attend()
    namenode.answers["heartbeat"] = lambda *args: (epoch, ())
    namenode.answers["register"] = lambda info: (1, epoch, "cluster-1")
    for session in (actor._session, 0):
        actor._session = session
        with pytest.raises(ProtocolViolation):
            actor.attend()
    assert store.volumes.epoch == 5
    del namenode.answers["heartbeat"], namenode.answers["register"]
    actor.attend()


def test_no_epoch_of_another_cluster_is_remembered(
    store: BlockStore, namenode: NameNode, actor: NameNodeActor
) -> None:
    actor.attend()
    namenode.answers["register"] = lambda info: (1, 9, "cluster-2")
    actor._session = 0
    with pytest.raises(StartRefused):
        actor.attend()
    assert store.volumes.epoch == 5
