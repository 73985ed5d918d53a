"""Registered datanodes: who they are, their sessions, and whether they are alive.

Theory of operation. A datanode has one `Node` for ever, found by the id on its disk; a process
that serves that disk registers and gets a session, and a new session ends the one before. A node
is *live* while both its heartbeats and the zookeeper's view of it are fresh (a zookeeper that
cannot be asked sees everybody), *stale* when either is older than `stale_seconds`: then it is
read last and not written to. It is *dead* only when both have lost it for `dead_seconds`, or we
alone for three times as long; dead nodes have no session, so the first call of one that returns is
refused, and it registers and reports all over again. A tick that comes late means that the
namenode itself slept: nobody is judged, and all deadlines move (HDFS-9107).
"""

from math import inf
from typing import AbstractSet, Dict, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple

from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.claims import Claims, Rival
from data_service.namenode.replicas.orders import Outbox
from data_service.protocol.blocks import Block
from data_service.protocol.messages import DataNodeStatus, NodeInfo, NodeStats, Target
from zookeeper.fabric.errors import SessionExpired, StartRefused

LIVE = "live"
STALE = "stale"
DEAD = "dead"

NODES_MAX = 4096
"""The most datanodes that are known at a time, so that a list of them fits into one answer."""

_SEEN_TIMES = 3
"""So many times `dead_seconds` a node is waited for that only the zookeeper still sees."""

_LATE_SECONDS_MIN = 1.0
"""A busy machine is as late as that without having slept."""

_BEATS_ALIVE = 3
"""A node that beat within this many heartbeats is alive when another claims its identity."""


class OpenReport:
    """A full block report of which not all parts have come. `touched` are the ids that changed
    since its first part: about them the report is old news."""

    __slots__ = ("report_id", "parts", "next_part", "blocks", "touched")

    def __init__(self, report_id: int, parts: int) -> None:
        self.report_id = report_id
        self.parts = parts
        self.next_part = 0
        self.blocks: List[Block] = []
        self.touched: Set[int] = set()


class UnknownReplica(NamedTuple):
    """A replica of a block that the namenode does not know, and since when it was reported.

    Or one that is `refused`: its block was allocated on other nodes, nobody can have meant it.
    `spoilt` says that its node found it corrupt: the block may become known when its writer
    resumes.
    """

    generation: int
    length: int
    since: float
    refused: bool = False
    spoilt: bool = False


class Node:
    """One datanode. `Nodes` changes identity and liveness; the others what they own:
    `replicas` (good ones, counted by the block map), `unknown`, `expected`, `streams`, `outbox`;
    `verifying` and `verified` (block id -> when), see `verification.py`. `former` is the process
    that served its disk before; `removed` when another disk is served at its address. `misses`
    and `avoided_until` are about copies that did not reach it.
    """

    __slots__ = ("index", "info", "target", "session", "stats", "state", "last_heartbeat",
                 "zookeeper_lost", "reported", "last_report", "last_report_id", "report",
                 "replicas", "unknown", "expected", "scheduled", "streams", "outbox",
                 "verifying", "verified", "former", "removed", "misses", "avoided_until")

    def __init__(self, index: int, info: NodeInfo, now: float) -> None:
        self.index = index
        self.info = info
        self.target = Target(info.node_id, info.host, info.port)
        self.session = 0
        self.stats = NodeStats(0, 0, 0, 0, 0, 0)
        self.state = LIVE
        self.last_heartbeat = now
        self.zookeeper_lost: Optional[float] = None
        self.reported = False
        self.last_report = -inf
        self.last_report_id = -1
        self.report: Optional[OpenReport] = None
        self.replicas = 0
        self.unknown: Dict[int, UnknownReplica] = {}
        self.expected: Dict[int, int] = {}
        self.scheduled = 0
        self.streams = 0
        self.outbox = Outbox()
        self.verifying: Dict[int, float] = {}
        self.verified: Dict[int, float] = {}
        self.former = ""
        self.removed = False
        self.misses = 0
        self.avoided_until = -inf

    def __repr__(self) -> str:
        known = "reported" if self.reported else "unreported"
        return f"<Node {self.info.node_id} {self.state} {known}, {self.replicas} replicas>"

    @property
    def dead(self) -> bool:
        """Whether the cluster has given this node up."""
        return self.state == DEAD

    @property
    def usable(self) -> bool:
        """Whether it may be written to, and its replicas may justify removing others."""
        return self.reported and self.state == LIVE

    @property
    def free(self) -> int:
        """Bytes left when everything on its way has arrived."""
        return self.stats.remaining - self.scheduled

    def expect(self, block_id: int, size: int) -> None:
        """A replica of `size` bytes is on its way here."""
        self.scheduled += size - self.expected.get(block_id, 0)
        self.expected[block_id] = size

    def unexpect(self, block_id: int) -> None:
        """That replica arrived, or will not."""
        self.scheduled -= self.expected.pop(block_id, 0)


