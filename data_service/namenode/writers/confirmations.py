"""Whether the datanodes have confirmed the blocks of a file that is being written.

Each replica counts from the moment when its datanode has told of it. A block is to have as many as
its file wants, or as there are datanodes that can have it.
"""

from itertools import islice
from typing import Iterable, List, NamedTuple, Optional, Sequence, Tuple

from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.writers.open_files import OpenFile
from data_service.protocol.blocks import SealedBlock
from data_service.protocol.nodes import Target
from zookeeper.fabric.errors import Busy, CorruptData, NotEnoughReplicas

UNDER_WAY_MAX = 128
"""The most blocks of a file that may be given out while none arrives; a client's
`parallel_blocks` are at most half as many."""


class Confirmation(NamedTuple):
    """A final block: where it was sent, if anybody knows, how many datanodes have confirmed it,
    how many must, and how many have told that something else came to them."""

    block: SealedBlock
    targets: Optional[Tuple[Target, ...]]
    found: int
    needed: int
    others: int

    @property
    def is_told(self) -> bool:
        """Whether all datanodes that it was sent to have told what came."""
        return self.targets is None or self.found + self.others >= len(self.targets)


class Confirmations:
    """Asks the block side about open files; `path` is a file's, for messages."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks

    def require_all(self, file: OpenFile, final: Sequence[SealedBlock], path: str) -> int:
        """How many datanodes have confirmed each of the file's final blocks, at least.

        NotEnoughReplicas while any block lacks some; then it is copied if nothing else helps.
        CorruptData when all have something else than its writer sent.
        """
        counted = self._count(file, final)
        lacking = [one for one in counted if one.found < one.needed]
        if lacking:
            _refuse_changed(lacking, path)
            self._have_copied(file, lacking)
            block, _, found, needed, _ = lacking[0]
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

    def _count(self, file: OpenFile, final: Sequence[SealedBlock]) -> List[Confirmation]:
        redundancy = file.new.redundancy
        return [
            Confirmation(
                block,
                targets,
                self._blocks.confirmations(block),
                self._blocks.attainable(block.block, targets or (), redundancy),
                self._blocks.others(block),
            )
            for block, (_, targets) in zip(final, file.allocations())
        ]

    def _have_copied(self, file: OpenFile, lacking: Iterable[Confirmation]) -> None:
        """Blocks that their pipelines will bring to no more datanodes are copied like those of a
        complete file from now on, though no row says yet that they are final."""
        for one in lacking:
            if one.is_told or self._blocks.lost_any(one.targets or ()):
                self._blocks.track(
                    one.block.block, file.new.file_id, file.new.redundancy,
                    digest=one.block.digest,
                )  # fmt: skip

    def __repr__(self) -> str:
        return f"<Confirmations by {self._blocks!r}>"


def _refuse_changed(lacking: Iterable[Confirmation], path: str) -> None:
    """No datanode has what was sent: on the way to the first of them, or there, it was changed."""
    for one in lacking:
        if one.others and not one.found and one.targets is not None and one.is_told:
            raise CorruptData(
                f"File {path} cannot be completed: {one.others} datanodes hold something else as "
                f"{one.block.name} than its writer sent"
            )
