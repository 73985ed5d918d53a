"""One datanode's part of a write pipeline, without a network."""

from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import pytest

from data_service.datanode import pipeline
from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.pipeline import Downstream, receive_block
from data_service.protocol.blocks import Block, SealedBlock
from data_service.protocol.checksums import CHUNK_BYTES, block_digest, crc32
from data_service.protocol.failures import broken_link, failure_reason, pipeline_failure
from tests.support.disks.replicas import noise
from tests.support.disks.stores import chunks_of, get, names, opened
from zookeeper.fabric.errors import (
    CorruptData,
    DeadlineExceeded,
    DfsError,
    DiskFailed,
    DiskFull,
    InvalidArgument,
    PipelineFailed,
    Unavailable,
)

DATA = noise(2 * CHUNK_BYTES + 777)
LINK = ("here", "next")

Packet = Tuple[memoryview, int]


class Packets:
    """What comes from upstream; `error` at the end instead of the end mark."""

    def __init__(self, packets: List[Packet], whole: bool = True,
                 error: Optional[BaseException] = None) -> None:
        self.packets = list(packets)
        self.whole = whole
        self.error = error
        self.room = 0

    def receive(self, buffer: memoryview) -> Optional[Packet]:
        """The next packet, in `buffer`."""
        self.room = len(buffer)
        if not self.packets:
            if self.error is not None:
                raise self.error
            return None
        data, checksum = self.packets.pop(0)
        buffer[: len(data)] = data
        return buffer[: len(data)], checksum


class Body:
    """The next datanode, as a caller sees it; fails at the step that is named."""

    def __init__(self, fails_at: str = "", error: Optional[DfsError] = None) -> None:
        self.fails_at = fails_at
        self.error = error or Unavailable("gone")
        self.sent = b""
        self.steps: List[str] = []
        self.closed = False

    def _do(self, step: str) -> None:
        self.steps.append(step)
        if step == self.fails_at:
            raise self.error

    def send(self, data: memoryview, checksum: int) -> None:
        """Note the bytes, which are the sender's buffer."""
        self._do("send")
        self.sent += bytes(data)

    def end(self) -> None:
        """Note the end mark."""
        self._do("end")

    def result(self) -> Tuple[str, ...]:
        """The holders downstream."""
        self._do("result")
        return ("next", "last")

    def close(self) -> None:
        """Note the end of the connection."""
        self.closed = True


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[BlockStore]:
    made = opened(tmp_path)
    yield made
    made.replicas.check()
    made.close()


def after(body: Optional[Body]) -> Downstream:
    """What comes after this datanode in a pipeline."""
    return Downstream(LINK, None if body is None else lambda: body)  # type: ignore[arg-type]


def receive(store: BlockStore, packets: Packets, body: Optional[Body] = None,
            told: Optional[List[SealedBlock]] = None, digest: bytes = b"",
            size: int = len(DATA)) -> Tuple[str, ...]:
    """Take block 7 in."""
    report = told.append if told is not None else lambda block: None
    return receive_block(packets, store, (7, 1, size),  # type: ignore[arg-type]
                         after(body), report, digest)


@pytest.mark.parametrize("size, room", [(500, 500), (len(DATA), CHUNK_BYTES)])
def test_a_small_block_takes_little_memory(store: BlockStore, size: int, room: int) -> None:
    """A whole chunk was cleared for each: that took longer than to write it."""
    packets = Packets(list(chunks_of(DATA[:size])))
    receive(store, packets, size=size)
    assert packets.room == room


def test_the_last_datanode_stores_and_answers_with_itself(store: BlockStore) -> None:
    told: List[SealedBlock] = []
    assert receive(store, Packets(list(chunks_of(DATA))), None, told) == (store.volumes.node_id,)
    digest = block_digest(len(DATA), [checksum for _, checksum in chunks_of(DATA)])
    assert told == [(7, 1, len(DATA), digest)] and get(store, told[0].block) == DATA


def test_only_what_has_the_digest_of_the_block_is_stored(store: BlockStore) -> None:
    digest = block_digest(len(DATA), [checksum for _, checksum in chunks_of(DATA)])
    body = Body()
    with pytest.raises(CorruptData):
        receive(store, Packets(list(chunks_of(DATA))), body, digest=bytes(len(digest)))
    assert store.replicas.inventory().good == () and "end" not in body.steps and body.closed
    receive(store, Packets(list(chunks_of(DATA))), Body(), digest=digest)
    assert store.replicas.inventory().good == (Block(7, 1, len(DATA)),)


def test_every_packet_is_passed_on_and_the_answer_names_all(store: BlockStore) -> None:
    body = Body()
    holders = receive(store, Packets(list(chunks_of(DATA))), body)
    assert holders == (store.volumes.node_id, "next", "last")
    assert body.sent == DATA and body.steps == ["send"] * 3 + ["end", "result"] and body.closed


def test_the_namenode_is_told_before_the_answer(store: BlockStore) -> None:
    body = Body()
    steps: List[List[str]] = []
    receive_block(
        Packets(list(chunks_of(DATA))), store, (7, 1, len(DATA)),  # type: ignore[arg-type]
        after(body), lambda block: steps.append(list(body.steps)))
    # The one downstream is made durable at the same time.
    assert steps == [["send"] * 3 + ["end"]]


