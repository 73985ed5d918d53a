"""Random lives of a namespace that is put back from older backups, with datanodes that are not.

Whatever is written, deleted, restarted and restored: a replica counts for a block only when it has
the bytes that were written for it in the history that stands. A restored namenode gives numbers
and epochs out a second time; which datanodes are there when it does so is a matter of chance.
"""

from itertools import count
from random import Random
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import pytest

from data_service.namenode.leading.epoch_floor import EpochFloor
from data_service.namenode.namespace.commits import Commits
from data_service.namenode.namespace.permissions import Caller
from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.state import State
from data_service.protocol.blocks import Block
from data_service.protocol.nodes import DELETE, TRASH, NodeInfo, NodeStats
from tests.support.models.block_side import report_fully
from tests.support.models.metadata_model import MetadataModel, Tables

ROOT = Caller("root", frozenset(), True)
CLUSTER = "cluster-1"
STATS = NodeStats(1 << 40, 0, 1 << 40, 0, 0, 0)
NAMES = ("a", "b", "c", "d")
LENGTH = 100
STEPS = 120
SEEDS = 40
LEAP = 1 << 40


class Backup(NamedTuple):
    """The record as it was, and what had been written into each block of it."""

    history: List[Tables]
    edits: list
    epoch: int
    contents: Dict[int, str]


class Disk:
    """A datanode's: (block, content) by number, and the newest epoch that it obeyed."""

    def __init__(self) -> None:
        self.replicas: Dict[int, Tuple[Block, str]] = {}
        self.epoch = 0
        self.session = 0


