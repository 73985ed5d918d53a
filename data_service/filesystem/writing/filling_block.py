"""The block at the end of a file that is being written: set aside, and sent while it fills.

Theory of operation. All bytes go to a spool, since a block whose pipeline fails is sent again from
its first byte. What is small waits there for its end: then its size is known, and one call is all
that it takes. A block that grows larger, and fast, is sent along, chunk by chunk, by the thread
that writes it: at its end only the last chunk is left to send. When that fails the failure is told
to nobody: the block is written anew, by `OpenFile.write_block`, once it is whole.

Who writes slowly gets no pipeline before the block is whole, and loses the one that he has: it is a
slot at each of its datanodes, which others may wait for.
"""

import time
from typing import Optional

from data_service.filesystem.writing.block_attempt import BlockAttempt
from data_service.filesystem.writing.open_file import OpenFile
from data_service.filesystem.writing.spool import SpareFiles, Spool
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError

log = logs.get("filling_block")

BYTES_PER_SECOND_MIN = 4 << 20
"""Who writes more slowly than that has his block sent when it is whole."""

GRACE_SECONDS = 1.0
"""How much longer than at that rate a block may take."""

PAUSE_SECONDS_MAX = 5.0
"""After a longer pause no pipeline is gone on with: its datanodes may have hung up."""


def comes_fast(length: int, seconds: float, pause: float) -> bool:
    """Whether a block with `length` bytes after so many seconds, the last of them a `pause`, is
    worth a pipeline."""
    in_time = seconds <= GRACE_SECONDS + length / BYTES_PER_SECOND_MIN
    return in_time and pause <= PAUSE_SECONDS_MAX


class FillingBlock:
    """The block at `position`, which may use temporary `files`. One thread at a time; it ends with
    `settle` or `close`."""

    def __init__(self, file: OpenFile, position: int, files: SpareFiles) -> None:
        self._file = file
        self._position = position
        self._spool = Spool(file.block_size, files)
        self._attempt: Optional[BlockAttempt] = None
        self._waits = False
        """Whether it is sent only when it is whole."""
        self._began = self._touched = time.monotonic()

    @property
    def length(self) -> int:
        """Bytes that were taken so far."""
        return self._spool.length

    @property
    def full(self) -> bool:
        """Whether it takes no more."""
        return self._spool.full

    def write(self, data: memoryview) -> int:
        """Take some of `data`: how many bytes; none only when it is full."""
        taken = self._spool.write(data)
        if self._spool.in_file and not self._waits:
            self._send_along()
        return taken

    def settle(self) -> None:
        """Return when all of the block's datanodes have it; raises as OpenFile.write_block."""
        with self._spool:
            if not self._finished():
                self._file.write_block(self._position, self.length, self._spool.chunks)

    def close(self) -> None:
        """Forget the block."""
        self._stop()
        self._spool.close()

    def _send_along(self) -> None:
        now = time.monotonic()
        fast = comes_fast(self.length, now - self._began, now - self._touched)
        self._touched = now
        try:
            if not fast:
                self._give_up(None)
                return
            if self._attempt is None:
                self._attempt = self._file.begin_block(self._position)
            for chunk in self._spool.whole_chunks(self._attempt.chunks):
                self._attempt.send(*chunk)
        except DfsError as error:
            self._give_up(error)
        except BaseException:
            # Nobody knows how much of the last chunk went out. The namenode, which may be slow to
            # answer, is told when the block ends.
            self._stop()
            raise

    def _finished(self) -> bool:
        """Whether what was sent along became a whole block."""
        attempt = self._attempt
        if attempt is None:
            return False
        if self._waits:
            self._give_up(None)
            return False
        try:
            for chunk in self._spool.chunks(attempt.chunks):
                attempt.send(*chunk)
            self._file.end_block(attempt)
            return True
        except DfsError as error:
            self._give_up(error)
            return False
        finally:
            attempt.close()

    def _give_up(self, error: Optional[DfsError]) -> None:
        self._stop()
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            block, reason = attempt.located.block.name, error or "it is not fast enough"
            log.info("block.not_sent_along", block=block, reason=reason)
            self._file.abandon_attempt(attempt, error)

    def _stop(self) -> None:
        self._waits = True
        if self._attempt is not None:
            self._attempt.close()
