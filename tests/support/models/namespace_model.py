"""The namespace as nested dictionaries, and its writers: what random walks compare with."""

from typing import Any, Callable, Dict, List, Optional, Tuple, Type

from data_service.namenode.namespace.permissions import Caller
from data_service.namenode.state import State
from data_service.protocol.blocks import Block
from zookeeper.fabric import errors

ROOT = Caller("root", frozenset(), True)

Names = Tuple[str, ...]


class ModelFile:
    """A file of the model: its number, the lengths of its blocks, its replication."""

    def __init__(self, file_id: int, lengths: Tuple[int, ...]) -> None:
        self.file_id = file_id
        self.lengths = lengths
        self.replication = 2


class ModelWriter:
    """A file that is being written: below which dictionary, by which client, with what so far.

    Once it is visible it is `file`, and `blocks` take the place of what that has from `first` on.
    """

    def __init__(self, client: str, file_id: int, above: dict, names: Names, over: bool) -> None:
        self.file: Optional[ModelFile] = None
        self.first = 0
        self.client = client
        self.file_id = file_id
        self.above = above
        self.names = names
        self.overwrite = over
        self.replaces: Optional[ModelFile] = None
        self.blocks: Dict[int, Block] = {}
        self.confirmed = True
        self.path = ""


def refused(deed: Callable[[], Any]) -> Tuple[Any, Optional[Type[errors.DfsError]]]:
    """What a deed returned, and the class of the error that it raised instead."""
    try:
        return deed(), None
    except errors.DfsError as error:
        return None, type(error)


def listing(state: State, path: str = "/") -> Dict[str, Any]:
    """The tree as the operations show it, page by page."""
    found: Dict[str, Any] = {}
    prefix = path if path == "/" else path + "/"
    after, more = "", True
    while more:
        rows, more = state.reading.list(ROOT, path, after, 2).result
        for row in rows:
            found[row.name] = (
                listing(state, prefix + row.name)
                if row.is_directory
                else (row.inode_id, row.length)
            )
            after = row.name
    return found


def plain(tree: dict) -> Dict[str, Any]:
    """The model's tree in the form of `listing`."""
    return {
        name: plain(node) if isinstance(node, dict) else (node.file_id, sum(node.lengths))
        for name, node in tree.items()
    }


def find(tree: dict, names: Names) -> Tuple[Any, Names, Optional[Type[errors.DfsError]]]:
    """The deepest node on the way, what is left of it, and the error of walking it."""
    node: Any = tree
    for depth, name in enumerate(names):
        if not isinstance(node, dict):
            return node, names[depth:], errors.NotADirectory
        if name not in node:
            return node, names[depth:], None
        node = node[name]
    return node, (), None


def lost(tree: dict, writer: ModelWriter) -> bool:
    """Whether the writer's file, or the directory below which it would appear, was deleted."""
    return holder(tree, writer.file or writer.above) is None


def holder(tree: dict, wanted: Any) -> Optional[dict]:
    """The dictionary that this node is in (the tree itself for the tree), None: in none."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if node is wanted or any(child is wanted for child in node.values()):
            return node
        waiting += [child for child in node.values() if isinstance(child, dict)]
    return None


def appearing(writer: ModelWriter) -> Tuple[dict, Names, Optional[Type[errors.DfsError]]]:
    """The deepest directory on a new file's way, what is left of it, and why it cannot appear."""
    node, names = writer.above, writer.names
    while len(names) > 1 and isinstance(node.get(names[0]), dict):
        node, names = node[names[0]], names[1:]
    error: Optional[Type[errors.DfsError]] = None
    if names[0] in node:
        if len(names) > 1:
            error = errors.NotADirectory
        elif isinstance(node[names[0]], dict):
            error = errors.IsADirectory
        elif not writer.overwrite or node[names[0]] is not writer.replaces:
            error = errors.PathExists
    return node, names, error


def reserved(writers: List[ModelWriter], above: dict, name: str) -> List[ModelWriter]:
    """Who writes a new file at or below this entry, which is not there yet."""
    return [
        writer
        for writer in writers
        if writer.file is None and writer.above is above and writer.names[0] == name
    ]


def rivals(writers: List[ModelWriter], above: dict, names: Names) -> List[ModelWriter]:
    """Who writes a new file of these names below `above`, or on in the one that is there."""
    there = above.get(names[0]) if len(names) == 1 else None
    return [
        writer
        for writer in writers
        if (writer.file is None and writer.above is above and writer.names == names)
        or (writer.file is not None and writer.file is there)
    ]


def obstacles(writers: List[ModelWriter], above: dict, names: Names) -> List[ModelWriter]:
    """Who writes a new file where a directory of these names, or one on its way, shall be."""
    return [
        writer
        for writer in writers
        if writer.file is None and writer.above is above
        and names[: len(writer.names)] == writer.names
    ]  # fmt: skip


def settle(writers: List[ModelWriter]) -> None:
    """A writer whose next directory has been made is below that one, unless one is there."""
    moved = True
    while moved:
        moved = False
        unseen = [writer for writer in writers if writer.file is None]
        for writer in sorted(unseen, key=lambda writer: writer.file_id):
            below = writer.above.get(writer.names[0])
            place = writer.names[1:]
            if not place or not isinstance(below, dict):
                continue
            if not any(w.above is below and w.names == place for w in unseen):
                writer.above, writer.names = below, place
                moved = True


def strip(result: Any) -> Any:
    """An answer without what only datanodes can tell."""
    if hasattr(result, "blocks"):
        return result.status, [(located.block, located.offset) for located in result.blocks]
    return result
