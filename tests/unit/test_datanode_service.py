"""The datanode's daemon: real ones in this process, spoken to over their port."""

import os
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import pytest

from data_service.datanode import service
from data_service.datanode.daemon import DataNode
from data_service.datanode.store.volume import Volume
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES, chunk_spans, crc32
from data_service.protocol.failures import broken_link
from data_service.protocol.nodes import DELETE, REPLICATE, TRASH, Command, Target
from tests.support.clusters.inner_cluster import USER, InnerCluster
from tests.support.disks.replicas import noise
from tests.support.disks.stores import chunks_of, get, put
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import (
    BlockMissing,
    Busy,
    CorruptData,
    DfsError,
    InvalidArgument,
    PipelineFailed,
    SettingsError,
    Unavailable,
)
from zookeeper.fabric.remote import Remote

DATA = noise(2 * CHUNK_BYTES + 777)
BLOCK = Block(7, 1, len(DATA))


@pytest.fixture(name="cluster")
def _cluster(tmp_path: Path) -> Iterator[InnerCluster]:
    with InnerCluster(tmp_path, 3, volumes=2, own={"max_streams": 3}) as started:
        yield started
        started.wait_clean()


@contextmanager
def connected(cluster: InnerCluster, number: int = 0) -> Iterator[Remote]:
    """A client's connection to a datanode."""
    network = cluster.settings.network
    remote = Remote.connect("data_node", cluster.data_nodes[number].address, USER, network)
    try:
        yield remote
    finally:
        remote.close()


def target(cluster: InnerCluster, number: int) -> Target:
    """A datanode as a peer."""
    return Target(cluster.node_id(number), *cluster.data_nodes[number].address)


def write(cluster: InnerCluster, *targets: Any, block: Block = BLOCK) -> tuple:
    """Write DATA as `block` through a pipeline that starts at the first datanode."""
    with connected(cluster) as remote:
        body = remote.call_with_body("write_block", *block, b"", targets, timeout=20.0)
        for data, checksum in chunks_of(DATA):
            body.send(data, checksum)
        return tuple(body.finish())


def read(
    cluster: InnerCluster, offset: int, length: int, number: int = 0
) -> List[Tuple[int, bytes]]:
    """(checksum, bytes) of all chunks of a range of BLOCK."""
    buffer = memoryview(bytearray(CHUNK_BYTES))
    with connected(cluster, number) as remote:
        body = remote.call_for_body("read_block", 7, 1, offset, length, b"", timeout=20.0)
        packets = []
        while True:
            packet = body.receive(buffer)
            if packet is None:
                return packets
            packets.append((packet[1], bytes(packet[0])))


def test_a_block_goes_down_the_pipeline(cluster: InnerCluster) -> None:
    holders = write(cluster, target(cluster, 1), target(cluster, 2))
    assert holders == tuple(cluster.node_id(number) for number in range(3))
    for number in range(3):
        assert get(cluster.data_nodes[number].store, BLOCK) == DATA
        # Who answered has told the namenode before.
        assert cluster.known(number).good == {7: BLOCK}


RANGES = (
    (0, 1), (0, len(DATA)), (CHUNK_BYTES - 1, 2), (CHUNK_BYTES, CHUNK_BYTES), (len(DATA) - 1, 1),
    (len(DATA) - 1, 1 << 62), (len(DATA), 1), (1 << 62, 1 << 62), (5, 0), (0, 0))


def test_a_range_is_read_as_whole_chunks(cluster: InnerCluster) -> None:
    write(cluster)
    for offset, length in RANGES:
        expected = [(crc32(DATA[start : start + size]), DATA[start : start + size])
                    for start, size in chunk_spans(offset, length, len(DATA))]
        assert read(cluster, offset, length) == expected, (offset, length)


BAD_READS: Tuple[tuple, ...] = (
    (7, 1, -1, 5, b""), (7, 1, 0, -5, b""), (7, 1, 0, 1 << 63, b""), (7, 1, 0, "5", b""),
    (7, True, 0, 5, b""), (7, 1, 0, 5, ""), (7, 1, 0, 5))

BAD_WRITES: Tuple[tuple, ...] = (
    (-7, 1, 10, b"", ()), (7, 1, 1 << 63, b"", ()), (7, 1, 10, None, ()), (7, 1, 10, b"", None),
    (7, 1, 10, b"", (("id", "host", 70000),)), (7, 1, 10, b"", ("abc",)), (7, 1, 10, b""))


