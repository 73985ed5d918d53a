"""Whether datanodes are alive.

Theory of operation. A node is *live* while both its heartbeats and the zookeeper's view of it are
fresh (a zookeeper that cannot be asked sees everybody), *stale* when either is older than
`stale_seconds`: then it is read last and not written to. It is *dead* only when both have lost it
for `dead_seconds`, or we alone for three times as long; dead nodes have no session, so the first
call of one that returns is refused, and it registers and reports all over again. A tick that comes
late means that the namenode itself slept: nobody is judged, and all deadlines move (HDFS-9107).
"""

from typing import List, Mapping, NamedTuple, Optional, Set, Tuple

from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.node import Node
from data_service.namenode.replicas.nodes import Nodes
from data_service.protocol.health import DEAD, LIVE, STALE
from data_service.protocol.nodes import NodeStats

_SEEN_TIMES = 3
"""So many times `dead_seconds` a node is waited for that only the zookeeper still sees."""

_LATE_SECONDS_MIN = 1.0
"""A busy machine is as late as that without having slept."""


class Round(NamedTuple):
    """What a tick found: seconds that the tick came late (0.0 when in time), who changed."""

    late: float
    died: Tuple[Node, ...]
    stale: Tuple[Node, ...]


class Liveness:
    """Judges the nodes by their heartbeats, and by what the zookeeper sees."""

    def __init__(self, nodes: Nodes, policy: BlockPolicy) -> None:
        self._nodes = nodes
        self._policy = policy
        self._view: Optional[Mapping[str, str]] = None
        self._seen: Set[str] = set()
        self._last_tick: Optional[float] = None

    def __repr__(self) -> str:
        return f"<Liveness of {self._nodes!r}>"

    def awaited(self) -> bool:
        """Whether the zookeeper sees a node that has not fully reported in its present session."""
        found = (self._nodes.get(node_id) for node_id in self._seen)
        return any(node is None or not node.reported for node in found)

    def registered(self, node: Node, now: float) -> None:
        """A node has just got a session."""
        if self._last_tick is None:
            self._last_tick = now
        seen = self._view is None or node.info.node_id in self._seen
        node.zookeeper_lost = None if seen else now

    def heartbeat(self, session: int, stats: NodeStats, now: float) -> Node:
        """Note that the node lives; raises SessionExpired, also for one that was given up."""
        node = self._nodes.by_session(session)
        node.stats = stats
        self.heard(node, now)
        return node

    def heard(self, node: Node, now: float) -> None:
        """Note that the node lives, by anything that it said in its session."""
        node.last_heartbeat = max(now, node.last_heartbeat)
        if self._is_fresh(node, now):
            node.liveness = LIVE

    def see(self, registered: Optional[Mapping[str, str]], now: float) -> Tuple[Node, ...]:
        """What the zookeeper sees: address to node id, or None when it cannot be asked.

        A zookeeper that cannot be asked has lost nobody: nodes then live by their heartbeats
        and none dies, so that an outage there starts no storm of copies. One that was restarted
        sees everybody again only after a while: who is missing is stale by the clock, not at
        once. Returns the nodes that became stale.
        """
        stale: List[Node] = []
        self._view = registered
        self._seen = set(registered.values()) if registered is not None else set()
        for node in self._nodes:
            if registered is None or node.info.node_id in self._seen:
                node.zookeeper_lost = None
            elif node.zookeeper_lost is None:
                node.zookeeper_lost = now
            if node.liveness == LIVE and not self._is_fresh(node, now):
                node.liveness = STALE
                stale.append(node)
            elif node.liveness == STALE and self._is_fresh(node, now):
                node.liveness = LIVE
        return tuple(stale)

    def tick(self, now: float) -> Round:
        """Let time pass: find who became stale or died. A late tick only moves deadlines."""
        policy = self._policy
        last, self._last_tick = self._last_tick, now
        late = now - last - policy.tick_seconds if last is not None else 0.0
        if late > max(2 * policy.tick_seconds, policy.stale_seconds / 4, _LATE_SECONDS_MIN):
            for node in self._nodes:
                node.last_heartbeat = min(now, node.last_heartbeat + late)
                if node.zookeeper_lost is not None:
                    node.zookeeper_lost = min(now, node.zookeeper_lost + late)
            return Round(late, (), ())
        died: List[Node] = []
        stale: List[Node] = []
        for node in self._nodes:
            if node.dead:
                continue
            if self._is_lost(node, now):
                self._nodes.end_session(node)
                node.liveness = DEAD
                died.append(node)
            elif self._is_fresh(node, now):
                node.liveness = LIVE
            elif node.liveness == LIVE:
                node.liveness = STALE
                stale.append(node)
        return Round(0.0, tuple(died), tuple(stale))

    def _is_fresh(self, node: Node, now: float) -> bool:
        limit = self._policy.stale_seconds
        seen = node.zookeeper_lost is None or now - node.zookeeper_lost < limit
        return node.session != 0 and seen and now - node.last_heartbeat < limit

    def _is_lost(self, node: Node, now: float) -> bool:
        """Whether both have lost the node; or only we, for so long that it is of no use, although
        the zookeeper still sees its process: a partial partition, or a hung disk. One that nobody
        can ask is no witness of anything."""
        dead_seconds = self._policy.dead_seconds
        silence = now - node.last_heartbeat
        if silence < dead_seconds or self._view is None:
            return False
        if node.zookeeper_lost is None:
            return silence >= _SEEN_TIMES * dead_seconds
        return now - node.zookeeper_lost >= dead_seconds
