"""Reading a block: the nearest good replica first, the next one on any trouble.

Theory of operation. Every chunk is verified against the checksum that its writer computed before
one byte of it is given away. When a replica is out of reach, slow, or damaged, reading goes on with
the next replica from the chunk that was not verified yet, and the namenode is told of the damage. A
read fails only when no replica is left, also after asking the namenode once more where they are.

A checksum is computed where the bytes are: the datanode reads and verifies all of its replica, and
tells the namenode itself when that is damaged.
"""

import os
from functools import partial
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES, BlockChecksum, crc32
from data_service.protocol.decoding import decode
from data_service.protocol.messages import LocatedBlock, Target
from zookeeper.fabric import logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import BlockMissing, CorruptData, DfsError
from zookeeper.fabric.remote import IncomingBody, Remote
from zookeeper.fabric.settings import Address, NetworkSettings

log = logs.get("reader")

CHECKSUM_BYTES_PER_SECOND = 8 << 20
"""A datanode that reads its replica more slowly than this, to compute a checksum, is given up."""

THIS_MACHINE = ("localhost", "127.0.0.1", "::1", os.uname().nodename)

Relocate = Callable[[LocatedBlock], Optional[LocatedBlock]]
ReportBad = Callable[[Block, str], None]


class Replicas:
    """How one file's blocks are read. Thread-safe; each read has connections of its own.

    `relocate` asks the namenode again for a block's replicas (None: it has no such block any
    more), `report_bad` tells it of a damaged replica; neither may raise. With `as_they_are` a read
    that finds no good replica gives the bytes of a damaged one.
    """

    def __init__(
        self,
        path: str,
        credentials: Credentials,
        network: NetworkSettings,
        relocate: Relocate,
        report_bad: ReportBad,
        as_they_are: bool = False,
    ) -> None:
        self._path = path
        self._credentials = credentials
        self._network = network
        self._relocate = relocate
        self._report_bad = report_bad
        self._as_they_are = as_they_are

    def read(
        self, located: LocatedBlock, offset: int, length: int, buffer: Optional[memoryview] = None
    ) -> Iterator[memoryview]:
        """The verified bytes of a range of a block, in order, in pieces of at most a chunk.

        Each piece is valid until the next one is asked for. Raises BlockMissing.
        """
        if buffer is None:
            buffer = memoryview(bytearray(CHUNK_BYTES))
        position, end = offset, min(offset + length, located.block.length)
        problems: Dict[Target, DfsError] = {}
        attempts = self._attempts(located, problems)
        while position < end:
            target, source, verify = next(attempts, (None, located, True))
            if target is None:
                raise self._missing(located.block, problems)
            try:
                for piece in self._read_replica(source, target, position, end, buffer, verify):
                    position += len(piece)
                    yield piece
            except DfsError as error:
                log.debug("replica.skipped", block=located.block.name, error=error.message)
                problems[target] = error

    def checksum(self, located: LocatedBlock) -> BlockChecksum:
        """What a block adds to its file's checksum, by a datanode that has it.

        Raises BlockMissing.
        """
        problems: Dict[Target, DfsError] = {}
        for target, source in self._sources(located, problems):
            try:
                return self._checksum_replica(source, target)
            except DfsError as error:
                log.debug("replica.skipped", block=located.block.name, error=error.message)
                problems[target] = error
        raise self._missing(located.block, problems)

    def _missing(self, block: Block, problems: Dict[Target, DfsError]) -> BlockMissing:
        """The error in HDFS's words, and what was the matter with each replica."""
        tried = [f" {node.host}:{node.port}: {error.message};" for node, error in problems.items()]
        return BlockMissing(
            f"Could not obtain block: {block.name} file={self._path} "
            "No live nodes contain current block" + "".join(tried).rstrip(";")
        )

    def _attempts(
        self, located: LocatedBlock, problems: Dict[Target, DfsError]
    ) -> Iterator[Tuple[Target, LocatedBlock, bool]]:
        """Every replica to read, and whether its bytes are to be verified."""
        for target, source in self._sources(located, problems):
            yield target, source, True
        damaged = [target for target, error in problems.items() if isinstance(error, CorruptData)]
        for target in damaged if self._as_they_are else ():
            yield target, located, False

    def _sources(
        self, located: LocatedBlock, problems: Dict[Target, DfsError]
    ) -> Iterator[Tuple[Target, LocatedBlock]]:
        """Every replica to try: those known, then those that the namenode knows by then.

        It is asked only when all of the former were in vain; what proved damaged stays out.
        """
        for target in nearest_first(located.targets):
            yield target, located
        again = self._relocate(located)
        for target in nearest_first(again.targets) if again else ():
            if not isinstance(problems.get(target), CorruptData):
                yield target, again

    def _connect(self, target: Target) -> Remote:
        address = Address(target.host, target.port)
        return Remote.connect("data_node", address, self._credentials, self._network)

    def _checksum_replica(self, located: LocatedBlock, target: Target) -> BlockChecksum:
        remote = self._connect(target)
        seconds = located.block.length / CHECKSUM_BYTES_PER_SECOND
        try:
            row = remote.call(
                "block_checksum",
                *located.block,
                located.token,
                timeout=self._network.call_timeout_seconds + seconds,
            )
            return decode(BlockChecksum, row)
        finally:
            remote.close()

    def _read_replica(
        self,
        located: LocatedBlock,
        target: Target,
        position: int,
        end: int,
        buffer: memoryview,
        verify: bool,
    ) -> Iterator[memoryview]:
        remote = self._connect(target)
        try:
            body = remote.call_for_body(
                "read_block",
                *located.block[:2],
                position,
                end - position,
                located.token,
                not verify,
                timeout=self._network.call_timeout_seconds,
            )
            bad = partial(self._report_bad, located.block, target.node_id) if verify else None
            yield from _pieces(body, located.block, position, end, buffer, bad)
        finally:
            remote.close()


def _pieces(
    body: IncomingBody,
    block: Block,
    position: int,
    end: int,
    buffer: memoryview,
    report_bad: Optional[Callable[[], None]],
) -> Iterator[memoryview]:
    """The bytes of a replica that a datanode sends, verified where `report_bad` is to be told."""
    start = position - position % CHUNK_BYTES
    while True:
        packet = body.receive(buffer)
        if packet is None:
            break
        data, checksum = packet
        if len(data) != min(CHUNK_BYTES, block.length - start):
            raise CorruptData(f"a chunk of {len(data)} bytes at byte {start}")
        if report_bad is not None and crc32(data) != checksum:
            report_bad()
            raise CorruptData(f"checksum mismatch at byte {start}")
        piece = data[position - start : end - start]
        start += len(data)
        position = min(start, end)
        yield piece
    if position < end:
        raise CorruptData(f"the replica ended at byte {position} of {end}")


def nearest_first(targets: Tuple[Target, ...]) -> List[Target]:
    """Replicas on this machine first, else in the namenode's order, which spreads the load."""
    return sorted(targets, key=lambda target: target.host not in THIS_MACHINE)
