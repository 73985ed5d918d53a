"""A file being written: its lease, its blocks, and the moment when it appears.

Theory of operation. Until `complete` the file exists only as a lease on the namenode and as blocks
on datanodes; nobody sees it. `flush` makes visible what there is and goes on: then, as when a file
is opened to append, new blocks follow those that readers see. Each block is written from a *source*
that can be iterated again: after any failure of a pipeline the block is abandoned, the suspect
excluded, and all of the block's bytes are sent again under a new id to other datanodes. A namenode
that was restarted has forgotten the lease: the writer presents the file and its blocks again
(`resume`), and goes on.
"""

import threading
from contextlib import closing
from typing import (
    AbstractSet,
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterator,
    NamedTuple,
    Optional,
    Tuple,
    TypeVar,
)

from data_service.filesystem.namenode_client import NameNodeClient
from data_service.filesystem.reading.block_reader import BlockReader
from data_service.filesystem.reading.node_memory import NodeMemory
from data_service.filesystem.reading.patience import Patience
from data_service.filesystem.writing.block_attempt import BlockAttempt
from data_service.filesystem.writing.lease_keeper import LeaseKeeper
from data_service.filesystem.writing.suspects import Suspects
from data_service.protocol.blocks import Block, Told
from data_service.protocol.checksums import crc32
from data_service.protocol.failures import failure_reason
from data_service.protocol.files import Completed, LocatedBlock, OpenedFile, Presented, Tail
from data_service.protocol.namenode_calls import NameNodeCalls
from data_service.stubs.datanode_client import DataNodeClient
from zookeeper.fabric import logs
from zookeeper.fabric.errors import (
    BlockMissing,
    Busy,
    DfsError,
    DiskFull,
    LeaseExpired,
    LocalFileError,
    NotEnoughReplicas,
    TokenExpired,
    Unavailable,
)
from zookeeper.fabric.forks import Forkable, watch

log = logs.get("writer")

ATTEMPTS_MAX = 8
"""Pipelines tried for one block before the write fails."""

Answer = TypeVar("Answer")

Chunk = Tuple[memoryview, int]
Source = Callable[[], Iterator[Chunk]]
"""Yields a block's chunks (data, CRC32) from its start, each time that it is called."""


class WriteOptions(NamedTuple):
    """How a file is to be created; replication and block size 0 mean the cluster's defaults."""

    overwrite: bool
    replication: int
    block_size: int
    mode: int


