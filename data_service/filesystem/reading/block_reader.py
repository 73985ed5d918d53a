"""Reading a block: the nearest good replica first, the next one on any trouble.

Theory of operation. Every chunk is verified against the checksum that its writer computed before
one byte of it is given away. When a replica is out of reach, slow, or damaged, reading goes on with
another (see `replica_choice.py`) from the chunk that was not verified yet, and the namenode is told
of the damage. The checksums themselves are compared with what the namenode knows of the block (see
`block_contents.py`). A read fails only when no replica is left.

A checksum is computed where the bytes are: the datanode reads and verifies all of its replica, and
tells the namenode itself when that is damaged.
"""

import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Callable, Dict, Iterator, Optional, Sequence

from data_service.filesystem.reading.block_contents import (
    BlockContents,
    allows,
    receive_checksums,
)
from data_service.filesystem.reading.node_memory import NodeMemory
from data_service.filesystem.reading.replica_choice import Attempt, Relocate, ReplicaChoice
from data_service.filesystem.reading.short_circuit import ShortCircuit
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES, BlockChecksum, crc32
from data_service.protocol.datanode_calls import DataNodeCalls
from data_service.protocol.files import LocatedBlock
from data_service.protocol.nodes import Target
from data_service.stubs.datanode_client import DataNodeClient
from zookeeper.fabric import logs
from zookeeper.fabric.calls import Receiving
from zookeeper.fabric.errors import (
    BlockMissing,
    CorruptData,
    DeadlineExceeded,
    DfsError,
)
from zookeeper.fabric.settings import NetworkSettings

log = logs.get("reader")

CHECKSUM_BYTES_PER_SECOND = 8 << 20
"""A datanode that reads its replica more slowly than this, to compute a checksum, is given up."""

HASTY_SECONDS = 5.0
"""How long a datanode may be silent while another one may be faster."""

HASTY_LOOK_SECONDS = 1.0
"""How long one that is dialled, or asked whether a connection of before still leads to it, may be
silent while another one may be faster: a stopped process costs no more than this."""

SLOW_BYTES_PER_SECOND = 1 << 20
"""A datanode that sends less is left for another one, once a block: its disk or network is ill."""

SLOW_SECONDS = 2.0
"""How much waiting it takes to call a datanode slow."""

_NO_MORE = memoryview(bytearray())
"""Nothing fits into it but the end of a body."""

ReportBad = Callable[[Block, str], None]


