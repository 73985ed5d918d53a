"""The background scanner: finds damage that nobody reads.

Theory of operation. Finalized replicas are read and verified in the order of their ids, at a pace
at which all of them come by once in every period (three weeks by default, as HDFS's VolumeScanner),
and each no faster than the rate. The position is kept on disk, so that a restart does not begin
again with the same blocks. What was damaged and what was only removed meanwhile is decided by the
store (HDFS-11160: a scanner took a block that was being written for damaged; here only finalized
replicas are listed, and they never change). The next replicas are looked up many at a time: what
each of them costs does not depend on how many there are.
"""

import threading
import time
from collections import deque
from typing import Deque, Optional

from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from zookeeper.fabric import logs
from zookeeper.fabric.errors import BlockMissing, CorruptData, DfsError

log = logs.get("block_scanner")

SAVE_SECONDS = 60.0
"""How often, at most, the position is written down."""

BATCH_BLOCKS = 1000
"""How many replicas are looked up at once. One that was written behind their first and before
their last waits for the next round."""

LOOK_SECONDS_MAX = 60.0
"""How often, at least, the pace is reckoned again: replicas come and go."""


class BlockScanner:
    """Reads one replica after the other, in one thread; damage is told by the store."""

    def __init__(self, store: BlockStore, period_seconds: float, bytes_per_second: int) -> None:
        self._store = store
        self._period = period_seconds
        self._rate = bytes_per_second
        self._stopping = threading.Event()
        self._last_id = -1
        self._batch: Deque[Block] = deque()
        self._saved_at = time.monotonic()

    def start(self) -> None:
        """Begin where the last run stopped."""
        self._last_id = self._store.volumes.scan_position
        self._batch.clear()
        threading.Thread(target=self._run, name="block_scanner", daemon=True).start()

    def stop(self) -> None:
        """End within one chunk."""
        self._stopping.set()

    def interval(self) -> float:
        """Seconds from the start of one replica to the start of the next."""
        return self._period / max(1, len(self._store.replicas))

    def scan_next(self) -> Optional[Block]:
        """Verify the next replica; which one it was, None when there is none."""
        block = self._next()
        if block is not None:
            self._last_id = block.block_id
            try:
                self._verify(block)
            except (BlockMissing, CorruptData):
                pass  # It was removed meanwhile; or it is damaged, and the store has told so.
            except DfsError as error:
                log.warning("scan.failed", block=block.name, error=error.message)
            self._save()
        return block

    def _next(self) -> Optional[Block]:
        """The replica after the last one, beginning again at the lowest id."""
        if not self._batch:
            blocks = self._store.replicas.good_after(self._last_id, BATCH_BLOCKS)
            self._batch.extend(blocks or self._store.replicas.good_after(-1, BATCH_BLOCKS))
        return self._batch.popleft() if self._batch else None

    def _verify(self, block: Block) -> None:
        """Read all of a replica, no faster than the rate."""
        buffer = memoryview(bytearray(CHUNK_BYTES))
        started, read = time.monotonic(), 0
        with self._store.read(block.block_id, block.generation) as replica:
            for chunk in replica.chunks(0, replica.block.length):
                read += len(replica.verified(chunk, buffer))
                ahead = read / self._rate - (time.monotonic() - started)
                if self._stopping.wait(max(0.0, ahead)):
                    return

    def _run(self) -> None:
        started = time.monotonic()
        while not self._stopping.is_set():
            left = started + self.interval() - time.monotonic()
            if left <= 0:
                started = time.monotonic()
                try:
                    self.scan_next()
                except Exception as error:
                    # Also a defect must not end this thread: damage would go unnoticed for ever.
                    log.error("scan.failed", exc_info=True, error=type(error).__name__)
            self._stopping.wait(min(max(left, 0.0), LOOK_SECONDS_MAX))

    def _save(self) -> None:
        now = time.monotonic()
        if now - self._saved_at >= min(SAVE_SECONDS, self._period / 10):
            self._saved_at = now
            self._store.volumes.scan_position = self._last_id

    def __repr__(self) -> str:
        return f"<BlockScanner at block {self._last_id}>"
