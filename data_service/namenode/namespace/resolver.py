"""The one reader of paths: traversal, with the permission to pass each directory on the way.

Names are tuples of components (`paths.parse`).
"""

from typing import Iterator, List, Optional, Tuple

from data_service.namenode.namespace.inodes import Directory, File, Inode
from data_service.namenode.namespace.paths import render
from data_service.namenode.namespace.permissions import EXECUTE, READ_EXECUTE, Caller, require
from data_service.protocol.files import ContentSummary
from zookeeper.fabric.errors import IsADirectory, NotADirectory, PathNotFound

Names = Tuple[str, ...]


class Resolver:
    """Finds inodes below one root, on behalf of callers."""

    def __init__(self, root: Directory) -> None:
        self._root = root

    def walk(self, caller: Caller, names: Names) -> Tuple[Inode, int]:
        """The deepest inode on the way that exists, and how many components lead to it.

        Raises NotADirectory when the way leads through a file, and PermissionDenied when the
        caller may not pass a directory.
        """
        inode: Inode = self._root
        depth = 0
        for name in names:
            if type(inode) is not Directory:
                raise NotADirectory(f"{inode.path} (is not a directory)")
            if not caller.superuser:
                require(inode, caller, EXECUTE)
            child = inode.children.get(name)
            if child is None:
                break
            inode = child
            depth += 1
        return inode, depth

    def find(self, caller: Caller, names: Names) -> Inode:
        """The inode of a path; PathNotFound when there is none."""
        inode, depth = self.walk(caller, names)
        if depth < len(names):
            raise PathNotFound(f"File does not exist: {render(names)}")
        return inode

    def find_file(self, caller: Caller, names: Names) -> File:
        """The file of a path; IsADirectory when it is none."""
        inode = self.find(caller, names)
        if not isinstance(inode, File):
            raise IsADirectory(f"Path is not a file: {render(names)}")
        return inode

    def descend(self, top: Inode, after: Optional[Names]) -> Iterator[Inode]:
        """The tree at `top`, directories before what they hold, siblings in order.

        Continues behind the inode that has (or had) the components `after` below `top`; `()` is
        `top` itself, None starts at it. Nothing may change while the iterator is used.
        """
        stack: List[Iterator[Inode]] = []
        if after is None:
            yield top
            after = ()
        inode: Optional[Inode] = top
        for name in after:
            if not isinstance(inode, Directory):
                break
            stack.append(inode.ordered(name))
            inode = inode.children.get(name)
        if isinstance(inode, Directory):
            stack.append(inode.ordered())
        while stack:
            child = next(stack[-1], None)
            if child is None:
                stack.pop()
                continue
            yield child
            if isinstance(child, Directory):
                stack.append(child.ordered())

    def content_summary(self, caller: Caller, names: Names) -> ContentSummary:
        """What is in the tree; needs read and execute on every directory of it."""
        top = self.find(caller, names)
        waiting = [top] if not caller.superuser else []
        while waiting:
            inode = waiting.pop()
            if isinstance(inode, Directory):
                require(inode, caller, READ_EXECUTE)
                # Most directories hold files only.
                if inode.directories > 1:
                    waiting.extend(inode.children.values())
        return top.summary()
