"""The ends of logs: what was written last, and what is being written, also across renewals."""

import os
import time
from pathlib import Path
from typing import Dict, Iterator, List, Sequence

_PIECE_BYTES = 64 << 10
_TAIL_BYTES_MAX = 4 << 20
_PAUSE_SECONDS = 0.2


class LogReader:
    """The lines that are written to a log from now on, or from `offset` on."""

    def __init__(self, path: Path, offset: int = -1) -> None:
        self._path = path
        self._inode = self._offset = 0
        self._begun = b""
        try:
            found = path.stat()
        except OSError:
            return  # It will begin at its start.
        self._inode = found.st_ino
        self._offset = found.st_size if offset < 0 else offset

    def lines(self) -> List[str]:
        """The whole lines since the last call."""
        try:
            with open(self._path, "rb") as file:
                found = os.fstat(file.fileno())
                if found.st_ino != self._inode or found.st_size < self._offset:
                    # It was renewed, or truncated.
                    self._inode, self._offset, self._begun = found.st_ino, 0, b""
                file.seek(self._offset)
                text = self._begun + file.read()
                self._offset = file.tell()
        except OSError:
            return []
        *whole, self._begun = text.split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]


def tail(path: Path, lines: int) -> str:
    """The last lines of a log, under its name."""
    try:
        found = _last_lines(path, lines)
    except OSError as error:
        found = [f"({error.strerror})"]
    return "\n".join([f"==> {path} <==", *found])


def _last_lines(path: Path, lines: int) -> List[str]:
    """Read backwards, so that a long log costs no more than a short one."""
    data = b""
    with open(path, "rb") as file:
        at = file.seek(0, os.SEEK_END)
        while at and data.count(b"\n") <= lines and len(data) < _TAIL_BYTES_MAX:
            step = min(at, _PIECE_BYTES)
            at = file.seek(at - step)
            data = file.read(step) + data
    return data.decode("utf-8", "replace").splitlines()[-lines:] if lines else []


def follow(paths: Sequence[Path]) -> Iterator[str]:
    """What is written to these logs from now on, for ever; the name before, when it changes."""
    readers: Dict[Path, LogReader] = {path: LogReader(path) for path in paths}
    shown = paths[-1] if paths else None
    while True:
        for path, reader in readers.items():
            lines = reader.lines()
            if lines and path != shown:
                yield f"\n==> {path} <=="
                shown = path
            yield from lines
        time.sleep(_PAUSE_SECONDS)
