"""Blocks of files that are being written: allocated, perhaps reported, not yet committed.

They live in RAM only, like the files that they belong to. Their length is not known before the
commit, so what each node reported is kept until then and judged at once.
"""

from typing import Dict, Iterable, Iterator, Optional, Set, Tuple

from data_service.namenode.replicas.judgement import is_content
from data_service.namenode.replicas.node import Node
from data_service.protocol.blocks import Block, SealedBlock


class OpenBlock:
    """One such block: the nodes it was allocated on, the length and the digest that each holder
    reported."""

    __slots__ = ("generation", "targets", "replicas", "digests", "bad")

    def __init__(self, generation: int, targets: Tuple[Node, ...]) -> None:
        self.generation = generation
        self.targets = targets
        self.replicas: Dict[Node, int] = {}
        self.digests: Dict[Node, bytes] = {}
        self.bad: Set[Node] = set()


class OpenBlocks:
    """All blocks being written, by id."""

    def __init__(self) -> None:
        self._blocks: Dict[int, OpenBlock] = {}

    def __len__(self) -> int:
        return len(self._blocks)

    def __contains__(self, block_id: int) -> bool:
        return block_id in self._blocks

    def __iter__(self) -> Iterator[int]:
        return iter(self._blocks)

    def __repr__(self) -> str:
        return f"<OpenBlocks {len(self._blocks)} blocks>"

    def get(self, block_id: int) -> Optional[OpenBlock]:
        """The block, or None."""
        return self._blocks.get(block_id)

    def begin(self, block_id: int, generation: int, targets: Iterable[Node], size: int) -> None:
        """A block is allocated on `targets`, where up to `size` bytes are now expected.

        A writer that resumes after a restart of the namenode may begin the same block again.
        """
        block = self._blocks.setdefault(block_id, OpenBlock(generation, tuple(targets)))
        assert block.generation == generation, (block_id, generation)
        for node in block.targets:
            if node not in block.replicas:
                node.expect(block_id, size)

    def may_have(self, node: Node, block_id: int) -> bool:
        """Whether the block can have been written to this node. After a restart nobody knows any
        more which nodes it was allocated on."""
        targets = self._blocks[block_id].targets
        return not targets or node in targets

    def has(self, node: Node, block: Block, digest: bytes = b"") -> None:
        """A node reported a replica; one of another generation is not of this writing."""
        opened = self._blocks[block.block_id]
        if block.generation == opened.generation:
            opened.replicas[node] = block.length
            opened.digests[node] = digest or opened.digests.get(node, b"")

    def lacks(self, node: Node, block_id: int) -> None:
        """A node has no replica (any more)."""
        opened = self._blocks[block_id]
        opened.replicas.pop(node, None)
        opened.digests.pop(node, None)
        opened.bad.discard(node)

    def spoil(self, node: Node, block_id: int) -> bool:
        """A node's replica does not match its checksums; False when it has none."""
        opened = self._blocks[block_id]
        if node in opened.replicas:
            opened.bad.add(node)
        return node in opened.replicas

    def confirmations(self, sealed: SealedBlock, digests_needed: bool = False) -> int:
        """How many nodes reported exactly this block, with its content, and not as corrupt."""
        opened = self._blocks[sealed.block_id]
        if sealed.generation != opened.generation:
            return 0
        return sum(1 for node, length in opened.replicas.items()
                   if length == sealed.length and node not in opened.bad
                   and is_content(opened.digests[node], sealed.digest, digests_needed))

    def others(self, sealed: SealedBlock) -> int:
        """How many nodes reported it with another content than its writer sent."""
        opened = self._blocks[sealed.block_id]
        return sum(1 for digest in opened.digests.values()
                   if not is_content(digest, sealed.digest, False))

    def end(self, block_id: int) -> OpenBlock:
        """The block is committed or abandoned; nothing is expected of its targets any more."""
        opened = self._blocks.pop(block_id)
        for node in opened.targets:
            node.unexpect(block_id)
        return opened

    def check(self) -> None:
        """Assert that nothing is kept of nodes that were given up."""
        for block_id, opened in self._blocks.items():
            assert opened.bad <= set(opened.replicas), block_id
            assert opened.digests.keys() == opened.replicas.keys(), block_id
            assert not any(node.dead for node in opened.replicas), block_id
