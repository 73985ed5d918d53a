"""How much hangs below each directory that has a quota, kept up to date.

Theory of operation. Only directories with a quota are counted: once when they get it, and from
then on by every row change. `Image.apply`, which alone changes the tree, tells each change here,
and the change walks up to the root; without any quota nothing walks, and a file costs no memory.
A tree that moves is counted only when other quotas are above it than before. A deleted tree moves
to the orphans, which no quota is above: it leaves the counts at once.
"""

from typing import Dict, List, NamedTuple

from data_service.namenode.namespace.inodes import Directory, Inode


class Use(NamedTuple):
    """What a quota limits: inodes, the directory itself among them; bytes of all replicas."""

    names: int
    space: int


class Usage:
    """The use of every directory that has a quota."""

    def __init__(self) -> None:
        self._uses: Dict[int, Use] = {}

    def limited(self, directory: Directory) -> List[Directory]:
        """The directories with a quota from this one up to the root, the nearest first."""
        found: List[Directory] = []
        if self._uses:
            while True:
                if directory.id in self._uses:
                    found.append(directory)
                if directory.parent is directory:
                    break
                directory = directory.parent
        return found

    def of(self, inode: Inode) -> Use:
        """What a tree uses; it is counted now unless it has a quota."""
        return self._uses.get(inode.id) or count(inode)

    def follow(self, directory: Directory) -> None:
        """The quotas of a directory were set or cleared."""
        if not directory.is_limited:
            self._uses.pop(directory.id, None)
        elif directory.id not in self._uses:
            self._uses[directory.id] = count(directory)

    def charge(self, directory: Directory, names: int, space: int) -> None:
        """So much more is (negative: less) directly in a directory."""
        if self._uses:
            for above in self.limited(directory):
                self._add(above, names, space)

    def move(self, inode: Inode, target: Directory) -> None:
        """An inode with all below it is about to go to another directory."""
        left, entered = self.limited(inode.parent), self.limited(target)
        if left == entered:
            return
        use = self.of(inode)
        for above in left:
            self._add(above, -use.names, -use.space)
        for above in entered:
            self._add(above, *use)

    def remove(self, inode: Inode) -> None:
        """An inode is about to go for good; nothing is below it any more."""
        if self._uses:
            use = self.of(inode)
            self.charge(inode.parent, -use.names, -use.space)
            self._uses.pop(inode.id, None)

    def check(self, directory: Directory) -> bool:
        """Assert that a directory is counted as it is; whether it is counted at all."""
        limited = directory.is_limited
        assert limited is (directory.id in self._uses), f"{directory!r}: counted without a quota"
        assert not limited or self._uses[directory.id] == count(directory), f"use of {directory!r}"
        return limited

    def _add(self, directory: Directory, names: int, space: int) -> None:
        use = self._uses[directory.id]
        self._uses[directory.id] = Use(use.names + names, use.space + space)

    def __len__(self) -> int:
        return len(self._uses)

    def __repr__(self) -> str:
        return f"<Usage of {len(self._uses)} directories>"


def count(top: Inode) -> Use:
    """What a tree uses, counted inode by inode."""
    names = space = 0
    waiting = [top]
    while waiting:
        inode = waiting.pop()
        names += 1
        if isinstance(inode, Directory):
            waiting.extend(inode.children.values())
        else:
            space += inode.space
    return Use(names, space)
