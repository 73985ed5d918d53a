"""Whether the datanodes have confirmed the blocks of a file that is being written.

Each replica counts from the moment when its datanode has told of it. A block is to have as many as
its file wants, or as there are datanodes that can have it.
"""

from itertools import islice
from typing import Iterable, List, NamedTuple, Optional, Sequence, Tuple

from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.writers.open_files import OpenFile
from data_service.protocol.blocks import Block
from data_service.protocol.nodes import Target
from zookeeper.fabric.errors import Busy, NotEnoughReplicas

UNDER_WAY_MAX = 128
"""The most blocks of a file that may be given out while none arrives; a client's
`parallel_blocks` are at most half as many."""


class Confirmation(NamedTuple):
    """A final block: where it was sent, if anybody knows, how many datanodes have confirmed it,
    and how many must."""

    block: Block
    targets: Optional[Tuple[Target, ...]]
    found: int
    needed: int


class Confirmations:
    """Asks the block side about open files; `path` is a file's, for messages."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    def require_all(self, file: OpenFile, final: Sequence[Block], path: str) -> int:
        """How many datanodes have confirmed each of the file's final blocks, at least.

        NotEnoughReplicas while any block lacks some; then it is copied if nothing else helps.
        """
        counted = self._count(file, final)
        lacking = [one for one in counted if one.found < one.needed]
        if lacking:
            self._have_copied(file, lacking)
            block, _, found, needed = lacking[0]
            raise NotEnoughReplicas(
                f"File {path} cannot be completed: {block.name} is "
                f"confirmed by {found} of {needed} datanodes"
            )
        return min([file.new.redundancy.targets] + [one.found for one in counted])

    def require_progress(self, file: OpenFile, path: str) -> None:
        """Raise Busy when a writer asks for ever more blocks, and no datanode has got any."""
        newest = list(islice(reversed(file.blocks.values()), UNDER_WAY_MAX))
        holders = (self._blocks.census.examine_open(block, 1).holders for block, _ in newest)
        if len(newest) == UNDER_WAY_MAX and not any(holders):
            raise Busy(
                f"{path} has {UNDER_WAY_MAX} blocks under way of which no datanode has told yet: "
                "write them before you ask for more"
            )

    def _count(self, file: OpenFile, final: Sequence[Block]) -> List[Confirmation]:
        redundancy = file.new.redundancy
        return [
            Confirmation(
                block,
                targets,
                self._blocks.confirmations(block),
                self._blocks.attainable(block, targets or (), redundancy),
            )
            for block, (_, targets) in zip(final, file.allocations())
        ]

    def _have_copied(self, file: OpenFile, lacking: Iterable[Confirmation]) -> None:
        """Blocks that their pipelines will bring to no more datanodes are copied like those of a
        complete file from now on, though no row says yet that they are final."""
        for block, targets, found, _ in lacking:
            if targets is None or found >= len(targets) or self._blocks.lost_any(targets):
                self._blocks.track(block, file.new.file_id, file.new.redundancy)

    def __repr__(self) -> str:
        return f"<Confirmations by {self._blocks!r}>"