def test_an_empty_block_is_one(store: BlockStore) -> None:
    told: List[SealedBlock] = []
    receive(store, Packets([]), None, told)
    assert get(store, told[0].block) == b""


def refused(tmp_path: Path, store: BlockStore, error: type, packets: Packets,
            body: Optional[Body] = None) -> DfsError:
    """Assert that the block is refused and nothing is left of it."""
    told: List[SealedBlock] = []
    with pytest.raises(error) as caught:
        receive(store, packets, body, told)
    assert not told and store.replicas.inventory()[:2] == ((), ()) and names(tmp_path) == []
    assert body is None or body.closed
    put_again = store.create(7, 1, 1)
    store.discard(put_again)
    assert isinstance(caught.value, DfsError)
    return caught.value


def test_a_damaged_packet_is_refused(tmp_path: Path, store: BlockStore) -> None:
    """HDFS-3875: who receives verifies, so that a bad link is told from bad neighbours."""
    packets = list(chunks_of(DATA))
    packets[1] = (packets[1][0], packets[1][1] ^ 1)
    refused(tmp_path, store, CorruptData, Packets(packets), Body())


def test_a_writer_that_gave_up_leaves_nothing(tmp_path: Path, store: BlockStore) -> None:
    refused(tmp_path, store, Unavailable, Packets(list(chunks_of(DATA)), whole=False))
    refused(tmp_path, store, Unavailable,
            Packets(list(chunks_of(DATA))[:1], error=Unavailable("lost")), Body())


def test_more_bytes_than_announced_are_refused(tmp_path: Path, store: BlockStore) -> None:
    refused(tmp_path, store, InvalidArgument, Packets(list(chunks_of(DATA * 2))))


def test_a_short_chunk_in_the_middle_is_refused(tmp_path: Path, store: BlockStore) -> None:
    """Chunks and checksums would no longer belong together (HDFS-4660)."""
    short = memoryview(b"short")
    packets = [(short, crc32(short)), *chunks_of(DATA[:CHUNK_BYTES])]
    refused(tmp_path, store, InvalidArgument, Packets(packets), Body())


@pytest.mark.parametrize("step", ["send", "end"])
def test_a_failure_downstream_names_the_link(tmp_path: Path, store: BlockStore, step: str) -> None:
    error = refused(tmp_path, store, PipelineFailed, Packets(list(chunks_of(DATA))),
                    Body(step, DiskFull("no room")))
    assert broken_link(error) == LINK and failure_reason(error) == "no room"


def test_a_failure_further_down_keeps_its_own_link(store: BlockStore) -> None:
    body = Body("result", pipeline_failure(("next", "last"), "stalled"))
    with pytest.raises(PipelineFailed) as caught:
        receive(store, Packets(list(chunks_of(DATA))), body)
    assert broken_link(caught.value) == ("next", "last") and body.closed
    # Our own replica is whole: the writer abandons the block, and the namenode has it deleted.
    assert store.replicas.inventory().good == (Block(7, 1, len(DATA)),)


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt(), DiskFailed("broken")])
def test_any_error_leaves_nothing(tmp_path: Path, store: BlockStore, error: BaseException) -> None:
    """SeaweedFS #87: what followed an error of a replicated write damaged the file."""
    body = Body()
    with pytest.raises(type(error)):
        receive(store, Packets(list(chunks_of(DATA)), error=error), body)
    assert names(tmp_path) == [] and body.closed
    store.discard(store.create(7, 1, 1))


def test_a_disk_that_fails_at_the_end_is_not_acknowledged(
    tmp_path: Path, store: BlockStore
) -> None:
    """SeaweedFS #10805: only the first of the replicas was synced before the answer; here all
    datanodes run these lines, and none can be asked for less."""
    told: List[SealedBlock] = []
    body = Body()

    class LastPacket(Packets):
        """The disk goes with the end mark."""

        def receive(self, buffer: memoryview) -> Optional[Packet]:
            """Fail the volume at the end."""
            packet = super().receive(buffer)
            if packet is None:
                store.volumes.working[0].fail("pulled out")
            return packet

    with pytest.raises(DiskFailed):
        receive_block(LastPacket(list(chunks_of(DATA))), store,  # type: ignore[arg-type]
                      (7, 1, len(DATA)), after(body), told.append)
    assert not told and body.closed and "result" not in body.steps


def test_a_sender_that_drips_holds_its_room_and_place_not_for_ever(
    store: BlockStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each packet came just in time, and the block would have taken a day."""
    body = Body()
    monkeypatch.setattr(pipeline, "GRACE_SECONDS", -1.0)
    with pytest.raises(DeadlineExceeded, match="too slow"):
        receive(store, Packets(list(chunks_of(DATA))), body)
    assert body.closed and names(tmp_path) == []
    assert all(volume.space.promised == 0 for volume in store.volumes.working)
    monkeypatch.setattr(pipeline, "GRACE_SECONDS", 60.0)
    receive(store, Packets(list(chunks_of(DATA))))
