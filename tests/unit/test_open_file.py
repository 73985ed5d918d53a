"""A file on its way into the cluster: pipelines that fail, suspects, a namenode that forgets."""

import threading
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

import pytest

from data_service.datanode import service
from data_service.datanode.access import Permit
from data_service.filesystem.writing import open_file as open_file_module
from data_service.filesystem.writing.block_attempt import BlockAttempt
from data_service.filesystem.writing.lease_keeper import LeaseKeeper
from data_service.filesystem.namenode_client import NameNodeClient
from data_service.filesystem.writing.suspects import Suspects
from data_service.filesystem.writing.open_file import Chunk, WriteOptions, OpenFile
from data_service.protocol.blocks import Block
from data_service.protocol.failures import pipeline_failure
from data_service.stubs.datanode_client import DataNodeClient
from tests.support.clusters.inner_cluster import USER, InnerCluster
from tests.support.models.plain_namenode import BLOCK_SIZE
from tests.support.disks.replicas import noise
from tests.support.disks.stores import chunks_of, get
from zookeeper.fabric.errors import (
    DfsError,
    DiskFull,
    LeaseExpired,
    LocalFileError,
    NotEnoughReplicas,
    PathExists,
    TokenExpired,
    Unavailable,
)

DATA = noise(BLOCK_SIZE, 9)


class Client:
    """What an OpenFile needs, on a cluster."""

    def __init__(self, cluster: InnerCluster) -> None:
        self.cluster = cluster
        self.namenode = NameNodeClient(cluster.settings, USER)
        self.leases = LeaseKeeper(self.namenode, 60.0)
        self.datanodes = DataNodeClient(USER, cluster.settings.network)
        self.sources = 0

    def create(self, replication: int = 3, path: str = "/f") -> OpenFile:
        """Open a file for writing."""
        options = WriteOptions(False, replication, 0, 0o644)
        opened = self.namenode.calls.create(path, *options)
        return OpenFile(self.namenode, self.leases, path, opened, options, self.datanodes)

    def source(self) -> Iterator[Chunk]:
        """DATA from its start; counts how often it is asked for."""
        self.sources += 1
        return chunks_of(DATA)

    def excluded(self) -> List[List[int]]:
        """The numbers of the datanodes that each add_block excluded."""
        ids = [self.cluster.node_id(number) for number in range(len(self.cluster.data_nodes))]
        return [sorted(map(ids.index, args[3]))
                for args in self.cluster.namenode.called("add_block")]

    def holders(self, block: Block) -> List[int]:
        """The numbers of the datanodes that have exactly this replica."""
        return [number for number, data_node in enumerate(self.cluster.data_nodes)
                if block in data_node.store.replicas.inventory().good]


@pytest.fixture(name="client")
def _client(tmp_path: Path) -> Iterator[Client]:
    with InnerCluster(tmp_path, 3, handshake_timeout_seconds=2.0) as cluster:
        client = Client(cluster)
        yield client
        client.leases.close()
        client.namenode.close()
        client.datanodes.close()
        cluster.wait_clean()


def finished(client: Client, file: OpenFile) -> Tuple[Block, List[int]]:
    """Complete the file of one block: the block, and who holds it."""
    assert file.complete().status.length == len(DATA)
    (block,) = client.cluster.blocks("/f")
    for number in client.holders(block):
        assert get(client.cluster.data_nodes[number].store, block) == DATA
    return block, client.holders(block)


def test_a_block_goes_to_all_and_the_file_appears(client: Client) -> None:
    file = client.create()
    file.write_block(0, len(DATA), client.source)
    assert client.cluster.namenode.files == {}
    assert finished(client, file)[1] == [0, 1, 2]
    assert repr(client.leases) == "<LeaseKeeper of 0 files>"


def sent_along(client: Client, file: OpenFile) -> BlockAttempt:
    """A block that was begun before its bytes were there, and has all of them."""
    attempt = file.begin_block(0)
    for chunk in client.source():
        attempt.send(*chunk)
    return attempt


def test_a_block_may_begin_before_its_bytes_are_there(client: Client) -> None:
    file = client.create()
    attempt = sent_along(client, file)
    file.end_block(attempt)
    attempt.close()
    assert finished(client, file)[1] == [0, 1, 2]


@pytest.mark.parametrize("error, excluded", [
    (None, []), (DiskFull("it wanted too much"), []), (Unavailable("lost"), [0])])
def test_a_block_that_was_begun_can_be_abandoned_and_written_whole(
    client: Client, error: Optional[DfsError], excluded: List[int]
) -> None:
    file = client.create()
    attempt = sent_along(client, file)
    attempt.close()
    file.abandon_attempt(attempt, error)
    file.write_block(0, len(DATA), client.source)
    assert client.excluded() == [[], excluded]
    assert finished(client, file)[1] == [number for number in (0, 1, 2) if number not in excluded]


