"""Inodes: the directories and files of the namespace, as small as Python allows.

A million files stand in memory at once, so a file is one object with seven slots. What many
inodes have in common (owner, group, mode, redundancy, block size) is one shared `Attributes`.
Only `image.py` changes an inode, by applying row changes; everybody else reads.
"""

from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from data_service.namenode.namespace.sorted_names import SortedNames
from data_service.protocol.blocks import Block
from data_service.protocol.files import DIRECTORY, FILE, ContentSummary, FileStatus
from data_service.protocol.redundancy import Redundancy

ORPHANS_ID = 0
"""The parent of what was deleted and is not yet taken apart. No path leads there."""

ROOT_ID = 1
"""The inode of `/`, which is its own parent."""

INDEX_FROM = 1000
"""Directories with more children than this keep their names in order, until they have half of it:
to sort so few for a page of a listing takes 0.1 ms."""

NAMES_AT_ONCE = 1000
"""So many names a walk takes from a directory that may have a million."""


class Attributes(NamedTuple):
    """What many inodes share. Directories have no redundancy, and block size 0."""

    owner: str
    group: str
    mode: int
    redundancy: Redundancy
    block_size: int


class InodeRow(NamedTuple):
    """An inode as a row of the image; the columns of the table `inodes`. Quotas: None = unset."""

    id: int
    parent: int
    name: str
    kind: str
    owner: str
    grp: str
    mode: int
    mtime_ms: int
    atime_ms: int
    replication: int
    block_size: int
    name_quota: Optional[int] = None
    space_quota: Optional[int] = None


class BlockRow(NamedTuple):
    """A committed block as a row of the image; the columns of the table `blocks`."""

    id: int
    generation: int
    length: int
    inode: int
    position: int


class Inode:
    """What directories and files have in common. `parent` is the object, not its id."""

    __slots__ = ("id", "parent", "name", "attributes", "mtime_ms", "atime_ms")

    kind = ""

    def __init__(self, row: InodeRow, parent: "Directory", attributes: Attributes) -> None:
        self.id = row.id
        self.parent = parent
        self.name = row.name
        self.attributes = attributes
        self.mtime_ms = row.mtime_ms
        # Both times of most files are equal: one integer object instead of two.
        self.atime_ms = row.mtime_ms if row.atime_ms == row.mtime_ms else row.atime_ms

    def status(self) -> FileStatus:
        """What `stat` tells."""
        raise NotImplementedError

    def summary(self) -> ContentSummary:
        """What `count` tells: of all that is in a directory, itself included."""
        raise NotImplementedError

    def row(self, wall_ms: Optional[int] = None) -> InodeRow:
        """The inode as it stands in the image, or will when it is changed at `wall_ms`."""
        owner, group, mode, redundancy, block_size = self.attributes
        mtime_ms = self.mtime_ms if wall_ms is None else wall_ms
        return InodeRow(
            self.id, self.parent.id, self.name, self.kind, owner, group, mode,
            mtime_ms, self.atime_ms, redundancy.targets, block_size,
        )  # fmt: skip

    @property
    def path(self) -> str:
        """The absolute path, for messages. That of a deleted inode starts at the orphans."""
        names = []
        inode = self
        while inode.id > ROOT_ID:
            names.append(inode.name)
            inode = inode.parent
        names.reverse()
        return "/" + "/".join(names)

    def is_within(self, top: "Inode") -> bool:
        """Whether the inode is `top`, or below it."""
        inode = self
        while inode is not top and inode.parent is not inode:
            inode = inode.parent
        return inode is top

    @property
    def is_deleted(self) -> bool:
        """Whether the inode is an orphan, or below one."""
        inode = self
        while inode.id > ROOT_ID:
            inode = inode.parent
        return inode.id == ORPHANS_ID

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.path}>"


class File(Inode):
    """A complete file. Its blocks never change but by an edit that also names the file's row."""

    __slots__ = ("_content",)

    kind = FILE

    # One block is kept without a tuple around it, which saves 48 bytes a file.
    _content: Union[Block, Tuple[Block, ...]]

    def __init__(self, row: InodeRow, parent: "Directory", attributes: Attributes) -> None:
        super().__init__(row, parent, attributes)
        self._content = ()

    @property
    def blocks(self) -> Tuple[Block, ...]:
        """The blocks in order."""
        content = self._content
        return (content,) if isinstance(content, Block) else content

    @blocks.setter
    def blocks(self, blocks: Tuple[Block, ...]) -> None:
        self._content = blocks[0] if len(blocks) == 1 else blocks

    @property
    def length(self) -> int:
        """The file's length in bytes."""
        content = self._content
        if isinstance(content, Block):
            return content[2]
        return sum([block[2] for block in content]) if content else 0

    @property
    def space(self) -> int:
        """What all replicas take together, in bytes."""
        return self.attributes.redundancy.space(self.length)

    def status(self) -> FileStatus:
        """What `stat` tells."""
        owner, group, mode, redundancy, block_size = self.attributes
        return FileStatus(
            self.name, self.id, FILE, self.length, redundancy.targets, block_size,
            owner, group, mode, self.mtime_ms, self.atime_ms,
        )  # fmt: skip

    def summary(self) -> ContentSummary:
        """What `count` tells."""
        return ContentSummary(0, 1, self.length, self.space)


