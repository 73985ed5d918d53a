"""What became of the replicas of a datanode since it was started, counted."""

import threading
from typing import Dict, Tuple

from zookeeper.fabric.figures import Family, Histogram, counter, histogram

WRITTEN, READ = "blocks_written", "blocks_read"
BYTES_WRITTEN, BYTES_READ = "block_bytes_written", "block_bytes_read"
HANDED_OVER = "replicas_handed_over"
COPIED, COPIES_FAILED = "blocks_copied", "block_copies_failed"
REMOVED = "replicas_removed"
VERIFIED, DAMAGED = "replicas_verified", "replicas_damaged"
WRITES_FAILED, READS_FAILED = "block_writes_failed", "block_reads_failed"

_MEANINGS = {
    WRITTEN: "Blocks that were taken in, of clients and other datanodes.",
    BYTES_WRITTEN: "Bytes of blocks that were taken in.",
    WRITES_FAILED: "Blocks that did not come in whole, or could not be stored.",
    READ: "Reads of blocks that were answered to their end.",
    BYTES_READ: "Bytes that were sent to readers.",
    READS_FAILED: "Reads that broke off: often the reader had enough.",
    HANDED_OVER: "Replicas that readers on this machine got as open files, whose bytes are not "
    "counted.",
    COPIED: "Replicas that were sent to other datanodes as the namenode ordered.",
    COPIES_FAILED: "Replicas that were to be sent so, and could not be.",
    REMOVED: "Replicas that were removed or moved to the trash.",
    VERIFIED: "Replicas that were read whole, and found to be good.",
    DAMAGED: "Good replicas that turned out to be damaged.",
}


class Activity:
    """Of one datanode. May be used by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Dict[str, int] = dict.fromkeys(_MEANINGS, 0)
        self._syncs = Histogram()

    def note(self, deed: str, count: int = 1) -> None:
        """So many more of a deed, or bytes of it."""
        with self._lock:
            self._counts[deed] += count

    def wrote(self, size: int, sync_seconds: float) -> None:
        """A block was taken in, and took so long to become durable at its end."""
        with self._lock:
            self._counts[WRITTEN] += 1
            self._counts[BYTES_WRITTEN] += size
            self._syncs.note(sync_seconds)

    def figures(self) -> Tuple[Family, ...]:
        """All of it."""
        with self._lock:
            counted = [
                counter(f"pyhdfs_{deed}_total", _MEANINGS[deed], count)
                for deed, count in self._counts.items()
            ]
            syncs = histogram(
                "pyhdfs_block_sync_seconds",
                "How long a written block took to become durable.",
                self._syncs,
            )
        return (*counted, syncs)

    def __repr__(self) -> str:
        return f"<Activity {self._counts}>"
