"""A second core that hears the same datanodes as the one that leads, and replays its edits."""

from typing import Any, Dict, Iterable, Mapping, Sequence, Set, Tuple

from data_service.namenode.namespace.retries import Op
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.state import State
from data_service.protocol.blocks import Block
from data_service.protocol.nodes import Command, NodeInfo, NodeStats
from metadata_service.edits import Edit


class Overheard:
    """What datanodes say to the block side that leads, a standby hears as well, and commands
    nothing."""

    def __init__(self, leading: Blocks, standby: Blocks) -> None:
        self._leading = leading
        self._standby = standby
        self._sessions: Dict[int, int] = {}

    def register(self, info: NodeInfo, now: float) -> int:
        """A datanode has a session with each of the two; that with who leads."""
        session = self._leading.register(info, now)
        self._sessions[session] = self._standby.register(info, now)
        return session

    def take_turns(self, sessions: Dict[str, int]) -> Dict[str, int]:
        """Who stood by leads from now on, as all datanodes acknowledge; their sessions with it,
        for those that they had with who led before."""
        self._leading, self._standby = self._standby, self._leading
        told = {node_id: self._sessions[session] for node_id, session in sessions.items()}
        self._sessions = {told[node_id]: session for node_id, session in sessions.items()}
        return told

    def heartbeat(
        self, session: int, stats: NodeStats, now: float, durable_txid: int, acknowledged: int = 0
    ) -> Tuple[Command, ...]:
        """What the datanode shall do, by the word of who leads."""
        assert not self._standby.heartbeat(self._sessions[session], stats, now, durable_txid)
        return self._leading.heartbeat(session, stats, now, durable_txid, acknowledged)

    def block_report(
        self, session: int, report_id: int, part: int, parts: int, blocks: Sequence[Block],
        now: float,
    ) -> bool:
        """A slice of a part of a full report."""
        told = self._sessions[session]
        while not self._standby.block_report(told, report_id, part, parts, blocks, now):
            pass
        return self._leading.block_report(session, report_id, part, parts, blocks, now)

    def block_changes(self, session: int, *changes: Any) -> None:
        """What came, went, or was found to be good or corrupt."""
        self._standby.block_changes(self._sessions[session], *changes)
        self._leading.block_changes(session, *changes)

    @property
    def monitor(self) -> "Overheard":
        """What the zookeeper says, both are told."""
        return self

    def zookeeper_view(self, registered: Mapping[str, str], now: float) -> None:
        """Who is alive."""
        for blocks in (self._standby, self._leading):
            blocks.monitor.zookeeper_view(registered, now)


def replicas(state: State, but: Set[int] = frozenset()) -> Dict[int, tuple]:
    """Each committed block but these: what it is, with which content, whose, how often wanted, and
    who has it how."""
    census, digest = state.blocks.census, state.blocks.digest
    return {
        block.block_id: (
            block, digest(block.block_id), inode_id, wanted, sorted(census.examine(block).holders)
        )
        for block, inode_id, wanted in census.tracked()
        if block.block_id not in but
    }


def answers(state: State, edits: Iterable[Edit]) -> Dict[Op, Any]:
    """What is remembered of the calls that caused these edits."""
    ops = [Op(edit.client_id, edit.call_number) for edit in edits if edit.client_id]
    return {op: state.commits.retries.get(op) for op in ops}