class OpenFile(Forkable):
    """One file on its way into the cluster. Ends with `complete`, `abandon` or `lose`.

    `write_block` may run in several threads, each for another position in the file. A process that
    is forked meanwhile cannot write it: the file stays the parent's.
    """

    def __init__(
        self,
        namenode: NameNodeClient,
        leases: LeaseKeeper,
        path: str,
        opened: OpenedFile,
        options: Optional[WriteOptions],
        datanodes: DataNodeClient,
        memory: Optional[NodeMemory] = None,
        first: Optional[LocatedBlock] = None,
    ) -> None:
        self.path = path
        self._memory = memory or NodeMemory()
        # Whether datanodes that made trouble to other files are stayed away from.
        self._remembers = True
        self._over = threading.Event()
        self._namenode = namenode
        self._leases = leases
        self._ended = False
        self._expired = False
        self._datanodes = datanodes
        self._lock = threading.Lock()
        self._blocks: Dict[int, Told] = {}
        self._claims: Dict[int, str] = {}
        self._suspects = Suspects()
        self._opened = opened
        # The block that came when the file was opened, until somebody writes it.
        self._first = first
        if first is not None:
            self._blocks[opened.position] = first.block
            self._claims[opened.position] = first.claim
        # Of a file that readers do not see yet: how to create it, should the namenode restart.
        self._options = options
        self.inherited = False
        """Whether this is a forked process, and the file its parent's."""
        leases.enter()
        watch(self)

    def forked(self) -> None:
        """The file is not ours: neither to write, nor to give up."""
        self._lock = threading.Lock()
        self._ended = self.inherited = True

    def check_own(self) -> None:
        """Raise LeaseExpired in a process that was forked while the file was open."""
        if self.inherited:
            raise LeaseExpired(
                f"{self.path} was opened for writing by the process that this one was forked "
                "from, which goes on with it: open a file of your own here"
            )

    @property
    def opened(self) -> OpenedFile:
        """What the namenode told of it."""
        return self._opened

    @property
    def block_size(self) -> int:
        """The most bytes of a block."""
        return self._opened.block_size

    @property
    def position(self) -> int:
        """Where new blocks begin."""
        return self._opened.position

    @property
    def offset(self) -> int:
        """How many bytes of the file are before the new blocks."""
        return self._opened.offset

    def write_block(self, position: int, size: int, source: Source) -> None:
        """Write the block at `position` (0, 1, …) of `size` bytes, or about so many.

        Raises NotEnoughReplicas when no datanodes are left to try, and what `source` raises.
        """
        patience = Patience(ATTEMPTS_MAX, self._namenode.patience_seconds, self._over.wait)
        shortage: Optional[NotEnoughReplicas] = None
        while True:
            try:
                located = self._allocate(position)
            except NotEnoughReplicas as error:
                shortage = error
                with self._lock:
                    restarting = self._suspects.pardon()
                if not restarting or not patience.again(error):
                    raise
                continue
            try:
                self._stream(position, located, size, source)
                return
            except (LocalFileError, BlockMissing):
                # The source failed, not the pipeline: to send it again would not help.
                raise
            except DfsError as error:
                log.info("pipeline.failed", block=located.block.name, error=error)
                if self._ended:
                    raise
                self._give_up(position, located, error)
                if not patience.again(error):
                    raise shortage or NotEnoughReplicas(
                        f"{self.path}: {ATTEMPTS_MAX} pipelines failed; the last: "
                        f"{failure_reason(error)}"
                    ) from None

    def begin_block(self, position: int) -> BlockAttempt:
        """One attempt to write a block whose bytes still come, which ends with `end_block` or
        `abandon_attempt`; raises DfsError."""
        located = self._allocate(position)
        try:
            return self._attempt(position, located, self.block_size)
        except DfsError as error:
            self._give_up(position, located, error)
            raise

    def end_block(self, attempt: BlockAttempt) -> None:
        """Wait until all datanodes of an attempt have the block: it is written."""
        written = attempt.finish()
        with self._lock:
            self._blocks[attempt.position] = written

    def abandon_attempt(self, attempt: BlockAttempt, error: Optional[DfsError]) -> None:
        """The block did not become whole, because of `error` or for no fault of a datanode's."""
        # Room was asked for as if the block would be a full one.
        if error is None or isinstance(error, DiskFull):
            self._abandon_block(attempt.position, attempt.located)
        else:
            self._give_up(attempt.position, attempt.located, error)

    def complete(self) -> Completed:
        """Make the file appear, whole; raises NotEnoughReplicas, PathExists, LeaseExpired."""
        if self._first is not None:
            # There was nothing to write after all.
            self._abandon_block(self._opened.position, self._first)
        file_id, blocks = self._opened.file_id, self._written_blocks()
        with self._publishing() as calls:
            completed = self._held(lambda: calls.complete(file_id, blocks))
        self._end()
        return completed

    def flush(self) -> None:
        """Make all blocks visible that were written, and go on; raises as `complete`.

        After an error nobody knows whether they are: the file is to be given up then.
        """
        with self._lock:
            if self._options is None and not self._blocks:
                return
            position = self._opened.position + len(self._blocks)
        file_id, blocks = self._opened.file_id, self._written_blocks()
        with self._publishing() as calls:
            flushed = self._held(lambda: calls.flush(file_id, blocks))
        length = flushed.status.length
        with self._lock:
            self._blocks.clear()
            self._opened = self._opened._replace(position=position, offset=length, length=length)
            self._options = None

    def cut(self, length: int, reader: BlockReader) -> None:
        """Of a file that is being truncated to `length`: write what stays of the last block."""
        client_id, file_id = self._namenode.client_id, self._opened.file_id
        calls, kept = self._namenode.persistent, length - self._opened.offset
        located = self._held(lambda: calls.cut_block(client_id, file_id))

        def source() -> Iterator[Chunk]:
            for piece in reader.read(located, 0, kept):
                yield piece, crc32(piece)

        self.write_block(self._opened.position, kept, source)

    def _publishing(self) -> ContextManager[NameNodeCalls]:
        # A datanode that died meanwhile is made up for: the namenode has its blocks copied.
        return self._namenode.one_change(NotEnoughReplicas)

    def _written_blocks(self) -> Tuple[Any, ...]:
        with self._lock:
            return tuple(block for _, block in sorted(self._blocks.items()))

    def abandon(self) -> None:
        """Give up what is not visible; never raises, because it follows an error already told.

        When the namenode does not hear it, the lease's end has the same effect. A block that
        another thread is writing ends soon.
        """
        if not self._end():
            return
        try:
            self._namenode.brief.abandon_file(self._namenode.client_id, self._opened.file_id)
        except DfsError as error:
            log.info("file.not_abandoned", path=self.path, error=error.message)

    def lose(self) -> None:
        """Give the file up, from a destructor: another thread does it, and says so."""
        self._leases.lose(self._forgotten)

    def _forgotten(self) -> None:
        say_never_closed(self.path)
        self.abandon()

    def _end(self) -> bool:
        """Keep the lease no longer; False when that was so already."""
        with self._lock:
            ended, self._ended = self._ended, True
        self._over.set()
        if not ended:
            self._leases.leave()
        return not ended

    def _allocate(self, position: int) -> LocatedBlock:
        while True:
            with self._lock:
                excluded = self._suspects.excluded
                remembered = self._memory.avoided - excluded if self._remembers else frozenset()
                first = self._take_first(position)
            try:
                located = first or self._add_block(position, excluded | remembered)
            except NotEnoughReplicas:
                with self._lock:
                    if remembered:
                        self._remembers = False
                    elif not self._suspects.forgive():
                        raise
                continue
            with self._lock:
                self._blocks[position] = located.block
                self._claims[position] = located.claim
            if not remembered or len(located.targets) >= self._opened.replication:
                return located
            # Too few for all replicas without those that made trouble to another file: try them.
            self._remembers = False
            self._abandon_block(position, located)

    def _take_first(self, position: int) -> Optional[LocatedBlock]:
        if self._first is None or position != self._opened.position:
            return None
        first, self._first = self._first, None
        return first

    def _add_block(self, position: int, excluded: AbstractSet[str]) -> LocatedBlock:
        client_id, file_id = self._namenode.client_id, self._opened.file_id
        calls, nodes = self._namenode.persistent, tuple(sorted(excluded))
        return self._held(lambda: calls.add_block(client_id, file_id, position, nodes))

    def _stream(self, position: int, located: LocatedBlock, size: int, source: Source) -> None:
        with closing(self._attempt(position, located, size)) as attempt:
            for data, checksum in source():
                attempt.send(data, checksum)
            self.end_block(attempt)

    def _attempt(self, position: int, located: LocatedBlock, size: int) -> BlockAttempt:
        return BlockAttempt(self._datanodes, position, located, size, self._check_wanted)

    def _check_wanted(self) -> None:
        if self._ended:
            raise LeaseExpired(f"{self.path} was given up")

    def _give_up(self, position: int, located: LocatedBlock, error: DfsError) -> None:
        # Twice in a row it is no wait before the block began, but a datanode with a wrong clock.
        expired, self._expired = self._expired, isinstance(error, TokenExpired)
        innocent = isinstance(error, Busy) or (self._expired and not expired)
        if located.targets and not innocent:
            first = located.targets[0].node_id
            with self._lock:
                self._suspects.blame(error, first)
            if isinstance(error, Unavailable):
                self._memory.avoid(first)
        self._abandon_block(position, located)

    def _abandon_block(self, position: int, located: LocatedBlock) -> None:
        with self._lock:
            del self._blocks[position]
        client_id, file_id = self._namenode.client_id, self._opened.file_id
        calls, block_id = self._namenode.persistent, located.block.block_id
        self._held(lambda: calls.abandon_block(client_id, file_id, block_id))

    def _held(self, ask: Callable[[], Answer]) -> Answer:
        """Call under the lease; a namenode that forgot the lease gets it presented once more."""
        self.check_own()
        try:
            try:
                return ask()
            except LeaseExpired:
                if self._ended:
                    raise
                self._resume()
                return ask()
        except LeaseExpired as error:
            # The namenode knows a file that is gone by its number only.
            if self.path in error.message:
                raise
            raise LeaseExpired(f"{self.path}: {error.message}") from None

    def _resume(self) -> None:
        client_id, opened = self._namenode.client_id, self._opened
        calls = self._namenode.persistent
        with self._lock:
            blocks = tuple(
                Presented(position, Block(*written[:3]), self._claims[position])
                for position, written in self._blocks.items()
            )
        if self._options is None:
            tail = Tail(opened.position, opened.offset, opened.length)
            calls.resume_visible(client_id, opened.file_id, tail, blocks, opened.claim)
            return
        options = self._options._replace(
            replication=opened.replication, block_size=opened.block_size
        )
        calls.resume(
            client_id, self.path, opened.file_id, *options, opened.replaces, blocks, opened.claim
        )


def say_never_closed(path: str) -> None:
    """Tell who wrote the program that it forgot a file: Python hides its ResourceWarning."""
    log.warning(
        "file.never_closed", path=path, effect="nothing new of it is stored",
        remedy="call close(), or open it in a with-block",
    )