def test_a_block_that_cannot_begin_has_a_suspect(client: Client) -> None:
    client.cluster.data_nodes[0].stop()
    file = client.create()
    with pytest.raises(Unavailable):
        file.begin_block(0)
    file.write_block(0, len(DATA), client.source)
    assert client.excluded() == [[], [0]] and finished(client, file)[1] == [1, 2]


def test_nothing_more_is_sent_of_a_file_that_was_given_up(client: Client) -> None:
    file = client.create()
    attempt = file.begin_block(0)
    file.abandon()
    with pytest.raises(LeaseExpired, match="/f was given up"):
        attempt.send(*next(client.source()))
    attempt.close()


def test_blocks_may_be_written_in_any_order_by_several_threads(client: Client) -> None:
    file = client.create(1)
    threads = [threading.Thread(target=file.write_block, args=(position, len(DATA), client.source))
               for position in (2, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.complete().status.length == 3 * len(DATA)


def test_a_dead_first_datanode_is_left_out(client: Client) -> None:
    client.cluster.data_nodes[0].stop()
    file = client.create()
    file.write_block(0, len(DATA), client.source)
    assert client.excluded() == [[], [0]]
    assert len(client.cluster.namenode.called("abandon_block")) == 1
    assert finished(client, file)[1] == [1, 2]


class TooOld:
    """Finds so many tokens too old, and lets everybody in then."""

    def __init__(self, times: int) -> None:
        self._left = times

    def check_write(self, *_: object) -> Permit:
        """As Access."""
        self._left -= 1
        if self._left >= 0:
            raise TokenExpired("too old")
        return Permit("")


@pytest.mark.parametrize("times, excluded, holders", [
    (1, [[], []], [0, 1, 2]), (99, [[], [], [0]], [1, 2])
])
def test_an_expired_token_is_replaced_and_who_never_has_enough_is_left_out(
    client: Client, times: int, excluded: List[List[int]], holders: List[int]
) -> None:
    client.cluster.data_nodes[0]._access = TooOld(times)  # type: ignore[assignment]
    file = client.create()
    file.write_block(0, len(DATA), client.source)
    assert client.excluded() == excluded
    assert finished(client, file)[1] == holders


def test_a_dead_datanode_further_down_is_left_out(client: Client) -> None:
    client.cluster.data_nodes[2].stop()
    file = client.create()
    file.write_block(0, len(DATA), client.source)
    assert client.excluded() == [[], [2]] and finished(client, file)[1] == [0, 1]


def test_two_dead_datanodes_do_not_condemn_the_third(client: Client) -> None:
    """The living one accused both; it was right, and is found so in the end."""
    for number in (1, 2):
        client.cluster.data_nodes[number].stop()
    file = client.create()
    file.write_block(0, len(DATA), client.source)
    assert finished(client, file)[1] == [0]
    assert client.excluded()[:4] == [[], [1], [0, 1, 2], [0]] and client.excluded()[-1] == [1, 2]


def test_a_datanode_that_blames_healthy_neighbours_is_left_out(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HDFS-3875, HDFS-1595: a faulty node blamed its neighbours until it was the only holder."""

    def blame(*arguments: Any) -> object:
        raise pipeline_failure((client.cluster.node_id(0), arguments[-1][0][0]), "its fault")

    monkeypatch.setattr(client.cluster.data_nodes[0].peers, "write_block", blame)
    file = client.create()
    file.write_block(0, len(DATA), client.source)
    assert finished(client, file)[1] == [1, 2]


def test_full_disks_are_left_out_and_when_all_are_full_hdfs_words_say_so(client: Client) -> None:
    for number in (0, 1):
        for volume in client.cluster.data_nodes[number].store.volumes.working:
            volume.space.reserved_bytes = 1 << 60
    file = client.create()
    file.write_block(0, len(DATA), client.source)
    assert finished(client, file)[1] == [2]
    client.cluster.data_nodes[2].store.volumes.working[0].space.reserved_bytes = 1 << 60
    file = client.create(path="/g")
    with pytest.raises(NotEnoughReplicas) as caught:
        file.write_block(0, len(DATA), client.source)
    assert caught.value.message == (
        "File /g could only be written to 0 of the 1 minReplication nodes. There are 3 "
        "datanode(s) running and 3 node(s) are excluded in this operation.")
    file.abandon()
    assert client.cluster.namenode.open == {}


def test_a_block_is_sent_again_from_its_first_byte(client: Client) -> None:
    """In the middle of the first attempt a datanode dies."""
    file = client.create()

    def source() -> Iterator[Chunk]:
        client.sources += 1
        for number, chunk in enumerate(chunks_of(DATA)):
            if number == 1 and client.sources == 1:
                client.cluster.data_nodes[1].stop()
            yield chunk

    file.write_block(0, len(DATA), source)
    assert client.sources == 2 and finished(client, file)[1] == [0, 2]


def test_an_error_of_the_local_file_is_not_repeated(client: Client) -> None:
    file = client.create()

    def source() -> Iterator[Chunk]:
        client.sources += 1
        yield next(chunks_of(DATA))
        raise LocalFileError("it became shorter")

    with pytest.raises(LocalFileError):
        file.write_block(0, len(DATA), source)
    assert client.sources == 1
    file.abandon()


def test_attempts_have_an_end(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> object:
        client.cluster.namenode.order.reverse()
        raise DiskFull("never")

    monkeypatch.setattr(service, "receive_block", refuse)
    monkeypatch.setattr(Suspects, "excluded", frozenset())
    file = client.create()
    with pytest.raises(NotEnoughReplicas, match="8 pipelines failed; the last: never"):
        file.write_block(0, len(DATA), client.source)
    assert len(client.excluded()) == open_file_module.ATTEMPTS_MAX
    file.abandon()


def test_holders_must_be_those_that_were_chosen(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tahoe's servers-of-happiness: it is distinct holders that count."""
    receive_block = service.receive_block

    def twice(*arguments: Any) -> tuple:
        receive_block(*arguments)
        return (arguments[1].volumes.node_id,) * 3

    monkeypatch.setattr(service, "receive_block", twice)
    file = client.create()
    file.write_block(0, len(DATA), client.source)
    assert client.excluded() == [[], [0], [0, 1]] and finished(client, file)[1] == [2]


@pytest.mark.parametrize("method", ["add_block", "complete", "abandon_block"])
def test_a_namenode_that_forgot_the_lease_gets_the_file_again(client: Client, method: str) -> None:
    file = client.create()
    file.write_block(0, len(DATA), client.source)
    if method == "abandon_block":
        client.cluster.data_nodes[2].stop()
    client.cluster.namenode.errors[method] = [LeaseExpired("restarted")]
    file.write_block(1, len(DATA), client.source)
    status = file.complete().status
    assert status.length == 2 * len(DATA)
    (resumed,) = client.cluster.namenode.called("resume")
    assert resumed[1] == "/f" and resumed[3:8] == (False, 3, BLOCK_SIZE, 0o644, 0)
    presented = {position: Block._make(block) for position, block, _ in resumed[8]}
    first = client.cluster.blocks("/f")[0]
    assert presented[0] == first and first.length == len(DATA)


def test_a_lease_that_is_lost_for_good_is_an_error(client: Client) -> None:
    file = client.create()
    client.cluster.namenode.errors["add_block"] = [LeaseExpired("gone")] * 2
    with pytest.raises(LeaseExpired):
        file.write_block(0, len(DATA), client.source)
    file.abandon()


def test_a_resumed_block_without_targets_is_given_up(client: Client) -> None:
    """A namenode that took a file over does not know where its blocks were to go."""
    client.cluster.namenode.answers_without_targets = 1
    file = client.create()
    file.write_block(0, len(DATA), client.source)
    assert finished(client, file)[1] == [0, 1, 2] and client.excluded() == [[], []]


def test_the_namenode_s_refusals_are_raised(client: Client) -> None:
    client.create().complete()
    with pytest.raises(PathExists):
        client.create()
    assert repr(client.leases) == "<LeaseKeeper of 0 files>"


def test_abandoning_is_quick_once_and_never_raises(client: Client) -> None:
    file = client.create()
    file.write_block(0, len(DATA), client.source)
    client.cluster.namenode.errors["abandon_file"] = [Unavailable("away")]
    file.abandon()
    file.abandon()
    assert len(client.cluster.namenode.called("abandon_file")) == 1
    assert client.cluster.namenode.files == {}


def test_a_block_that_is_being_written_ends_when_the_file_is_given_up(client: Client) -> None:
    file = client.create()

    def source() -> Iterator[Chunk]:
        for chunk in chunks_of(DATA):
            yield chunk
            file.abandon()

    with pytest.raises(LeaseExpired, match="given up"):
        file.write_block(0, len(DATA), source)
    assert client.excluded() == [[]]


def test_suspects() -> None:
    suspects = Suspects()
    assert not suspects.forgive()
    suspects.blame(Unavailable("x"), "a")
    assert suspects.excluded == {"a"} and not suspects.forgive()
    assert suspects.pardon() and suspects.excluded == set(), "it may have been restarted"
    suspects.blame(DiskFull("x"), "a")
    suspects.pardon()
    assert suspects.excluded == {"a"} and not suspects.forgive(), "its disk is as full as before"
    suspects.blame(pipeline_failure(("b", "c"), "x"), "b")
    assert suspects.excluded == {"a", "c"}
    suspects.blame(pipeline_failure(("b", "c"), "another block"), "b")
    assert suspects.excluded == {"a", "c"}
    suspects.blame(pipeline_failure(("b", "d"), "x"), "b")
    assert suspects.excluded == {"a", "b", "c", "d"}
    assert suspects.forgive() and suspects.excluded == {"a", "b"}
    suspects.blame(DiskFull("x"), "c")
    assert suspects.forgive() and suspects.excluded == {"a", "c"}
    assert not suspects.forgive()
