"""Files and directories of a model, and the rules for one of them: names, rights, numbers."""

from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple, Type

from zookeeper.fabric.errors import (
    DfsError,
    DirectoryNotEmpty,
    InvalidArgument,
    IsADirectory,
    NotADirectory,
    PathExists,
    PermissionDenied,
)

READ, WRITE, EXECUTE = 4, 2, 1
STICKY = 0o1000
NO_QUOTA = -1
NO_QUOTAS = (NO_QUOTA, NO_QUOTA)
REPLICATION_MAX = 512


class Caller(NamedTuple):
    """Who asks."""

    user: str = "root"
    groups: FrozenSet[str] = frozenset()
    superuser: bool = True


ROOT = Caller()


class Node:
    """What files and directories have in common."""

    def __init__(self, mode: int, owner: str, number: int = 0) -> None:
        self.number = number
        self.mode = mode
        self.owner = owner
        self.group = "supergroup"
        self.mtime_ms = 0
        self.atime_ms: Optional[int] = None  # None: never set.

    def allows(self, who: Caller, bits: int) -> bool:
        """Whether the first class that fits the caller has all of these rights."""
        shift = 6 if who.user == self.owner else 3 if self.group in who.groups else 0
        return who.superuser or self.mode >> shift & bits == bits


class File(Node):
    """`content` is bytes, or whatever a model has instead that tells its `length`."""

    def __init__(
        self, content: Any, replication: int = 1, mode: int = 0o644, owner: str = "root"
    ) -> None:
        super().__init__(mode, owner)
        self.content = content
        self.replication = replication
        self.block_size = 1024

    @property
    def length(self) -> int:
        """Bytes."""
        return len(self.content)


class Directory(Node):
    """Its children by name; its quotas on names and on bytes of all replicas."""

    def __init__(self, mode: int = 0o755, owner: str = "root") -> None:
        super().__init__(mode, owner)
        self.children: Dict[str, Node] = {}
        self.quotas = NO_QUOTAS


Found = Tuple[str, Node]


class Use(NamedTuple):
    """What a tree holds; `space` are the bytes of all replicas."""

    directories: int
    files: int
    length: int
    space: int

    @property
    def names(self) -> int:
        """What counts for a quota on names."""
        return self.directories + self.files


def count(node: Node) -> Use:
    """A whole tree, itself included."""
    if isinstance(node, File):
        return Use(0, 1, node.length, node.length * node.replication)
    assert isinstance(node, Directory)
    below = [count(child) for child in node.children.values()]
    return Use(*map(sum, zip((1, 0, 0, 0), *below)))


def ordered(node: Directory) -> List[Found]:
    """Names and nodes in the order in which they are listed."""
    return sorted(node.children.items(), key=lambda found: found[0].encode())


def names_of(path: str) -> List[str]:
    """The components of a path; InvalidArgument for a path that no node can have."""
    assert path.startswith("/") and (path == "/" or not path.endswith("/")), path
    names = [name for name in path.split("/") if name]
    for name in names:
        if len(name.encode()) > 255 or name == ".snapshot" or "\0" in name:
            raise InvalidArgument(f"Invalid path name {path}")
    if names[:1] == [".reserved"]:
        raise InvalidArgument('File name ".reserved" is reserved and cannot be created.')
    return names


def render(names: Sequence[str]) -> str:
    """The path of these components."""
    return "/" + "/".join(names)


def join(path: str, name: str) -> str:
    """The path of an entry of a directory."""
    return f"{path.rstrip('/')}/{name}"


def require(node: Node, who: Caller, bits: int) -> None:
    """PermissionDenied unless the caller has these rights."""
    if not node.allows(who, bits):
        raise PermissionDenied(f"Permission denied: user={who.user}, access={bits}")


def require_owner(node: Node, who: Caller) -> None:
    """PermissionDenied unless the node is the caller's."""
    if not who.superuser and who.user != node.owner:
        raise PermissionDenied(f"Permission denied. user={who.user} is not the owner")


def check_replication(path: str, replication: int) -> None:
    """InvalidArgument for a number that no file can have."""
    if not 1 <= replication <= REPLICATION_MAX:
        raise InvalidArgument(
            f"Requested replication factor of {replication} exceeds maximum of "
            f"{REPLICATION_MAX} for {path}"
        )


def require_unsticky(parent: Node, child: Node, who: Caller) -> None:
    """PermissionDenied when the sticky bit keeps an entry for its owner and the directory's."""
    if parent.mode & STICKY and who.user not in (parent.owner, child.owner):
        if not who.superuser:
            raise PermissionDenied(f"Permission denied by sticky bit: user={who.user}")


def check_apart(source: str, target: str) -> None:
    """PathExists or InvalidArgument for paths between which nothing can be moved."""
    refusal: Optional[Type[DfsError]] = None
    if source == "/" or target == "/" or target.startswith(source + "/"):
        refusal = InvalidArgument
    if source == target != "/":
        refusal = PathExists
    if refusal is not None:
        raise refusal(f"{source} cannot become {target}")


def check_replaced(node: Node, old: Node) -> None:
    """Raise unless a node may take the place of another one."""
    if isinstance(old, Directory) and not isinstance(node, Directory):
        raise IsADirectory("must both be directories")
    if isinstance(node, Directory) and not isinstance(old, Directory):
        raise NotADirectory("must both be directories")
    if isinstance(old, Directory) and old.children:
        raise DirectoryNotEmpty("rename destination directory is not empty")
