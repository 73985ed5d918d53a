"""A disk of a few megabytes, in memory, that can really be full. Only root may have one."""

import errno
import os
import subprocess
from pathlib import Path

_FILLER = "filler"
_PIECE = bytes(4096)


class CannotMount(Exception):
    """This user, container or system lets nobody mount; the message says what it answered."""


class SmallDisk:
    """A tmpfs at `path`, which becomes an empty directory when it does not exist."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(path))

    @classmethod
    def at(cls, path: Path) -> "SmallDisk":
        """The one that was made there before."""
        disk = cls.__new__(cls)
        disk.path = path
        return disk

    def fill(self) -> None:
        """Leave not one free block."""
        with (self.path / _FILLER).open("ab", buffering=0) as filler:
            try:
                while filler.write(_PIECE):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    @property
    def free(self) -> int:
        """Bytes that may still be written."""
        space = os.statvfs(self.path)
        return space.f_bavail * space.f_frsize

    def drain(self) -> None:
        """Take away what `fill` wrote."""
        try:
            (self.path / _FILLER).unlink()
        except FileNotFoundError:
            pass  # It was not filled.

    def close(self) -> None:
        """Unmount, also while somebody still has a file open there."""
        _run("umount", "--lazy", str(self.path))


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        raise CannotMount(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        raise CannotMount(done.stdout.decode("utf-8", "replace").strip())
