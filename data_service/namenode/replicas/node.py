"""One datanode as the namenode knows it."""

from math import inf
from typing import Dict, NamedTuple, Optional, Set

from data_service.namenode.replicas.open_report import OpenReport
from data_service.namenode.replicas.orders import Outbox
from data_service.namenode.replicas.service_state import (
    IN_SERVICE,
    MAINTENANCE,
    STANDINGS,
    Standing,
)
from data_service.protocol.health import DEAD, LIVE
from data_service.protocol.nodes import NodeInfo, NodeStats, Target


class UnknownReplica(NamedTuple):
    """A replica of a block that the namenode does not know, and since when it was reported.

    Or one that is `refused`: its block was allocated on other nodes, nobody can have meant it.
    `spoilt` says that its node found it corrupt: the block may become known when its writer
    resumes. The `digest` is what the node told.
    """

    generation: int
    length: int
    since: float
    refused: bool = False
    spoilt: bool = False
    digest: bytes = b""


class Node:
    """One datanode. `Nodes` changes its identity, `Liveness` its liveness; the others what they
    own: `replicas` (good ones, counted by the block map), `unknown`, `expected`, `streams`,
    `outbox`; `verifying` and `verified` (block id -> when), see `verification.py`. `unasked` are
    the blocks that were there often enough when it told that it has one, too. `former` is the
    process that served its disk before; `principal` is who registered it last, and alone may speak
    in its session; `removed` when another disk is served at its address. It is `settled` when it
    has learned that this namenode leads: nothing is done there by the word of another any more.
    `misses` and `avoided_until` are about copies that did not reach it. When it beat last, it had
    not heard the namenode that leads for `unheard_seconds`.
    """

    __slots__ = ("index", "info", "target", "session", "stats", "liveness", "service_state",
                 "last_heartbeat", "zookeeper_lost", "reported", "settled", "last_report",
                 "last_report_id", "report", "replicas", "unknown", "unasked", "expected",
                 "scheduled", "streams", "outbox", "verifying", "verified", "former", "principal",
                 "removed", "misses", "avoided_until", "unheard_seconds")

    def __init__(self, index: int, info: NodeInfo, now: float) -> None:
        self.index = index
        self.info = info
        self.target = Target(info.node_id, info.host, info.port)
        self.session = 0
        self.stats = NodeStats(0, 0, 0, 0, 0, 0)
        self.liveness = LIVE
        self.service_state = IN_SERVICE
        self.last_heartbeat = now
        self.unheard_seconds = 0.0
        self.zookeeper_lost: Optional[float] = None
        self.reported = False
        self.settled = False
        self.last_report = -inf
        self.last_report_id = -1
        self.report: Optional[OpenReport] = None
        self.replicas = 0
        self.unknown: Dict[int, UnknownReplica] = {}
        self.unasked: Set[int] = set()
        self.expected: Dict[int, int] = {}
        self.scheduled = 0
        self.streams = 0
        self.outbox = Outbox()
        self.verifying: Dict[int, float] = {}
        self.verified: Dict[int, float] = {}
        self.former = ""
        self.principal = ""
        self.removed = False
        self.misses = 0
        self.avoided_until = -inf

    def __repr__(self) -> str:
        known = "reported" if self.reported else "unreported"
        return f"<Node {self.info.node_id} {self.liveness} {known}, {self.replicas} replicas>"

    @property
    def dead(self) -> bool:
        """Whether the cluster has given this node up."""
        return self.liveness == DEAD

    @property
    def in_service(self) -> bool:
        """Whether nobody has decided to take it out: its replicas are part of a block's target."""
        return self.service_state == IN_SERVICE

    @property
    def returns(self) -> bool:
        """Whether it is taken out for a while only: its replicas are expected back with it."""
        return self.service_state in MAINTENANCE

    @property
    def _standing(self) -> Standing:
        return STANDINGS[self.service_state][self.liveness]

    @property
    def usable(self) -> bool:
        """Whether what it has is known for sure: it has reported fully, and no order of an earlier
        leader can still remove any of it unseen."""
        return self.reported and self.settled

    @property
    def may_take_replicas(self) -> bool:
        """Whether new replicas may be placed on it."""
        return self.reported and self._standing.may_take_replicas

    @property
    def replicas_count(self) -> bool:
        """Whether its replicas may justify removing others."""
        return self.usable and self._standing.replicas_count

    @property
    def may_be_read(self) -> bool:
        """Whether readers are sent to it; also before it has reported, on an earlier word."""
        return self._standing.may_be_read

    @property
    def free(self) -> int:
        """Bytes left when everything on its way has arrived."""
        return self.stats.remaining - self.scheduled

    def forget_verifications(self) -> None:
        """Nobody waits for what it was told to read, and what it has read was said to somebody
        else, or long ago."""
        self.verifying.clear()
        self.verified.clear()
        self.outbox.verify.clear()

    def expect(self, block_id: int, size: int) -> None:
        """A replica of `size` bytes is on its way here."""
        self.scheduled += size - self.expected.get(block_id, 0)
        self.expected[block_id] = size

    def unexpect(self, block_id: int) -> None:
        """That replica arrived, or will not."""
        self.scheduled -= self.expected.pop(block_id, 0)
