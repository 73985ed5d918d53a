"""The tree of the namespace with the operations on it, without edits, leases or blocks."""

from typing import Any, List

from data_service.namenode.namespace.commits import Commits
from data_service.namenode.namespace.image import Image
from data_service.namenode.namespace.namespace import Namespace, NewFile
from data_service.namenode.namespace.paths import parse
from data_service.namenode.namespace.quotas import Quotas
from data_service.namenode.namespace.resolver import Resolver
from data_service.namenode.namespace.usage import Use
from data_service.protocol.blocks import Block
from metadata_service.edits import Change
from data_service.protocol.redundancy import replicated
from tests.support.models.namenode_core import ROOT


def commits_of(image: Image) -> Commits:
    """The edits of an image, in whose blocks nobody is interested."""
    return Commits(image, lambda changes, effects, txid: None)


class Tree:
    """An image with the operations on it, applied at once."""

    def __init__(self) -> None:
        self.image = Image("root", "supergroup")
        self.resolver = Resolver(self.image.root, self.image.changes)
        self.rules = Namespace(self.resolver, Quotas(self.image.usage, lambda _: Use(0, 0)), 512)
        self.blocks = 0

    def new_id(self) -> int:
        """The next inode number, reserved at once."""
        number = self.image.counters["inode_id"]
        self.image.counters["inode_id"] = number + 1
        return number

    def apply(self, changes: Any) -> None:
        """Apply and check."""
        self.image.apply(changes)
        self.image.check()

    def mkdir(self, path: str, parents: bool = True, wall_ms: int = 1) -> None:
        """Make a directory."""
        self.apply(self.made(path, parents, 0o750, wall_ms))

    def made(self, path: str, parents: bool, mode: int, wall_ms: int) -> List[Change]:
        """The changes that make a directory."""
        parent, missing = self.rules.find_missing(ROOT, parse(path), parents, mode)
        if not missing:
            return []
        return self.rules.mkdir(ROOT, parent, missing, mode, wall_ms, self.new_id)

    def file(self, path: str, *lengths: int, overwrite: bool = False) -> int:
        """Make a file with blocks of these lengths; its number."""
        blocks: List[Block] = []
        for length in lengths:
            self.blocks += 1
            blocks.append(Block(self.blocks, 1, length))
        self.image.counters["block_id"] = self.blocks + 1
        old, depth = self.resolver.walk(ROOT, parse(path))
        replaces = old.id if depth == len(parse(path)) else 0
        new = NewFile(self.new_id(), "alice", overwrite, replicated(3), 100, 0o640, replaces)
        _, changes = self.rules.attach(
            ROOT, self.image.root, parse(path), new, blocks, 7, self.new_id
        )
        self.apply(changes)
        return new.file_id

    def delete(self, path: str, wall_ms: int = 9) -> None:
        """Delete a tree."""
        self.apply(self.rules.delete(ROOT, parse(path), True, wall_ms))

    def rename(
        self, source: str, target: str, wall_ms: int = 5, overwrite: bool = False
    ) -> None:
        """Move an inode."""
        _, changes = self.rules.rename(ROOT, parse(source), parse(target), wall_ms, overwrite)
        self.apply(changes)

    def find(self, path: str) -> Any:
        """The inode of a path."""
        return self.resolver.find(ROOT, parse(path))

    def paths(self, top: str = "/", after: Any = None) -> List[str]:
        """All paths, in the order of `descend`."""
        return [inode.path for inode in self.resolver.descend(self.find(top), after)]
