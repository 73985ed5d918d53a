"""Whether the disk of one directory still works: what trouble with it means, and when it is silent.

Theory of operation. Every disk operation runs under a guard that tells kinds of trouble apart. A
full disk fails one write (DiskFull), and for a while other directories are preferred to it: a quota
of which nobody tells would else refuse one write after the other. A shortage of this process, such
as too many open files, says nothing of the disk (Busy). What somebody did by hand to one file or
folder, such as to remove it, fails the operation that wanted it, as long as the directory still is
the one it was. Anything else fails the whole directory for good, because after a failed write or
fsync the kernel may have dropped bytes and forgotten the error: nothing is tried again.

A disk may also answer nothing at all, for as long as it likes. The guard knows what runs since
when; who would have to wait for such a disk asks `silent_seconds` and goes elsewhere.
"""

import errno
import itertools
import time
from contextlib import contextmanager
from typing import Callable, Dict, Iterator

from zookeeper.fabric import disk, logs
from zookeeper.fabric.errors import Busy, DiskFailed, DiskFull

log = logs.get("volume")

SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR)
_OF_A_NAME = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST,
              errno.EACCES, errno.EPERM, errno.ELOOP)

FULL_SECONDS = 60.0
"""How long a directory whose disk refused a write for want of room comes behind the others."""

SLOW_SECONDS = 3.0
"""How long an operation takes of a disk that comes behind the others for SLOW_MEMORY_SECONDS."""

SLOW_MEMORY_SECONDS = 60.0

TOLD_SECONDS = 10.0
"""How long an operation runs until the directory counts, for people, as one in trouble."""

SILENT_SECONDS = 30.0
"""How long an operation may run until its disk counts as silent: longer than any of a busy one."""


class Health:
    """The state of one directory's disk. Every method may be called by any thread.

    `on_failure` is called once, when it has failed; it must not raise. `is_itself` tells whether
    the directory still is the one that was opened, and mends what folders of it are missing.
    """

    def __init__(
        self, root: str, on_failure: Callable[[], None], is_itself: Callable[[], bool]
    ) -> None:
        self._root = root
        self._on_failure = on_failure
        self._is_itself = is_itself
        self._numbers = itertools.count()
        self._running: Dict[int, float] = {}
        self._full_until = self._slow_until = 0.0
        self.failed = ""

    def fail(self, problem: str) -> None:
        """Never use the directory again until the datanode is started anew."""
        if not self.failed:
            self.failed = problem
            log.error("volume.failed", root=self._root, problem=problem)
            self._on_failure()

    @property
    def is_doubtful(self) -> bool:
        """Whether others are preferred: a moment ago the disk was full, or it is or was slow."""
        now = time.monotonic()
        return now < max(self._full_until, self._slow_until) or self.silent_seconds() > SLOW_SECONDS

    def silent_seconds(self) -> float:
        """For how long the operation that has been running longest has been running."""
        # A copy: other threads begin and end operations meanwhile.
        began = min(list(self._running.values()), default=None)
        return 0.0 if began is None else time.monotonic() - began

    @property
    def is_silent(self) -> bool:
        """Whether the disk has not answered for so long that nobody should wait for it."""
        return self.silent_seconds() > SILENT_SECONDS

    @property
    def is_in_trouble(self) -> bool:
        """Whether people should hear of the disk: it has failed, or not answered for a while."""
        return bool(self.failed) or self.silent_seconds() > TOLD_SECONDS

    @contextmanager
    def running(self) -> Iterator[None]:
        """Counts the body as an operation of the disk, whose errors are told apart elsewhere."""
        number = next(self._numbers)
        self._running[number] = time.monotonic()
        try:
            yield
        finally:
            ended = time.monotonic()
            seconds = ended - self._running.pop(number)
            if seconds > SLOW_SECONDS:
                self._slow_until = ended + SLOW_MEMORY_SECONDS
            if seconds > TOLD_SECONDS:
                log.warning("disk.slow", root=self._root, seconds=round(seconds, 1))

    @contextmanager
    def guard(self, path: str, operation: str = "use") -> Iterator[None]:
        """Turn trouble of the body into DiskFull, Busy, DiskFailed, as told above."""
        try:
            with self.running(), disk.disk_errors(path, operation):
                yield
        except DiskFull:
            self._full_until = time.monotonic() + FULL_SECONDS
            raise
        except DiskFailed as error:
            cause = error.__cause__
            number = cause.errno if isinstance(cause, OSError) else None
            if number in SHORTAGES:
                raise Busy(error.message) from cause
            if number in _OF_A_NAME and not self.failed and self._is_itself():
                log.warning("file.in_trouble", root=self._root, problem=error.message)
                raise
            self.fail(error.message)
            raise

    def unlink(self, path: str, system: disk.SystemCalls) -> bool:
        """Remove a file of the directory; False when somebody else has done it."""
        with self.guard(path, "remove"):
            try:
                system.unlink(path)
            except FileNotFoundError:
                return False
            return True

    def __repr__(self) -> str:
        return f"<Health of {self._root}{': ' + self.failed if self.failed else ''}>"
