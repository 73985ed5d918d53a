"""What a model datanode does for one namenode; as `datanode/duties.py`, in virtual time."""

from typing import Any, Dict, Tuple

from data_service.protocol.blocks import Block
from data_service.protocol.nodes import NodeInfo, NodeStats
from tests.simulation.network import Network
from tests.simulation.world import Bell, Script
from zookeeper.fabric.errors import DfsError, NotLeader, SessionExpired, Unavailable

RECEIVED, DELETED, CORRUPT, VERIFIED = "received", "deleted", "corrupt", "verified"
HEARTBEAT_SECONDS = 1.0
GRACE_SECONDS = 1.5
CALL_SECONDS = 1.5
TELL_SECONDS = 2.0
REPORT_SECONDS = 20.0
REPORT_BLOCKS = 3
CAPACITY = 1 << 40
NOT_LEADER_SECONDS = 0.2


class ModelDuties:
    """Those of `datanode`, whose disk, orders and epoch are shared by all of its duties."""

    def __init__(self, datanode: Any, network: Network, namenode: str) -> None:
        self.namenode = namenode
        self._datanode = datanode
        self._network = network
        self._world = datanode.world
        self.session = 0
        self.news: Dict[int, Tuple[str, Block]] = {}
        self.leads = False
        self._acknowledged = 0
        self._telling = False
        self._told = Bell(self._world)
        self._reports = 0
        self._report_due = 0.0

    def keep(self) -> Script:
        """Attend for ever."""
        while True:
            pause = HEARTBEAT_SECONDS
            try:
                yield from self._attend()
                continue
            except SessionExpired:
                self.session = 0
                pause = 0.05
            except NotLeader:
                self.leads = False
                pause = NOT_LEADER_SECONDS
            except DfsError as error:
                self._world.note(f"{self._datanode.name} in trouble: {error.code}")
            yield self._world.sleep(pause * self._world.random.uniform(0.5, 1.0))

    def _attend(self) -> Script:
        if not self.session:
            yield from self._register()
        if self._datanode.clock() >= self._report_due:
            yield from self._report()
        yield from self.tell()
        yield from self._beat()

    def _register(self) -> Script:
        node = self._datanode
        self._acknowledged = 0
        info = NodeInfo(node.name, str(node.generation), node.name, 1800, "/rack",
                        node.cluster_id)
        registration = yield from self._call("register", info)
        node.cluster_id = node.cluster_id or registration.cluster_id
        if registration.leads:
            node.learn(registration.epoch)
            node.drop_orders()
            self._acknowledged = registration.epoch
        self.leads = registration.leads
        self._report_due = 0.0
        self.session = registration.session

    def _report(self) -> Script:
        node = self._datanode
        self._reports += 1
        session, number = self.session, self._reports
        parts = 2 + len(node.disk) // REPORT_BLOCKS
        yield from self._call("block_report", session, number, 0, parts, ())
        good = [replica.block for block_id, replica in sorted(node.disk.items())
                if block_id not in node.known_corrupt]
        for block_id in sorted(node.known_corrupt):
            self.add(CORRUPT, node.disk[block_id].block)
        yield from self.tell()
        for part in range(1, parts):
            listed = tuple(good[part - 1 :: parts - 1])
            yield from self._call("block_report", session, number, part, parts, listed)
        self._report_due = node.clock() + REPORT_SECONDS

    def add(self, kind: str, block: Block) -> None:
        """Something happened to a replica."""
        self.news.pop(block.block_id, None)
        self.news[block.block_id] = (kind, block)

    def tell(self) -> Script:
        """Tell all that is untold; raises what the namenode or the network answered."""
        while self._telling:
            if not (yield self._told.wait(TELL_SECONDS)):
                raise Unavailable("another telling takes long")
        if not self.news:
            return
        session = self.session
        if not session:
            raise Unavailable("this datanode is not registered")
        told = dict(self.news)
        self._telling = True
        try:
            yield from self._call("block_changes", session, *_by_kind(told), timeout=TELL_SECONDS)
        except (Unavailable, SessionExpired):
            if self.session == session:
                self.session = 0
            raise
        finally:
            self._telling = False
            self._told.ring()
        for block_id, change in told.items():
            if change[0] == CORRUPT:
                self._datanode.heard_of_damage(block_id, self.namenode)
            if self.news.get(block_id) is change:
                del self.news[block_id]

    def tell_quietly(self) -> Script:
        """What could not be told now is told before the next heartbeat."""
        try:
            yield from self.tell()
        except DfsError as error:
            self._world.note(f"{self._datanode.name} keeps its news: {error.code}")

    def tell_failure(self, block: Block) -> Script:
        """A copy that was ordered could not be made."""
        try:
            yield from self._call("copy_failed", self.session, block.block_id)
        except DfsError as error:
            self._world.note(f"{self._datanode.name} could not tell of {block.name}: {error.code}")

    def _beat(self) -> Script:
        session = self.session
        if not session:
            raise SessionExpired("a change could not be told")
        # Two namenodes shall not happen to choose the same surplus (HDFS-1972).
        remaining = CAPACITY - self._world.random.randrange(1000)
        stats = NodeStats(CAPACITY, 0, remaining, len(self._datanode.disk), 0, 0)
        epoch, commands, given_at, leads = yield from self._call(
            "heartbeat", session, stats, HEARTBEAT_SECONDS, self._acknowledged,
            self._datanode.unheard_seconds, timeout=HEARTBEAT_SECONDS + GRACE_SECONDS,
        )
        self.leads = leads
        if not leads:
            return
        self._datanode.learn(epoch)
        # With the next beat, before which all that is untold is told.
        self._acknowledged = epoch
        for command in commands:
            self._datanode.take(command, epoch, given_at, self)

    def _call(self, method: str, *args: Any, timeout: float = CALL_SECONDS) -> Script:
        answer = yield self._network.call(
            self._datanode, self.namenode, method, *args, timeout=timeout)
        if self.leads:
            self._datanode.hear()
        return answer


def _by_kind(changes: Dict[int, Tuple[str, Block]]) -> Tuple[Tuple[Block, ...], ...]:
    return tuple(
        tuple(block for kind, block in changes.values() if kind == wanted)
        for wanted in (RECEIVED, DELETED, CORRUPT, VERIFIED)
    )
