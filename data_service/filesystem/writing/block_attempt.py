"""One attempt to write a block: a pipeline of datanodes, and what has gone into it so far."""

from typing import Callable, List

from data_service.protocol.blocks import SealedBlock, Told
from data_service.protocol.checksums import block_digest
from data_service.protocol.files import LocatedBlock
from data_service.stubs.datanode_client import DataNodeClient
from zookeeper.fabric.errors import NotEnoughReplicas, Unavailable


class BlockAttempt:
    """The block at `position` in its file, of up to `size` bytes, on its way to the datanodes of
    `located`. To be closed, whatever becomes of it. `check` raises when the file was given up.

    Raises whatever a call of a datanode does; then the block is to be abandoned.
    """

    def __init__(
        self,
        datanodes: DataNodeClient,
        position: int,
        located: LocatedBlock,
        size: int,
        check: Callable[[], None],
    ) -> None:
        if not located.targets:
            raise Unavailable("the namenode was restarted and does not know where the block goes")
        self.position = position
        self.located = located
        self._check = check
        self._length = 0
        self._checksums: List[int] = []
        self._pipeline = datanodes.write_block(
            *located.block[:2], size, located.token, located.targets
        )

    @property
    def chunks(self) -> int:
        """How many chunks were sent."""
        return len(self._checksums)

    def send(self, data: memoryview, checksum: int) -> None:
        """Send the next chunk."""
        self._check()
        self._pipeline.send(data, checksum)
        self._length += len(data)
        self._checksums.append(checksum)

    def finish(self) -> Told:
        """Wait until all of the datanodes have the block: what the namenode is to be told of it."""
        holders = self._pipeline.finish()
        if set(holders) != {target.node_id for target in self.located.targets}:
            raise NotEnoughReplicas(f"only {len(holders)} datanodes confirmed the block")
        block = self.located.block._replace(length=self._length)
        # Where there are no tokens there may be namenodes of a release without digests.
        if not self.located.token:
            return block
        return SealedBlock(*block, block_digest(self._length, self._checksums))

    def close(self) -> None:
        """Hang up, unless it is finished."""
        self._pipeline.close()

    def __repr__(self) -> str:
        return f"<BlockAttempt {self.located.block.name}, {self._length} bytes>"
