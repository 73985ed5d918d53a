"""A model datanode: a disk that survives, and a process that keeps the contract of a real one.

That contract, as in `actor.py`, `incremental_report.py` and `pipeline.py`: it tells what happened
to its replicas in order; it makes the list of a full report after the answer to the empty first
part; after a change that was not answered it begins a new session; with a new session it drops its
orders; it remembers the newest epoch on its disk and obeys no older one.
"""

from collections import deque
from typing import Any, Deque, Dict, List, NamedTuple, Set, Tuple

from data_service.protocol.blocks import Block
from data_service.protocol.nodes import (
    DELETE_CORRUPT,
    REPLICATE,
    TRASH,
    VERIFY,
    Command,
    NodeInfo,
    NodeStats,
    Target,
)
from tests.simulation.auditor import Auditor
from tests.simulation.network import Network
from tests.simulation.services import CLUSTER_ID, Coordination
from tests.simulation.world import Bell, Process, Script
from zookeeper.fabric.errors import (
    BlockMissing,
    Busy,
    CorruptData,
    DfsError,
    Fenced,
    InvalidArgument,
    NotLeader,
    SessionExpired,
    Unavailable,
)

RECEIVED, DELETED, CORRUPT, VERIFIED = "received", "deleted", "corrupt", "verified"
HEARTBEAT_SECONDS = 1.0
GRACE_SECONDS = 1.5
CALL_SECONDS = 1.5
TELL_SECONDS = 2.0
REPORT_SECONDS = 20.0
REPORT_BLOCKS = 3
CAPACITY = 1 << 40


class Replica(NamedTuple):
    """A file on the disk. `content` is what the writer meant, `intact` whether it still is that."""

    block: Block
    content: str
    intact: bool


class Order(NamedTuple):
    """One block of a command; by which epoch it was given, and when."""

    action: str
    block: Block
    targets: Tuple[Target, ...]
    epoch: int
    given_at: float


