"""Quotas: whether so much more may stand below a directory. Asked before anything is decided.

A name quota limits files and directories, the directory itself among them; a space quota limits
bytes of all replicas. What a file that is being written will take is reserved, and counts from then
on: the file's name at its creation, a whole block with each block, whatever its length will be. So
`complete` only makes of a reservation what is mostly less, and need not ask.
"""

from typing import Callable, Collection, Optional

from data_service.namenode.namespace.inodes import Directory, File, Inode
from data_service.namenode.namespace.usage import Usage, Use
from data_service.protocol.redundancy import Redundancy
from data_service.protocol.sizes import scaled
from zookeeper.fabric.errors import QuotaExceeded


class Quotas:
    """Compares with the counts of `usage`; `reserved` tells what open files in a tree will take
    beyond what stands there."""

    def __init__(self, usage: Usage, reserved: Callable[[Inode], Use]) -> None:
        self._usage = usage
        self._reserved = reserved

    def apply_to(self, directory: Directory) -> bool:
        """Whether there is a quota on a directory or above it."""
        return bool(self._usage.limited(directory))

    def verify(
        self,
        directory: Directory,
        names: int,
        space: int,
        spared: Collection[Directory] = (),
    ) -> None:
        """Raise QuotaExceeded unless a directory and those above can take so much more.

        `names` are files and directories, `space` bytes of all replicas; what does not grow is
        not refused, however much there is. The quotas of `spared` directories are not asked.
        """
        if names <= 0 and space <= 0:
            return
        for above in self._usage.limited(directory):
            if above not in spared:
                self._verify_one(above, names, space)

    def verify_move(self, inode: Inode, target: Directory, replaced: Optional[Inode]) -> None:
        """Raise QuotaExceeded unless `target` can take an inode with all below it, in the place of
        what is `replaced` there, if anything is.

        A quota above both places sees no difference but what that makes.
        """
        spared = self._usage.limited(inode.parent)
        if all(above in spared for above in self._usage.limited(target)):
            return
        use, freed = self.use(inode), Use(0, 0) if replaced is None else self.use(replaced)
        self.verify(target, use.names - freed.names, use.space - freed.space, spared)

    def verify_redundancy(self, file: File, redundancy: Redundancy) -> None:
        """Raise QuotaExceeded unless a file can be kept like that."""
        if self.apply_to(file.parent):
            space = self.use(file).space
            length = file.attributes.redundancy.length(space)
            self.verify(file.parent, 0, redundancy.space(length) - space)

    def use(self, inode: Inode) -> Use:
        """What a tree takes, and what open files in it will take."""
        used, reserved = self._usage.of(inode), self._reserved(inode)
        return Use(used.names + reserved.names, used.space + reserved.space)

    def _verify_one(self, directory: Directory, names: int, space: int) -> None:
        use = self.use(directory)
        limit, wanted = directory.name_quota, use.names + names
        if names > 0 and limit is not None and wanted > limit:
            raise QuotaExceeded(
                f"The NameSpace quota (directories and files) of directory {directory.path} "
                f"is exceeded: quota={limit} file count={wanted}"
            )
        limit, wanted = directory.space_quota, use.space + space
        if space > 0 and limit is not None and wanted > limit:
            raise QuotaExceeded(
                f"The DiskSpace quota of {directory.path} is exceeded: quota = {_bytes(limit)} "
                f"but diskspace consumed = {_bytes(wanted)}"
            )

    def __repr__(self) -> str:
        return f"<Quotas {self._usage!r}>"


def _bytes(number: int) -> str:
    return f"{number} B = {scaled(number, 'B', 2)}"
