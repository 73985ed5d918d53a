"""A file being written: its lease, its blocks, and the moment when it appears.

Theory of operation. Until `complete` the file exists only as a lease on the namenode and as blocks
on datanodes; nobody sees it. Each block is written from a *source* that can be iterated again:
after any failure of a pipeline the block is abandoned, the suspect excluded, and all of the block's
bytes are sent again under a new id to other datanodes. A namenode that was restarted has forgotten
the lease: the writer presents the file and its blocks again (`resume`), and goes on.
"""

import threading
from typing import Any, Callable, Dict, Iterator, NamedTuple, Tuple

from data_service.filesystem.leases import LeaseKeeper
from data_service.filesystem.namenode import Awaited, NameNodeClient
from data_service.filesystem.pipeline import Pipeline, Suspects
from data_service.protocol.blocks import Block
from data_service.protocol.failures import failure_reason
from data_service.protocol.messages import Completed, FileStatus, LocatedBlock, OpenedFile
from zookeeper.fabric import logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import (
    DfsError,
    LeaseExpired,
    LocalFileError,
    NotEnoughReplicas,
    Unavailable,
)
from zookeeper.fabric.settings import NetworkSettings

log = logs.get("writer")

ATTEMPTS_MAX = 8
"""Pipelines tried for one block before the write fails."""

Chunk = Tuple[memoryview, int]
Source = Callable[[], Iterator[Chunk]]
"""Yields a block's chunks (data, CRC32) from its start, each time that it is called."""


class WriteOptions(NamedTuple):
    """How a file is to be created; replication and block size 0 mean the cluster's defaults."""

    overwrite: bool
    replication: int
    block_size: int
    mode: int


class WritingFile:
    """One file on its way into the cluster. Ends with `complete`, `abandon` or `lose`.

    `write_block` may run in several threads, each for another position in the file.
    """

    def __init__(
        self,
        namenode: NameNodeClient,
        leases: LeaseKeeper,
        path: str,
        options: WriteOptions,
        credentials: Credentials,
        network: NetworkSettings,
    ) -> None:
        self.path = path
        self._namenode = namenode
        self._leases = leases
        self._ended = False
        self._credentials = credentials
        self._network = network
        self._lock = threading.Lock()
        self._blocks: Dict[int, Block] = {}
        self._suspects = Suspects()
        opened = OpenedFile._make(namenode.mutate("create", path, *options))
        self._options = options._replace(
            replication=opened.replication, block_size=opened.block_size
        )
        self._file_id = opened.file_id
        leases.enter()

    @property
    def block_size(self) -> int:
        """Bytes in every block but the last."""
        return self._options.block_size

    def write_block(self, position: int, size: int, source: Source) -> None:
        """Write the block at `position` (0, 1, …) of `size` bytes, or about so many.

        Raises NotEnoughReplicas when no datanodes are left to try, and what `source` raises.
        """
        for attempt in range(ATTEMPTS_MAX):
            located = self._allocate(position)
            try:
                self._stream(position, located, size, source)
                return
            except LocalFileError:
                raise
            except DfsError as error:
                log.info(
                    "pipeline.failed", block=located.block.name, attempt=attempt, error=error
                )
                if self._ended:
                    raise
                self._give_up(position, located, error)
                last = error
        raise NotEnoughReplicas(
            f"{self.path}: {ATTEMPTS_MAX} pipelines failed; the last: {failure_reason(last)}"
        )

    def complete(self) -> Completed:
        """Make the file appear, whole; raises NotEnoughReplicas, PathExists, LeaseExpired."""
        with self._lock:
            blocks = tuple(block for _, block in sorted(self._blocks.items()))
        operation = self._namenode.operation()
        # A datanode that died meanwhile is made up for: the namenode has its blocks copied.
        status, replicas = self._held(
            "complete", operation, self._file_id, blocks, awaited=(NotEnoughReplicas,)
        )
        self._end()
        return Completed(FileStatus._make(status), replicas)

    def abandon(self) -> None:
        """Give the file up; never raises, because it follows an error already told.

        When the namenode does not hear it, the lease's end has the same effect. A block that
        another thread is writing ends soon.
        """
        if not self._end():
            return
        try:
            self._namenode.part("abandon_file", self._namenode.client_id, self._file_id)
        except DfsError as error:
            log.info("file.not_abandoned", path=self.path, error=error.message)

    def lose(self) -> None:
        """Give the file up, from a destructor: another thread does it."""
        self._leases.lose(self.abandon)

    def _end(self) -> bool:
        """Keep the lease no longer; False when that was so already."""
        with self._lock:
            ended, self._ended = self._ended, True
        if not ended:
            self._leases.leave()
        return not ended

    def _allocate(self, position: int) -> LocatedBlock:
        while True:
            with self._lock:
                excluded = tuple(sorted(self._suspects.excluded))
            try:
                row = self._held(
                    "add_block", self._namenode.client_id, self._file_id, position, excluded
                )
            except NotEnoughReplicas:
                with self._lock:
                    if not self._suspects.forgive():
                        raise
            else:
                located = LocatedBlock.from_wire(row)
                with self._lock:
                    self._blocks[position] = located.block
                return located

    def _stream(self, position: int, located: LocatedBlock, size: int, source: Source) -> None:
        if not located.targets:
            raise Unavailable("the namenode was restarted and does not know where the block goes")
        pipeline = Pipeline(located, size, self._credentials, self._network)
        try:
            length = 0
            for data, checksum in source():
                if self._ended:
                    raise LeaseExpired(f"{self.path} was given up")
                pipeline.send(data, checksum)
                length += len(data)
            holders = pipeline.finish()
        finally:
            pipeline.close()
        if set(holders) != {target.node_id for target in located.targets}:
            raise NotEnoughReplicas(f"only {len(holders)} datanodes confirmed the block")
        with self._lock:
            self._blocks[position] = located.block._replace(length=length)

    def _give_up(self, position: int, located: LocatedBlock, error: DfsError) -> None:
        with self._lock:
            if located.targets:
                self._suspects.blame(error, located.targets[0].node_id)
            del self._blocks[position]
        self._held(
            "abandon_block", self._namenode.client_id, self._file_id, located.block.block_id
        )

    def _held(self, method: str, *args: Any, awaited: Awaited = ()) -> Any:
        """Call under the lease; a namenode that forgot the lease gets it presented once more."""
        try:
            return self._namenode.persist(method, *args, awaited=awaited)
        except LeaseExpired:
            if self._ended:
                raise
            self._resume()
            return self._namenode.persist(method, *args, awaited=awaited)

    def _resume(self) -> None:
        with self._lock:
            blocks = tuple(self._blocks.items())
        self._namenode.persist(
            "resume",
            self._namenode.client_id,
            self.path,
            self._file_id,
            *self._options,
            blocks,
        )

