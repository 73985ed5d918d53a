"""Asking for everything in a tree, some of it at a time.

Theory of operation. Whoever counts or deletes a tree, and is not the superuser, must be allowed to
read or to take apart every directory of it. There may be a hundred thousand, and while they are
asked nobody else is answered. So a check stops after a while, with `Unfinished`: its caller gives
the lock up, and begins the operation again, which goes on where it stopped. What came into the tree
meanwhile, or changed hands, `RecentChanges` tells, and it is asked as well. So when a check ends,
it holds for the whole tree as it is at that moment.
"""

from collections import deque
from itertools import islice
from math import inf
from typing import Callable, Deque, List, Optional

from data_service.namenode.namespace.inodes import Directory, Inode
from zookeeper.fabric.errors import PermissionDenied

INODES_AT_ONCE = 5000
"""Asked before others are answered again: some 2 ms."""

CHANGES_MAX = 10_000
"""Inodes that are known to have changed; a check that was away for longer begins anew."""

Ask = Callable[[Inode], bool]
"""Whether what is in an inode is to be asked as well; raises PermissionDenied."""


class Unfinished(Exception):
    """Not an error: others are to be answered before the operation is called again."""


class RecentChanges:
    """Inodes that came to another place, or have other attributes; `count` of them so far."""

    def __init__(self) -> None:
        self._inodes: Deque[Inode] = deque(maxlen=CHANGES_MAX)
        self.count = 0

    def note(self, inode: Inode) -> None:
        """An inode is new, was moved, or belongs to somebody else, or has another mode."""
        self._inodes.append(inode)
        self.count += 1

    def since(self, count: int) -> Optional[List[Inode]]:
        """What changed when there had been so many changes; None: it is not known any more."""
        new = self.count - count
        return list(islice(reversed(self._inodes), new)) if new <= len(self._inodes) else None

    def __repr__(self) -> str:
        return f"<RecentChanges, {self.count} so far>"


class TreeCheck:
    """One operation's, for as often as it has to be begun again."""

    def __init__(self, inodes_at_once: float = INODES_AT_ONCE) -> None:
        self._inodes_at_once = inodes_at_once
        self._top: Optional[Inode] = None
        self._waiting: List[Inode] = []
        self._seen = 0

    @classmethod
    def at_once(cls) -> "TreeCheck":
        """One that is never unfinished."""
        return cls(inf)

    def go_on(self, top: Inode, changes: RecentChanges, ask: Ask) -> None:
        """Ask the inodes of the tree at `top`; raises Unfinished, or what `ask` raises."""
        self._catch_up(top, changes)
        asked = 0
        while self._waiting:
            if asked >= self._inodes_at_once:
                raise Unfinished
            inode = self._waiting.pop()
            asked += 1
            try:
                if ask(inode) and isinstance(inode, Directory):
                    self._waiting.extend(inode.children.values())
            except PermissionDenied:
                # What has left the tree since it was found does not matter any more.
                if inode.is_within(top):
                    raise

    def _catch_up(self, top: Inode, changes: RecentChanges) -> None:
        changed = changes.since(self._seen) if self._top is top else None
        self._top, self._seen = top, changes.count
        if changed is None:
            self._waiting = [top]
        else:
            self._waiting += [inode for inode in changed if inode.is_within(top)]

    def __repr__(self) -> str:
        return f"<TreeCheck of {self._top!r}, {len(self._waiting)} found and not asked>"
