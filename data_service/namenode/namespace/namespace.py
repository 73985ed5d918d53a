"""The rules of the namespace: who may change it, and what a change is.

Each operation checks everything first and then answers with
row changes, which nobody has applied yet: the caller numbers them as one edit and gives them to
`Image.apply`. So an operation that is refused has changed nothing.

Names are tuples of components (`paths.parse`), `wall_ms` is what people will read as the time of
the change, and `new_id` gives the next unused inode number.
"""

from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from data_service.namenode.namespace.contents import sealed_changes
from data_service.namenode.namespace.image import put
from data_service.namenode.namespace.inodes import Directory, Inode, InodeRow
from data_service.namenode.namespace.orphans import unlink
from data_service.namenode.namespace.paths import render
from data_service.namenode.namespace.permissions import (
    MODE_MAX,
    WRITE,
    WRITE_EXECUTE,
    Caller,
    check_name,
    require,
    require_owner,
    require_removable,
    require_superuser,
    require_unsticky,
    require_way,
)
from data_service.namenode.namespace.quotas import Quotas
from data_service.namenode.namespace.renames import check_rename, check_replaced
from data_service.namenode.namespace.resolver import Names, Resolver
from data_service.namenode.namespace.tree_check import TreeCheck
from data_service.protocol.blocks import Told
from data_service.protocol.files import DIRECTORY, FILE, QUOTA_RESET, QUOTA_UNCHANGED
from data_service.protocol.redundancy import Redundancy, replicated
from metadata_service.edits import Change
from zookeeper.fabric.errors import (
    DirectoryNotEmpty,
    InvalidArgument,
    IsADirectory,
    NotADirectory,
    PathExists,
    PathNotFound,
    PermissionDenied,
)

ENTRIES_MAX = 1024 * 1024
"""The most entries of one directory."""


class NewFile(NamedTuple):
    """A file that is about to appear.

    `replaces` is the number of the file that stood in its place when it was opened, 0 for none:
    this one it may replace, and no other that came there meanwhile.
    """

    file_id: int
    owner: str
    overwrite: bool
    redundancy: Redundancy
    block_size: int
    mode: int
    replaces: int = 0


