"""A real disk on which a test lets single system calls fail."""

import os
from typing import Any, Callable, Dict, List, Tuple

from zookeeper.fabric import disk


class FaultyDisk(disk.SystemCalls):
    """Works, but for the calls in `faults`: name -> errno, for paths that contain `where`.

    `calls` are the names and paths of all calls so far.
    """

    def __init__(self) -> None:
        self.faults: Dict[str, int] = {}
        self.where = ""
        self.calls: List[Tuple[str, str]] = []
        self._paths: Dict[int, str] = {}

    def _do(self, name: str, path: str, action: Callable[..., Any], *args: Any) -> Any:
        self.calls.append((name, path))
        if name in self.faults and self.where in path:
            raise OSError(self.faults[name], os.strerror(self.faults[name]))
        return action(*args)

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        """As os.open."""
        descriptor: int = self._do("open", path, os.open, path, flags, mode)
        self._paths[descriptor] = path
        return descriptor

    def write(self, descriptor: int, data: memoryview) -> int:
        """As os.write."""
        count: int = self._do("write", self._paths[descriptor], os.write, descriptor, data)
        return count

    def fsync(self, descriptor: int) -> None:
        """As os.fsync."""
        self._do("fsync", self._paths[descriptor], os.fsync, descriptor)

    def rename(self, source: str, destination: str) -> None:
        """As os.rename."""
        self._do("rename", destination, os.rename, source, destination)

    def unlink(self, path: str) -> None:
        """As os.unlink."""
        self._do("unlink", path, os.unlink, path)

    def failing(self, path: str) -> int:
        """How many calls of a failing kind there were at paths that contain `path`."""
        return sum(name in self.faults and path in at for name, at in self.calls)
