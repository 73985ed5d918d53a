"""The log of a daemon in the background: one file, and a bounded number of older ones.

Standard output and standard error themselves become the file, so that it has everything: the
ready line, the events, and the last words of an interpreter that dies. When the file is full it
becomes FILE.1, FILE.1 becomes FILE.2, and so on; the oldest one goes. What others do to it is
borne: a file that was renamed or removed is begun anew, and one that was truncated goes on from
its start, because every line is appended.
"""

import os

from zookeeper.fabric.errors import StartRefused

FILE_BYTES = 16 << 20
"""A log that is larger is put aside at the next line."""

OLDER_FILES = 5

_STANDARD = (1, 2)
_MODE = 0o600  # A log names users, paths and addresses.


class LogFile:
    """The file at `path`. Not thread-safe: the handler of the log holds its lock."""

    def __init__(self, path: str, file_bytes: int = FILE_BYTES, older: int = OLDER_FILES) -> None:
        """Begin, or go on with, the file. Raises StartRefused."""
        self._path = os.path.abspath(path)
        self._file_bytes = file_bytes
        self._older = older
        try:
            self._open()
        except OSError as error:
            raise StartRefused(
                f"cannot write the log {self._path}: {error.strerror}"
            ) from None

    def renew(self) -> None:
        """Begin a new file when this one is full, or is not at its path any more."""
        try:
            if self._is_elsewhere():
                self._open()
            elif os.fstat(_STANDARD[-1]).st_size >= self._file_bytes:
                self._put_aside()
                self._open()
        except OSError:
            # A full disk, or a folder that nobody may write: better a long log than none.
            return

    def _open(self) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
        for standard in _STANDARD:
            os.dup2(descriptor, standard)
        os.close(descriptor)

    def _is_elsewhere(self) -> bool:
        try:
            at_path = os.stat(self._path)
        except FileNotFoundError:
            return True
        return not os.path.samestat(at_path, os.fstat(_STANDARD[-1]))

    def _put_aside(self) -> None:
        for number in range(self._older - 1, 0, -1):
            if os.path.exists(f"{self._path}.{number}"):
                os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.replace(self._path, f"{self._path}.1")
