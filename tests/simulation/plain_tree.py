"""The namespace as the simulation's checks see it, and what every operation should do to it.

A view is one dictionary, path to entry: ("d",), or ("f", inode number, replication, the numbers of
its blocks in order). Views are compared with each other; what should become of one, the plain tree
says that all models are made of. What else a file's entry has beside its replication is kept.
"""

from typing import Any, Callable, Dict, List, Mapping, Tuple

from data_service.namenode.namespace.inodes import ROOT_ID
from tests.simulation.quorum.model_disk import Tables
from tests.support.models.nodes import Directory, File, join
from tests.support.models.tree import Tree
from zookeeper.fabric.errors import DfsError

Entry = Tuple[Any, ...]
View = Dict[str, Entry]
DIRECTORY: Entry = ("d",)

OPERATIONS: Dict[str, Callable[..., Any]] = {
    "mkdir": lambda tree, path, parents: tree.mkdir(path, parents),
    "delete": lambda tree, path: tree.delete(path, True),
    "rename": lambda tree, source, target: tree.rename(source, target),
    "set_replication": lambda tree, path, count: tree.set_replication(path, count),
}


def view_of(tables: Tables) -> View:
    """The view that rows make; what is an orphan is in no tree."""
    children: Dict[int, List[tuple]] = {}
    for row in tables["inodes"].values():
        children.setdefault(row[1], []).append(row)
    blocks: Dict[int, List[Tuple[int, int]]] = {}
    for number, _, _, inode, position in tables["blocks"].values():
        blocks.setdefault(inode, []).append((position, number))
    view: View = {}
    waiting = [("", ROOT_ID)]
    while waiting:
        above, number = waiting.pop()
        for row in children.get(number, ()):
            if row[0] == number:
                continue  # The root is its own parent.
            path = f"{above}/{row[2]}"
            assert path not in view, f"two entries {path}"
            content = tuple(block for _, block in sorted(blocks.get(row[0], ())))
            view[path] = DIRECTORY if row[3] == "d" else ("f", row[0], row[9], content)
            waiting.append((path, row[0]))
    return view


def after(view: View, kind: str, *args: Any) -> Tuple[Any, View]:
    """What an operation should answer (or the class of its error), and the view as it is then."""
    tree = _planted(view)
    result = _answer(lambda: OPERATIONS[kind](tree, *args))
    return result, view if isinstance(result, type) else _seen(tree)


def is_true(record: Any, view: View, contents: Mapping[int, str]) -> bool:
    """Whether an answer that changed nothing is true of this view, with these blocks."""
    if record.kind in OPERATIONS:
        result, then = after(view, record.kind, *record.args)
        return then == view and result == record.result
    tree = _planted(view)
    return _answer(lambda: _look(record, tree, contents)) == record.result


def _look(record: Any, tree: Tree, contents: Mapping[int, str]) -> Any:
    """What a read should tell."""
    path = record.args[0]
    if record.kind == "list":
        return sorted(tree.root.children)
    if record.kind == "read":
        _, number, _, blocks = tree.file(path).content
        return number, tuple(contents[block] for block in blocks)
    return "d" if isinstance(tree.find(path), Directory) else "f"


def _answer(deed: Callable[[], Any]) -> Any:
    try:
        return deed()
    except DfsError as error:
        return type(error)


def _planted(view: View) -> Tree:
    tree = Tree()
    directories = {"": tree.root}
    for path in sorted(view, key=lambda path: path.count("/")):
        above, _, name = path.rpartition("/")
        if view[path] == DIRECTORY:
            directories[path] = directories[above].children[name] = Directory()
            continue
        directories[above].children[name] = File(view[path], view[path][2])
    return tree


def _seen(tree: Tree) -> View:
    found: View = {}
    waiting = [("", tree.root)]
    while waiting:
        above, directory = waiting.pop()
        for name, node in directory.children.items():
            path = join(above, name)
            if isinstance(node, Directory):
                found[path] = DIRECTORY
                waiting.append((path, node))
            elif isinstance(node, File):
                found[path] = (*node.content[:2], node.replication, *node.content[3:])
    return found