class Round(NamedTuple):
    """What a tick found: seconds that the tick came late (0.0 when in time), who changed."""

    late: float
    died: Tuple[Node, ...]
    stale: Tuple[Node, ...]


class Nodes:
    """All datanodes that ever registered with this namenode."""

    def __init__(self, cluster_id: str, first_session: int, policy: BlockPolicy) -> None:
        self._cluster_id = cluster_id
        self._policy = policy
        self._by_id: Dict[str, Node] = {}
        self._by_session: Dict[int, Node] = {}
        self._last_session = first_session
        self._registered = 0
        self._claims = Claims()
        self._vacated: List[Node] = []
        self._view: Optional[Mapping[str, str]] = None
        self._seen: Set[str] = set()
        self._last_tick: Optional[float] = None

    def __iter__(self) -> Iterator[Node]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __repr__(self) -> str:
        states = [node.state for node in self._by_id.values()]
        return (f"<Nodes {states.count(LIVE)} live, {states.count(STALE)} stale, "
                f"{states.count(DEAD)} dead>")

    def get(self, node_id: str) -> Optional[Node]:
        """The node with this id, also a dead one, or None."""
        return self._by_id.get(node_id)

    def usable(self) -> List[Node]:
        """The nodes that may be written to."""
        return [node for node in self._by_id.values() if node.usable]

    def able(self, node_ids: AbstractSet[str], size: int) -> int:
        """How many usable nodes are among these, or have room for `size` bytes."""
        return sum(1 for node in self.usable()
                   if node.info.node_id in node_ids or node.stats.remaining >= size)

    def live(self) -> int:
        """How many nodes are neither stale nor dead."""
        return sum(1 for node in self._by_id.values() if node.state == LIVE)

    def awaited(self) -> bool:
        """Whether the zookeeper sees a node that has not fully reported in its present session."""
        found = (self._by_id.get(node_id) for node_id in self._seen)
        return any(node is None or not node.reported for node in found)

    def all_reported(self, now: float, grace: float) -> bool:
        """Whether every node has fully reported in its present session, but for those that are
        dead and were not heard of for the `grace`."""
        return all(node.reported or (node.dead and now - node.last_heartbeat >= grace)
                   for node in self._by_id.values())

    def register(self, info: NodeInfo, now: float) -> Node:
        """Open a session for the process that serves a datanode's disk, ending the one before.

        Raises StartRefused for a disk of another cluster, and for a second process that has the
        identity or the address of one that is alive: a cloned disk (SeaweedFS #6857), a copied
        start script. Busy while that one may have just ended. Who was served at the address
        before is given up.
        """
        if info.cluster_id not in ("", self._cluster_id):
            raise StartRefused(f"datanode {info.node_id} belongs to cluster {info.cluster_id}, "
                               f"this is cluster {self._cluster_id}")
        if self._last_tick is None:
            self._last_tick = now
        node = self._by_id.get(info.node_id)
        self._settle_dispute(node, info, now)
        self._vacate(info)
        if node is None:
            if len(self._by_id) >= NODES_MAX:
                raise StartRefused(f"{NODES_MAX} datanodes are known; no more can be")
            node = self._by_id[info.node_id] = Node(self._registered, info, now)
            self._registered += 1
        else:
            if node.info.incarnation != info.incarnation:
                node.former = node.info.incarnation
            self.end_session(node)
        node.removed = False
        node.info = info
        node.target = Target(info.node_id, info.host, info.port)
        self._last_session += 1
        node.session = self._last_session
        self._by_session[node.session] = node
        node.last_heartbeat = now
        node.last_report_id = -1
        seen = self._view is None or info.node_id in self._seen
        node.zookeeper_lost = None if seen else now
        node.state = LIVE
        return node

    def _settle_dispute(self, node: Optional[Node], info: NodeInfo, now: float) -> None:
        """Refuse who claims what another process has, that beats; ask to wait while it may not."""
        rivals = [other for other in self._at(info) if self._beats(other, now)]
        if node is not None and self._beats(node, now):
            moved = (node.info.host, node.info.port) != (info.host, info.port)
            # Two processes that serve one disk at one address would take turns for ever: the one
            # that was there before, and comes back, is told to stay away.
            returns = node.former == info.incarnation
            if node.info.incarnation != info.incarnation and (moved or returns):
                rivals.append(node)
        rival = Rival(rivals[0].info, rivals[0].last_heartbeat) if rivals else None
        self._claims.settle(info, rival, now)

    def _beats(self, node: Node, now: float) -> bool:
        silence = now - node.last_heartbeat
        return node.session != 0 and silence <= _BEATS_ALIVE * self._policy.heartbeat_seconds

    def _at(self, info: NodeInfo) -> List[Node]:
        """The other nodes at the address of this one."""
        return [other for other in self._by_id.values() if other.info.node_id != info.node_id
                and (other.info.host, other.info.port) == (info.host, info.port)]

    def _vacate(self, info: NodeInfo) -> None:
        """An address has one process: the disk that was served there before no longer is, and
        will not come back (HDFS: DatanodeManager.registerDatanode removes it, too)."""
        for other in self._at(info):
            if not (other.removed or other.dead):
                self.end_session(other)
                other.state = DEAD
                self._vacated.append(other)
            other.removed = True

    def take_vacated(self) -> List[Node]:
        """The nodes that died because another disk is served at their address; each once."""
        taken, self._vacated = self._vacated, []
        return taken

    def forget(self, node: Node) -> None:
        """Nothing is known of this dead node any more that anybody would want to know."""
        assert node.dead and not node.session and not node.replicas, node
        del self._by_id[node.info.node_id]

    def end_session(self, node: Node) -> None:
        """Refuse the node's calls from now on: it must register and report fully again."""
        self._by_session.pop(node.session, None)
        node.session = 0
        node.reported = False
        node.report = None
        node.verifying.clear()
        node.verified.clear()
        if not node.dead:
            node.state = STALE

    def by_session(self, session: int) -> Node:
        """The node that holds this session; raises SessionExpired."""
        node = self._by_session.get(session)
        if node is None:
            raise SessionExpired("this datanode's registration ended; it must register again")
        return node

    def heartbeat(self, session: int, stats: NodeStats, now: float) -> Node:
        """Note that the node lives; raises SessionExpired, also for one that was given up."""
        node = self.by_session(session)
        node.last_heartbeat = max(now, node.last_heartbeat)
        node.stats = stats
        if self._is_fresh(node, now):
            node.state = LIVE
        return node

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
        for node in self._by_id.values():
            if registered is None or node.info.node_id in self._seen:
                node.zookeeper_lost = None
            elif node.zookeeper_lost is None:
                node.zookeeper_lost = now
            if node.state == LIVE and not self._is_fresh(node, now):
                node.state = STALE
                stale.append(node)
            elif node.state == STALE and self._is_fresh(node, now):
                node.state = LIVE
        return tuple(stale)

    def tick(self, now: float) -> Round:
        """Let time pass: find who became stale or died. A late tick only moves deadlines."""
        policy = self._policy
        last, self._last_tick = self._last_tick, now
        late = now - last - policy.tick_seconds if last is not None else 0.0
        if late > max(2 * policy.tick_seconds, policy.stale_seconds / 4, _LATE_SECONDS_MIN):
            for node in self._by_id.values():
                node.last_heartbeat = min(now, node.last_heartbeat + late)
                if node.zookeeper_lost is not None:
                    node.zookeeper_lost = min(now, node.zookeeper_lost + late)
            return Round(late, (), ())
        died: List[Node] = []
        stale: List[Node] = []
        for node in self._by_id.values():
            if node.dead:
                continue
            if self._is_lost(node, now):
                self.end_session(node)
                node.state = DEAD
                died.append(node)
            elif self._is_fresh(node, now):
                node.state = LIVE
            elif node.state == LIVE:
                node.state = STALE
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

    def want_report(self, host: str, port: int) -> bool:
        """Have the node at this address report fully; False when none lives there."""
        found = [node for node in self._by_session.values()
                 if (node.info.host, node.info.port) == (host, port)]
        for node in found:
            node.outbox.report = True
        return found != []

    def statuses(self, now: float) -> Tuple[DataNodeStatus, ...]:
        """A line of `report` for each node, in the order of their addresses."""
        nodes = sorted(self._by_id.values(), key=lambda node: (node.info.host, node.info.port))
        return tuple(DataNodeStatus(node.info.node_id, node.info.host, node.info.port,
                                    node.info.rack, node.state, node.stats,
                                    now - node.last_heartbeat, now - node.last_report,
                                    node.info.version)
                     for node in nodes if not node.removed)

    def check(self) -> None:
        """Assert what must hold between the fields."""
        assert len({node.index for node in self._by_id.values()}) == len(self._by_id), self
        for session, node in self._by_session.items():
            assert node.session == session and not node.dead, node
        for node in self._by_id.values():
            assert node.scheduled == sum(node.expected.values()), node
            assert (node.session in self._by_session) == (node.session != 0), node
            assert not (node.dead and (node.session or node.reported)), node
            assert not (node.usable and not node.session), node
