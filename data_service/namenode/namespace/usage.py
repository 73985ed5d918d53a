"""How much hangs below each directory, kept up to date.

Theory of operation. Every directory knows what its tree holds. `Image.apply`, which alone changes
the tree, tells each change here, and the change walks up to the root: a microsecond, against a walk
over the whole tree for each question, during which nobody else is answered. So what `count`, `du`
and the quotas ask takes no time, and a file costs no memory. A tree that is being loaded is counted
once, at the end. A deleted tree moves to the orphans: it leaves the counts above it at once.
"""

from typing import List, NamedTuple, Set

from data_service.namenode.namespace.inodes import Directory, File, Inode
from data_service.protocol.files import ContentSummary


class Use(NamedTuple):
    """What a quota limits: inodes, the directory itself among them; bytes of all replicas."""

    names: int
    space: int


class Usage:
    """Keeps the summary of every directory, and knows which ones have a quota."""

    def __init__(self) -> None:
        self._limited: Set[int] = set()

    def limited(self, directory: Directory) -> List[Directory]:
        """The directories with a quota from this one up to the root, the nearest first."""
        found: List[Directory] = []
        if self._limited:
            while True:
                if directory.is_limited:
                    found.append(directory)
                if directory.parent is directory:
                    break
                directory = directory.parent
        return found

    def of(self, inode: Inode) -> Use:
        """What a tree uses."""
        found = inode.summary()
        return Use(found.directories + found.files, found.space)

    def follow(self, directory: Directory) -> None:
        """The quotas of a directory were set or cleared."""
        if directory.is_limited:
            self._limited.add(directory.id)
        else:
            self._limited.discard(directory.id)

    def add(self, directory: Directory, inode: Inode) -> None:
        """An inode has come into a directory, with all below it."""
        _charge(directory, *inode.summary())

    def take(self, inode: Inode) -> None:
        """An inode is about to leave its directory, with all below it."""
        directories, files, length, space = inode.summary()
        _charge(inode.parent, -directories, -files, -length, -space)

    def grow(self, directory: Directory, length: int, space: int) -> None:
        """A file in a directory has so much more (negative: less)."""
        if length or space:
            _charge(directory, 0, 0, length, space)

    def forget(self, directory: Directory) -> None:
        """A directory is gone for good."""
        self._limited.discard(directory.id)

    def count(self, top: Directory) -> None:
        """Count a tree in which nothing was told."""
        directories = [top]
        for directory in directories:
            directories += [
                child for child in directory.children.values() if isinstance(child, Directory)
            ]
        for directory in reversed(directories):
            counted = _counted(directory)
            directory.directories, directory.files, directory.length, directory.space = counted

    def check(self, directory: Directory) -> None:
        """Assert that a directory is counted as it is, if those below it are."""
        assert directory.is_limited is (directory.id in self._limited), f"quota of {directory!r}"
        assert directory.summary() == _counted(directory), f"what {directory!r} holds"

    def __len__(self) -> int:
        return len(self._limited)

    def __repr__(self) -> str:
        return f"<Usage, {len(self._limited)} directories with a quota>"


def _counted(directory: Directory) -> ContentSummary:
    """What is in a directory, if those in it are counted."""
    directories, files, length, space = 1, 0, 0, 0
    for child in directory.children.values():
        if isinstance(child, Directory):
            directories += child.directories
            files += child.files
            length += child.length
            space += child.space
        elif isinstance(child, File):
            files += 1
            length += child.length
            space += child.space
    return ContentSummary(directories, files, length, space)


def _charge(directory: Directory, directories: int, files: int, length: int, space: int) -> None:
    """So much more is in a directory, and in those above it."""
    while True:
        directory.directories += directories
        directory.files += files
        directory.length += length
        directory.space += space
        if directory.parent is directory:
            return
        directory = directory.parent