class DataNode(Process):
    """`disk`, `trash` and `epoch` are durable; the rest a crash forgets."""

    def __init__(self, network: Network, auditor: Auditor, name: str, namenodes: List[str]) -> None:
        super().__init__(network.world, name)
        self._network = network
        self._auditor = auditor
        self._namenodes = namenodes
        self.disk: Dict[int, Replica] = {}
        self.trash: Dict[int, Replica] = {}
        self.epoch = 0
        self._forget_all()

    def _forget_all(self) -> None:
        self.session = 0
        self.known_corrupt: Set[int] = set()
        self.news: Dict[int, Tuple[str, Block]] = {}
        self.orders: Deque[Order] = deque()
        self._telling = False
        self._told = Bell(self.world)
        self._ordered = Bell(self.world)
        self._writing: Set[int] = set()
        self._presumed = self.world.random.randrange(len(self._namenodes))
        self._reports = 0
        self._report_due = 0.0
        self._slowness = self.world.random.choice((0.1, 0.1, 2.0))

    def on_start(self) -> None:
        """The process knows nothing but its disk."""
        self._forget_all()
        # The scan at start finds what is short; damage inside is found by the scanner.
        self.spawn(self._keep())
        self.spawn(self._obey())
        self.spawn(self._scan())
        self.spawn(self._coordinate())

    @property
    def busy(self) -> bool:
        """Whether something is under way here, or damage is not found yet."""
        damaged = any(not replica.intact for replica in self.disk.values())
        return bool(self.news or self.orders or self._writing) or damaged

    # Damage.

    def rot(self, block_id: int) -> None:
        """The bytes of a replica go bad, and nobody knows yet."""
        self.disk[block_id] = self.disk[block_id]._replace(intact=False)

    def _scan(self) -> Script:
        while True:
            yield self.world.sleep(self.world.random.uniform(2.0, 8.0))
            for block_id, replica in sorted(self.disk.items()):
                if not replica.intact:
                    self._found_corrupt(block_id)
            self.spawn(self._tell_quietly())

    def _found_corrupt(self, block_id: int) -> None:
        if block_id not in self.known_corrupt:
            self.known_corrupt.add(block_id)
            self._add_news(CORRUPT, self.disk[block_id].block)

    # The contract with the namenode.

    def _coordinate(self) -> Script:
        session = Coordination(self, self._network.call, f"/data_nodes/{self.name}")
        while True:
            try:
                yield from session.round()
            except DfsError:
                session.lost()
            yield self.world.sleep(HEARTBEAT_SECONDS)

    def _keep(self) -> Script:
        while True:
            pause = HEARTBEAT_SECONDS
            try:
                yield from self._attend()
                continue
            except SessionExpired:
                self._end_session()
                pause = 0.05
            except DfsError as error:
                self.world.note(f"{self.name} in trouble: {error.code}")
            yield self.world.sleep(pause * self.world.random.uniform(0.5, 1.0))

    def _attend(self) -> Script:
        if not self.session:
            yield from self._register()
        if self.clock() >= self._report_due:
            yield from self._report()
        yield from self.tell()
        yield from self._beat()

    def _register(self) -> Script:
        info = NodeInfo(self.name, str(self.generation), self.name, 1800, "/rack", CLUSTER_ID)
        registration = yield from self._call("register", info)
        self.check_epoch(registration.epoch)
        self._auditor.registered(self.name, registration.epoch)
        self.drop_orders()
        self._report_due = 0.0
        self.session = registration.session

    def _end_session(self) -> None:
        self.session = 0

    def drop_orders(self) -> None:
        """With a new session, or a newer epoch, all earlier orders are void."""
        self.orders.clear()

    def check_epoch(self, epoch: int) -> None:
        """Remember the newest epoch; raises Fenced when an older namenode speaks."""
        if epoch < self.epoch:
            raise Fenced(f"a namenode of epoch {epoch} commands, {self.epoch} is known")
        if epoch > self.epoch:
            self.drop_orders()
        self.epoch = epoch

    def _report(self) -> Script:
        self._reports += 1
        session, number = self.session, self._reports
        parts = 2 + len(self.disk) // REPORT_BLOCKS
        yield from self._call("block_report", session, number, 0, parts, ())
        good = [replica.block for block_id, replica in sorted(self.disk.items())
                if block_id not in self.known_corrupt]
        for block_id in sorted(self.known_corrupt):
            self._add_news(CORRUPT, self.disk[block_id].block)
        yield from self.tell()
        for part in range(1, parts):
            listed = tuple(good[part - 1 :: parts - 1])
            yield from self._call("block_report", session, number, part, parts, listed)
        self._report_due = self.clock() + REPORT_SECONDS

    def _add_news(self, kind: str, block: Block) -> None:
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
                self._end_session()
            raise
        finally:
            self._telling = False
            self._told.ring()
        for block_id, change in told.items():
            if change[0] == CORRUPT:
                self._auditor.heard_of_damage(self.name, block_id, session)
            if self.news.get(block_id) is change:
                del self.news[block_id]

    def _tell_quietly(self) -> Script:
        """What could not be told now is told before the next heartbeat."""
        try:
            yield from self.tell()
        except DfsError as error:
            self.world.note(f"{self.name} keeps its news: {error.code}")

    def _beat(self) -> Script:
        session = self.session
        if not session:
            raise SessionExpired("a change could not be told")
        # Two namenodes shall not happen to choose the same surplus (HDFS-1972).
        remaining = CAPACITY - self.world.random.randrange(1000)
        stats = NodeStats(CAPACITY, 0, remaining, len(self.disk), 0, 0)
        epoch, commands, given_at = yield from self._call(
            "heartbeat", session, stats, HEARTBEAT_SECONDS, self.epoch,
            timeout=HEARTBEAT_SECONDS + GRACE_SECONDS,
        )
        self.check_epoch(epoch)
        for command in commands:
            self._take(command, epoch, given_at)

    def _take(self, command: Command, epoch: int, given_at: float) -> None:
        for block in command.blocks:
            self.orders.append(Order(command.action, block, command.targets, epoch, given_at))
        self._ordered.ring()

    def _call(self, method: str, *args: Any, timeout: float = CALL_SECONDS) -> Script:
        asked = self._presumed
        try:
            return (yield self._network.call(
                self, self._namenodes[asked], method, *args, timeout=timeout))
        except (Unavailable, NotLeader):
            if asked == self._presumed:
                self._presumed = (asked + 1) % len(self._namenodes)
            raise

    # Orders.

    def _obey(self) -> Script:
        while True:
            while not self.orders:
                yield self._ordered.wait(60.0)
            # A repeated order, whose replica is gone, costs nothing.
            slowness = self._slowness if self.orders[0].block.block_id in self.disk else 0.01
            yield self.world.sleep(self.world.random.random() * slowness)
            if self.orders:
                order = self.orders.popleft()
                if order.action == REPLICATE:
                    self.spawn(self._copy(order))
                elif order.action == VERIFY:
                    self._verify(order.block)
                elif order.action != DELETE_CORRUPT or not self._verify(order.block):
                    self._remove(order)

    def _verify(self, block: Block) -> bool:
        """Read a replica, and tell what it is; whether it is good."""
        replica = self.disk.get(block.block_id)
        if replica is None or replica.block != block:
            return False
        self.known_corrupt.discard(block.block_id)
        if replica.intact:
            self._add_news(VERIFIED, block)
        else:
            self._found_corrupt(block.block_id)
        self.spawn(self._tell_quietly())
        return replica.intact

    def _remove(self, order: Order) -> None:
        block = order.block
        self._auditor.removing(self, order)
        replica = self.disk.get(block.block_id)
        if replica is not None and replica.block.generation == block.generation:
            self.world.note(f"{self.name} removes {block.name}: {order.action}")
            if order.action == TRASH:
                self.trash[block.block_id] = replica
            self.forget_replica(block.block_id)
        self._add_news(DELETED, block)
        self.spawn(self._tell_quietly())

    def forget_replica(self, block_id: int) -> None:
        """The replica is not there any more."""
        del self.disk[block_id]
        self.known_corrupt.discard(block_id)

    def _copy(self, order: Order) -> Script:
        replica = self.disk.get(order.block.block_id)
        if replica is None or replica.block != order.block:
            return
        if not replica.intact:
            self._found_corrupt(order.block.block_id)
            yield from self._tell_quietly()
            return
        first, rest = order.targets[0], order.targets[1:]
        try:
            yield self._network.call(self, first.node_id, "write_block", replica.block,
                                     replica.content, rest, timeout=4 * CALL_SECONDS)
        except DfsError as error:
            self.world.note(f"{self.name} could not copy {order.block.name}: {error.code}")
            yield from self._tell_failure(order.block)

    def _tell_failure(self, block: Block) -> Script:
        try:
            yield from self._call("copy_failed", self.session, block.block_id)
        except DfsError as error:
            self.world.note(f"{self.name} could not tell of {block.name}: {error.code}")

    # What clients and other datanodes ask.

    def exposed_write_block(
        self, _source: str, block: Block, content: str, rest: Tuple[Target, ...]
    ) -> Script:
        """Take a block in and pass it on; the names of all that hold it then."""
        if block.block_id in self.disk or block.block_id in self._writing:
            raise InvalidArgument(f"{block.name} exists here already")
        if len(self._writing) >= 8:
            raise Busy("too many transfers")
        return self._receive(block, content, rest)

    def _receive(self, block: Block, content: str, rest: Tuple[Target, ...]) -> Script:
        self._writing.add(block.block_id)
        # Which of the two datanodes is done first is a matter of chance.
        late = self.world.chance(0.5)
        holders: Tuple[str, ...] = ()
        try:
            yield self.world.sleep(self.world.random.random() * 0.05)
            if rest and late:
                holders = yield self._pass_on(block, content, rest)
            self.disk[block.block_id] = Replica(block, content, True)
        finally:
            self._writing.discard(block.block_id)
        self._add_news(RECEIVED, block)
        yield from self._tell_quietly()
        if rest and not late:
            holders = yield self._pass_on(block, content, rest)
        return (self.name, *holders)

    def _pass_on(self, block: Block, content: str, rest: Tuple[Target, ...]) -> Any:
        timeout = (1 + len(rest)) * CALL_SECONDS
        return self._network.call(
            self, rest[0].node_id, "write_block", block, content, rest[1:], timeout=timeout)

    def exposed_read_block(self, _source: str, block: Block) -> str:
        """The content of a replica; raises BlockMissing, CorruptData."""
        replica = self.disk.get(block.block_id)
        if replica is None or replica.block != block:
            raise BlockMissing(f"{block.name} is not on {self.name}")
        if not replica.intact:
            raise CorruptData(f"{block.name} is damaged on {self.name}")
        return replica.content


def _by_kind(changes: Dict[int, Tuple[str, Block]]) -> Tuple[Tuple[Block, ...], ...]:
    return tuple(
        tuple(block for kind, block in changes.values() if kind == wanted)
        for wanted in (RECEIVED, DELETED, CORRUPT, VERIFIED)
    )