def test_bad_arguments_are_refused(cluster: InnerCluster) -> None:
    write(cluster)
    for arguments in BAD_READS:
        with connected(cluster) as remote, pytest.raises(InvalidArgument):
            incoming = remote.call_for_body("read_block", *arguments, timeout=20.0)
            incoming.receive(memoryview(bytearray(CHUNK_BYTES)))
    for arguments in BAD_WRITES:
        with connected(cluster) as remote, pytest.raises(InvalidArgument):
            outgoing = remote.call_with_body("write_block", *arguments, timeout=20.0)
            outgoing.send(memoryview(b"x"), crc32(b"x"))
            outgoing.finish()
    for arguments in ((7, 1, -1, b""), (7, 1, "5", b""), (True, 1, 5, b""), (7, 1, 5, ""), (7, 1)):
        with connected(cluster) as remote, pytest.raises(InvalidArgument):
            remote.call("block_checksum", *arguments, timeout=20.0)
    assert cluster.data_nodes[0].store.replicas.inventory()[:2] == ((BLOCK,), ())


def test_there_is_no_way_to_delete(cluster: InnerCluster) -> None:
    for method in ("remove", "delete", "finish", "stop", "store", "_store"):
        with connected(cluster) as remote, pytest.raises(InvalidArgument, match="no such method"):
            remote.call(method, timeout=20.0)


def test_unknown_and_damaged_replicas_are_refused(cluster: InnerCluster) -> None:
    with pytest.raises(BlockMissing):
        read(cluster, 0, 1)
    write(cluster)
    os.truncate(cluster.path(0, BLOCK), 100)
    with pytest.raises(CorruptData):
        read(cluster, 0, 1)
    assert cluster.known(0).corrupt == {7: BLOCK} and cluster.known(0).good == {}


