"""A model datanode: a disk that survives, and a process that keeps the contract of a real one.

That contract, as in `actor.py`, `incremental_report.py` and `pipeline.py`: it tells each namenode
what happened to its replicas in order; it makes the list of a full report after the answer to the
empty first part; after a change that was not answered it begins a new session; with a new session,
or when another one leads, it drops its orders; it remembers the newest epoch on its disk and obeys
no older one.
"""

from collections import deque
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Set, Tuple

from data_service.protocol.blocks import Block
from data_service.protocol.nodes import (
    DELETE,
    DELETE_CORRUPT,
    REPLICATE,
    TRASH,
    VERIFY,
    Command,
    Target,
)
from tests.simulation.auditor import Auditor
from tests.simulation.duties import (
    CALL_SECONDS,
    CORRUPT,
    DELETED,
    HEARTBEAT_SECONDS,
    RECEIVED,
    VERIFIED,
    ModelDuties,
)
from tests.simulation.network import Network
from tests.simulation.services import Coordination
from tests.simulation.world import Bell, Process, Script
from zookeeper.fabric.errors import (
    BlockMissing,
    Busy,
    CorruptData,
    DfsError,
    Fenced,
    InvalidArgument,
)


class Replica(NamedTuple):
    """A file on the disk. `content` is what the writer meant, `intact` whether it still is that."""

    block: Block
    content: str
    intact: bool


class Order(NamedTuple):
    """One block of a command; by whom it was given, in which epoch, and when."""

    action: str
    block: Block
    targets: Tuple[Target, ...]
    epoch: int
    given_at: float
    giver: ModelDuties


class DataNode(Process):
    """`disk`, `trash`, `epoch` and `cluster_id` are durable; the rest a crash forgets."""

    def __init__(self, network: Network, auditor: Auditor, name: str, namenodes: List[str]) -> None:
        super().__init__(network.world, name)
        self._network = network
        self._auditor = auditor
        self._namenodes = namenodes
        self.disk: Dict[int, Replica] = {}
        self.trash: Dict[int, Replica] = {}
        self.epoch = 0
        self.cluster_id = ""
        self.stalled_until = 0.0
        """Until when the disk lets every order wait."""
        self.told_to_delete: Callable[[DataNode, int], None] = lambda _datanode, _block_id: None
        """Told of every block of which it shall delete the replica."""
        self._forget_all()

    def _forget_all(self) -> None:
        self.duties = [ModelDuties(self, self._network, name) for name in self._namenodes]
        self.known_corrupt: Set[int] = set()
        self.orders: Deque[Order] = deque()
        self._ordered = Bell(self.world)
        self._writing: Set[int] = set()
        self._heard_at = self.clock()
        self._slowness = self.world.random.choice((0.1, 0.1, 2.0))

    def on_start(self) -> None:
        """The process knows nothing but its disk."""
        self._forget_all()
        # The scan at start finds what is short; damage inside is found by the scanner.
        for duties in self.duties:
            self.spawn(duties.keep())
        self.spawn(self._obey())
        self.spawn(self._scan())
        self.spawn(self._coordinate())

    def towards(self, namenode: str) -> ModelDuties:
        """What it does for one of its namenodes."""
        return next(duties for duties in self.duties if duties.namenode == namenode)

    @property
    def busy(self) -> bool:
        """Whether something is under way here, or damage is not found yet."""
        damaged = any(not replica.intact for replica in self.disk.values())
        untold = any(duties.news for duties in self.duties)
        return bool(untold or self.orders or self._writing) or damaged

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

    def learn(self, epoch: int) -> None:
        """A namenode leads in this epoch: what others ordered is void."""
        before = self.epoch
        self.check_epoch(epoch)
        self._auditor.learned(self.name, epoch)
        self.hear()
        if epoch != before:
            self.drop_orders()

    def check_epoch(self, epoch: int) -> None:
        """Remember the newest epoch; raises Fenced when an older namenode speaks."""
        if epoch < self.epoch:
            raise Fenced(f"a namenode of epoch {epoch} commands, {self.epoch} is known")
        self.epoch = epoch

    def hear(self) -> None:
        """The namenode that leads has answered something."""
        self._heard_at = self.clock()

    @property
    def unheard_seconds(self) -> float:
        """How long ago that was, or the start."""
        return self.clock() - self._heard_at

    def drop_orders(self) -> None:
        """With a new session, or another leader, the orders of earlier ones are void."""
        self.orders.clear()

    def _add_news(self, kind: str, block: Block) -> None:
        for duties in self.duties:
            duties.add(kind, block)

    def _tell_quietly(self) -> Script:
        """Wait until the namenode that leads has heard the news, or cannot be told."""
        leaders = [duties for duties in self.duties if duties.leads]
        for duties in self.duties:
            if duties not in leaders[-1:]:
                self.spawn(duties.tell_quietly())
        for duties in leaders[-1:]:
            yield from duties.tell_quietly()

    def heard_of_damage(self, block_id: int, namenode: str) -> None:
        """A namenode knows now that a replica here is damaged."""
        self._auditor.heard_of_damage(self.name, block_id, namenode)

    def take(self, command: Command, epoch: int, given_at: float, giver: ModelDuties) -> None:
        """Put the orders of a command behind the others."""
        for block in command.blocks:
            self.orders.append(
                Order(command.action, block, command.targets, epoch, given_at, giver))
            if command.action == DELETE:
                self.told_to_delete(self, block.block_id)
        self._ordered.ring()

    # Orders.

    def _obey(self) -> Script:
        while True:
            while not self.orders:
                yield self._ordered.wait(60.0)
            # A repeated order, whose replica is gone, costs nothing.
            slowness = self._slowness if self.orders[0].block.block_id in self.disk else 0.01
            yield self.world.sleep(self.world.random.random() * slowness)
            while self.stalled_until > self.world.now:
                yield self.world.sleep(0.1)
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
            yield from order.giver.tell_failure(order.block)

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

