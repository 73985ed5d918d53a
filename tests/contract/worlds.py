"""The two worlds in which the library's contract holds, and what their tests share."""

import getpass
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple

import pytest

from tests.support.clusters.gathered_cluster import GatheredCluster
from tests.support.models.memory_file_system import MemoryFileSystem
from zookeeper.fabric.errors import DfsError

HERE = "/contract"
"""Where each test works; it is empty when a test begins."""

GROUPS = {"alice": ("staff",), "bob": ("staff",), "carol": ()}
"""Users who are nobody's superuser, and their groups."""

BLOCK = 4096


class World:
    """A file system with more than one user; `fs` is the superuser's."""

    def __init__(self, fs: Any) -> None:
        self.fs = fs

    def as_user(self, user: str) -> Any:
        """What another user of the same cluster has."""
        raise NotImplementedError

    def close(self) -> None:
        """End it."""


class Memory(World):
    """The file system that tests of the shell use."""

    def __init__(self) -> None:
        super().__init__(MemoryFileSystem(getpass.getuser()))

    def as_user(self, user: str) -> Any:
        """As World.as_user."""
        return self.fs.as_user(user, *GROUPS[user])


class Real(World):
    """The library, on all daemons of a cluster in this process."""

    def __init__(self, folder: Path) -> None:
        members = ", ".join(user for user, groups in GROUPS.items() if groups)
        self._cluster = GatheredCluster(
            folder,
            data_nodes=1,
            name_node={"block_size": BLOCK, "replication_factor": 1},
            groups={"staff": members},
        )
        self._cluster.__enter__()
        self._users: Dict[str, Any] = {}
        super().__init__(self._cluster.file_system())

    def as_user(self, user: str) -> Any:
        """As World.as_user."""
        if user not in self._users:
            self._users[user] = self._cluster.file_system(user)
        return self._users[user]

    def close(self) -> None:
        """As World.close."""
        for fs in (self.fs, *self._users.values()):
            fs.close()
        self._cluster.__exit__()


def at(path: str) -> str:
    """A path below HERE; HERE itself for an empty one."""
    return f"{HERE}/{path}".rstrip("/")


def plant(fs: Any, *names: str) -> None:
    """Files with their names as content, and directories where a name ends with a slash."""
    for name in names:
        if name.endswith("/"):
            fs.mkdir(at(name), parents=True)
        else:
            fs.write_bytes(at(name), name.encode())


def tree(fs: Any) -> Dict[str, Optional[bytes]]:
    """Every path below HERE, with a file's bytes."""
    found: Dict[str, Optional[bytes]] = {}
    for path, directories, files in fs.walk(HERE):
        below = path[len(HERE) + 1 :]
        start = f"{below}/" if below else ""
        found.update((start + name, None) for name in directories)
        found.update((start + name, fs.read_bytes(f"{path}/{name}")) for name in files)
    return found


def outcome(deed: Callable[[], Any]) -> Tuple[Any, Optional[type]]:
    """What a deed returned, or the kind of the error that it raised."""
    try:
        return deed(), None
    except DfsError as error:
        return None, type(error)


def refused(fs: Any, deed: Callable[[Any], Any], kind: type, path: str) -> None:
    """The deed must raise this error, of this path, and change nothing."""
    before = tree(fs)
    with pytest.raises(DfsError) as caught:
        deed(fs)
    error = caught.value
    assert type(error) is kind, repr(error)
    assert error.errno == kind("").errno
    assert error.filename == at(path), repr(error)
    assert str(error) and tree(fs) == before
