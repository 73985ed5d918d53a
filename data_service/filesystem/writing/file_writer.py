"""An open file for writing, as a Python io object: bytes in, blocks out."""

import atexit
import io
import threading
import warnings
import weakref
from typing import Callable, Optional, Union

from data_service.filesystem.parallel import Task
from data_service.filesystem.writing.filling_block import FillingBlock
from data_service.filesystem.writing.open_file import OpenFile, say_never_closed
from data_service.filesystem.writing.spool import SpareFiles
from data_service.filesystem.writing.with_blocks import with_block_failed
from data_service.protocol.files import FileStatus
from zookeeper.fabric import logs
from zookeeper.fabric.errors import LeaseExpired
from zookeeper.fabric.forks import Forkable, watch

log = logs.get("file_writer")

_open_writers: "weakref.WeakSet[FileWriter]" = weakref.WeakSet()


class FileWriter(io.RawIOBase, Forkable):
    """`close` makes the file appear. Threads may share it: each write goes in whole.

    Each block is set aside until its datanodes have it: a failed pipeline can then be repeated from
    the block's first byte. What is large is sent while it is written, and the next block begins
    while a block's datanodes make it durable. A writer holds a few megabytes of memory, and at most
    two blocks in temporary files; where there is little room for those, a block ends early. `flush`
    does nothing: a file appears whole or not at all, unless `hflush` asks for more. A writer that
    is given up by `abandon`, by an exception in its with-block (also in that of a wrapper, such as
    io.TextIOWrapper), or by being forgotten before it was closed, leaves no file, or the file as it
    was appended to or flushed.

    `complete` makes the file appear once all of its blocks are written; `status` tells of it then.
    The first `written` blocks, of `length` bytes, are written already.
    """

    mode = "wb"

    def __init__(
        self,
        file: OpenFile,
        complete: Callable[[], FileStatus],
        written: int = 0,
        length: int = 0,
    ) -> None:
        super().__init__()
        self._file = file
        self._complete = complete
        self._forgotten = False
        # Why somebody else than the one who writes gave the file up; he learns it at his next call.
        self._given_up = ""
        self._position = file.position + written
        self._sender: Optional[Task] = None
        self._files = SpareFiles()
        self._block = FillingBlock(file, self._position, self._files)
        self.forked()
        self.length = file.offset + length
        self.status: Optional[FileStatus] = None
        _open_writers.add(self)
        watch(self)

    def forked(self) -> None:
        """Another thread may have held the lock, and is not here to release it."""
        # Held for a whole write: two at a time would take each other's bytes to pieces.
        self._lock = threading.RLock()

    @property
    def path(self) -> str:
        """Where the file will appear."""
        return self._file.path

    @property
    def name(self) -> str:
        """As files of Python have it: the path."""
        return self._file.path

    @property
    def inherited(self) -> bool:
        """Whether it is the parent's, and this a forked process."""
        return self._file.inherited

    def writable(self) -> bool:
        """Always."""
        return True

    def readinto(self, _buffer: object) -> int:
        """Not of a file that is written; raises io.UnsupportedOperation."""
        self._checkClosed()
        raise io.UnsupportedOperation("not readable")

    def tell(self) -> int:
        """Bytes in the file so far, with those that it is appended to."""
        self._check_open()
        return self.length

    def write(self, data: Union[bytes, memoryview]) -> int:  # type: ignore[override]
        """All of `data`; raises the failure of an earlier block."""
        view = memoryview(data).cast("B")
        total = len(view)
        with self._lock:
            self._check_open()
            if self._sender is not None and self._sender.done():
                self._sender.result()
            while view:
                taken = self._block.write(view)
                self.length += taken
                view = view[taken:]
                if self._block.full:
                    self._send_block()
        return total

    def hflush(self) -> None:
        """Make all bytes so far durable and visible to new readers; the file stays open.

        This ends the current block, however short, and a file has at most 10,000 blocks: for a
        flush now and then, not for one after each line. When it fails the file is given up; what
        was flushed before stays.
        """
        with self._lock:
            self._check_open()
            try:
                if self._block.length:
                    self._send_block()
                self._await_sender()
                self._file.flush()
            except BaseException as error:
                self.give_up(f"it could not be flushed ({error or type(error).__name__})")
                raise

    def hsync(self) -> None:
        """The same as `hflush`: a block is always on the disks before it counts."""
        self.hflush()

    def close(self) -> None:
        """Send what is left and make the file appear; raises when it does not.

        Of a file that `give_up` gave up, too: its bytes would be lost without a word.
        """
        if self._forgotten:
            self._lose()
        if self.closed:
            return
        if not self._given_up and with_block_failed():
            log.info("file.given_up", path=self.path, reason="its with-block failed")
            self.abandon()
            return
        with self._lock:
            if self.closed:
                return
            try:
                self._check_open()
                if self._block.length:
                    # A small file needs no thread.
                    self._await_sender()
                    self._block.settle()
                self._await_sender()
                self.status = self._complete()
            except BaseException:
                self.abandon()
                raise
            self._release()

    def abandon(self) -> None:
        """Close without making the file appear."""
        if self.closed:
            return
        # First of all: a write of another thread that waits for its block ends by that.
        self._file.abandon()
        with self._lock:
            self._release()

    def give_up(self, reason: str) -> None:
        """As `abandon`, by somebody else than the one who writes: his next call raises."""
        self._given_up = reason
        self._file.abandon()

    def __exit__(self, kind: Optional[type], *rest: object) -> None:
        # A with-block that failed must not make half a file appear.
        if kind is None:
            self.close()
        else:
            self.abandon()

    def __del__(self) -> None:
        # The destructor that is inherited calls `close`, and half a file would appear.
        self._lose()

    def _dealloc_warn(self, _source: object) -> None:
        """Called by an io object around this one that is closed only because it is forgotten."""
        self._forgotten = True

    def _check_open(self) -> None:
        self._checkClosed()
        self._file.check_own()
        if self._given_up:
            raise LeaseExpired(
                f"{self.path} was given up, and what was written to it is not stored: "
                f"{self._given_up}"
            )

    def _lose(self) -> None:
        if not self.closed:
            self._release()
            if not self._given_up and not self.inherited:
                self._file.lose()
                warnings.warn(f"{self._file.path} was never closed", ResourceWarning, source=self)

    def _release(self) -> None:
        super().close()
        self._block.close()
        self._files.close()
        _open_writers.discard(self)

    def _send_block(self) -> None:
        self._await_sender()
        block, self._position = self._block, self._position + 1
        self._block = FillingBlock(self._file, self._position, self._files)
        # Not of this object: a writer that is forgotten must not live on in its own thread.
        self._sender = Task(block.settle, "put")

    def _await_sender(self) -> None:
        if self._sender is not None:
            self._sender.result()
            self._sender = None


def _give_up_all() -> None:
    """At the end of the program: say what is lost, and let the paths be written again at once."""
    for writer in list(_open_writers):
        # A forked process ends, too, and its parent goes on with the file.
        if not (writer.inherited or writer.closed or writer._given_up):
            writer.give_up("the program ended")
            say_never_closed(writer.path)


atexit.register(_give_up_all)
