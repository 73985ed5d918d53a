"""What commands must come to: those of a random walk, each done to a plain tree.

A command that HDFS refuses raises a DfsError and changes nothing.
"""

from typing import Iterator, List, Tuple

from tests.support.models.nodes import Directory, File, Node, count, join
from tests.support.models.tree import Tree
from zookeeper.fabric.errors import IsADirectory, NotADirectory, PathExists


class CommandModel:
    """The tree, and one method a command."""

    def __init__(self, replication: int) -> None:
        self.tree = Tree()
        self._replication = replication

    def walk(self) -> Iterator[Tuple[str, Node]]:
        """Every path but the root, directories before what they hold."""
        return (found for found in self.tree.walk() if found[0] != "/")

    def file(self, path: str) -> File:
        """The file at a path."""
        return self.tree.file(path)

    def count(self, path: str) -> Tuple[int, int, int]:
        """(directories, files, bytes) of a tree, itself included."""
        found = count(self.tree.find(path))
        return found.directories, found.files, found.length

    def mkdir(self, path: str, parents: bool) -> None:
        """`mkdir [-p]`."""
        self.tree.mkdir(path, parents)

    def put(self, data: bytes, name: str, path: str, overwrite: bool) -> None:
        """`put [-f]` of a local file called `name`; missing parents are made."""
        self._write(self._target(name, path), data, overwrite)

    def copy(self, source: str, path: str, overwrite: bool) -> None:
        """`cp [-f]` of a file."""
        data, target = self.file(source).content, self._target(_name(source), path)
        self._require_parent(target)
        self._write(target, data, overwrite)

    def move(self, source: str, path: str) -> None:
        """`mv`: into a directory, or to a name that is free; never into itself."""
        self.tree.find(source)
        self.tree.rename(source, self._target(_name(source), path))

    def remove(self, path: str, recursive: bool) -> None:
        """`rm [-r]`."""
        if isinstance(self.tree.find(path), Directory) and not recursive:
            raise IsADirectory(path)
        self.tree.delete(path, recursive)

    def remove_directory(self, path: str) -> None:
        """`rmdir`."""
        if not isinstance(self.tree.find(path), Directory):
            raise NotADirectory(path)
        self.tree.delete(path, False)

    def touch_empty(self, path: str) -> None:
        """`touchz`: an empty file is written anew, with the default replication."""
        if self.tree.get(path) is not None and self.file(path).length:
            raise PathExists(path)
        self._require_parent(path)
        self._write(path, b"", True)

    def append(self, path: str, data: bytes) -> None:
        """`appendToFile`: the file is made, with its parents, when there is none."""
        if self.tree.get(path) is None:
            self._write(path, data, False)
        else:
            self.tree.set_content(path, self.file(path).content + data)

    def truncate(self, path: str, length: int) -> None:
        """`truncate` to no more than the file has."""
        self.tree.set_content(path, self.file(path).content[:length])

    def concat(self, target: str, sources: List[str]) -> None:
        """`concat` of files that are not empty and lie in the target's directory."""
        self.tree.concat(target, sources)

    def set_replication(self, path: str, replication: int) -> None:
        """`setrep` of a file."""
        self.tree.set_replication(path, replication)

    def _write(self, path: str, data: bytes, overwrite: bool) -> None:
        self.tree.add(path, File(data, self._replication), overwrite)

    def _target(self, name: str, path: str) -> str:
        return join(path, name) if isinstance(self.tree.get(path), Directory) else path

    def _require_parent(self, path: str) -> None:
        above = path.rpartition("/")[0] or "/"
        if not isinstance(self.tree.find(above), Directory):
            raise NotADirectory(above)


def _name(path: str) -> str:
    return path.rpartition("/")[2]
