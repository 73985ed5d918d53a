"""Whether the files of the open database are still those at their paths.

What somebody removes, replaces or moves away goes on working for the process that has it open:
everything would be synced, answered, and gone with the process. So what was committed is answered
only while the files that hold it can be found by the next start.
"""

import os
from typing import Dict, Tuple

from zookeeper.fabric.errors import DiskFailed

_LOG_SUFFIX = "-wal"


class OpenFiles:
    """The database at `path`, which has just been opened, and its write-ahead log."""

    def __init__(self, path: str) -> None:
        self._paths = (path, path + _LOG_SUFFIX)
        # The log is made with the first transaction, and stays for as long as the database is open.
        self._known: Dict[str, Tuple[int, int]] = {path: _identity(path)}

    def require_present(self) -> None:
        """Raises DiskFailed when a transaction that was just committed is in files of no name."""
        for path in self._paths:
            try:
                found = _identity(path)
            except OSError as error:
                raise _gone(path, error.strerror or str(error)) from error
            if self._known.setdefault(path, found) != found:
                raise _gone(path, "another file has its name")

    def __repr__(self) -> str:
        return f"<OpenFiles {', '.join(self._paths)}>"


def _identity(path: str) -> Tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _gone(path: str, problem: str) -> DiskFailed:
    return DiskFailed(
        f"{path} was taken away or replaced while it was in use ({problem}): put back what was "
        "there, or a backup, and start the metadata service again"
    )