class Namespace:
    """Says how operations change the tree that `resolver` reads."""

    def __init__(self, resolver: Resolver, quotas: Quotas, replication_max: int) -> None:
        self._resolver = resolver
        self._quotas = quotas
        self._replication_max = replication_max

    # -- Changing the tree.

    def find_missing(
        self, caller: Caller, names: Names, make_parents: bool, mode: int
    ) -> Tuple[Directory, Names]:
        """The directories that are missing where one is to be made, each in the one before, and
        the directory that the first can be made in.

        None is missing when the path is a directory and `make_parents` is set.
        """
        check_mode(mode)
        inode, depth = self._resolver.walk(caller, names)
        if depth == len(names):
            if not isinstance(inode, Directory):
                raise NotADirectory(f"Path is not a directory: {render(names)}")
            if not make_parents:
                raise PathExists(f"{render(names)} already exists as a directory")
            return inode, ()
        if depth < len(names) - 1 and not make_parents:
            raise PathNotFound(f"Parent directory doesn't exist: {render(names[:-1])}")
        parent = self.room_below(inode, names, depth)
        require(parent, caller, WRITE)
        self._quotas.verify(parent, len(names) - depth, 0)
        return parent, names[depth:]

    def mkdir(
        self,
        caller: Caller,
        parent: Directory,
        missing: Names,
        mode: int,
        wall_ms: int,
        new_id: Callable[[], int],
    ) -> List[Change]:
        """Make the directories that `find_missing` found.

        Those on the way to the last can be entered and filled by their owner whatever `mode`.
        """
        rows = _directory_rows(
            parent, missing, caller.user, mode | WRITE_EXECUTE << 6, wall_ms, new_id
        )
        rows[-1] = rows[-1]._replace(mode=mode)
        return [_touch(parent, wall_ms)] + [put(row) for row in rows]

    def attach(
        self,
        caller: Caller,
        anchor: Directory,
        names: Names,
        file: NewFile,
        blocks: Sequence[Told],
        wall_ms: int,
        new_id: Callable[[], int],
    ) -> Tuple[InodeRow, List[Change]]:
        """The row of a new file at `names` below `anchor`, and all changes that make it appear.

        The caller needs today what creating it takes: rights, owners and names may have changed
        since. Missing directories are made, with the mode of the one above them. The file that
        it was opened to replace is deleted by the same changes.
        """
        parent, depth = _descend_directories(anchor, names[:-1])
        require_way(parent, caller)
        changes: List[Change] = []
        old = parent.children.get(names[-1]) if depth == len(names) - 1 else None
        if old is not None:
            require_replaceable(old, caller, file.overwrite)
            if old.id != file.replaces:
                raise PathExists(
                    f"{old.path} already exists: it came there while the new one was written"
                )
            changes.append(unlink(old))
        require(parent, caller, WRITE)
        self.room_below(parent, names, depth)
        changes.append(_touch(parent, wall_ms))
        mode = parent.attributes.mode & 0o777 | WRITE_EXECUTE << 6
        rows = _directory_rows(parent, names[depth:-1], file.owner, mode, wall_ms, new_id)
        row = InodeRow(
            file.file_id, rows[-1].id if rows else parent.id, names[-1], FILE,
            file.owner, parent.attributes.group, file.mode,
            wall_ms, wall_ms, file.redundancy.targets, file.block_size,
        )  # fmt: skip
        changes += [put(row) for row in rows]
        changes.append(put(row))
        return row, changes + sealed_changes(blocks, file.file_id)

    def delete(
        self,
        caller: Caller,
        names: Names,
        recursive: bool,
        wall_ms: int,
        check: Optional[TreeCheck] = None,
    ) -> Optional[List[Change]]:
        """Move an inode, with all below it, to the orphans; None when there is none.

        One row, however much hangs below: the tree vanishes at once and is taken apart later.
        """
        inode, depth = self._resolver.walk(caller, names)
        if depth < len(names):
            return None
        if not names:
            raise PermissionDenied("The root directory is not allowed to be deleted")
        require(inode.parent, caller, WRITE)
        require_unsticky(inode.parent, inode, caller)
        if isinstance(inode, Directory) and inode.children:
            if not recursive:
                raise DirectoryNotEmpty(f"{render(names)} is non empty")
            self._resolver.ask_tree(caller, inode, check, require_removable)
        return [unlink(inode), _touch(inode.parent, wall_ms)]

    def rename(
        self,
        caller: Caller,
        source: Names,
        destination: Names,
        wall_ms: int,
        overwrite: bool = False,
    ) -> Tuple[InodeRow, List[Change]]:
        """Move an inode to a path in a directory that exists: its row, and all changes.

        Nothing may be there; with `overwrite` a file takes the place of a file, and a directory
        that of an empty one, by the same changes.
        """
        check_rename(source, destination)
        inode, depth = self._resolver.walk(caller, source)
        if depth < len(source):
            raise PathNotFound(f"rename source {render(source)} is not found.")
        above, matched = self._resolver.walk(caller, destination)
        require(inode.parent, caller, WRITE)
        require_unsticky(inode.parent, inode, caller)
        changes: List[Change] = []
        replaced = None
        if matched == len(destination):
            if not overwrite:
                raise PathExists(f"rename destination {render(destination)} already exists")
            check_replaced(inode, source, above, destination)
            require_unsticky(above.parent, above, caller)
            changes.append(unlink(above))
            replaced, above, matched = above, above.parent, matched - 1
        require(above, caller, WRITE)
        if matched < len(destination) - 1:
            raise PathNotFound(f"rename destination parent {render(destination[:-1])} not found.")
        if inode.parent is not above:
            directory = self.room_below(above, destination, matched)
            self._quotas.verify_move(inode, directory, replaced)
        moved = inode.row()._replace(parent=above.id, name=destination[-1])
        changes += [put(moved), _touch(inode.parent, wall_ms)]
        if isinstance(above, Directory) and above is not inode.parent:
            changes.append(_touch(above, wall_ms))
        return moved, changes

    def room_below(self, inode: Inode, names: Names, depth: int) -> Directory:
        """`inode` as a directory that can take the entry `names[depth]`; errors when it cannot."""
        if not isinstance(inode, Directory):
            raise NotADirectory(f"{inode.path} (is not a directory)")
        if len(inode.children) >= ENTRIES_MAX and not inode.holds(names[depth]):
            raise InvalidArgument(
                f"The directory item limit of {inode.path} is exceeded: "
                f"limit={ENTRIES_MAX} items={len(inode.children)}"
            )
        return inode

    # -- Changing attributes.

    def set_mode(self, caller: Caller, names: Names, mode: int) -> List[Change]:
        """Set the permission bits; only the owner may."""
        check_mode(mode)
        inode = self._resolver.find(caller, names)
        require_owner(inode, caller)
        return [put(inode.row()._replace(mode=mode))]

    def set_owner(self, caller: Caller, names: Names, owner: str, group: str) -> List[Change]:
        """Set owner and group, where they are not empty; owners may give it to their groups."""
        for name in filter(None, (owner, group)):
            check_name(name)
        inode = self._resolver.find(caller, names)
        require_owner(inode, caller)
        if not caller.superuser:
            if owner and owner != caller.user:
                raise PermissionDenied(
                    f"User {caller.user} is not a super user (non-super user cannot change owner)."
                )
            if group and group not in caller.groups:
                raise PermissionDenied(f"User {caller.user} does not belong to {group}")
        row = inode.row()
        return [put(row._replace(owner=owner or row.owner, grp=group or row.grp))]

    def set_times(
        self, caller: Caller, names: Names, mtime_ms: Optional[int], atime_ms: Optional[int]
    ) -> List[Change]:
        """Set the times that are not None; needs write on the inode."""
        for time_ms in (mtime_ms, atime_ms):
            if time_ms is not None and (type(time_ms) is not int or not 0 <= time_ms < 1 << 63):
                raise InvalidArgument(f"{time_ms!r} is not a time in milliseconds")
        inode = self._resolver.find(caller, names)
        require(inode, caller, WRITE)
        row = inode.row()
        mtime_ms = row.mtime_ms if mtime_ms is None else mtime_ms
        atime_ms = row.atime_ms if atime_ms is None else atime_ms
        return [put(row._replace(mtime_ms=mtime_ms, atime_ms=atime_ms))]

    def set_replication(self, caller: Caller, names: Names, replication: int) -> List[Change]:
        """Set a file's replication; needs write on it."""
        self.check_replication(replication, names)
        file = self._resolver.find_file(caller, names)
        require(file, caller, WRITE)
        self._quotas.verify_redundancy(file, replicated(replication))
        return [put(file.row()._replace(replication=replication))]

    def set_quota(
        self, caller: Caller, names: Names, name_quota: int, space_quota: int
    ) -> List[Change]:
        """Set, clear (QUOTA_RESET) or leave (QUOTA_UNCHANGED) a directory's quotas.

        Only the superuser may. A quota below the present use is no error: nothing may be added.
        """
        require_superuser(caller)
        if name_quota < 1 and name_quota != QUOTA_RESET or space_quota < QUOTA_RESET:
            raise InvalidArgument(f"Invalid values for quota : {name_quota} and {space_quota}")
        inode, depth = self._resolver.walk(caller, names)
        if depth < len(names):
            raise PathNotFound(f"Directory does not exist: {render(names)}")
        if not isinstance(inode, Directory):
            raise NotADirectory(f"`{render(names)}': Is not a directory")
        if not names and name_quota == QUOTA_RESET:
            raise InvalidArgument("Cannot clear namespace quota on root.")
        quotas = (
            _quota(name_quota, inode.name_quota), _quota(space_quota, inode.space_quota)
        )  # fmt: skip
        if quotas == (inode.name_quota, inode.space_quota):
            return []
        return [put(inode.row()._replace(name_quota=quotas[0], space_quota=quotas[1]))]

    def check_replication(self, replication: int, names: Names) -> None:
        """Raise InvalidArgument when a file may not have so many replicas."""
        if type(replication) is not int or replication < 1:
            raise InvalidArgument("replication must be >= 1")
        if replication > self._replication_max:
            raise InvalidArgument(
                f"Requested replication factor of {replication} exceeds maximum of "
                f"{self._replication_max} for {render(names)}"
            )


