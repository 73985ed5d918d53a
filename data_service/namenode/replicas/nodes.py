"""Registered datanodes: who they are, and their sessions.

A datanode has one `Node` for ever, found by the id on its disk; a process that serves that disk
registers and gets a session, and a new session ends the one before. Who is alive, `liveness.py`
tells.
"""

from typing import AbstractSet, Dict, Iterator, List, Optional

from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.claims import Claims, Rival
from data_service.namenode.replicas.node import Node
from data_service.protocol.health import DEAD, LIVE, STALE
from data_service.protocol.nodes import NodeInfo, Target
from zookeeper.fabric.errors import SessionExpired, StartRefused

NODES_MAX = 4096
"""The most datanodes that are known at a time, so that a list of them fits into one answer."""

_BEATS_ALIVE = 3
"""A node that beat within this many heartbeats is alive when another claims its identity."""


class Nodes:
    """All datanodes that ever registered with this namenode."""

    def __init__(self, cluster_id: str, sessions: Iterator[int], policy: BlockPolicy) -> None:
        """`sessions` are the numbers that sessions get: none is 0, none comes twice."""
        self._cluster_id = cluster_id
        self._policy = policy
        self._by_id: Dict[str, Node] = {}
        self._by_session: Dict[int, Node] = {}
        self._sessions = sessions
        self._registered = 0
        self._claims = Claims()
        self._vacated: List[Node] = []

    def __iter__(self) -> Iterator[Node]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __repr__(self) -> str:
        states = [node.liveness for node in self._by_id.values()]
        return (f"<Nodes {states.count(LIVE)} live, {states.count(STALE)} stale, "
                f"{states.count(DEAD)} dead>")

    def get(self, node_id: str) -> Optional[Node]:
        """The node with this id, also a dead one, or None."""
        return self._by_id.get(node_id)

    def takers(self) -> List[Node]:
        """The nodes that may take new replicas."""
        return [node for node in self._by_id.values() if node.may_take_replicas]

    def able(self, node_ids: AbstractSet[str], size: int) -> int:
        """How many takers are among these, or have room for `size` bytes."""
        return sum(1 for node in self.takers()
                   if node.info.node_id in node_ids or node.stats.remaining >= size)

    def live(self) -> int:
        """How many nodes are neither stale nor dead."""
        return sum(1 for node in self._by_id.values() if node.liveness == LIVE)

    def all_reported(self, now: float, grace: float) -> bool:
        """Whether every node has fully reported in its present session, and does nothing that we
        do not know of, but for those that are dead and were not heard of for the `grace`."""
        return all(node.usable or (node.dead and now - node.last_heartbeat >= grace)
                   for node in self._by_id.values())

    def register(
        self, info: NodeInfo, now: float, principal: str = "", proved: bool = False
    ) -> Node:
        """Open a session for the process that serves a datanode's disk, ending the one before.
        Only its `principal` may speak in it; if that was proved, the disk is his as long as it is
        known here.

        Raises StartRefused for a disk of another cluster, and for a second process that has the
        identity or the address of one that is alive: a cloned disk (SeaweedFS #6857), a copied
        start script, or somebody else's disk. Busy while that one may have just ended. Who was
        served at the address before is given up.
        """
        if info.cluster_id not in ("", self._cluster_id):
            raise StartRefused(f"datanode {info.node_id} belongs to cluster {info.cluster_id}, "
                               f"this is cluster {self._cluster_id}")
        node = self._by_id.get(info.node_id)
        if node is not None and proved and node.principal != principal:
            # Else a datanode could have what it likes of another that is down.
            raise StartRefused(f"the disk {info.node_id} is that of {node.principal}; the namenode "
                               "must be restarted to let another datanode have it")
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
        node.principal = principal
        node.session = next(self._sessions)
        self._by_session[node.session] = node
        node.last_heartbeat = now
        node.last_report_id = -1
        node.liveness = LIVE
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
                other.liveness = DEAD
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
        node.reported = node.settled = False
        node.report = None
        node.forget_verifications()
        if not node.dead:
            node.liveness = STALE

    def require_own(self, session: int, principal: str) -> None:
        """Raises SessionExpired unless this principal registered the node of this session."""
        if self.by_session(session).principal != principal:
            raise _ended()

    def by_session(self, session: int) -> Node:
        """The node that holds this session; raises SessionExpired."""
        node = self.find(session)
        if node is None:
            raise _ended()
        return node

    def find(self, session: int) -> Optional[Node]:
        """The node that holds this session, if any does."""
        return self._by_session.get(session)

    def want_report(self, host: str, port: int) -> bool:
        """Have the node at this address report fully; False when none lives there."""
        found = [node for node in self._by_session.values()
                 if (node.info.host, node.info.port) == (host, port)]
        for node in found:
            node.outbox.report = True
        return found != []

    def check(self) -> None:
        """Assert what must hold between the fields."""
        assert len({node.index for node in self._by_id.values()}) == len(self._by_id), self
        for session, node in self._by_session.items():
            assert node.session == session and not node.dead, node
        for node in self._by_id.values():
            assert node.scheduled == sum(node.expected.values()), node
            assert (node.session in self._by_session) == (node.session != 0), node
            assert not (node.dead and (node.session or node.reported)), node
            assert not ((node.reported or node.settled) and not node.session), node


def _ended() -> SessionExpired:
    return SessionExpired("this datanode's registration ended; it must register again")
