"""The one reader of paths: traversal, with the permission to pass each directory on the way.

Names are tuples of components (`paths.parse`).
"""

from typing import Callable, Iterator, List, Optional, Tuple

from data_service.namenode.namespace.inodes import Directory, File, Inode
from data_service.namenode.namespace.paths import render
from data_service.namenode.namespace.permissions import (
    EXECUTE,
    Caller,
    require,
    require_readable,
)
from data_service.namenode.namespace.tree_check import RecentChanges, TreeCheck
from data_service.protocol.files import ContentSummary
from zookeeper.fabric.errors import IsADirectory, NotADirectory, PathNotFound

Names = Tuple[str, ...]


class Resolver:
    """Finds inodes below one root, on behalf of callers."""

    def __init__(self, root: Directory, changes: RecentChanges) -> None:
        self._root = root
        self._changes = changes

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

    def content_summary(
        self, caller: Caller, names: Names, check: Optional[TreeCheck] = None
    ) -> ContentSummary:
        """What is in the tree; needs read and execute on every directory of it."""
        top = self.find(caller, names)
        self.ask_tree(caller, top, check, require_readable)
        return top.summary()

    def ask_tree(
        self,
        caller: Caller,
        top: Inode,
        check: Optional[TreeCheck],
        ask: Callable[[Inode, Caller], bool],
    ) -> None:
        """Ask all of a tree whether the caller may, at once or as far as `check` goes; raises
        PermissionDenied, or Unfinished (see TreeCheck)."""
        if not caller.superuser:
            check = check or TreeCheck.at_once()
            check.go_on(top, self._changes, lambda inode: ask(inode, caller))
