"""A file system as nested dictionaries: what the commands of a random walk must come to.

Paths are absolute. A command that HDFS refuses raises Refused and changes nothing.
"""

from typing import Dict, Iterator, List, Tuple, Union


class Refused(Exception):
    """The command must fail, with status 1, and leave everything as it is."""


class ModelFile:
    """A file: its bytes and how many replicas it shall have."""

    def __init__(self, data: bytes, replication: int) -> None:
        self.data = data
        self.replication = replication


Node = Union[ModelFile, Dict[str, "Node"]]  # type: ignore[misc]


class TreeModel:
    """The tree, and one method a command."""

    def __init__(self, replication: int) -> None:
        self.tree: Dict[str, Node] = {}
        self._replication = replication

    def find(self, path: str) -> Node:
        """What is at a path; Refused when nothing is."""
        node: Node = self.tree
        for name in _names(path):
            if isinstance(node, ModelFile) or name not in node:
                raise Refused(path)
            node = node[name]
        return node

    def exists(self, path: str) -> bool:
        """Whether anything is at a path."""
        try:
            self.find(path)
        except Refused:
            return False
        return True

    def file(self, path: str) -> ModelFile:
        """The file at a path."""
        node = self.find(path)
        if not isinstance(node, ModelFile):
            raise Refused(path)
        return node

    def directory(self, path: str) -> Dict[str, Node]:
        """The directory at a path."""
        node = self.find(path)
        if isinstance(node, ModelFile):
            raise Refused(path)
        return node

    def walk(self, path: str = "/") -> Iterator[Tuple[str, Node]]:
        """Every path below a directory, directories before what they hold, sorted by name."""
        for name, node in sorted(self.directory(path).items()):
            below = path.rstrip("/") + "/" + name
            yield below, node
            if isinstance(node, dict):
                yield from self.walk(below)

    def count(self, path: str) -> Tuple[int, int, int]:
        """(directories, files, bytes) of a tree, itself included."""
        node = self.find(path)
        nodes: List[Node] = [node]
        if isinstance(node, dict):
            nodes += [below for _, below in self.walk(path)]
        files = [node for node in nodes if isinstance(node, ModelFile)]
        return len(nodes) - len(files), len(files), sum(len(file.data) for file in files)

    def mkdir(self, path: str, parents: bool) -> None:
        """`mkdir [-p]`."""
        names = _names(path)
        if parents:
            self._make_directories(names)
            return
        above = self.directory(_render(names[:-1]))
        if names[-1] in above:
            raise Refused(path)
        above[names[-1]] = {}

    def put(self, data: bytes, name: str, path: str, overwrite: bool) -> None:
        """`put [-f]` of a local file called `name`; missing parents are made."""
        target = self._target(name, path)
        self._check_free(target, overwrite)
        above = self._make_directories(_names(target)[:-1])
        above[_names(target)[-1]] = ModelFile(data, self._replication)

    def copy(self, source: str, path: str, overwrite: bool) -> None:
        """`cp [-f]` of a file."""
        data = self.file(source).data
        target = self._target(_names(source)[-1], path)
        above = self.directory(_render(_names(target)[:-1]))
        self._check_free(target, overwrite)
        above[_names(target)[-1]] = ModelFile(data, self._replication)

    def move(self, source: str, path: str) -> None:
        """`mv`: into a directory, or to a name that is free; never into itself."""
        node = self.find(source)
        target = self._target(_names(source)[-1], path)
        if (target + "/").startswith(source + "/") or self.exists(target):
            raise Refused(target)
        above = self.directory(_render(_names(target)[:-1]))
        self._remove(source)
        above[_names(target)[-1]] = node

    def remove(self, path: str, recursive: bool) -> None:
        """`rm [-r]`."""
        if isinstance(self.find(path), dict) and not recursive:
            raise Refused(path)
        self._remove(path)

    def remove_directory(self, path: str) -> None:
        """`rmdir`."""
        if self.directory(path):
            raise Refused(path)
        self._remove(path)

    def touch_empty(self, path: str) -> None:
        """`touchz`: an empty file is written anew, with the default replication."""
        if self.exists(path) and self.file(path).data:
            raise Refused(path)
        above = self.directory(_render(_names(path)[:-1]))
        above[_names(path)[-1]] = ModelFile(b"", self._replication)

    def append(self, path: str, data: bytes) -> None:
        """`appendToFile`: the file is made, with its parents, when there is none."""
        if self.exists(path):
            self.file(path).data += data
            return
        above = self._make_directories(_names(path)[:-1])
        above[_names(path)[-1]] = ModelFile(data, self._replication)

    def truncate(self, path: str, length: int) -> None:
        """`truncate` to no more than the file has."""
        file = self.file(path)
        file.data = file.data[:length]

    def concat(self, target: str, sources: List[str]) -> None:
        """`concat` of files that are not empty and lie in the target's directory."""
        pieces = [self.file(source).data for source in sources]
        file = self.file(target)
        if not all(pieces):
            raise Refused(target)
        file.data += b"".join(pieces)
        for source in sources:
            self._remove(source)

    def set_replication(self, path: str, replication: int) -> None:
        """`setrep` of a file."""
        self.file(path).replication = replication

    def _target(self, name: str, path: str) -> str:
        node = self.find(path) if self.exists(path) else None
        return path.rstrip("/") + "/" + name if isinstance(node, dict) else path

    def _check_free(self, target: str, overwrite: bool) -> None:
        if self.exists(target) and (isinstance(self.find(target), dict) or not overwrite):
            raise Refused(target)

    def _make_directories(self, names: List[str]) -> Dict[str, Node]:
        above = self.tree
        for name in names:  # Nothing is made before all of it is possible.
            if isinstance(above.get(name), ModelFile):
                raise Refused(name)
            above = above.get(name, {})  # type: ignore[assignment]
        above = self.tree
        for name in names:
            above = above.setdefault(name, {})  # type: ignore[assignment]
        return above

    def _remove(self, path: str) -> None:
        *above, name = _names(path)
        del self.directory(_render(above))[name]


def _names(path: str) -> List[str]:
    return [name for name in path.split("/") if name]


def _render(names: List[str]) -> str:
    return "/" + "/".join(names)
