"""The namespace as its readers see it, from the core and from the model."""

from typing import Any, Callable, Dict, Optional, Tuple, Type

from data_service.namenode.state import State
from tests.support.models.namenode_core import ROOT
from tests.support.models.nodes import Directory, File
from zookeeper.fabric import errors


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


def plain(directory: Directory) -> Dict[str, Any]:
    """The model's tree in the form of `listing`."""
    return {
        name: (node.number, node.length) if isinstance(node, File) else plain(node)
        for name, node in directory.children.items()
    }


def strip(result: Any) -> Any:
    """An answer without what only datanodes can tell."""
    if hasattr(result, "blocks"):
        return result.status, [(located.block, located.offset) for located in result.blocks]
    return result