def test_a_replica_that_ends_too_early_while_it_is_sent_is_found(
    cluster: InnerCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sendfile cannot tell a broken disk from a reader that left: the chunk is looked at again."""
    write(cluster)
    store, path = cluster.data_nodes[0].store, cluster.path(0, BLOCK)
    open_replica = store.read

    def truncate_then(*arguments: int) -> Any:
        replica = open_replica(*arguments)
        os.truncate(path, CHUNK_BYTES + 5)
        return replica

    monkeypatch.setattr(store, "read", truncate_then)
    with pytest.raises(DfsError):
        read(cluster, 0, len(DATA))
    wait_until(lambda: cluster.known(0).corrupt == {7: BLOCK})


def test_a_reader_that_leaves_accuses_nobody(cluster: InnerCluster) -> None:
    write(cluster)
    for _ in range(3):
        with connected(cluster) as remote:
            body = remote.call_for_body("read_block", 7, 1, 0, len(DATA), b"", timeout=20.0)
            body.receive(memoryview(bytearray(CHUNK_BYTES)))
    assert len(read(cluster, 0, len(DATA))) == 3
    assert cluster.known(0).corrupt == {}


def test_a_dead_next_datanode_is_named(cluster: InnerCluster) -> None:
    cluster.data_nodes[1].stop()
    with pytest.raises(PipelineFailed) as caught:
        write(cluster, target(cluster, 1), target(cluster, 2))
    assert broken_link(caught.value) == (cluster.node_id(0), cluster.node_id(1))
    assert cluster.data_nodes[0].store.replicas.inventory()[:2] == ((), ())


def test_a_full_disk_further_down_is_named(cluster: InnerCluster) -> None:
    for volume in cluster.data_nodes[2].store.volumes.working:
        volume.space.reserved_bytes = 1 << 60
    with pytest.raises(PipelineFailed, match="do not fit") as caught:
        write(cluster, target(cluster, 1), target(cluster, 2))
    assert broken_link(caught.value) == (cluster.node_id(1), cluster.node_id(2))


def test_too_many_transfers_wait_their_turn_and_are_refused_in_time(
    cluster: InnerCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(cluster)
    monkeypatch.setattr(service, "READERS_PATIENCE", 0.001)
    slots, results = cluster.data_nodes[0].slots, []
    with ExitStack() as places:
        for _ in range(3):
            places.enter_context(slots.hold(0.0))
        wait_until(lambda: cluster.known(0).stats[4] == 3)
        with pytest.raises(Busy):
            read(cluster, 0, 1)
        monkeypatch.setattr(service, "READERS_PATIENCE", 0.9)
        waiting = threading.Thread(target=lambda: results.append(read(cluster, 0, 1)))
        waiting.start()
        wait_until(lambda: "1 wait" in repr(slots))
    waiting.join(60)
    assert len(results[0]) == 1


def test_commands_are_obeyed_and_told(cluster: InnerCluster) -> None:
    other = BLOCK._replace(block_id=8)
    write(cluster)
    write(cluster, block=other)
    cluster.namenode.command(cluster.node_id(0), REPLICATE, BLOCK, target(cluster, 1))
    wait_until(lambda: cluster.known(1).good == {7: BLOCK})
    cluster.namenode.command(cluster.node_id(0), DELETE, BLOCK)
    cluster.namenode.command(cluster.node_id(0), TRASH, other)
    wait_until(lambda: cluster.known(0).deleted == {7, 8})
    assert cluster.data_nodes[0].store.replicas.inventory()[:2] == ((), ())
    assert get(cluster.data_nodes[1].store, BLOCK) == DATA


def test_orders_of_a_session_that_ended_are_dropped(
    cluster: InnerCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HDFS-1972: a slow disk was still removing what a namenode had ordered before the datanode
    registered again; by then the namenode counted on those replicas, and removed the others."""
    entered, gate = threading.Semaphore(0), threading.Event()
    remove = Volume.remove

    def slow_remove(volume: Volume, block: Block) -> None:
        entered.release()
        assert gate.wait(60)
        remove(volume, block)

    monkeypatch.setattr(Volume, "remove", slow_remove)
    blocks = [BLOCK._replace(block_id=block_id) for block_id in (7, 8, 9)]
    for block in blocks:
        write(cluster, block=block)
    first = cluster.known(0)
    with cluster.namenode.lock:
        first.commands.append(Command(DELETE, tuple(blocks), ()))
        cluster.namenode.changed.notify_all()
    assert entered.acquire(timeout=60)
    cluster.namenode.forget()
    kept = {block.block_id: block for block in blocks[1:]}
    wait_until(lambda: cluster.node_id(0) in cluster.namenode.nodes and cluster.known(0).reports)
    assert cluster.known(0).good == kept, "the list of the new session has what will stay"
    gate.set()
    wait_until(lambda: cluster.known(0).deleted == {7}, what="the end of the old order")
    assert set(cluster.data_nodes[0].store.replicas.inventory().good) == set(kept.values())


def test_a_malformed_or_impossible_copy_is_survived(cluster: InnerCluster) -> None:
    cluster.namenode.command(cluster.node_id(0), REPLICATE, BLOCK)
    cluster.namenode.command(cluster.node_id(0), REPLICATE, BLOCK, target(cluster, 1))
    told = (cluster.known(0).session, BLOCK.block_id, ())
    wait_until(lambda: cluster.namenode.called("copy_failed") == [told])
    write(cluster)
    cluster.namenode.command(cluster.node_id(0), REPLICATE, BLOCK, target(cluster, 2))
    wait_until(lambda: cluster.known(2).good == {7: BLOCK})


def test_a_volume_that_fails_costs_its_replicas_and_is_told_at_once(cluster: InnerCluster) -> None:
    store = cluster.data_nodes[0].store
    write(cluster)
    reports = cluster.known(0).reports
    victim = [volume for volume in store.volumes.working if any(volume.scan())]
    victim[0].fail("pulled out")
    wait_until(lambda: cluster.known(0).reports > reports)
    assert cluster.known(0).good == {}
    wait_until(lambda: cluster.known(0).stats[5] == 1)
    with pytest.raises(BlockMissing):
        read(cluster, 0, 1)
    assert write(cluster) == (cluster.node_id(0),)
    store.volumes.working[0].fail("pulled out, too")
    wait_until(lambda: cluster.known(0).stats[:4] == (0, 0, 0, 0))
    with pytest.raises(DfsError):
        write(cluster)


def test_everything_is_there_after_a_restart(cluster: InnerCluster) -> None:
    write(cluster)
    node_id = cluster.node_id(0)
    cluster.restart(0)
    assert cluster.node_id(0) == node_id and cluster.known(0).good == {7: BLOCK}
    assert len(read(cluster, 0, len(DATA))) == 3
    assert cluster.data_nodes[0].ready.startswith(f"{cluster.data_nodes[0].address} blocks=1 ")


def test_a_namenode_that_forgot_everything_is_told_again(cluster: InnerCluster) -> None:
    write(cluster)
    cluster.namenode.forget()
    wait_until(lambda: len(cluster.namenode.nodes) == 3 and cluster.known(0).good == {7: BLOCK})


def test_replicas_that_came_while_the_namenode_was_away_are_told_later(
    cluster: InnerCluster
) -> None:
    cluster.namenode.errors["block_changes"] = [Unavailable("away")] * 3
    assert write(cluster) == (cluster.node_id(0),)
    wait_until(lambda: cluster.known(0).good == {7: BLOCK})


def test_damage_that_nobody_reads_is_told(cluster: InnerCluster) -> None:
    store = cluster.data_nodes[0].store
    block = put(store, 9, DATA)
    store.mark_corrupt(block, "found by a test")
    wait_until(lambda: cluster.known(0).corrupt == {9: block})


def test_an_index_that_nobody_has_is_refused(cluster: InnerCluster) -> None:
    for index in (-1, 3):
        with pytest.raises(SettingsError, match="data_node_hosts"):
            DataNode(cluster.settings, index)
