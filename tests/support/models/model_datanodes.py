"""Datanodes as plain data, with a namenode's `Blocks` between them: for tests of the block side.

A model datanode obeys the contract of a real one: it tells what happened to its replicas in
order, makes the list of a full report after the answer to the empty first part, drops its orders
when it gets a new session or learns that another namenode leads, and acknowledges that with the
next beat. Everything else may go wrong, when the test says so.
"""

from collections import deque
from itertools import count
from random import Random
from typing import Callable, Deque, Dict, List, NamedTuple, Optional, Set, Tuple

from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.replicas.census import Census
from data_service.protocol.blocks import Block
from data_service.protocol.nodes import (
    DELETE,
    DELETE_CORRUPT,
    REPLICATE,
    REPORT,
    TRASH,
    VERIFY,
    Command,
    NodeInfo,
    NodeStats,
    Target,
)
from data_service.protocol.redundancy import replicated
from zookeeper.fabric.errors import ProtocolViolation, SessionExpired

CLUSTER_ID = "cluster-1"
CAPACITY = 1 << 40
ZOOKEEPER_EXPIRY_SECONDS = 7.0
POLICY = BlockPolicy(
    heartbeat_seconds=1.0, stale_seconds=5.0, dead_seconds=20.0, tick_seconds=1.0,
    safe_mode_threshold=1.0, safe_mode_extension_seconds=2.0, max_replications=20,
    max_replication_streams=2, replication_seconds=8.0, command_repeat_seconds=4.0,
    trash_grace_seconds=30.0, awaited_seconds=20.0,
)  # fmt: skip


class Replica(NamedTuple):
    """A file on a model's disk. `intact` is whether its bytes match their checksums."""

    block: Block
    intact: bool


def node_info(name: str, incarnation: str = "1", host: str = "", port: int = 1800,
              rack: str = "/default-rack", cluster_id: str = CLUSTER_ID) -> NodeInfo:
    """How the datanode `name` introduces itself; its host is its name unless given."""
    return NodeInfo(name, incarnation, host or name, port, rack, cluster_id)


def node_stats(remaining: int = CAPACITY, streams: int = 0) -> NodeStats:
    """A heartbeat's figures."""
    return NodeStats(CAPACITY, CAPACITY - remaining, remaining, 0, streams, 0)


class ModelDataNode:
    """A disk, a process that is up or down, and what it has not yet told or done."""

    def __init__(self, name: str, rack: str = "/default-rack") -> None:
        self.name = name
        self.rack = rack
        self.disk: Dict[int, Replica] = {}
        self.up = False
        self.beaten = 0.0
        self.session = 0
        self.incarnation = 0
        self.untold: Deque[Tuple[str, Block]] = deque()
        self.orders: Deque[Command] = deque()
        self.report_id = self.obeyed = self.reported = 0

    def __repr__(self) -> str:
        state = "up" if self.up else "down"
        return f"<ModelDataNode {self.name} {state}, {len(self.disk)} replicas>"

    def start(self) -> None:
        """The process starts; it knows nothing but its disk."""
        self.up = True
        self.session = 0
        self.incarnation += 1
        self.untold.clear()
        self.orders.clear()

    def crash(self) -> None:
        """kill -9."""
        self.up = False

    def store(self, block: Block, intact: bool = True) -> None:
        """A replica is written and is going to be told."""
        self.disk[block.block_id] = Replica(block, intact)
        self.untold.append(("received", block))

    def verify(self, block: Block) -> bool:
        """Read a replica, and be going to tell what it is; whether it is good."""
        replica = self.disk.get(block.block_id)
        good = replica == Replica(block, True)
        if replica is not None and replica.block == block:
            self.untold.append(("verified" if good else "corrupt", block))
        return good

    def remove(self, block: Block) -> None:
        """Obey an order to delete; a replica that is gone or another one is only told of."""
        if block.block_id in self.disk and self.disk[block.block_id].block == block:
            del self.disk[block.block_id]
        if block.block_id not in self.disk:
            self.untold.append(("deleted", block))


