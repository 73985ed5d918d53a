"""One tree of files and directories, as plainly as can be: what every model of the namespace is.

A directory has a dictionary of its children; there is nothing else that says where a node is.
Everything (sizes, what a quota still allows) is counted anew for each question, so nothing can be
stale. Paths are absolute and in their normal form. What is refused raises the product's error, and
has changed nothing.
"""

import itertools
from typing import Any, Iterator, List, Optional, Sequence

from data_service.protocol.files import QUOTA_UNCHANGED
from tests.support.models.nodes import (
    EXECUTE,
    NO_QUOTA,
    NO_QUOTAS,
    READ,
    ROOT,
    WRITE,
    Caller,
    Directory,
    File,
    Found,
    Node,
    Use,
    check_apart,
    check_replaced,
    check_replication,
    count,
    join,
    names_of,
    ordered,
    render,
    require,
    require_unsticky,
)
from zookeeper.fabric.errors import (
    DirectoryNotEmpty,
    InvalidArgument,
    IsADirectory,
    NotADirectory,
    PathExists,
    PathNotFound,
    PermissionDenied,
    QuotaExceeded,
)


class Tree:
    """The operations; `now_ms` is the time that they give to what they change."""

    def __init__(self, owner: str = "root") -> None:
        self.root = Directory(owner=owner)
        self.now_ms = 0
        self._numbers = itertools.count(2)

    # -- Looking.

    def way(self, path: str, who: Caller = ROOT) -> List[Node]:
        """The nodes from the root down to `path`, as far as there are any."""
        found: List[Node] = [self.root]
        for depth, name in enumerate(names_of(path)):
            above = found[-1]
            if not isinstance(above, Directory):
                raise NotADirectory(f"{render(names_of(path)[:depth])} (is not a directory)")
            require(above, who, EXECUTE)
            if name not in above.children:
                break
            found.append(above.children[name])
        return found

    def get(self, path: str, who: Caller = ROOT) -> Optional[Node]:
        """What is at a path, if anything."""
        way = self.way(path, who)
        return way[-1] if len(way) == len(names_of(path)) + 1 else None

    def find(self, path: str, who: Caller = ROOT) -> Node:
        """What is at a path."""
        node = self.get(path, who)
        if node is None:
            raise PathNotFound(f"File does not exist: {path}")
        return node

    def file(self, path: str, who: Caller = ROOT, bits: int = 0) -> File:
        """The file at a path, to which the caller has these rights."""
        node = self.find(path, who)
        if not isinstance(node, File):
            raise IsADirectory(f"Path is not a file: {path}")
        require(node, who, bits)
        return node

    def whole_file(self, path: str, who: Caller, bits: int) -> File:
        """As `file`; a tree with writers refuses one that somebody is writing."""
        return self.file(path, who, bits)

    def children(self, path: str, who: Caller = ROOT) -> Iterator[Found]:
        """The entries of a directory in the order of their bytes; of a file itself."""
        node = self.find(path, who)
        if not isinstance(node, Directory):
            yield path.rpartition("/")[2], node
            return
        require(node, who, READ | EXECUTE)
        yield from ordered(node)

    def walk(self, path: str = "/") -> Iterator[Found]:
        """Every path of a tree with its node, directories before what they hold."""
        waiting = [(path, self.find(path))]
        while waiting:
            found, node = waiting.pop()
            yield found, node
            if isinstance(node, Directory):
                below = [(join(found, name), child) for name, child in ordered(node)]
                waiting += reversed(below)

    def use(self, node: Node) -> Use:
        """What counts for a quota on a tree; one with writers adds what they will need."""
        return count(node)

    def missing(self, path: str) -> int:
        """How many nodes of a path are not there."""
        return len(names_of(path)) + 1 - len(self.way(path))

    # -- Changing.

    def check_mkdir(self, path: str, parents: bool, who: Caller = ROOT) -> None:
        """Raise what `mkdir` would."""
        names, way = names_of(path), self.way(path, who)
        if len(way) > len(names):
            if not isinstance(way[-1], Directory):
                raise NotADirectory(f"Path is not a directory: {path}")
            if not parents:
                raise PathExists(f"{path} already exists as a directory")
            return
        if len(way) < len(names) and not parents:
            raise PathNotFound(f"Parent directory doesn't exist: {render(names[:-1])}")
        self._parent(way, names, who)
        self.check_quota(way, len(names) + 1 - len(way), 0)

    def mkdir(self, path: str, parents: bool, mode: int = 0o755, who: Caller = ROOT) -> None:
        """Make a directory; those above it, too, with `parents`."""
        self.check_mkdir(path, parents, who)
        names, way = names_of(path), self.way(path)
        if len(way) > len(names):
            return
        parent: Any = way[-1]
        for name in names[len(way) - 1 : -1]:
            parent = self._enter(parent, name, Directory(mode | 0o300, who.user))
        self._enter(parent, names[-1], Directory(mode, who.user))

    def check_new(self, path: str, overwrite: bool, who: Caller = ROOT, space: int = 0) -> None:
        """Raise what `add` would."""
        names, way = names_of(path), self.way(path, who)
        old = way[-1] if len(way) > len(names) else None
        if isinstance(old, Directory):
            raise IsADirectory(f"{path} already exists as a directory")
        if old is not None and not overwrite:
            raise PathExists(f"{path} already exists")
        if old is not None:
            require(old, who, WRITE)
            require_unsticky(way[-2], old, who)
        self._parent(way[: len(names)], names, who)
        spared = old.length * old.replication if isinstance(old, File) else 0
        self.check_quota(way, len(names) + 1 - len(way), space - spared)

    def add(self, path: str, file: File, overwrite: bool, who: Caller = ROOT) -> None:
        """A new file, in place of an old one with `overwrite`; missing directories are made."""
        self.check_new(path, overwrite, who, file.length * file.replication)
        names, way = names_of(path), self.way(path)[: len(names_of(path))]
        parent = self._parent(way, names, who)
        mode = parent.mode & 0o777 | 0o300
        for name in names[len(way) - 1 : -1]:
            parent = self._enter(parent, name, Directory(mode, who.user))
        self._enter(parent, names[-1], file)

    def delete(self, path: str, recursive: bool, who: Caller = ROOT) -> bool:
        """Whether there was something to delete."""
        names, way = names_of(path), self.way(path, who)
        if len(way) <= len(names):
            return False
        if not names:
            raise PermissionDenied("The root directory is not allowed to be deleted")
        node, parent = way[-1], self._parent(way[:-1], names, who)
        require_unsticky(parent, node, who)
        if isinstance(node, Directory) and node.children:
            if not recursive:
                raise DirectoryNotEmpty(f"{path} is non empty")
            for _, below in self.walk(path):
                if isinstance(below, Directory) and below.children:
                    require(below, who, READ | WRITE | EXECUTE)
                    for child in below.children.values():
                        require_unsticky(below, child, who)
        self._leave(parent, names[-1])
        return True

    def check_rename(
        self, source: str, target: str, who: Caller = ROOT, overwrite: bool = False
    ) -> None:
        """Raise what `rename` would."""
        check_apart(source, target)
        node, old = self.way(source, who)[-1], self.way(source)
        if self.missing(source):
            raise PathNotFound(f"rename source {source} is not found.")
        names, way = names_of(target), self.way(target, who)
        replaced: List[Node] = []
        parent = self._parent(old[:-1], names_of(source), who)
        require_unsticky(parent, node, who)
        if len(way) > len(names):
            if not overwrite:
                raise PathExists(f"rename destination {target} already exists")
            check_replaced(node, way[-1])
            require_unsticky(way[-2], way[-1], who)
            replaced.append(way.pop())
        require(way[-1], who, WRITE)
        if len(way) < len(names):
            raise PathNotFound(f"rename destination parent {render(names[:-1])} not found.")
        self._parent(way, names, who)
        use, freed = self.use(node), [self.use(one) for one in replaced]
        names_more = use.names - sum(one.names for one in freed)
        space_more = use.space - sum(one.space for one in freed)
        self.check_quota(way, names_more, space_more, spared=old)

    def rename(
        self, source: str, target: str, who: Caller = ROOT, overwrite: bool = False
    ) -> None:
        """Move a node to a path that is free, or that it may take."""
        self.check_rename(source, target, who, overwrite)
        parent, node = self.way(source)[-2:]
        above = self.way(target)[len(names_of(target)) - 1]
        assert isinstance(parent, Directory) and isinstance(above, Directory)
        self._leave(parent, names_of(source)[-1])
        above.children[names_of(target)[-1]] = node
        above.mtime_ms = self.now_ms

    def concat(self, target: str, sources: Sequence[str], who: Caller = ROOT) -> None:
        """Move the content of files in one directory behind that of another one there."""
        file = self.whole_file(target, who, WRITE)
        parent, moved = self.way(target)[-2], []
        assert isinstance(parent, Directory)
        for source in sources:
            node = self.whole_file(source, who, READ)
            require(self.way(source)[-2], who, WRITE)
            require_unsticky(self.way(source)[-2], node, who)
            if source.rpartition("/")[0] != target.rpartition("/")[0]:
                raise InvalidArgument(f"Source file {source} is not in the same directory")
            if node is file or node in moved:
                raise InvalidArgument(f"concat: the src file {source} is the same")
            if not node.length or node.block_size > file.block_size:
                raise InvalidArgument(
                    f"concat: source file {source} is invalid or empty or underConstruction"
                )
            moved.append(node)
        if not moved:
            raise InvalidArgument("concat: no sources")
        more = sum(node.length * (file.replication - node.replication) for node in moved)
        self.check_quota(self.way(target), 0, more)
        for source, node in zip(sources, moved):
            file.content += node.content
            self._leave(parent, source.rpartition("/")[2])
        file.mtime_ms = self.now_ms

    def set_replication(self, path: str, replication: int, who: Caller = ROOT) -> None:
        """How many replicas a file shall have."""
        check_replication(path, replication)
        file = self.file(path, who, WRITE)
        each = self.use(file).space // file.replication
        self.check_quota(self.way(path), 0, each * (replication - file.replication))
        file.replication = replication

    def set_content(self, path: str, content: Any, who: Caller = ROOT) -> None:
        """What a file is from now on."""
        file = self.file(path, who, WRITE)
        self.check_quota(self.way(path), 0, (len(content) - file.length) * file.replication)
        file.content = content
        file.mtime_ms = self.now_ms

    def set_quota(self, path: str, names: int, space: int) -> None:
        """What a directory may hold; QUOTA_UNCHANGED leaves a quota as it is."""
        node = self.get(path)
        if node is None:
            raise PathNotFound(f"Directory does not exist: {path}")
        if not isinstance(node, Directory):
            raise NotADirectory(f"`{path}': Is not a directory")
        if path == "/" and names == NO_QUOTA:
            raise InvalidArgument("Cannot clear namespace quota on root.")
        old, new = node.quotas, (names, space)
        node.quotas = tuple(a if b == QUOTA_UNCHANGED else b for a, b in zip(old, new))

    def enter(self, parent: Directory, name: str, node: Node) -> Node:
        """Put a node where nothing is asked, nor checked."""
        return self._enter(parent, name, node)

    def check_quota(
        self, way: Sequence[Node], names: int, space: int, spared: Sequence[Node] = ()
    ) -> None:
        """Whether the directories on a way can take so many more nodes and bytes."""
        for node in way:
            if not isinstance(node, Directory) or node in spared or node.quotas == NO_QUOTAS:
                continue
            use = self.use(node)
            for limit, used, more in zip(node.quotas, (use.names, use.space), (names, space)):
                if limit != NO_QUOTA and more > 0 and used + more > limit:
                    raise QuotaExceeded("a quota above is exceeded")

    # -- Within.

    def _parent(self, way: List[Node], names: Sequence[str], who: Caller) -> Directory:
        """The last of a way, in which something shall be made or removed."""
        if not names:
            raise PermissionDenied("the root stays")
        parent = way[-1]
        if not isinstance(parent, Directory):
            raise NotADirectory(f"{render(names[: len(way) - 1])} (is not a directory)")
        require(parent, who, WRITE)
        return parent

    def _enter(self, parent: Directory, name: str, node: Any) -> Any:
        node.group, node.number = parent.group, node.number or next(self._numbers)
        node.mtime_ms = parent.mtime_ms = self.now_ms
        parent.children[name] = node
        return node

    def _leave(self, parent: Directory, name: str) -> None:
        del parent.children[name]
        parent.mtime_ms = self.now_ms
