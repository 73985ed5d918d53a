"""The namespace as one dictionary, path to node: what every operation should do to it.

A node is ("d",) or ("f", inode number, replication, the numbers of its blocks in order). Each
model takes the tree and the arguments of an operation, and gives its result (or the class of its
error) and the tree as it is then.
"""

from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from data_service.namenode.namespace.inodes import ROOT_ID
from tests.simulation.services import Tables
from zookeeper.fabric import errors

Node = Tuple[Any, ...]
Tree = Dict[str, Node]
DIRECTORY: Node = ("d",)


def tree_of(tables: Tables) -> Tree:
    """The tree that rows make; what is an orphan is in no tree."""
    children: Dict[int, List[tuple]] = {}
    for row in tables["inodes"].values():
        children.setdefault(row[1], []).append(row)
    blocks: Dict[int, List[Tuple[int, int]]] = {}
    for number, _, _, inode, position in tables["blocks"].values():
        blocks.setdefault(inode, []).append((position, number))
    tree: Tree = {}
    waiting = [("", ROOT_ID)]
    while waiting:
        above, number = waiting.pop()
        for row in children.get(number, ()):
            if row[0] == number:
                continue  # The root is its own parent.
            path = f"{above}/{row[2]}"
            assert path not in tree, f"two entries {path}"
            content = tuple(block for _, block in sorted(blocks.get(row[0], ())))
            tree[path] = DIRECTORY if row[3] == "d" else ("f", row[0], row[9], content)
            waiting.append((path, row[0]))
    return tree


def parent_of(path: str) -> str:
    """The path of the directory above; "" for the root."""
    return path.rpartition("/")[0]


def _above(path: str) -> List[str]:
    """All directories above a path, the highest first, without the root."""
    names = path.split("/")[1:-1]
    return ["/" + "/".join(names[: count + 1]) for count in range(len(names))]


def _obstacle(tree: Tree, path: str) -> Optional[type]:
    """NotADirectory when a file stands where a directory must be."""
    if any(tree.get(above, DIRECTORY) != DIRECTORY for above in _above(path)):
        return errors.NotADirectory
    return None


def _below(tree: Tree, path: str) -> List[str]:
    return [other for other in tree if other == path or other.startswith(path + "/")]


def mkdir(tree: Tree, path: str, parents: bool) -> Tuple[Any, Tree]:
    """Make a directory."""
    if _obstacle(tree, path):
        return errors.NotADirectory, tree
    if path in tree:
        if tree[path] != DIRECTORY:
            return errors.NotADirectory, tree
        return (None if parents else errors.PathExists), tree
    missing = [above for above in _above(path) if above not in tree]
    if missing and not parents:
        return errors.PathNotFound, tree
    return None, dict(tree, **{made: DIRECTORY for made in [*missing, path]})


def delete(tree: Tree, path: str) -> Tuple[Any, Tree]:
    """Delete a path with all below it; whether there was one."""
    if _obstacle(tree, path):
        return errors.NotADirectory, tree
    gone = set(_below(tree, path))
    return bool(gone), {other: node for other, node in tree.items() if other not in gone}


def rename(tree: Tree, source: str, target: str) -> Tuple[Any, Tree]:
    """Move a path to one that does not exist."""
    if source == target:
        return errors.PathExists, tree
    if target.startswith(source + "/"):
        return errors.InvalidArgument, tree
    if _obstacle(tree, source):
        return errors.NotADirectory, tree
    if source not in tree:
        return errors.PathNotFound, tree
    if _obstacle(tree, target):
        return errors.NotADirectory, tree
    if target in tree:
        return errors.PathExists, tree
    if parent_of(target) not in tree and parent_of(target):
        return errors.PathNotFound, tree
    moved = {other: target + other[len(source):] for other in _below(tree, source)}
    return None, {moved.get(other, other): node for other, node in tree.items()}


def set_replication(tree: Tree, path: str, count: int) -> Tuple[Any, Tree]:
    """Change how many replicas a file shall have."""
    node, error = _file(tree, path)
    if error is not None:
        return error, tree
    return None, dict(tree, **{path: (*node[:2], count, *node[3:])})


def _file(tree: Tree, path: str) -> Tuple[Node, Optional[type]]:
    if _obstacle(tree, path):
        return (), errors.NotADirectory
    if path not in tree:
        return (), errors.PathNotFound
    if tree[path] == DIRECTORY:
        return (), errors.IsADirectory
    return tree[path], None


MODELS: Dict[str, Callable[..., Tuple[Any, Tree]]] = {
    "mkdir": mkdir,
    "delete": delete,
    "rename": rename,
    "set_replication": set_replication,
}


def answer_of(record: Any, tree: Tree, contents: Mapping[int, str]) -> bool:
    """Whether an answer that changed nothing is true of this tree, with these blocks."""
    result = _look(record, tree, contents) if record.kind not in MODELS else None
    if record.kind in MODELS:
        result, after = MODELS[record.kind](tree, *record.args)
        if after != tree:
            return False
    return result == record.result


def _look(record: Any, tree: Tree, contents: Mapping[int, str]) -> Any:
    """What a read should tell."""
    path = record.args[0]
    if record.kind == "list":
        return sorted(other[1:] for other in tree if not parent_of(other))
    if record.kind == "read":
        node, error = _file(tree, path)
        return error or (node[1], tuple(contents[block] for block in node[3]))
    if _obstacle(tree, path):
        return errors.NotADirectory
    return tree[path][0] if path in tree else errors.PathNotFound
