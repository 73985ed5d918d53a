"""What is really so, found without asking the cluster: a walk over the disks and the database."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from tests.support.clusters.cluster import Cluster
from tests.support.disks.replicas import stored
from tests.support.disks.two_files import data_of

ROOT_ID = 1


class Found(NamedTuple):
    """A block as the database has it, and how many replicas are on the disks looked at.

    A replica is good when its bytes are those of the file, and its checksums are there.
    """

    name: str
    path: str
    length: int
    wanted: int
    good: int
    bad: int


class Truth(NamedTuple):
    """Everything that was found: all directories (the root too) and files, and their blocks."""

    directories: int
    files: List[str]
    blocks: List[Found]

    def fsck(self) -> Dict[str, object]:
        """What `fsck / --json` has to tell."""
        live = [min(found.good, found.wanted) for found in self.blocks if found.good]
        lost = [found for found in self.blocks if not found.good]
        return {
            "status": "CORRUPT" if lost else "HEALTHY",
            "directories": self.directories,
            "files": len(self.files),
            "blocks": len(self.blocks),
            "size": sum(found.length for found in self.blocks),
            "replicas": sum(found.good for found in self.blocks),
            "minimally_replicated": len(live),
            "under_replicated": self._count(lambda f: 0 < f.good < f.wanted),
            "over_replicated": self._count(lambda f: f.good > f.wanted),
            "missing_replicas": sum(max(0, f.wanted - f.good) for f in self.blocks if f.good),
            "missing_blocks": sorted(found.name for found in lost if not found.bad),
            "corrupt_blocks": sorted(found.name for found in lost if found.bad),
            "corrupt_files": sorted({found.path for found in lost}),
        }

    def report(self) -> Dict[str, object]:
        """What the head of `report --json` has to tell."""
        return {
            "blocks": len(self.blocks),
            "under_replicated": self._count(lambda f: 0 < f.good < f.wanted),
            "excess": self._count(lambda f: f.good > f.wanted),
            "missing": self._count(lambda f: not f.good and not f.bad),
            "corrupt": self._count(lambda f: not f.good and f.bad > 0),
            "corrupt_replicas": self._count(lambda f: f.bad > 0),
            "urgent": self._count(lambda f: f.good == 1 < f.wanted),
            "lost_alone": self._count(lambda f: not f.good and f.wanted == 1),
        }

    def _count(self, is_so: Callable[[Found], bool]) -> int:
        return sum(1 for found in self.blocks if is_so(found))


def look(
    cluster: Cluster, scratch: Path, contents: Mapping[str, bytes], roles: Iterable[str]
) -> Truth:
    """The truth about the whole tree, with the disks of these datanodes; `contents` is by path."""
    inodes, blocks = _rows(cluster, scratch)
    paths = {number: _path(number, inodes) for number in inodes}
    disks = [stored(cluster, role) for role in roles]
    offsets: Dict[int, int] = {}
    found = []
    for block_id, generation, length, inode in blocks:
        path, start = paths[inode], offsets.get(inode, 0)
        offsets[inode] = start + length
        if path is None:
            continue
        name = f"blk_{block_id}_{generation}"
        content = contents[path][start : start + length]
        replicas = [_is_good(disk[name], content) for disk in disks if name in disk]
        wanted = inodes[inode][3]
        good, bad = replicas.count(True), replicas.count(False)
        found.append(Found(name, path, length, wanted, good, bad))
    kinds = [(row[2], paths[number]) for number, row in inodes.items() if number != ROOT_ID]
    directories = 1 + sum(1 for kind, path in kinds if kind == "d" and path)
    return Truth(directories, sorted(path for kind, path in kinds if kind == "f" and path), found)


def usage(cluster: Cluster, role: str) -> Tuple[int, int]:
    """(replicas, bytes of their files) on one datanode's disk."""
    replicas = stored(cluster, role).values()
    sizes = [path.stat().st_size for path in replicas]
    return len(sizes), sum(sizes)


def _rows(cluster: Cluster, scratch: Path) -> Tuple[Dict[int, tuple], List[tuple]]:
    """inode -> (parent, name, kind, replication), and the rows of the blocks in their order.

    A copy is read: the metadata service lets nobody else into its own.
    """
    folder = scratch / "copy"
    shutil.copytree(cluster.directory("metadata"), folder)
    try:
        with closing(sqlite3.connect(folder / "metadata.db")) as connection:
            inodes = connection.execute("SELECT id, parent, name, kind, replication FROM inodes")
            blocks = connection.execute(
                "SELECT id, generation, length, inode FROM blocks ORDER BY inode, position"
            )
            return {row[0]: row[1:] for row in inodes}, blocks.fetchall()
    finally:
        shutil.rmtree(folder)


def _path(number: int, inodes: Mapping[int, tuple]) -> Optional[str]:
    """The path of an inode; None for one that is deleted, which hangs below no root."""
    names: List[str] = []
    while number != ROOT_ID:
        if number not in inodes:
            return None
        number, name = inodes[number][:2]
        names.insert(0, name)
    return "/" + "/".join(names)


def _is_good(replica: Path, content: bytes) -> Optional[bool]:
    """Whether a replica is as it should be; None for one that has just been removed."""
    try:
        return data_of(replica) == content
    except FileNotFoundError:
        return None
