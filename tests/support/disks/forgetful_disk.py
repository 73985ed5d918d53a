"""A disk in memory that forgets what was not synced, and every world a power cut can leave."""

import os
from typing import Callable, Dict, Iterator, List, NamedTuple, Tuple

from zookeeper.fabric import disk

Files = Dict[str, bytes]
Operation = Callable[[disk.SystemCalls], None]


class PowerCut(Exception):
    """The machine is off: no call after this one happens, no cleaning up either."""


class Inode:
    """A file's bytes as its readers see them, and as the platters hold them; or a directory."""

    def __init__(self, is_directory: bool = False) -> None:
        self.is_directory = is_directory
        self.live = bytearray()
        self.synced = b""


class Opened(NamedTuple):
    """What a descriptor stands for."""

    path: str
    inode: Inode


class ForgetfulDisk(disk.SystemCalls):
    """A disk in memory that keeps apart what was written and what a power cut would leave.

    An fsync of a file makes its bytes durable, not its name; an fsync of a directory makes the
    names in it durable, and nothing else. `calls` tells what was done, and before call number
    `cut_at` the power goes. Whatever was not synced may survive all the same, or may not.
    """

    def __init__(self, directories: Tuple[str, ...], files: Files, cut_at: int = -1) -> None:
        self.calls: List[str] = []
        self.cut_at = cut_at
        self._live: Dict[str, Inode] = {name: Inode(is_directory=True) for name in directories}
        self._opened: Dict[int, Opened] = {}
        for path, data in files.items():
            self._live[path] = Inode()
            self._live[path].live += data
            self._live[path].synced = data
        self._durable = dict(self._live)

    def _step(self, call: str, path: str) -> None:
        if len(self.calls) == self.cut_at:
            raise PowerCut
        self.calls.append(f"{call} {path}")

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:
        """A descriptor, of a new file if the flags say so."""
        self._step("open", path)
        if path not in self._live:
            if not flags & os.O_CREAT:
                raise FileNotFoundError(2, "No such file or directory")
            self._live[path] = Inode()
        if flags & os.O_TRUNC:
            self._live[path].live.clear()
        descriptor = len(self.calls)
        self._opened[descriptor] = Opened(path, self._live[path])
        return descriptor

    def close(self, descriptor: int) -> None:
        """Forget the descriptor."""
        del self._opened[descriptor]

    def write(self, descriptor: int, data: memoryview) -> int:
        """Append at most four bytes, so that a file takes several writes."""
        self._step("write", self._opened[descriptor].path)
        self._opened[descriptor].inode.live += data[:4]
        return len(data[:4])

    def read(self, descriptor: int, length: int) -> bytes:
        """All that is there, once."""
        path, inode = self._opened[descriptor]
        self._opened[descriptor] = Opened(path, Inode())
        return bytes(inode.live[:length])

    def fsync(self, descriptor: int) -> None:
        """Make bytes, or the names in a directory, durable."""
        path, inode = self._opened[descriptor]
        self._step("fsync", path)
        if not inode.is_directory:
            inode.synced = bytes(inode.live)
            return
        for name in set(self._live) | set(self._durable):
            if os.path.dirname(name) == path:
                self._settle(name)

    def _settle(self, name: str) -> None:
        if name in self._live:
            self._durable[name] = self._live[name]
        else:
            del self._durable[name]

    def rename(self, source: str, destination: str) -> None:
        """Give a file its new name, in memory."""
        self._step("rename", destination)
        self._live[destination] = self._live.pop(source)

    def unlink(self, path: str) -> None:
        """Take a name away, in memory."""
        self._step("unlink", path)
        if self._live.pop(path, None) is None:
            raise FileNotFoundError(2, "No such file or directory")

    def mkdir(self, path: str, mode: int) -> None:
        """Make a directory, in memory."""
        self._step("mkdir", path)
        self._live[path] = Inode(is_directory=True)

    def isdir(self, path: str) -> bool:
        """Whether readers see a directory there."""
        return path in self._live and self._live[path].is_directory

    def files(self) -> Files:
        """What readers see now."""
        return {path: bytes(inode.live) for path, inode in self._live.items()
                if not inode.is_directory}

    def survivors(self, *, names: bool, data: bool) -> Files:
        """The files after a power cut; `names` and `data`: what was not synced survives too."""
        durable = self._live if names else self._durable
        return {path: bytes(inode.live) if data else inode.synced
                for path, inode in durable.items()
                if not inode.is_directory and os.path.dirname(path) in durable}


class Aftermath(NamedTuple):
    """One world after a power cut: what is on the disk, and whether the operation had returned."""

    returned: bool
    files: Files
    story: str


def aftermaths(directories: Tuple[str, ...], files: Files, operation: Operation
               ) -> Iterator[Aftermath]:
    """Every world that a power cut can leave: before each step, and after the last."""
    returned, cut_at = False, 0
    while not returned:
        broken = ForgetfulDisk(directories, files, cut_at)
        try:
            operation(broken)
            returned = True
        except PowerCut:
            cut_at += 1
        for names in (False, True):
            for data in (False, True):
                story = f"{broken.calls}, unsynced names {names}, unsynced data {data}"
                yield Aftermath(returned, broken.survivors(names=names, data=data), story)
