"""What the block side does as time passes: it judges the nodes, and mends what lacks replicas.

All of it is planned in ticks, but that a copy which ended makes room for the next one at once.
"""

from random import Random
from typing import Iterable, List, Mapping, Optional

from data_service.namenode.replicas.events import Event
from data_service.namenode.replicas.parts import Parts


class RedundancyMonitor:
    """Drives the parts by the clock, and by what the zookeeper sees."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def __repr__(self) -> str:
        return f"<RedundancyMonitor at {self._parts.now}>"

    def zookeeper_view(self, registered: Optional[Mapping[str, str]], now: float) -> None:
        """The datanodes that the zookeeper sees, address to node id; None: it cannot be asked."""
        for node in self._parts.liveness.see(registered, now):
            self._parts.events.note("node.stale", node=node.info.node_id)

    def set_service_state(self, node_id: str, service_state: str) -> bool:
        """Somebody decided about a datanode; False when nobody knows it. What that means for its
        blocks is found within the next ticks."""
        node = self._parts.nodes.get(node_id)
        if node is not None and node.service_state != service_state:
            self._parts.service.put(node, service_state)
            self._parts.events.note("node.service_state", node=node_id, state=service_state)
        return node is not None

    def tick(self, now: float, random: Random) -> List[Event]:
        """Let time pass: judge the nodes, repeat orders, plan copies and deletions.

        Called every `tick_seconds`. After a late call nobody is judged and nothing is planned
        (HDFS-9107). Returns what happened since the last tick, for the log: when there is
        anything, some datanode's heartbeat may have a command to answer with.
        """
        parts, events = self._parts, self._parts.events
        parts.now = now
        verdict = parts.liveness.tick(now)
        if verdict.late:
            self._shift(verdict.late, now)
            return events.drain()
        for node in verdict.stale:
            events.note("node.stale", node=node.info.node_id)
        for node in verdict.died:
            parts.dead_nodes.add(node)
        self.sweep()
        parts.dead_nodes.forget(now)
        self.reports_came(now)
        for block_id in parts.replication.expire(now):
            events.note("replication.expired", block=block_id)
        for node in parts.deletions.repeat(now):
            parts.nodes.end_session(node)
            events.note("session.ended", node=node.info.node_id)
        if not parts.safe_mode.on:
            self._told(parts.replication.plan(now, random))
            ordered = parts.deletions.plan(now, parts.safe_mode.calm_since)
            if ordered:
                events.note("deletion.planned", replicas=ordered)
        return events.drain()

    def sweep(self) -> bool:
        """Look at some replicas of nodes that died, or that are taken out of service or put back;
        whether there were any. Each tick does that once; a namenode with many blocks cannot wait
        for so many ticks."""
        forgotten = self._parts.dead_nodes.sweep()
        return self._parts.service.sweep() or forgotten

    def refill(self, now: float, random: Random) -> int:
        """Between ticks: when copies ended, begin others in their place; how many."""
        if self._parts.safe_mode.on:
            return 0
        return self._told(self._parts.replication.refill(now, random))

    def spread(self, block_ids: Iterable[int], random: Random) -> int:
        """Have those blocks that are on one rack copied to another one, as far as copies may
        begin now; how many. The replica too many goes as any surplus does."""
        parts = self._parts
        return sum(parts.replication.spread(block_id, random, parts.now)
                   for block_id in block_ids if not parts.safe_mode.on)

    def reports_came(self, now: float) -> None:
        """More replicas are known, or time has passed: safe mode may be over."""
        safe_mode, blocks = self._parts.safe_mode, self._parts.blocks
        if safe_mode.on and safe_mode.update(len(blocks), blocks.readable, now):
            self._parts.events.note(
                "safe_mode.left", blocks=len(blocks), reported=blocks.readable)

    def _told(self, planned: int) -> int:
        if planned:
            self._parts.events.note("replication.planned", blocks=planned)
        return planned

    def _shift(self, late: float, now: float) -> None:
        self._parts.replication.shift(late)
        self._parts.safe_mode.shift(late, now)
        for node in self._parts.nodes:
            node.outbox.shift(late)
        self._parts.events.note("tick.late", seconds=round(late, 3))
