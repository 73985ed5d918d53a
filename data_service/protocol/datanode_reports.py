"""What datanodes tell the namenodes, those that lead and those that stand by, and are answered."""

from typing import Annotated, Any, NamedTuple, Tuple

from data_service.protocol.namenode_calls import Blocks, Names, SealedBlocks
from data_service.protocol.nodes import Command, NodeInfo, NodeStats, Registration
from zookeeper.fabric.calls import TELLS, Calls, call
from zookeeper.fabric.identity import DATA_NODE
from zookeeper.fabric.kinds import Length, Natural

PACKED_BLOCK_BYTES = 24


class _WholeBlocks:
    """Bytes that are packed blocks and nothing else."""

    def allows(self, value: Any) -> bool:
        """Whether none is cut off, and each number of theirs is a Natural: of eight bytes, in which
        the first bit is the sign."""
        whole = len(value) % PACKED_BLOCK_BYTES == 0
        return whole and max(value[::8], default=0) < 0x80

    def __str__(self) -> str:
        return f"{PACKED_BLOCK_BYTES} for each block"


PackedBlocks = Annotated[bytes, _WholeBlocks()]


class Orders(NamedTuple):
    """The answer to a heartbeat: what to do, by the namenode of which epoch.

    One that does not lead tells the newest epoch that it has heard of, and orders nothing but a
    report. An older release answers only while it leads.
    """

    epoch: Natural
    commands: Annotated[Tuple[Command, ...], Length(0, 10_000)]
    leads: bool = True


class DataNodeReports(Calls, who=(DATA_NODE,)):
    """Nobody else than a datanode may."""

    @call(TELLS)
    def register(self, info: NodeInfo) -> Registration:
        """A datanode introduces itself."""

    @call(TELLS)
    def epoch_known(self, epoch: Natural) -> None:
        """A datanode does not obey this namenode: it has obeyed one of this later epoch."""

    @call(TELLS, waits=True)
    def heartbeat(
        self,
        session: Natural,
        stats: NodeStats,
        wait_seconds: float,
        acknowledged: Natural = 0,
        unheard_seconds: float = 0.0,
    ) -> Orders:
        """It lives; waits up to `wait_seconds` for commands. It has `acknowledged` the namenode of
        this epoch: what an earlier one ordered is done and told, or will not be done; and has not
        heard the namenode that leads, whichever that is, for `unheard_seconds`."""

    @call(TELLS)
    def block_report(
        self,
        session: Natural,
        report_id: Natural,
        part: Natural,
        parts: Natural,
        payload: PackedBlocks,
        digests: bytes = b"",
    ) -> None:
        """One part of a full block report, and 16 bytes for each block's digest."""

    @call(TELLS)
    def block_changes(
        self,
        session: Natural,
        received: SealedBlocks,
        deleted: Blocks,
        corrupt: Blocks,
        verified: SealedBlocks = (),
    ) -> None:
        """What happened to single replicas of a datanode, and which it has verified. A digest is
        that of the checksums which it found, or wrote."""

    @call(TELLS)
    def copy_failed(self, session: Natural, block_id: Natural, unreached: Names = ()) -> None:
        """A datanode could not make a copy that it was told to make: not reach these targets."""
