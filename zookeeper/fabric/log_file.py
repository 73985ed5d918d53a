"""A log in the background: one file, and a bounded number of older ones.

Of a daemon, standard output and standard error themselves become the file, so that it has
everything: the ready line, the events, and the last words of an interpreter that dies. When the
file is full it becomes FILE.1, FILE.1 becomes FILE.2, and so on; the oldest one goes. What others
do to it is borne: a file that was renamed or removed is begun anew, and one that was truncated goes
on from its start, because every line is appended.
"""

import errno
import os
from typing import Tuple

from zookeeper.fabric.errors import StartRefused

FILE_BYTES = 16 << 20
"""A log that is larger is put aside at the next line."""

OLDER_FILES = 5

STANDARD = (1, 2)
_MODE = 0o600  # A log names users, paths and addresses.


class LogFile:
    """The file at `path`, behind these descriptors of the process or one of its own. Not
    thread-safe: who logs holds a lock."""

    def __init__(
        self,
        path: str,
        file_bytes: int = FILE_BYTES,
        older: int = OLDER_FILES,
        descriptors: Tuple[int, ...] = (),
    ) -> None:
        """Begin, or go on with, the file. Raises StartRefused."""
        self._path = os.path.abspath(path)
        self._file_bytes = file_bytes
        self._older = older
        self._descriptors = descriptors
        self._torn = False
        try:
            self._open()
        except OSError as error:
            raise StartRefused(
                f"cannot write the log {self._path}: {error.strerror}"
            ) from None

    def write(self, line: bytes) -> None:
        """Append a line, which ends in a line break, in one piece. Raises OSError."""
        self.renew()
        if self._torn:
            line = b"\n" + line
        written = os.write(self._descriptors[0], line)
        # The rest of a line that did not fit is lost; the next one begins on one of its own.
        self._torn = written < len(line)
        if self._torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def renew(self) -> None:
        """Begin a new file when this one is full, or is not at its path any more."""
        try:
            own = os.fstat(self._descriptors[0])
            if self._is_elsewhere(own):
                self._open()
            elif own.st_size >= self._file_bytes:
                self._put_aside()
                self._open()
        except OSError:
            # A full disk, or a folder that nobody may write: better a long log than none.
            return

    def close(self) -> None:
        """Close the file; nothing can be written any more."""
        for descriptor in self._descriptors:
            os.close(descriptor)

    def _open(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
        if not self._descriptors:
            self._descriptors = (descriptor,)
            return
        for own in self._descriptors:
            os.dup2(descriptor, own, inheritable=own in STANDARD)
        os.close(descriptor)

    def _is_elsewhere(self, own: os.stat_result) -> bool:
        try:
            return not os.path.samestat(os.stat(self._path), own)
        except FileNotFoundError:
            return True

    def _put_aside(self) -> None:
        for number in range(self._older - 1, 0, -1):
            if os.path.exists(f"{self._path}.{number}"):
                os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.replace(self._path, f"{self._path}.1")