class ModelCluster:
    """Model datanodes, one `Blocks`, and a clock that only `pass_time` moves."""

    def __init__(self, names: Tuple[str, ...], random: Random,
                 policy: BlockPolicy = POLICY) -> None:
        self.random = random
        self.policy = policy
        self.now = 1000.0
        self.txid = 0
        self.durable_txid = 0
        self.zookeeper_up = True
        self.scanning = False
        self.stats: Callable[[], NodeStats] = node_stats
        self.nodes = {name: ModelDataNode(name) for name in names}
        self.unheard_faults: Set[Tuple[str, int]] = set()
        self.deleted_by: Dict[int, int] = {}
        self.epoch = 0
        self.seen: Set[str] = set()
        self.blocks = self.new_namenode()
        self.blocks.loaded(self.now)

    def new_namenode(self) -> Blocks:
        """A namenode that knows nothing yet, of the next epoch."""
        self.epoch += 1
        self.blocks = Blocks(CLUSTER_ID, self.policy, count((self.epoch << 32) + 1))
        self.blocks.lead(self.epoch, self.now)
        self.unheard_faults |= {(node.name, block_id) for node in self.nodes.values()
                                for block_id, replica in node.disk.items() if not replica.intact}
        return self.blocks

    # Shortcuts for stories.

    @property
    def census(self) -> Census:
        """How the blocks are."""
        return self.blocks.census

    def start_all(self) -> "ModelCluster":
        """Every process starts, registers, reports and beats."""
        for node in self.nodes.values():
            node.start()
            self.connect(node)
        self.see()
        return self

    def put(self, block_id: int, names: str, replication: int) -> Block:
        """A committed block of 100 bytes on the nodes whose names are the letters of `names`."""
        block = Block(block_id, 1, 100)
        self.blocks.track(block, block_id, replicated(replication))
        for name in names:
            self.nodes[name].store(block)
            self.tell(self.nodes[name])
        return block

    def set_replication(self, block_id: int, replication: int, txid: int = 0) -> None:
        """Edit `txid` says how many replicas are wanted of a committed block."""
        block, inode_id = self.blocks.get(block_id), self.blocks.inode_id(block_id)
        assert block is not None and inode_id is not None, f"{block_id} is not committed"
        self.blocks.track(block, inode_id, replicated(replication), txid)

    def forget_deletions(self, limit: int) -> Tuple[int, ...]:
        """The namespace drops its records of ids whose deletion is confirmed; these ids."""
        confirmed = self.blocks.confirmed_deletions(limit)
        for block_id in confirmed:
            self.blocks.forget(block_id)
        return confirmed

    def rot(self, name: str, block: Block) -> None:
        """The bytes of a replica go bad; the node's scanner finds it and is going to tell."""
        self.nodes[name].disk[block.block_id] = Replica(block, False)
        self.nodes[name].untold.append(("corrupt", block))

    def spoil(self, name: str, block: Block) -> None:
        """The bytes of a replica go bad, and the node finds it and tells at once."""
        self.rot(name, block)
        self.tell(self.nodes[name])

    def beat_all(self, but: str = "") -> None:
        """Every running node beats, but those with these names."""
        for node in self.nodes.values():
            if node.up and node.name not in but:
                self.connect(node)

    def run(self, seconds: int, but: str = "") -> None:
        """So many ticks, with a heartbeat before each; orders are kept, not obeyed, but for those
        to verify."""
        for _ in range(seconds):
            self.beat_all(but)
            self.pass_time(1.0)
            self.beat_all(but)
            if self.verify_all():
                self.pass_time(0.0)
        self.beat_all(but)
        self.blocks.check()

    def ordered(self) -> List[Tuple[str, str, int]]:
        """(node, action, block id) of every order to change something that was not obeyed yet."""
        return [(node.name, command.action, block.block_id) for node in self.nodes.values()
                for command in node.orders if command.action != VERIFY
                for block in command.blocks]

    # What happens between a datanode and the namenode.

    def register(self, node: ModelDataNode) -> None:
        """The node opens a session; it forgets the orders of the last one."""
        info = node_info(node.name, str(node.incarnation), rack=node.rack)
        node.session = self.blocks.register(info, self.now)
        if self.blocks.leads:
            node.orders.clear()
            node.obeyed = self.epoch

    def report(self, node: ModelDataNode, size: int = 3) -> None:
        """A full report, in parts of `size` blocks, from a node that has told everything."""
        node.report_id += 1
        listed = self.begin_report(node, size)
        for number, part in enumerate(listed, 1):
            self.send_part(node.session, node.report_id, number, len(listed) + 1, part)
        self.reported(node)

    def send_part(self, session: int, report_id: int, part: int, parts: int,
                  listed: Tuple[Block, ...]) -> None:
        """One part of a full report, which is taken in as a whole."""
        while not self.blocks.block_report(session, report_id, part, parts, listed, self.now):
            pass

    def begin_report(self, node: ModelDataNode, size: int = 3) -> List[Tuple[Block, ...]]:
        """Send the empty first part; the other parts, from the list made after its answer."""
        listed = [replica.block for replica in node.disk.values()]
        parts = [tuple(listed[start:start + size]) for start in range(0, len(listed), size)] or [()]
        self.send_part(node.session, node.report_id, 0, len(parts) + 1, ())
        return parts

    def reported(self, node: ModelDataNode) -> None:
        """The namenode knows this node's disk now, but for damage inside of files."""
        node.reported = node.session
        self.unheard_faults = {
            (name, block_id) for name, block_id in self.unheard_faults
            if name != node.name or (block_id in node.disk and not node.disk[block_id].intact)}

    def tell(self, node: ModelDataNode, count: int = 1000) -> None:
        """Tell the oldest untold changes, one call each."""
        for _ in range(min(count, len(node.untold))):
            kind, block = node.untold[0]
            lists = {"received": (), "deleted": (), "corrupt": (), "verified": ()}
            lists[kind] = (block,)
            self.blocks.block_changes(node.session, lists["received"], lists["deleted"],
                                      lists["corrupt"], self.now, lists["verified"])
            node.untold.popleft()
            # What is said of a block being written is forgotten when its node dies.
            if kind == "corrupt" and self.blocks.get(block.block_id) is not None:
                self.unheard_faults.discard((node.name, block.block_id))

    def beat(self, node: ModelDataNode, lose_reply: bool = False) -> None:
        """A heartbeat; the commands are obeyed later, or lost with the reply."""
        commands = self.blocks.heartbeat(node.session, self.stats(), self.now, self.durable_txid,
                                         0 if node.untold else node.obeyed)
        if self.blocks.leads and node.obeyed < self.epoch and not lose_reply:
            node.orders.clear()
            node.obeyed = self.epoch
        for command in commands:
            self._judge(node, command)
            if not lose_reply:
                node.orders.append(command)

    def connect(self, node: ModelDataNode) -> None:
        """What a datanode does on its own: register when refused, report, tell, beat."""
        try:
            if not node.session:
                self.register(node)
                node.untold.clear()
                self.report(node)
            if self.scanning:
                self.scan(node)
            self.tell(node)
            self.beat(node)
        except SessionExpired:
            node.session = 0
        except ProtocolViolation:
            self.report(node)

    def scan(self, node: ModelDataNode) -> None:
        """The node's scanner finds all that is rotten; it is going to be told."""
        known = set(node.untold)
        for replica in node.disk.values():
            if not replica.intact and ("corrupt", replica.block) not in known:
                node.untold.append(("corrupt", replica.block))

    def verify_all(self) -> bool:
        """Every node tells what it was told to verify, if any was; other orders are kept."""
        found = False
        for node in self.nodes.values():
            for command in [order for order in node.orders if order.action == VERIFY]:
                found = True
                node.orders.remove(command)
                for block in command.blocks:
                    node.verify(block)
                self.tell(node)
        return found

    def obey(self, node: ModelDataNode) -> None:
        """Carry out the oldest order."""
        if not node.orders:
            return
        command = node.orders.popleft()
        for block in command.blocks:
            if command.action == VERIFY:
                node.verify(block)
            elif command.action == DELETE_CORRUPT:
                if not node.verify(block):
                    node.remove(block)
            elif command.action in (DELETE, TRASH):
                node.remove(block)
            elif command.action == REPLICATE:
                self._copy(node, block, command.targets)

    def _copy(self, node: ModelDataNode, block: Block, targets: Tuple[Target, ...]) -> None:
        if node.disk.get(block.block_id) == Replica(block, False):
            node.untold.append(("corrupt", block))
        if node.disk.get(block.block_id) != Replica(block, True):
            return
        for target in targets:
            other = self.nodes[target.node_id]
            if other.up and block.block_id not in other.disk:
                other.store(block)

    # The rule that no order may break.

    def _judge(self, node: ModelDataNode, command: Command) -> None:
        """No order in safe mode but to report and to look. One to delete a replica of a living
        block leaves as many good ones as wanted, or one when the replica is bad itself; one of a
        deleted block is given when that cannot be undone any more."""
        assert not self.blocks.safe_mode or command.action in (REPORT, VERIFY), command
        for block in command.blocks if command.action in (DELETE, DELETE_CORRUPT) else ():
            assert self.deleted_by.get(block.block_id, 0) <= self.durable_txid, block
            replica = node.disk.get(block.block_id)
            recorded = self.blocks.get(block.block_id)
            if recorded is None or replica is None or replica.block != block:
                continue
            others = [other for other in self.nodes.values() if other is not node
                      and self._is_kept(other, recorded)]
            # One that is told to be damaged, and is not, stays.
            good = replica == Replica(recorded, True) and command.action == DELETE
            least = self.blocks.census.health(block.block_id).wanted if good else 1
            assert len(others) >= least, (block, node, others, self.blocks)

    def _is_kept(self, node: ModelDataNode, block: Block) -> bool:
        """Whether a good replica is there to stay, as far as the namenode can know."""
        live = any(status.node_id == node.name and status.state == "live"
                   for status in self.blocks.census.datanodes(self.now))
        if not live or node.reported != node.session or node.obeyed != self.epoch:
            return False
        if (node.name, block.block_id) in self.unheard_faults:
            return True
        ordered = any(block in command.blocks for command in node.orders
                      if command.action in (DELETE, DELETE_CORRUPT, TRASH))
        return node.disk.get(block.block_id) == Replica(block, True) and not ordered

    # Time.

    def pass_time(self, seconds: float) -> None:
        """Let the clock run and tick once."""
        self.now += seconds
        self.see()
        self.seen.update(event.name for event in self.blocks.monitor.tick(self.now, self.random))

    def see(self) -> None:
        """The zookeeper's view reaches the namenode."""
        view: Optional[Dict[str, str]] = None
        if self.zookeeper_up:
            for node in self.nodes.values():
                node.beaten = self.now if node.up else node.beaten
            view = {f"{node.name}:1800": node.name for node in self.nodes.values()
                    if self.now - node.beaten < ZOOKEEPER_EXPIRY_SECONDS}
        self.blocks.monitor.zookeeper_view(view, self.now)

    def quiet_rounds(self, rounds: int) -> None:
        """No faults: every running node tells and obeys, round after round."""
        for _ in range(rounds):
            self.durable_txid = self.txid
            for node in self.nodes.values():
                if node.up:
                    self.connect(node)
                while node.orders and node.up:
                    self.obey(node)
            self.forget_deletions(1000)
            self.pass_time(1.0)
            self.blocks.check()
