"""What is reserved for files that are being written: for the quotas it counts as if it stood there.

A new file has its name, and those of the directories that will be made for it, from its creation
on; each block that it is given counts as a whole one until its length is known.
"""

from typing import Iterator, Set, Tuple

from data_service.namenode.namespace.image import Image
from data_service.namenode.namespace.inodes import Directory, File, Inode
from data_service.namenode.namespace.usage import Use
from data_service.namenode.writers.leases import Leases, Place
from data_service.namenode.writers.open_files import OpenFile, OpenFiles


class Reservations:
    """Counts them anew for each question, over all open files: only a directory with a quota
    asks."""

    def __init__(self, image: Image, leases: Leases, files: OpenFiles) -> None:
        self._image = image
        self._leases = leases
        self._files = files

    def of(self, top: Inode) -> Use:
        """What the open files in a tree will take, beyond what stands there."""
        names: Set[Place] = set()
        space = 0
        for file, place in self._below(top):
            names.update(self._missing(place))
            space += self.space(file, place, len(file.blocks))
        return Use(len(names), space)

    def new_names(self, place: Place) -> int:
        """How many inodes a file at a place would add to those that stand or are reserved."""
        reserved: Set[Place] = set()
        for _, other in self._below(self._image.root):
            reserved.update(self._missing(other))
        return len(set(self._missing(place)) - reserved)

    def block_space(self, file: OpenFile) -> int:
        """How many bytes more one more block would take."""
        place, count = self._leases.place(file.new.file_id), len(file.blocks)
        return self.space(file, place, count + 1) - self.space(file, place, count)

    def space(self, file: OpenFile, place: Place, blocks: int) -> int:
        """The bytes of all replicas of so many whole blocks of a file, beyond what stands there.

        What they replace will go, so its bytes are counted out; but as long as it stands it gives
        no room to anybody else. A truncation takes none: it makes a file shorter, see
        `OpenFile.final_blocks`, so it is how people get room where there is none left.
        """
        above, names = self._descend(place)
        if isinstance(above, File):
            more = 0 if file.tail.replaced else blocks * file.new.block_size
            return above.attributes.redundancy.space(more)
        wanted = file.new.redundancy.space(blocks * file.new.block_size)
        assert isinstance(above, Directory), "there are names below it"
        old = above.children.get(names[0]) if len(names) == 1 else None
        return max(0, wanted - old.space) if isinstance(old, File) else wanted

    def _below(self, top: Inode) -> Iterator[Tuple[OpenFile, Place]]:
        """The open files whose places are in a tree; a visible file's place is itself."""
        for file in self._files:
            place = self._leases.place(file.new.file_id)
            anchor = self._image.inodes.get(place.anchor)
            if anchor is not None and anchor.is_within(top):
                yield file, place

    def _missing(self, place: Place) -> Iterator[Place]:
        """The inodes that are not there yet on the way to a place, itself among them."""
        above, names = self._descend(place)
        if isinstance(above, Directory) and names[0] not in above.children:
            for depth in range(1, len(names) + 1):
                yield Place(above.id, names[:depth])

    def _descend(self, place: Place) -> Tuple[Inode, Tuple[str, ...]]:
        """The last directory on the way to a place, and the names below it.

        Most often that is the place itself, but another writer may have been there first. The
        place of a visible file is that file, and no names.
        """
        above, names = self._image.inodes[place.anchor], place.names
        while len(names) > 1 and isinstance(above, Directory):
            below = above.children.get(names[0])
            if not isinstance(below, Directory):
                break
            above, names = below, names[1:]
        return above, names

    def __repr__(self) -> str:
        return f"<Reservations for {self._files!r}>"
