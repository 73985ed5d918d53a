"""The block side of the namenode: where replicas are, and what must be done about them.

`Blocks` joins the pure parts (nodes, block map, open blocks, reports, replication, deletion, safe
mode): it is told what the namespace and the datanodes say, its `monitor` what time and the
zookeeper say, and its `census` answers how everything is. It is soft state: after a restart the
committed blocks come from the namespace (`track`), the deleted ones too (`invalidate`), and
everything else from the datanodes. It stands by, and commands nothing, until it is told to `lead`:
then every datanode must have acknowledged that before what it has justifies any removal. The caller
holds the namenode's lock; nothing here waits or
does input or output. `now` is monotonic seconds.
"""

from random import Random
from typing import (
    AbstractSet,
    Callable,
    Collection,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
)

from data_service.namenode.replicas.block_map import DIGEST, reported
from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.node import Node
from data_service.namenode.replicas.parts import Parts
from data_service.namenode.replicas.redundancy_monitor import RedundancyMonitor
from data_service.namenode.replicas.unrecorded import disown, forget_open
from data_service.protocol.blocks import Block, Told, sealed
from data_service.protocol.nodes import Command, NodeInfo, NodeStats, Target
from data_service.protocol.redundancy import Redundancy


class Blocks:
    """The facade. Every method is one event; `check()` must hold after each."""

    def __init__(
        self,
        cluster_id: str,
        policy: BlockPolicy,
        sessions: Iterator[int],
    ) -> None:
        """`sessions` are the numbers of datanodes' sessions: those of another namenode must not be
        mistaken for ours."""
        self.epoch = 0
        """The last one in which this namenode led; 0: it never did. It is the generation of all
        blocks that are allocated; a block that is written again is another block."""
        self.leads = False
        self._parts = parts = Parts(cluster_id, sessions, policy)
        parts.safe_mode.stand_by()
        self._digests_needed = policy.digests_needed
        self._nodes = parts.nodes
        self._map = parts.blocks
        self._opened = parts.opened
        self._safe_mode = parts.safe_mode
        self.census = parts.census
        self.monitor = RedundancyMonitor(parts)

    def __repr__(self) -> str:
        return f"<Blocks {self._parts!r}>"

    def tell_unknown(self, heard: Callable[[int], None]) -> None:
        """Have `heard` called with the id of every replica whose block nobody knows."""
        self._parts.reports.on_unknown = heard

    # What the namespace says.

    def load(self, kept: Iterable[Tuple[Block, int, Redundancy]], deleted: Iterable[int],
             txid: int) -> None:
        """What a whole image says, which stands at edit `txid`, before anything else is known: as
        `track` and `invalidate` of each block, but for the time that takes."""
        assert not len(self._opened) and not len(self._nodes), self
        self._map.load(kept)
        for block_id in deleted:
            self.invalidate(block_id, txid)

    def track(
        self,
        block: Block,
        inode_id: int,
        redundancy: Redundancy,
        txid: int = 0,
        digest: bytes = b"",
    ) -> None:
        """A final block belongs to this file, which is kept like this since edit `txid`; one that
        is new has this digest.

        What becomes surplus by it stays until the edit is durable. Again is the same as once.
        """
        block_id = block.block_id
        if block_id in self._map:
            if redundancy.targets < self._map.redundancy(block_id).targets:
                self._parts.deletions.hold_surplus(txid)
            self._map.set_inode(block_id, inode_id)
            self._map.set_redundancy(block_id, redundancy)
            return
        self._map.add(block, inode_id, redundancy, digest)
        if block_id in self._opened:
            self._settle(block)
        self._adopt(block_id)

    def seal(self, block_id: int, digest: bytes) -> None:
        """The record has the digest of a block which nobody has reported yet; one of a block that
        is gone, or is not final any more, says nothing."""
        if block_id in self._map:
            self._map.seal(block_id, digest)

    def digest(self, block_id: int) -> bytes:
        """The digest of a final block; nothing when its writer told none."""
        return self._map.digest(block_id)

    def invalidate(self, block_id: int, txid: int) -> None:
        """A block, or one that was being written, is deleted by edit `txid`. Its holders get orders
        once that is durable."""
        replicas: List[Tuple[Node, Block]] = []
        block = self._map.get(block_id)
        if block is not None:
            marks = self._map.marks.get(block_id, {})
            replicas = [(node, reported(block, marks.get(node)))
                        for node in self._map.everyone(block_id) if not node.dead]
            self._map.remove(block_id)
        elif block_id in self._opened:
            opened = self._opened.end(block_id)
            replicas = [(node, Block(block_id, opened.generation, length))
                        for node, length in opened.replicas.items()]
        self._parts.replication.cancel(block_id)
        self._parts.deletions.bury(block_id, txid, replicas)
        self._adopt(block_id)

    def confirmed_deletions(self, limit: int) -> Tuple[int, ...]:
        """Deleted ids that can be forgotten: every holder confirmed, also those that may come
        back."""
        return () if self._safe_mode.on else self._parts.deletions.confirmed(limit, self._parts.now)

    def forget(self, block_id: int) -> None:
        """The namespace keeps no record any more that this id is deleted."""
        for node, replica in self._parts.deletions.drop_tombstone(block_id):
            self._parts.reports.has(node, replica, self._parts.now, False)

    def loaded(self, now: float) -> None:
        """All blocks of the namespace are tracked: safe mode may begin to count."""
        self._parts.now = now
        self._parts.allocation.start(now)
        self._parts.deletions.start(now)
        self._safe_mode.loaded()
        self.monitor.reports_came(now)

    def lead(self, epoch: int, now: float) -> None:
        """This namenode leads from now on, in this epoch. What datanodes do may still be by the
        word of another one, until each of them has acknowledged the epoch (HDFS-1972)."""
        self._parts.now = now
        self.epoch, self.leads = epoch, True
        for node in self._nodes:
            # What it shall read, it is told when it obeys this namenode.
            node.settled = False
            node.verified.clear()
        self._parts.deletions.start(now)
        self._safe_mode.lead()
        self.monitor.reports_came(now)

    def stand_by(self) -> None:
        """Another namenode leads from now on: nothing that was ordered holds any more, and what is
        being written is not known to this one. What there is stays known."""
        self.leads = False
        self._safe_mode.stand_by()
        for node in self._nodes:
            self._parts.deletions.new_session(node)
            self._parts.replication.cancel_node(node)
            node.settled = False
            node.forget_verifications()
        for block_id in list(self._opened):
            forget_open(self._parts, block_id)

    def disown(self, block_id: int) -> None:
        """A block of a file that is being written is unknown to who stands by, however final."""
        disown(self._parts, block_id)

    def begin(self, block_id: int, generation: int, targets: Iterable[Target],
              size: int = 0) -> None:
        """A block is allocated for a file being written; reports of it are expected.

        `size` (the file's block size) is set aside on the targets until they report or the
        block ends. A writer that resumes after a restart begins its blocks again.
        """
        known = (self._nodes.get(target.node_id) for target in targets)
        nodes = [node for node in known if node is not None and not node.dead]
        self._opened.begin(block_id, generation, nodes, size)
        self._adopt(block_id)

    def lost_any(self, targets: Iterable[Target]) -> bool:
        """Whether any of these datanodes is dead, or was never met."""
        nodes = [self._nodes.get(target.node_id) for target in targets]
        return any(node is None or node.dead for node in nodes)

    def confirmations(self, told: Told) -> int:
        """How many distinct living nodes reported exactly this replica, and not as corrupt."""
        final = sealed(told)
        if final.block_id in self._opened:
            return self._opened.confirmations(final, self._digests_needed)
        known = self._map.get(final.block_id), self.digest(final.block_id)
        if known == (final.block, final.digest):
            return self.census.health(final.block_id).live
        return 0

    def others(self, told: Told) -> int:
        """How many nodes reported another content of a block than its writer sent."""
        if told.block_id in self._opened:
            return self._opened.others(sealed(told))
        marks = self._map.marks.get(told.block_id, {}).values()
        return sum(1 for mark in marks if mark.reason == DIGEST)

    def attainable(self, block: Block, targets: Iterable[Target], redundancy: Redundancy) -> int:
        """How many replicas of a final block there can be: as many as wanted, or the datanodes
        that can have it, if these are fewer. Right after a start more are still to come back."""
        return self._parts.allocation.attainable(block, targets, redundancy, self._parts.now)

    def _settle(self, block: Block) -> None:
        opened = self._opened.end(block.block_id)
        for node, length in opened.replicas.items():
            replica = Block(block.block_id, opened.generation, length)
            self._parts.reports.settle(
                node, replica, opened.digests[node], node in opened.bad, self._parts.now
            )

    def _adopt(self, block_id: int) -> None:
        for node in self._nodes:
            if block_id in node.unknown:
                self._parts.reports.adopt(node, block_id, self._parts.now)

    # What readers, writers and fsck ask.

    def get(self, block_id: int) -> Optional[Block]:
        """The committed block with this id, or None."""
        return self._map.get(block_id)

    def inode_id(self, block_id: int) -> Optional[int]:
        """The inode that a committed block belongs to, or None."""
        return self._map.inode_id(block_id)

    def choose_targets(self, count: int, excluded: AbstractSet[str], writer_host: str, size: int,
                       random: Random, label: str = "") -> Tuple[Target, ...]:
        """Up to `count` distinct datanodes that may take `size` bytes, fewer when there are
        fewer. Raises NotEnoughReplicas when there is none, and Busy when some soon will be;
        `label` is the file's path."""
        return self._parts.allocation.choose(
            count, excluded, writer_host, size, label, self._parts.now, random)

    def report_bad(self, block: Block, node_id: str) -> bool:
        """A reader found a replica that does not match its checksums: its datanode looks itself.
        False when that node is not known to have it."""
        node = self._nodes.get(node_id)
        reports, now = self._parts.reports, self._parts.now
        return bool(node and not node.dead and reports.suspected(node, block, now))

    # What datanodes say.

    def register(
        self, info: NodeInfo, now: float, principal: str = "", proved: bool = False
    ) -> int:
        """A datanode's process introduces itself; its session. Its earlier session ends and so
        do the orders of it; a full report must follow. Only `principal` may speak in it. When this
        namenode leads, it has told so: who goes on obeys nobody else. Raises StartRefused."""
        self._parts.now = now
        node = self._nodes.register(info, now, principal, proved)
        self._parts.liveness.registered(node, now)
        for replaced in self._nodes.take_vacated():
            self._parts.dead_nodes.add(replaced)
        self._parts.dead_nodes.returned(node)
        self._parts.deletions.new_session(node)
        self._parts.replication.cancel_node(node)
        node.settled = self.leads
        self._parts.events.note(
            "node.registered", node=info.node_id, host=info.host, port=info.port)
        return node.session

    def require_own(self, session: int, principal: str) -> None:
        """Raises SessionExpired unless this principal registered a datanode in this session."""
        self._nodes.require_own(session, principal)

    def heartbeat(self, session: int, stats: NodeStats, now: float, durable_txid: int,
                  acknowledged: int = 0, unheard_seconds: float = 0.0) -> Tuple[Command, ...]:
        """A datanode lives, and has `acknowledged` the namenode of this epoch: it does nothing any
        more that an earlier one ordered, and has told what it did. It has not heard the namenode
        that leads for `unheard_seconds`. What it shall do now. Raises SessionExpired."""
        self._parts.now = now
        node = self._parts.liveness.heartbeat(session, stats, now)
        node.unheard_seconds = unheard_seconds
        if self.leads and acknowledged == self.epoch and not node.settled:
            node.settled = True
            self._parts.events.note("node.settled", node=node.info.node_id, epoch=self.epoch)
        return self._commands(node, now, durable_txid)

    def take_commands(self, session: int, now: float, durable_txid: int) -> Tuple[Command, ...]:
        """What a datanode whose heartbeat waits for a command shall do now; usually nothing.
        Raises SessionExpired."""
        return self._commands(self._nodes.by_session(session), now, durable_txid)

    def has_orders(self, session: int) -> bool:
        """Whether a heartbeat that waits for a command should look for one; also when its session
        is over, which it shall hear at once."""
        node = self._nodes.find(session)
        if node is None or node.outbox.report:
            return True
        if not node.settled:
            return self.leads  # It shall hear that, and turn to this namenode.
        if node.outbox.verify:
            return True
        waits = bool(node.outbox.copies or node.outbox.ready)
        return waits and node.reported and not self._safe_mode.on

    def must_acknowledge(self, session: int) -> bool:
        """Whether this namenode leads, and the datanode of the session may not know it yet."""
        node = self._nodes.find(session)
        return self.leads and node is not None and not node.settled

    def _commands(self, node: Node, now: float, durable_txid: int) -> Tuple[Command, ...]:
        report = node.outbox.take_report()
        if not node.settled:
            return report
        report += node.outbox.take_verifications()
        if self._safe_mode.on or not node.reported:
            return report
        removals = self._parts.deletions.commands(node, now, durable_txid)
        return report + node.outbox.take_copies() + removals

    def block_report(self, session: int, report_id: int, part: int, parts: int,
                     blocks: Sequence[Told], now: float) -> bool:
        """A slice of one part (0 up to `parts` - 1) of a full report; see `full_reports.py` for the
        rules. False when more of that part is left: to be called again, with the same.

        The node lives as if it had beaten. Raises SessionExpired, or ProtocolViolation when a new
        report must be begun.
        """
        self._parts.now = now
        node = self._nodes.by_session(session)
        self._parts.liveness.heard(node, now)
        taken = self._parts.full_reports.part(node, report_id, part, parts, blocks, now)
        self.monitor.reports_came(now)
        return taken

    def block_changes(self, session: int, received: Iterable[Told], deleted: Iterable[Block],
                      corrupt: Iterable[Block], now: float,
                      verified: Iterable[Told] = ()) -> None:
        """Replicas that came, went, or were read and found corrupt or good since the last call; an
        id stands in one of the lists only. Raises SessionExpired."""
        self._parts.now = now
        node = self._nodes.by_session(session)
        self._parts.reports.changes(node, received, deleted, corrupt, now, verified)
        self.monitor.reports_came(now)

    def copy_failed(self, session: int, block_id: int, now: float,
                    unreached: Collection[str] = ()) -> None:
        """A datanode could not make a copy that it was told to make, perhaps since it did not
        reach these targets. Raises SessionExpired."""
        self._parts.now = now
        self._parts.replication.failed(block_id, self._nodes.by_session(session), now, unreached)

    # Safe mode and reports.

    @property
    def safe_mode(self) -> bool:
        """Whether the namenode is read-only now."""
        return self._safe_mode.on

    def safe_mode_reason(self, now: float) -> str:
        """Why it is on, in HDFS's words; empty when it is off."""
        return self._safe_mode.reason(now)

    def safe_mode_would_last(self, now: float) -> bool:
        """Whether a namenode that stands by would change nothing yet if it were to lead now."""
        return self._safe_mode.would_last(now)

    def enter_safe_mode(self) -> None:
        """Turn it on by hand, until it is turned off by hand."""
        self._safe_mode.enter()

    def leave_safe_mode(self, now: float) -> None:
        """Turn it off by hand."""
        self._safe_mode.leave(now)

    def want_report(self, host: str, port: int) -> bool:
        """Have the datanode at this address report fully; False when none lives there."""
        return self._nodes.want_report(host, port)

    def check(self) -> None:
        """Assert every invariant; slow, for tests."""
        self._parts.check()