class BlockReader:
    """How one file's blocks are read. Thread-safe.

    A datanode is called as one of `datanodes`; of `hasty_datanodes` (see `hurried`) where another
    one may be faster. `relocate` asks the namenode again for a block's replicas (None: it has no
    such block any more), `report_bad` tells it of a damaged replica; neither may raise. With
    `as_they_are` a read that finds no good replica gives the bytes of a damaged one. Replicas on
    this machine are read by the `short_circuit`, if there is one.
    """

    def __init__(
        self,
        path: str,
        datanodes: DataNodeClient,
        hasty_datanodes: DataNodeClient,
        stall_seconds: float,
        relocate: Relocate,
        report_bad: ReportBad,
        as_they_are: bool = False,
        memory: Optional[NodeMemory] = None,
        busy_seconds: float = 30.0,
        short_circuit: Optional[ShortCircuit] = None,
    ) -> None:
        self.stop = threading.Event()
        """Set when a transfer is given up: nobody waits for a replica any more then."""
        self._memory = memory or NodeMemory()
        self._busy_seconds = busy_seconds
        self._short_circuit = short_circuit
        self._path = path
        self._datanodes = datanodes
        self._hasty_datanodes = hasty_datanodes
        self._stall_seconds = stall_seconds
        self._relocate = relocate
        self._report_bad = report_bad
        # Where blocks were found to be when the namenode was asked again: a reader who jumps to and
        # fro comes back to them with what he was told at first.
        self._newest: Dict[int, LocatedBlock] = {}
        self._contents = BlockContents()
        self._as_they_are = as_they_are

    def read(
        self, located: LocatedBlock, offset: int, length: int, buffer: Optional[memoryview] = None
    ) -> Iterator[memoryview]:
        """The verified bytes of a range of a block, in order, in pieces of at most a chunk.

        Each piece is valid until the next one is asked for. Raises BlockMissing.
        """
        if buffer is None:
            buffer = memoryview(bytearray(min(CHUNK_BYTES, located.block.length)))
        position, end = offset, min(offset + length, located.block.length)
        choice = self._choice(located)
        while position < end:
            attempt = self._next(choice, located.block)
            longest, started = 0.0, position
            try:
                for piece in self._read_replica(attempt, position, end, buffer):
                    if position == started:
                        choice.came(attempt)
                    position += len(piece)
                    given = time.monotonic()
                    yield piece
                    longest = max(longest, time.monotonic() - given)
            except DfsError as error:
                log.debug("replica.skipped", block=located.block.name, error=error.message)
                paused = longest > self._stall_seconds / 2
                choice.failed(attempt, error, position > started, paused)

    def checksum(self, located: LocatedBlock) -> BlockChecksum:
        """What a block adds to its file's checksum, by a datanode that has it.

        Raises BlockMissing.
        """
        choice = self._choice(located)
        while True:
            attempt = self._next(choice, located.block)
            try:
                return self._checksum_replica(attempt.located, attempt.target)
            except DfsError as error:
                log.debug("replica.skipped", block=located.block.name, error=error.message)
                choice.failed(attempt, error, some_came=False, paused=False)

    def _choice(self, located: LocatedBlock) -> ReplicaChoice:
        located = self._newest.get(located.block.block_id, located)
        return ReplicaChoice(
            located, self._memory, self._locate_again, self.stop.wait, self._busy_seconds,
            self._as_they_are,
        )

    def _locate_again(self, located: LocatedBlock) -> Optional[LocatedBlock]:
        found = self._relocate(located)
        if found is not None:
            self._newest[found.block.block_id] = found
        return found

    def _next(self, choice: ReplicaChoice, block: Block) -> Attempt:
        attempt = choice.next()
        if attempt is None:
            raise self._missing(block, choice.problems)
        return attempt

    def _missing(self, block: Block, problems: Dict[Target, DfsError]) -> BlockMissing:
        """The error in HDFS's words, and what was the matter with each replica."""
        tried = [f" {node.host}:{node.port}: {error.message};" for node, error in problems.items()]
        return BlockMissing(
            f"Could not obtain block: {block.name} file={self._path} "
            "No live nodes contain current block" + "".join(tried).rstrip(";")
        )

    def _checksum_replica(self, located: LocatedBlock, target: Target) -> BlockChecksum:
        seconds = located.block.length / CHECKSUM_BYTES_PER_SECOND
        node = self._datanodes.at(target, self._datanodes.call_seconds + seconds)
        return node.block_checksum(*located.block, located.token)

    def _read_replica(
        self, attempt: Attempt, position: int, end: int, buffer: memoryview
    ) -> Iterator[memoryview]:
        target, located, verify, hasty = attempt
        body = self._open(attempt, position, end - position)
        try:
            known = self._contents.of(located)
            is_right = partial(self._is_right, target, located, known) if verify else None
            watch = _RateWatch(f"the datanode {target.host}:{target.port}") if hasty else None
            yield from _pieces(body, located.block, position, end, buffer, is_right, watch)
        finally:
            body.close()

    def _open(self, attempt: Attempt, position: int, length: int) -> Receiving:
        """The chunks of a replica: from this machine's disk, or else from its datanode."""
        target, located, verify, hasty = attempt
        if verify and self._short_circuit is not None:
            replica = self._short_circuit.read_block(target, located, position, length)
            if replica is not None:
                with _closed_on_error(replica):
                    self._learn(target, located, replica.checksums)
                return replica
        node = (self._hasty_datanodes if hasty else self._datanodes).at(target)
        if verify and self._contents.needs(located):
            self._ask_checksums(target, located, node)
        return node.read_block(*located.block[:2], position, length, located.token, not verify)

    def _ask_checksums(self, target: Target, located: LocatedBlock, node: DataNodeCalls) -> None:
        """Learn those of all chunks of a block before any of them is believed."""
        body = node.chunk_checksums(*located.block[:2], located.token)
        try:
            checksums = receive_checksums(body, located.block.length)
        finally:
            body.close()
        self._learn(target, located, checksums)

    def _learn(
        self, target: Target, located: LocatedBlock, checksums: Sequence[int]
    ) -> None:
        try:
            self._contents.learn(located, checksums)
        except CorruptData:
            self._report_bad(located.block, target.node_id)
            raise

    def _is_right(
        self,
        target: Target,
        located: LocatedBlock,
        known: Sequence[int],
        data: memoryview,
        start: int,
        checksum: int,
    ) -> bool:
        """Whether a chunk is right; the namenode is told of one that is not."""
        right = crc32(data) == checksum and allows(located, known, start, checksum)
        if not right:
            self._report_bad(located.block, target.node_id)
        return right


@contextmanager
def _closed_on_error(body: Receiving) -> Iterator[None]:
    try:
        yield
    except BaseException:
        body.close()
        raise


def hurried(network: NetworkSettings) -> NetworkSettings:
    """The same, for who does not want to wait for long."""
    return replace(
        network,
        handshake_timeout_seconds=min(network.handshake_timeout_seconds, HASTY_LOOK_SECONDS),
        call_timeout_seconds=min(network.call_timeout_seconds, HASTY_SECONDS),
        stall_timeout_seconds=min(network.stall_timeout_seconds, HASTY_SECONDS),
    )


class _RateWatch:
    """How fast a datanode sends, in the time that somebody waits for it."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._bytes = 0
        self._seconds = 0.0

    def check(self, count: int, seconds: float) -> None:
        """So many bytes came in that time; raises DeadlineExceeded when that is slow in all."""
        self._bytes += count
        self._seconds += seconds
        if self._seconds > SLOW_SECONDS and self._bytes < self._seconds * SLOW_BYTES_PER_SECOND:
            rate = self._bytes / self._seconds / 1024
            raise DeadlineExceeded(f"{self._peer} sends only {rate:.0f} KiB a second")


def _pieces(
    body: Receiving,
    block: Block,
    position: int,
    end: int,
    buffer: memoryview,
    is_right: Optional[Callable[[memoryview, int, int], bool]],
    watch: Optional[_RateWatch],
) -> Iterator[memoryview]:
    """The bytes of a replica that a datanode sends; `is_right` verifies each chunk, at its start
    and with its checksum."""
    start = position - position % CHUNK_BYTES
    while position < end:
        asked = time.monotonic()
        packet = body.receive(buffer)
        if packet is None:
            raise CorruptData(f"the replica ended at byte {position} of {end}")
        data, checksum = packet
        if len(data) != min(CHUNK_BYTES, block.length - start):
            raise CorruptData(f"a chunk of {len(data)} bytes at byte {start}")
        if is_right is not None and not is_right(data, start, checksum):
            raise CorruptData(f"checksum mismatch at byte {start}")
        came = time.monotonic()
        piece = data[position - start : end - start]
        start += len(data)
        position = min(start, end)
        # The end is taken before the last piece is given, behind which nobody may ask again.
        if position == end:
            body.receive(_NO_MORE)
        yield piece
        if watch is not None and position < end:
            watch.check(len(data), came - asked)