class Directory(Inode):
    """A directory. The root and the orphans have no parent but themselves.

    `directories`, `files`, `length` and `space` say what is in its tree, see `usage.py`.
    """

    __slots__ = ("children", "directories", "files", "length", "space",
                 "name_quota", "space_quota", "_sorted")

    kind = DIRECTORY

    children: Dict[str, Inode]
    _sorted: Optional[SortedNames]

    def __init__(
        self, row: InodeRow, parent: Optional["Directory"], attributes: Attributes
    ) -> None:
        super().__init__(row, self if parent is None else parent, attributes)
        self.children = {}
        self.directories = 1
        self.files = self.length = self.space = 0
        self.name_quota: Optional[int] = None
        self.space_quota: Optional[int] = None
        self._sorted = None

    def row(self, wall_ms: Optional[int] = None) -> InodeRow:
        """The inode as it stands in the image, or will when it is changed at `wall_ms`."""
        owner, group, mode, _, _ = self.attributes
        mtime_ms = self.mtime_ms if wall_ms is None else wall_ms
        return InodeRow(
            self.id, self.parent.id, self.name, DIRECTORY, owner, group, mode,
            mtime_ms, self.atime_ms, 0, 0, self.name_quota, self.space_quota,
        )  # fmt: skip

    def status(self) -> FileStatus:
        """What `stat` tells; length, replication and block size are 0."""
        owner, group, mode, _, _ = self.attributes
        return FileStatus(
            self.name, self.id, DIRECTORY, 0, 0, 0,
            owner, group, mode, self.mtime_ms, self.atime_ms,
        )  # fmt: skip

    def summary(self) -> ContentSummary:
        """What `count` tells."""
        return ContentSummary(self.directories, self.files, self.length, self.space)

    @property
    def is_limited(self) -> bool:
        """Whether it has a quota."""
        return self.name_quota is not None or self.space_quota is not None

    def holds(self, name: str) -> bool:
        """Whether an entry has this name."""
        return name in self.children

    def attach(self, child: Inode) -> None:
        """Make `child` an entry of this directory; its name must be free."""
        assert not self.holds(child.name), f"{child.name!r} is taken in {self!r}"
        self.children[child.name] = child
        if self._sorted is not None:
            self._sorted.add(child.name)
        elif len(self.children) > INDEX_FROM:
            self.put_in_order()

    def detach(self, child: Inode) -> None:
        """Take `child` out of this directory."""
        assert self.children[child.name] is child, f"{child!r} is not in {self!r}"
        del self.children[child.name]
        if self._sorted is not None:
            self._sorted.remove(child.name)
            if len(self.children) <= INDEX_FROM // 2:
                self._sorted = None

    def load(self, child: Inode) -> None:
        """Make `child` an entry; at the end of all of them, the directory is `put_in_order`."""
        self.children[child.name] = child

    def put_in_order(self) -> None:
        """Keep the names in order from now on, should there be many of them."""
        if len(self.children) > INDEX_FROM:
            self._sorted = SortedNames(self.children)

    def page(self, after: str, limit: int) -> Tuple[List[Inode], bool]:
        """At most `limit` children whose names follow `after`, in order; whether more follow."""
        found = self._names().after(after, limit + 1)
        return [self.children[name] for name in found[:limit]], len(found) > limit

    def ordered(self, after: str = "") -> Iterator[Inode]:
        """Every child whose name follows `after`, in order; the directory must not change."""
        names = self._names()
        found = names.after(after, NAMES_AT_ONCE)
        while found:
            for name in found:
                yield self.children[name]
            found = names.after(found[-1], NAMES_AT_ONCE)

    def _names(self) -> SortedNames:
        return SortedNames(self.children) if self._sorted is None else self._sorted

    def check(self) -> None:
        """Assert that the kept names are the children's, in order."""
        assert self._sorted is None or self._sorted.equals(self.children), f"index of {self!r}"


class Orphans(Directory):
    """Where deleted inodes wait. Names repeat here, so its entries are known by their numbers."""

    __slots__ = ()

    def holds(self, name: str) -> bool:
        """No: a name never keeps another inode from the orphans."""
        return False

    def attach(self, child: Inode) -> None:
        """Take in a deleted inode."""
        self.children[str(child.id)] = child

    def load(self, child: Inode) -> None:
        """Take in a deleted inode."""
        self.attach(child)

    def detach(self, child: Inode) -> None:
        """Let an inode go for good."""
        del self.children[str(child.id)]
