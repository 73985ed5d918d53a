"""What clients and datanodes ask of a namenode, whether a term answers it or who listens."""

from typing import Any, Callable, Optional, Tuple

from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.permissions import Caller
from data_service.namenode.namespace.retries import Op
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.state import State
from data_service.protocol.blocks import Block
from data_service.protocol.files import Tail
from data_service.protocol.nodes import NodeInfo, NodeStats, Registration
from tests.simulation.model_core import ModelCore
from tests.simulation.term import ModelTerm
from tests.simulation.world import Process, Script

ROOT = Caller("root", frozenset(), True)
STANDBY_SECONDS = 0.3
"""So long a heartbeat waits for orders that cannot come."""

BLOCK_SIZE = 100


class NameNodeCalls(Process):
    """Those of a namenode; which of its parts answers, NameNode says."""

    core: Optional[ModelCore]

    def leading(self) -> ModelTerm:
        """The current term; raises NotLeader when there is none."""
        raise NotImplementedError

    def standby(self) -> Optional[Blocks]:
        """What hears datanodes while no term leads it; None when one does. Raises NotLeader while
        there is nothing in memory."""
        raise NotImplementedError

    def _read(self, operation: Callable[[State], Outcome]) -> Script:
        return self.leading().run(operation)

    def _change(
        self, operation: Callable[[State], Outcome], op: Optional[Op] = None
    ) -> Script:
        return self.leading().change(operation, op)

    # What clients ask.

    def exposed_stat(self, _source: str, path: str) -> Script:
        """FileStatus of a path."""
        return self._read(lambda state: state.reading.stat(ROOT, path))

    def exposed_list(self, _source: str, path: str) -> Script:
        """(the statuses of a directory's entries, whether more follow)."""
        return self._read(lambda state: state.reading.list(ROOT, path, "", 1000))

    def exposed_block_locations(self, _source: str, path: str) -> Script:
        """Locations of a whole file."""
        return self._read(lambda state: state.reading.block_locations(ROOT, path, 0, 1 << 40))

    def exposed_mkdir(self, _source: str, op: Op, path: str, parents: bool) -> Script:
        """Make a directory."""
        return self._change(lambda state: state.mkdir(
            ROOT, op, path, parents, 0o755, 1, self.clock()), op)

    def exposed_delete(self, _source: str, op: Op, path: str) -> Script:
        """Delete a path."""
        return self._change(lambda state: state.delete(ROOT, op, path, True, 1), op)

    def exposed_rename(self, _source: str, op: Op, path: str, target: str) -> Script:
        """Rename."""
        return self._change(lambda state: state.rename(
            ROOT, op, path, target, 1, self.clock()), op)

    def exposed_set_replication(self, _source: str, op: Op, path: str, count: int) -> Script:
        """Raise or lower how many replicas a file shall have."""
        return self._change(lambda state: state.set_replication(ROOT, op, path, count), op)

    def exposed_create(
        self, _source: str, op: Op, path: str, overwrite: bool, replication: int
    ) -> Script:
        """Open a file for writing."""
        return self._change(lambda state: state.writing.create(
            ROOT, op, path, overwrite, replication, BLOCK_SIZE, 0o644, self.clock()), op)

    def exposed_add_block(
        self, source: str, client_id: str, file_id: int, position: int, excluded: tuple
    ) -> Script:
        """The LocatedBlock for one position of an open file."""
        return self._change(lambda state: state.writing.add_block(
            client_id, file_id, position, excluded, source, self.clock(), self.world.random))

    def exposed_abandon_block(
        self, _source: str, client_id: str, file_id: int, block_id: int
    ) -> Script:
        """Give a block up."""
        return self._change(
            lambda state: state.writing.abandon_block(client_id, file_id, block_id))

    def exposed_complete(
        self, _source: str, op: Op, file_id: int, blocks: Tuple[Block, ...]
    ) -> Script:
        """Make a file appear."""
        return self.leading().complete(
            lambda state: state.writing.complete(ROOT, op, file_id, blocks, self.clock(), 1),
            op)

    def exposed_flush(
        self, _source: str, op: Op, file_id: int, blocks: Tuple[Block, ...]
    ) -> Script:
        """Make visible what was written so far."""
        return self.leading().complete(
            lambda state: state.writing.flush(ROOT, op, file_id, blocks, self.clock(), 1),
            op)

    def exposed_append(self, _source: str, op: Op, path: str) -> Script:
        """Open a file to write behind its end."""
        return self._change(lambda state: state.rewriting.append(ROOT, op, path, self.clock()), op)

    def exposed_resume_visible(
        self, _source: str, client_id: str, file_id: int, tail: tuple, blocks: tuple
    ) -> Script:
        """Present a file in progress that readers see."""
        return self._change(lambda state: state.rewriting.resume(
            ROOT, client_id, file_id, Tail(*tail), dict(blocks), self.clock()))

    def exposed_resume(
        self, _source: str, client_id: str, path: str, file_id: int, overwrite: bool,
        replication: int, replaces: int, blocks: tuple,
    ) -> Script:  # fmt: skip
        """Present a file in progress."""
        return self._change(lambda state: state.writing.resume(
            ROOT, client_id, path, file_id, overwrite, replication, BLOCK_SIZE, 0o644,
            replaces, dict(blocks), self.clock()))

    def exposed_abandon_file(self, _source: str, client_id: str, file_id: int) -> Script:
        """Give a file up."""
        return self._change(lambda state: state.writing.abandon_file(client_id, file_id))

    def exposed_renew_lease(self, _source: str, client_id: str) -> Script:
        """Keep all files that a client has open."""
        return self._read(lambda state: Outcome(
            state.writing.renew_lease(client_id, self.clock()), None, 0))

    def exposed_report_bad_block(self, _source: str, block: Block, node_id: str) -> Script:
        """A reader met a damaged replica."""
        return self.leading().tell_blocks(lambda blocks: blocks.report_bad(block, node_id))

    # What datanodes tell, whether this one leads or stands by.

    def _hear(self, operation: Callable[[Blocks], Any]) -> Any:
        standby = self.standby()
        return self.leading().tell_blocks(operation) if standby is None else operation(standby)

    def exposed_register(self, _source: str, info: NodeInfo) -> Any:
        """A datanode introduces itself."""
        standby = self.standby()
        if standby is None:
            return self._register_at(self.leading(), info)
        session = standby.register(info, self.clock())
        return Registration(session, standby.epoch, self.core.cluster_id, False)

    def _register_at(self, term: ModelTerm, info: NodeInfo) -> Script:
        session = yield from term.tell_blocks(lambda blocks: blocks.register(info, self.clock()))
        return Registration(session, term.journal.epoch, term.journal.cluster_id)

    def exposed_heartbeat(
        self, _source: str, session: int, stats: NodeStats, seconds: float, acknowledged: int,
        unheard_seconds: float,
    ) -> Script:  # fmt: skip
        """(epoch, commands, when they were given, whether this one leads)."""
        standby = self.standby()
        if standby is None:
            return self.leading().heartbeat(
                session, stats, seconds, acknowledged, unheard_seconds)
        assert not standby.heartbeat(
            session, stats, self.clock(), -1, acknowledged, unheard_seconds)
        return self._beaten(standby.epoch)

    def _beaten(self, epoch: int) -> Script:
        yield self.world.sleep(STANDBY_SECONDS)
        return epoch, (), self.world.now, False

    def exposed_block_report(self, _source: str, *report: Any) -> Any:
        """One part of a full report."""
        standby = self.standby()
        if standby is None:
            return self.leading().tell_blocks_in_slices(
                lambda blocks: blocks.block_report(*report, self.clock())
            )
        while not standby.block_report(*report, self.clock()):
            pass
        return None

    def exposed_block_changes(
        self, _source: str, session: int, received: tuple, deleted: tuple, corrupt: tuple,
        verified: tuple,
    ) -> Script:  # fmt: skip
        """What happened to single replicas."""
        return self._hear(lambda blocks: blocks.block_changes(
            session, received, deleted, corrupt, self.clock(), verified))

    def exposed_copy_failed(self, _source: str, session: int, block_id: int) -> Script:
        """A copy that was ordered could not be made."""
        return self._hear(
            lambda blocks: blocks.copy_failed(session, block_id, self.clock()))