class World:
    """One walk. `leap` as the namenode has it: how far a term's first block may be ahead."""

    def __init__(self, seed: int, leap: int = LEAP) -> None:
        self.random = Random(seed)
        self.leap = leap
        self.metadata = MetadataModel()
        self.disks = {name: Disk() for name in NAMES}
        self.contents: Dict[int, str] = {}
        self.epoch = 0
        self.floor = EpochFloor()
        self.calls = 0
        self.now = 0.0
        self.backups: List[Backup] = []
        self.counted = 0
        self.begin_term()

    def begin_term(self) -> None:
        """A namenode starts: it knows the record, and datanodes come in any order, or later."""
        self.now += 100.0
        self.epoch = max(self.epoch + 1, self.floor.value)
        policy = BlockPolicy(safe_mode_extension_seconds=0.0, dead_seconds=1e9)
        blocks = Blocks(CLUSTER, policy, count(self.random.getrandbits(62)))
        self.state = State(blocks, "root", "supergroup", 10.0, 30.0)
        tables = {name: [table[key] for key in sorted(table)]
                  for name, table in self.metadata.tables.items()}
        leap = self.random.randrange(self.leap) if self.epoch > 1 else 0
        self.state.load(tables, self.metadata.edits[-50:], self.metadata.last_txid)
        blocks.loaded(self.now)
        self.state.lead(self.epoch, self.now, leap)
        blocks.leave_safe_mode(self.now)
        for disk in self.disks.values():
            disk.session = 0
        for name in self.random.sample(NAMES, self.random.randint(1, len(NAMES))):
            if not self.join(name):
                return

    def join(self, name: str) -> bool:
        """A datanode registers and reports; False when a later epoch had to begin for it."""
        disk = self.disks[name]
        if disk.epoch > self.epoch:
            assert self.floor.told(disk.epoch, self.epoch, self.now)
            self.begin_term()
            return False
        disk.epoch = self.epoch
        info = NodeInfo(name, "1", name, 1800, "/rack", CLUSTER)
        disk.session = self.state.blocks.register(info, self.now)
        listed = [block for block, _ in disk.replicas.values()]
        report_fully(self.state.blocks, disk.session, 1, listed, self.now)
        self.state.blocks.heartbeat(disk.session, STATS, self.now, self.metadata.last_txid)
        return True

    def step(self) -> None:
        """One thing happens."""
        weights = {self.put: 12, self.delete: 3, self.return_one: 3, self.obey: 3,
                   self.begin_term: 2, self.back_up: 1, self.restore: 1}
        self.random.choices(list(weights), list(weights.values()))[0]()
        self.check()

    def do(self, operation: Callable[[], Any]) -> Any:
        """Store what an operation changes."""
        return self.metadata.store(operation())

    def op(self) -> Tuple[str, int]:
        """The name of a call."""
        self.calls += 1
        return f"client-{self.calls}", 1

    def put(self) -> None:
        """A file of one block, on one or two of the datanodes that are here."""
        here = [name for name, disk in self.disks.items() if disk.session]
        if not here:
            return
        op, path = self.op(), f"/f{self.random.randrange(8)}"
        writing, wanted = self.state.writing, min(2, len(here))
        file = self.do(lambda: writing.create(
            ROOT, op, path, True, wanted, 1 << 20, 0o644, self.now))
        located = self.do(lambda: writing.add_block(
            op[0], file.file_id, 0, (), "", self.now, self.random))
        block = located.block._replace(length=LENGTH)
        content = f"{path} by {op[0]}"
        for target in located.targets:
            disk = self.disks[target.node_id]
            # A datanode refuses a block whose number it has already.
            if block.block_id not in disk.replicas:
                disk.replicas[block.block_id] = (block, content)
                self.state.blocks.block_changes(disk.session, [block], [], [], self.now)
        if self.state.blocks.confirmations(block) < wanted:
            self.do(lambda: writing.abandon_file(op[0], file.file_id))
            return
        self.contents[block.block_id] = content
        self.do(lambda: writing.complete(
            ROOT, (op[0], 2), file.file_id, (block,), self.now, 1))

    def delete(self) -> None:
        """A file goes, and its block with it."""
        path = f"/f{self.random.randrange(8)}"
        self.do(lambda: self.state.delete(ROOT, self.op(), path, False, 1))
        outcome = self.state.purge_step(10)
        if outcome is not None:
            self.metadata.store(outcome)

    def return_one(self) -> None:
        """A datanode that was away comes back."""
        away = [name for name, disk in self.disks.items() if not disk.session]
        if away:
            self.join(self.random.choice(away))

    def obey(self) -> None:
        """Replicas of deleted files go."""
        for disk in self.disks.values():
            if disk.session:
                for command in self.state.blocks.heartbeat(
                        disk.session, STATS, self.now, self.metadata.last_txid):
                    for block in command.blocks if command.action in (DELETE, TRASH) else ():
                        disk.replicas.pop(block.block_id, None)
                        self.state.blocks.block_changes(disk.session, [], [block], [], self.now)

    def back_up(self) -> None:
        """Somebody copies the record."""
        self.backups.append(Backup(list(self.metadata.history), list(self.metadata.edits),
                                   self.epoch, dict(self.contents)))

    def restore(self) -> None:
        """Somebody puts an older copy in its place; the datanodes are what they are."""
        if self.backups:
            backup = self.random.choice(self.backups)
            # A table is changed in place by the next edit only.
            self.metadata.history = [{name: dict(rows) for name, rows in tables.items()}
                                     for tables in backup.history]
            self.metadata.edits = list(backup.edits)
            self.epoch, self.contents = backup.epoch, dict(backup.contents)
            self.floor = EpochFloor()
            self.begin_term()

    def check(self) -> None:
        """What counts is what was written."""
        blocks: Any = self.state.blocks
        for file in self.state.image.files():
            for block in file.blocks:
                for node in blocks._map.holders(block.block_id):
                    held, content = self.disks[node.info.node_id].replicas[block.block_id]
                    assert held == block, f"{held} counts for {block}"
                    assert content == self.contents[block.block_id], (
                        f"{block}: {content!r} counts as {self.contents[block.block_id]!r}")
                    self.counted += 1


def walk(seed: int, leap: int = LEAP) -> World:
    """A whole life."""
    world = World(seed, leap)
    for _ in range(STEPS):
        world.step()
    world.state.check()
    return world


@pytest.mark.parametrize("seed", range(SEEDS))
def test_only_what_was_written_counts(seed: int) -> None:
    assert walk(seed).counted > STEPS


@pytest.fixture(name="one_generation")
def _one_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it once was: one generation for all, and nobody listens to datanodes."""
    begin = Blocks.__init__

    def begin_as_first(self: Blocks, *args: Any, **options: Any) -> None:
        begin(self, *args, **options)
        self.epoch = 1

    monkeypatch.setattr(Blocks, "__init__", begin_as_first)
    monkeypatch.setattr(Commits, "pass_over_block", lambda self, number: None)


def test_numbers_that_are_given_out_twice_are_found(one_generation: None) -> None:
    with pytest.raises(AssertionError, match="counts as"):
        for seed in range(SEEDS):
            walk(seed, leap=1)


def test_the_distance_alone_keeps_two_histories_apart(one_generation: None) -> None:
    """Those who know of later epochs and numbers may all be away when a record is restored."""
    for seed in range(SEEDS // 2):
        walk(seed)


def test_epochs_alone_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Commits, "pass_over_block", lambda self, number: None)
    with pytest.raises(AssertionError, match="counts as"):
        for seed in range(SEEDS):
            walk(seed, leap=1)
