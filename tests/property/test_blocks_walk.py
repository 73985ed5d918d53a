"""Seeded random walks of the block side of the namenode among datanodes that do everything wrong.

After each step every invariant of every core is asserted, and with each order to delete a good
replica that enough others are there to stay (HDFS-1972, HDFS-4799, HDFS-15200, HDFS-16064). Once
quiet, the disks themselves must be as wanted.
"""

from random import Random
from typing import Callable, Dict, List, Set, Tuple

import pytest

from data_service.namenode.replicas.service_state import IN_SERVICE, STANDINGS
from data_service.protocol.blocks import Block
from data_service.protocol.redundancy import replicated
from tests.support.models.model_datanodes import ModelCluster, ModelDataNode, Replica
from zookeeper.fabric.errors import NotEnoughReplicas, ProtocolViolation, SafeMode, SessionExpired

NAMES = ("a", "b", "c", "d", "e")


class Walk:
    """One walk. Each step is a method; `history` names the steps for a failure's message."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.cluster = ModelCluster(NAMES, self.random)
        self.next_id = 1
        self.open: Dict[int, int] = {}
        self.committed: Dict[int, Block] = {}
        self.deleted: Set[int] = set()
        self.rows: Dict[int, Tuple[Block, int]] = {}
        self.rotten: Set[Tuple[str, int]] = set()
        self.saved: Dict[str, Dict[int, Replica]] = {}
        self.parts: Dict[str, List[tuple]] = {}
        self.history: List[str] = []
        for node in self.cluster.nodes.values():
            node.start()
            self.cluster.connect(node)
        self.steps: List[Callable[[], None]] = (
            [self.connect] * 14 + [self.obey] * 10 + [self.pass_time] * 12
            + [self.write, self.finish] * 5 + [self.leave_safe_mode, self.start, self.scan] * 2
            + [self.delete, self.set_replication, self.durable, self.durable, self.confirm]
            + [self.crash, self.rot, self.read_bad, self.lose_file, self.orphan]
            + [self.save_disk, self.restore_disk, self.lose_reply, self.repeat_changes]
            + [self.full_report, self.partial_report, self.continue_report]
            + [self.sleep, self.zookeeper_flaps, self.restart_namenode, self.decide])

    # Choices.

    def node(self) -> ModelDataNode:
        """Any node."""
        return self.cluster.nodes[self.random.choice(NAMES)]

    def running(self) -> ModelDataNode:
        """A node that is up, or any when none is."""
        nodes = [node for node in self.cluster.nodes.values() if node.up]
        return self.random.choice(nodes) if nodes else self.node()

    def step(self) -> None:
        """One random step, and all checks."""
        step = self.random.choice(self.steps)
        self.history.append(step.__name__)
        try:
            step()
        except SessionExpired:
            # The model node of that step learns it at its next call of `connect`.
            pass
        self.cluster.blocks.check()
        self.cluster.blocks.census.counts()

    # What clients do.

    def write(self) -> None:
        """Allocate a block and write it to some of its targets."""
        if self.cluster.blocks.safe_mode:
            return
        try:
            targets = self.cluster.blocks.choose_targets(
                self.random.randint(1, 4), frozenset(), "a", 1 << 20, self.random)
        except (NotEnoughReplicas, SafeMode):
            return  # Nobody has room; or a datanode is still to come back after a start.
        assert len({target.node_id for target in targets}) == len(targets)
        block_id, self.next_id = self.next_id, self.next_id + 1
        self.cluster.blocks.begin(block_id, 1, targets, 1 << 20)
        self.open[block_id] = self.random.randint(1, 1 << 20)
        for target in targets:
            node = self.cluster.nodes[target.node_id]
            if node.up and self.random.random() < 0.9:
                node.store(Block(block_id, 1, self.open[block_id]))

    def finish(self) -> None:
        """Commit a confirmed block, or abandon it."""
        if not self.open:
            return
        block_id = self.random.choice(sorted(self.open))
        block = Block(block_id, 1, self.open[block_id])
        if self.cluster.blocks.confirmations(block) and self.random.random() < 0.9:
            del self.open[block_id]
            self.committed[block_id] = block
            self.cluster.blocks.track(block, block_id, replicated(self.random.randint(1, 4)))
        elif self.random.random() < 0.3:
            del self.open[block_id]
            self.bury(block)

    def delete(self) -> None:
        """Delete a file's block; the edit is durable later."""
        if self.committed:
            block_id = self.random.choice(sorted(self.committed))
            wanted = self.cluster.blocks.census.health(block_id).wanted
            self.bury(self.committed.pop(block_id), wanted)

    def bury(self, block: Block, wanted: int = 0) -> None:
        """An edit says that the block is deleted."""
        self.cluster.txid += 1
        self.cluster.deleted_by[block.block_id] = self.cluster.txid
        self.rows[block.block_id] = (block, wanted)
        self.deleted.add(block.block_id)
        self.cluster.blocks.invalidate(block.block_id, self.cluster.txid)

    def restart_namenode(self) -> None:
        """A new namenode, of which the disks know more than it: deletes that were not durable
        are undone, files being written are lost, everything else comes from reports."""
        if self.random.random() < 0.6:
            return
        blocks = self.cluster.blocks
        wanted = {block_id: blocks.census.health(block_id).wanted for block_id in self.committed}
        blocks = self.cluster.new_namenode()
        for block_id, (block, old_wanted) in list(self.rows.items()):
            if self.cluster.deleted_by[block_id] <= self.cluster.durable_txid:
                blocks.invalidate(block.block_id, 0)
                continue
            del self.rows[block_id], self.cluster.deleted_by[block_id]
            if old_wanted:
                self.deleted.discard(block_id)
                self.committed[block_id] = block
                wanted[block_id] = old_wanted
        for block_id, block in self.committed.items():
            blocks.track(block, block_id, replicated(wanted[block_id]))
        self.deleted.update(self.open)
        self.open.clear()
        blocks.loaded(self.cluster.now)
        self.cluster.see()

    def set_replication(self) -> None:
        """setrep on a block."""
        if self.committed:
            block_id = self.random.choice(sorted(self.committed))
            self.cluster.set_replication(block_id, self.random.randint(1, 4))

    def read_bad(self) -> None:
        """A reader meets rotten bytes and says so."""
        for name, block_id in sorted(self.cluster.unheard_faults):
            replica = self.cluster.nodes[name].disk.get(block_id)
            if replica is not None and not replica.intact and block_id in self.committed:
                self.cluster.blocks.report_bad(self.committed[block_id], name)
                return

    def durable(self) -> None:
        """The journal catches up."""
        self.cluster.durable_txid = self.cluster.txid

    def confirm(self) -> None:
        """The namespace drops the rows of deleted blocks; none may be a living one."""
        taken = self.cluster.forget_deletions(self.random.randint(1, 5))
        assert set(taken) <= self.deleted
        for block_id in taken:
            del self.rows[block_id]

    def leave_safe_mode(self) -> None:
        """Somebody has no patience, whatever the reports say."""
        self.cluster.blocks.leave_safe_mode(self.cluster.now)

    # What datanodes do and suffer.

    def connect(self) -> None:
        """A node does what it should."""
        node = self.running()
        if node.up:
            self.cluster.connect(node)

    def obey(self) -> None:
        """A node carries out an order, perhaps a very old one."""
        node = self.running()
        if node.up:
            self.cluster.obey(node)

    def crash(self) -> None:
        """A process is killed."""
        self.running().crash()

    def start(self) -> None:
        """A process comes back, with another incarnation."""
        node = self.node()
        if not node.up:
            node.start()

    def rot(self) -> None:
        """A bit flips; nobody knows."""
        node = self.node()
        if node.disk:
            block_id = self.random.choice(sorted(node.disk))
            node.disk[block_id] = node.disk[block_id]._replace(intact=False)
            self.cluster.unheard_faults.add((node.name, block_id))
            self.rotten.add((node.name, block_id))

    def lose_file(self) -> None:
        """A file vanishes, or is cut short, while the process is down."""
        node = self.node()
        if node.up or not node.disk:
            return
        block_id = self.random.choice(sorted(node.disk))
        self.cluster.unheard_faults.add((node.name, block_id))
        block = node.disk.pop(block_id).block
        if self.random.random() < 0.5 and block.length > 1:
            node.disk[block_id] = Replica(block._replace(length=block.length // 2), True)

    def save_disk(self) -> None:
        """Somebody copies a node's directory."""
        node = self.node()
        self.saved[node.name] = dict(node.disk)

    def restore_disk(self) -> None:
        """Somebody puts an old copy of a node's directory in its place (F10)."""
        node = self.node()
        if not node.up and node.name in self.saved:
            old, new = node.disk, dict(self.saved[node.name])
            for block_id in set(old) | set(new):
                if block_id in new and (node.name, block_id) in self.rotten:
                    # What was found rotten stays so: nobody could know that it was healed.
                    new[block_id] = new[block_id]._replace(intact=False)
                if old.get(block_id) != new.get(block_id):
                    self.cluster.unheard_faults.add((node.name, block_id))
            node.disk = new

    def scan(self) -> None:
        """A node's scanner finds what is rotten."""
        node = self.running()
        if node.up:
            self.cluster.scan(node)

    def orphan(self) -> None:
        """A node has a block of which the namenode never heard."""
        node = self.running()
        if node.up:
            node.store(Block(10_000 + self.random.randint(0, 5), 1, 77))

    # What the network and the clock do.

    def lose_reply(self) -> None:
        """A heartbeat's reply is lost, with its commands."""
        node = self.running()
        if node.up and node.session:
            self.cluster.beat(node, lose_reply=True)

    def full_report(self) -> None:
        """The periodic report."""
        node = self.running()
        if node.up and node.session:
            self.cluster.tell(node)
            self.cluster.report(node, self.random.randint(1, 4))

    def partial_report(self) -> None:
        """A report begins; its other parts come later, or never."""
        node = self.running()
        if node.up and node.session:
            self.cluster.tell(node)
            node.report_id += 1
            listed = self.cluster.begin_report(node, 2)
            self.parts[node.name] = [
                (node.session, node.report_id, number, len(listed) + 1, part)
                for number, part in enumerate(listed, 1)]

    def continue_report(self) -> None:
        """Parts of a report come, perhaps again, in the wrong order, or overtaken, and anything
        comes between their slices."""
        node = self.running()
        parts = self.parts.get(node.name)
        if not parts:
            return
        if self.random.random() < 0.3:
            parts = self.random.sample(parts, len(parts))
        for part in parts:
            try:
                while not self.cluster.blocks.block_report(*part, self.cluster.now):
                    if self.random.random() < 0.5:
                        return
            except ProtocolViolation:
                return

    def repeat_changes(self) -> None:
        """The answer to a call is lost, so the node makes the call again."""
        node = self.running()
        if node.up and node.session and node.untold:
            again = node.untold[0]
            self.cluster.tell(node, 1)
            node.untold.appendleft(again)
            self.cluster.tell(node, 1)

    def pass_time(self) -> None:
        """A tick in time."""
        self.cluster.pass_time(1.0)

    def sleep(self) -> None:
        """The namenode is suspended for longer than the dead time (HDFS-9107)."""
        before = self.states()
        self.cluster.pass_time(self.random.uniform(30.0, 90.0))
        assert self.states() == before, "a sleeper judged others"

    def states(self) -> List[str]:
        """Each node that the namenode has given up."""
        reports = self.cluster.blocks.census.datanodes(self.cluster.now)
        return [status.node_id for status in reports if status.state == "dead"]

    def zookeeper_flaps(self) -> None:
        """The zookeeper goes or comes back."""
        self.cluster.zookeeper_up = not self.cluster.zookeeper_up
        self.cluster.see()

    def decide(self) -> None:
        """An administrator takes a node out of service, or puts it back."""
        wanted = self.random.choice([IN_SERVICE] * 4 + list(STANDINGS))
        self.cluster.blocks.monitor.set_service_state(self.node().name, wanted)

    # The end.

    def calm_down(self) -> None:
        """All faults end: everything runs, every scanner goes everywhere. What has a good
        replica once all that is rotten is known (`alive`) must have all of them in the end."""
        self.cluster.zookeeper_up = True
        self.cluster.scanning = True
        for block_id in list(self.open):
            self.bury(Block(block_id, 1, 0))
        self.open.clear()
        for node in self.cluster.nodes.values():
            if not node.up:
                node.start()
        for name in NAMES:
            self.cluster.blocks.monitor.set_service_state(name, IN_SERVICE)
        self.cluster.quiet_rounds(5)
        # A block that is missing since the restart keeps safe mode on; somebody looks into it.
        self.cluster.blocks.leave_safe_mode(self.cluster.now)
        self.alive = {block_id for block_id in self.committed if self.intact(block_id)}
        self.cluster.quiet_rounds(120)

    def intact(self, block_id: int) -> List[str]:
        """The nodes whose disk has a good replica."""
        return [node.name for node in self.cluster.nodes.values()
                if node.disk.get(block_id) == Replica(self.committed[block_id], True)]

    def assert_converged(self) -> None:
        """The disks are as wanted, and the counts say what the disks say."""
        blocks = self.cluster.blocks
        for block_id in self.committed:
            health = blocks.census.health(block_id)
            good = self.intact(block_id)
            assert health.leaving == 0
            found = sorted(target.node_id for target in blocks.census.locations(block_id))
            assert found == good or not good
            if block_id in self.alive:
                assert (health.live, len(good), health.corrupt) == (health.wanted,) * 2 + (0,), (
                    block_id, health, good)
        on_disks = {block_id for node in self.cluster.nodes.values() for block_id in node.disk}
        assert on_disks <= set(self.committed), "deleted and unknown blocks are gone"
        counts = blocks.census.counts()
        dead = [block_id for block_id in self.committed if not self.intact(block_id)]
        assert counts.blocks == len(self.committed)
        assert counts.missing + counts.corrupt == len(dead)
        assert (counts.under_replicated, counts.excess, counts.pending_deletion,
                counts.pending_replication, counts.unknown) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("seed", range(100))
def test_a_random_walk_keeps_every_block_and_converges(seed: int) -> None:
    walk = Walk(seed)
    try:
        for _ in range(400):
            walk.step()
        walk.calm_down()
        walk.assert_converged()
    except AssertionError as error:
        history = " ".join(walk.history[-40:])
        raise AssertionError(f"seed {seed} after {history}: {error}") from error


def test_the_walks_reach_what_they_are_about() -> None:
    seen: Set[str] = set()
    committed = 0
    for seed in range(20, 40):
        walk = Walk(seed)
        for _ in range(500):
            walk.step()
        seen |= walk.cluster.seen
        committed += len(walk.committed)
    assert {"replica.corrupt", "replication.planned", "replication.expired", "node.dead",
            "node.stale", "tick.late", "report.applied", "session.ended",
            "deletion.planned", "node.service_state"} <= seen
    assert committed > 100
