"""Who may do what to an inode: POSIX classes, the sticky bit, and HDFS's messages.

The first class that fits the caller decides: owner, else group, else others. An owner whom the
mode shuts out stays out, even where others may enter. The superuser is never asked.
"""

from typing import Callable, FrozenSet, Iterable, NamedTuple

from data_service.namenode.namespace.inodes import Directory, Inode
from zookeeper.fabric.errors import InvalidArgument, PermissionDenied

EXECUTE, WRITE, READ = 1, 2, 4
WRITE_EXECUTE = WRITE | EXECUTE
READ_EXECUTE = READ | EXECUTE
ALL = READ | WRITE | EXECUTE
STICKY = 0o1000
MODE_MAX = 0o1777
"""Permission bits and the sticky bit; there is no set-user-id here."""

NAME_LENGTH_MAX = 255
"""The longest name of a user or a group, in characters."""

_ACCESS_NAMES = (
    "NONE", "EXECUTE", "WRITE", "WRITE_EXECUTE", "READ", "READ_EXECUTE", "READ_WRITE", "ALL",
)  # fmt: skip


class Caller(NamedTuple):
    """The user who asks, with the groups that the namenode found for them."""

    user: str
    groups: FrozenSet[str]
    superuser: bool


def identify(
    user: str, groups_of: Callable[[str], Iterable[str]], superuser: str, supergroup: str
) -> Caller:
    """The caller of this name: `superuser` and the members of `supergroup` may do everything."""
    check_name(user)
    groups = frozenset(groups_of(user))
    return Caller(user, groups, user == superuser or supergroup in groups)


def check_name(name: str) -> None:
    """Raise InvalidArgument when this cannot be the name of a user or a group."""
    if type(name) is not str or not 0 < len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        shown = name[:NAME_LENGTH_MAX] if type(name) is str else type(name).__name__
        raise InvalidArgument(f"not a name of a user or group: {shown!a:.80}")


def allows(inode: Inode, caller: Caller, access: int) -> bool:
    """Whether the inode's mode gives the caller all of `access`."""
    owner, group, mode, _, _ = inode.attributes
    if caller.superuser:
        return True
    if caller.user == owner:
        mode >>= 6
    elif group in caller.groups:
        mode >>= 3
    return mode & access == access


def require(inode: Inode, caller: Caller, access: int) -> None:
    """Raise PermissionDenied unless the inode's mode gives the caller all of `access`."""
    if not allows(inode, caller, access):
        raise PermissionDenied(
            f"Permission denied: user={caller.user}, access={_ACCESS_NAMES[access]}, "
            f"inode={_describe(inode)}"
        )


def denied_block(caller: Caller, block_id: int) -> PermissionDenied:
    """The error of who asks for a block of a file that he may not read. It tells no path: block
    numbers are in sequence, and who guesses them must not learn which names there are."""
    return PermissionDenied(f"Permission denied: user={caller.user}, block={block_id}")


def require_way(directory: Directory, caller: Caller) -> None:
    """Raise PermissionDenied unless the caller may pass every directory down to this one."""
    if caller.superuser:
        return
    way = [directory]
    while way[-1].parent is not way[-1]:
        way.append(way[-1].parent)
    for above in reversed(way):
        require(above, caller, EXECUTE)


def require_writable(file: Inode, caller: Caller) -> None:
    """Raise PermissionDenied unless the caller may go on writing a file that is open.

    Its owner may, whatever its mode: who makes a file read-only writes it to the end.
    """
    require_way(file.parent, caller)
    if caller.user != file.attributes.owner:
        require(file, caller, WRITE)


def require_owner(inode: Inode, caller: Caller) -> None:
    """Raise PermissionDenied unless the caller owns the inode."""
    if not caller.superuser and caller.user != inode.attributes.owner:
        raise PermissionDenied(
            f"Permission denied. user={caller.user} is not the owner of inode={inode.path}"
        )


def require_superuser(caller: Caller) -> None:
    """Raise PermissionDenied unless the caller is the superuser, or of the supergroup."""
    if not caller.superuser:
        raise PermissionDenied(
            f"Access denied for user {caller.user}. Superuser privilege is required"
        )


def require_unsticky(parent: Directory, child: Inode, caller: Caller) -> None:
    """Raise PermissionDenied when the parent's sticky bit keeps the caller from removing `child`.

    In a sticky directory an entry belongs to its owner and to the directory's.
    """
    if caller.superuser or not parent.attributes.mode & STICKY:
        return
    if caller.user not in (parent.attributes.owner, child.attributes.owner):
        raise PermissionDenied(
            f"Permission denied by sticky bit: user={caller.user}, path={_describe(child)}, "
            f"parent={_describe(parent)}"
        )


def require_removable(inode: Inode, caller: Caller) -> bool:
    """Raise PermissionDenied unless the caller may remove an inode, and take it apart: that needs
    everything on a directory that is not empty, and the sticky bit of the one that it is in.

    Whether each inode in it is to be asked as well.
    """
    require_unsticky(inode.parent, inode, caller)
    if not isinstance(inode, Directory) or not inode.children:
        return False
    require(inode, caller, ALL)
    # Only files, perhaps a million of them, and none is asked: unless some are another's.
    return inode.directories > 1 or bool(inode.attributes.mode & STICKY)


def require_readable(inode: Inode, caller: Caller) -> bool:
    """Raise PermissionDenied unless the caller may look into an inode, if it is a directory.

    Whether each inode in it is to be asked as well: most directories hold files only.
    """
    if not isinstance(inode, Directory):
        return False
    require(inode, caller, READ_EXECUTE)
    return inode.directories > 1


def symbolic(mode: int) -> str:
    """A mode as nine letters, such as `rwxr-xr-t`."""
    letters = "".join(
        letter if mode >> shift & 1 else "-" for letter, shift in zip("rwxrwxrwx", range(8, -1, -1))
    )
    if mode & STICKY:
        letters = letters[:-1] + ("t" if mode & EXECUTE else "T")
    return letters


def _describe(inode: Inode) -> str:
    kind = "d" if isinstance(inode, Directory) else "-"
    owner, group, mode, _, _ = inode.attributes
    return f'"{inode.path}":{owner}:{group}:{kind}{symbolic(mode)}'
