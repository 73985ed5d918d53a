"""Quotas of the model: who has which, and what counts for them, counted anew for each question."""

from typing import Any, Callable, Iterator, List, Optional, Set, Tuple, Type

from tests.support.models.namespace_model import ModelFile, ModelWriter, holder
from zookeeper.fabric import errors

BLOCK_SIZE = 100
REPLICATION = 2

Missing = Tuple[int, Tuple[str, ...]]
"""An inode that is reserved: the identity of a dictionary, and the names below it."""


class QuotaModel:
    """`writers` is asked for the files that are being written now."""

    def __init__(self, tree: dict, writers: Callable[[], List[ModelWriter]]) -> None:
        self._tree = tree
        self._limits: List[Tuple[dict, Optional[int], Optional[int]]] = []
        self._writers = writers

    def limit(self, node: dict, names: Optional[int], space: Optional[int]) -> None:
        """Give a directory these quotas, and no others."""
        self._limits = [entry for entry in self._limits if entry[0] is not node]
        if (names, space) != (None, None):
            self._limits.append((node, names, space))

    def limited(self) -> Iterator[Tuple[str, dict, Optional[int], Optional[int]]]:
        """Every directory in the tree that has quotas: its path, itself, its quotas."""
        for node, names, space in self._limits:
            chain = find_chain(self._tree, node)
            if chain is not None:
                yield "/" + "/".join(name for name, _ in chain[1:]), node, names, space

    def refusal(
        self, above: dict, names: int, space: int = 0, beside: Optional[dict] = None
    ) -> Optional[Type[errors.DfsError]]:
        """The error when so much more comes to a directory (from `beside`)."""
        spared = [] if beside is None else directories(self._tree, beside)
        chain = directories(self._tree, above)
        for node, name_quota, space_quota in self._limits:
            if any(node is d for d in chain) and not any(node is d for d in spared):
                used = self.use(node)
                if names > 0 and name_quota is not None and used[0] + names > name_quota:
                    return errors.QuotaExceeded
                if space > 0 and space_quota is not None and used[1] + space > space_quota:
                    return errors.QuotaExceeded
        return None

    def use(self, node: Any) -> Tuple[int, int]:
        """What a tree or a file uses, with what is reserved for it."""
        names, space = count(node)
        reserved: Set[Missing] = set()
        for writer in self._writers():
            above = self.above(writer)
            below = isinstance(node, dict) and above is not None and find_chain(node, above)
            if below or isinstance(node, ModelFile) and writer.file is node:
                reserved.update(missing(writer))
                space += reservation(writer, len(writer.blocks))
        return names + len(reserved), space

    def new_names(self, writer: ModelWriter) -> int:
        """How many inodes a writer will add, beside what the others will."""
        others: Set[Missing] = set()
        for other in self._writers():
            if find_chain(self._tree, other.above) is not None:
                others.update(missing(other))
        return len(missing(writer) - others)

    def above(self, writer: ModelWriter) -> Optional[dict]:
        """The directory that a writer's file is in or starts from; None when it is gone."""
        return writer.above if writer.file is None else holder(self._tree, writer.file)


def find_chain(tree: dict, node: dict) -> Optional[List[Tuple[str, dict]]]:
    """The names and dictionaries from a tree down to a node of it; None when it is not there."""
    waiting: List[List[Tuple[str, dict]]] = [[("", tree)]]
    while waiting:
        chain = waiting.pop()
        if chain[-1][1] is node:
            return chain
        waiting += [
            chain + [(name, child)]
            for name, child in chain[-1][1].items()
            if isinstance(child, dict)
        ]
    return None


def directories(tree: dict, node: dict) -> List[dict]:
    """The dictionaries from a tree down to a node of it."""
    return [directory for _, directory in find_chain(tree, node) or ()]


def count(node: Any) -> Tuple[int, int]:
    """Inodes, and bytes of all replicas, in a tree."""
    if isinstance(node, ModelFile):
        return 1, sum(node.lengths) * node.replication
    below = [count(child) for child in node.values()]
    return 1 + sum(names for names, _ in below), sum(space for _, space in below)


def reservation(writer: ModelWriter, blocks: int) -> int:
    """The bytes of so many whole blocks, without those of the file that will go."""
    if writer.file is not None:
        more = 0 if replaced(writer) else blocks * BLOCK_SIZE
        return more * writer.file.replication
    above, names = descend(writer)
    old = above.get(names[0]) if len(names) == 1 else None
    counted_out = count(old)[1] if isinstance(old, ModelFile) else 0
    return max(0, blocks * BLOCK_SIZE * REPLICATION - counted_out)


def replaced(writer: ModelWriter) -> int:
    """How many bytes of a file that is being truncated its new blocks will replace."""
    return sum(writer.file.lengths[writer.first :]) if writer.file is not None else 0


def missing(writer: ModelWriter) -> Set[Missing]:
    """The inodes that are not there yet on the way to a writer's file."""
    if writer.file is not None:
        return set()
    above, names = descend(writer)
    if names[0] in above:
        return set()
    return {(id(above), names[:depth]) for depth in range(1, len(names) + 1)}


def descend(writer: ModelWriter) -> Tuple[dict, Tuple[str, ...]]:
    """The last directory on a writer's way that is there."""
    above, names = writer.above, writer.names
    while len(names) > 1 and isinstance(above.get(names[0]), dict):
        above, names = above[names[0]], names[1:]
    return above, names
