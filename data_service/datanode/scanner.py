"""The background scanner: finds damage that nobody reads.

Theory of operation. Finalized replicas are read and verified in order of their ids, slowly enough not
to disturb, and so that all of them come by in every period (HDFS's VolumeScanner: three weeks). The
position is kept on disk, so that a restart does not begin again with the same blocks. A replica that
does not match is looked at once more: it may have been removed meanwhile (HDFS-11160: a scanner took a
block that was being written for damaged; here only finalized replicas are listed, and they never
change). A disk that cannot read is not the same as a damaged replica, but its replica is worth
nothing, too, and is reported alike.
"""

import threading
import time
from typing import Callable, Iterable, List, Tuple

from data_service.datanode.block_store import BlockStore
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from zookeeper.fabric import logs
from zookeeper.fabric.errors import BlockMissing, DfsError

log = logs.get("scanner")

SAVE_SECONDS = 60.0
"""How often, at most, the position is written down."""

IDLE_SECONDS_MAX = 60.0


def next_block(blocks: Iterable[Block], last_id: int) -> Tuple[Block, ...]:
    """The block after `last_id`, beginning again at the lowest; nothing when there are none."""
    ordered: List[Block] = sorted(blocks)
    later = [block for block in ordered if block.block_id > last_id]
    return tuple((later or ordered)[:1])


def pause_after(length: int, blocks: int, period_seconds: float, bytes_per_second: int) -> float:
    """How long to wait after a block of `length` bytes: by the rate, or so that all fit a period.

    The rate is the upper limit; with few blocks the period sets the pace.
    """
    return max(length / bytes_per_second, min(period_seconds / max(1, blocks), IDLE_SECONDS_MAX))


class Scanner:
    """Reads one replica after the other, in one thread."""

    def __init__(
        self,
        store: BlockStore,
        period_seconds: float,
        bytes_per_second: int,
        on_corrupt: Callable[[Block], None],
    ) -> None:
        self._store = store
        self._period = period_seconds
        self._rate = bytes_per_second
        self._on_corrupt = on_corrupt
        self._stopping = threading.Event()
        self._last_id = 0
        self._saved_at = 0.0

    def start(self) -> None:
        """Begin where the last run stopped."""
        self._last_id = self._store.scan_position
        threading.Thread(target=self._run, name="scanner", daemon=True).start()

    def stop(self) -> None:
        """End within one chunk."""
        self._stopping.set()

    def scan_next(self) -> float:
        """Verify the next replica; the seconds to wait before the one after it."""
        blocks = self._store.inventory().good
        chosen = next_block(blocks, self._last_id)
        if not chosen:
            return min(self._period, IDLE_SECONDS_MAX)
        block = chosen[0]
        self._last_id = block.block_id
        try:
            self.verify(block)
        except (BlockMissing, InterruptedError):
            pass  # Removed while it was read, or the datanode stops: no news about the bytes.
        except DfsError as error:
            self._store.mark_corrupt(block, error.message)
            self._on_corrupt(block)
        self._save()
        return pause_after(block.length, len(blocks), self._period, self._rate)

    def verify(self, block: Block) -> None:
        """Read all of a replica, no faster than the rate; raises CorruptData, DiskFailed."""
        buffer = memoryview(bytearray(CHUNK_BYTES))
        started, read = time.monotonic(), 0
        with self._store.read(block.block_id, block.generation) as replica:
            for chunk in replica.chunks(0, replica.block.length):
                read += len(replica.verified(chunk, buffer))
                ahead = read / self._rate - (time.monotonic() - started)
                if self._stopping.wait(max(0.0, ahead)):
                    raise InterruptedError

    def _run(self) -> None:
        while True:
            try:
                pause = self.scan_next()
            except DfsError as error:
                log.warning("scan.failed", error=error.message)
                pause = IDLE_SECONDS_MAX
            if self._stopping.wait(pause):
                return

    def _save(self) -> None:
        now = time.monotonic()
        if now - self._saved_at >= min(SAVE_SECONDS, self._period / 10):
            self._saved_at = now
            self._store.scan_position = self._last_id