def require_replaceable(inode: Inode, caller: Caller, overwrite: bool) -> None:
    """Raise IsADirectory, PathExists or PermissionDenied when no new file of the caller's may take
    the inode's place.

    Whose it is changes with that, so that a sticky directory asks for its owner as it does for a
    deletion. (HDFS asks for the right to write only; Linux refuses it, see `protected_regular`.)
    """
    if isinstance(inode, Directory):
        raise IsADirectory(f"{inode.path} already exists as a directory")
    if not overwrite:
        raise PathExists(f"{inode.path} already exists")
    require(inode, caller, WRITE)
    require_unsticky(inode.parent, inode, caller)


def check_mode(mode: int) -> None:
    """Raise InvalidArgument unless `mode` is permission bits, with or without the sticky bit."""
    if type(mode) is not int or not 0 <= mode <= MODE_MAX:
        raise InvalidArgument(f"mode {mode!r} is not between 0 and {MODE_MAX:o}")


def _quota(value: int, present: Optional[int]) -> Optional[int]:
    if value == QUOTA_UNCHANGED:
        return present
    return None if value == QUOTA_RESET else value


def _descend_directories(anchor: Directory, names: Names) -> Tuple[Directory, int]:
    """The deepest of these directories that exists; NotADirectory when one of them is a file."""
    depth = 0
    for name in names:
        child = anchor.children.get(name)
        if child is None:
            break
        if not isinstance(child, Directory):
            raise NotADirectory(f"{child.path} (is not a directory)")
        anchor = child
        depth += 1
    return anchor, depth


def _directory_rows(
    parent: Directory,
    names: Names,
    owner: str,
    mode: int,
    wall_ms: int,
    new_id: Callable[[], int],
) -> List[InodeRow]:
    """Rows of new directories, each within the one before, the first within `parent`.

    Nobody notes when a directory is read: as in HDFS, its time of access is 0.
    """
    rows: List[InodeRow] = []
    above = parent.id
    group = parent.attributes.group
    for name in names:
        above_id, above = above, new_id()
        row = (above, above_id, name, DIRECTORY, owner, group, mode, wall_ms, 0, 0, 0)
        rows.append(InodeRow(*row))
    return rows


def _touch(directory: Directory, wall_ms: int) -> Change:
    return put(directory.row(wall_ms))
