"""Random walks of two block sides among datanodes, in which who leads changes at any moment.

As in `test_blocks_walk.py` no order to remove a good replica may be given before enough others are
there to stay: also by who has just taken over, while datanodes still carry out what the leader
before has ordered (HDFS-1972). Whoever stands by, and has heard all, knows the replicas that the
leader knows. A takeover that forgets one of its rules is planted to see that this is noticed.
"""

from typing import Any, Dict, Iterable, Set, Tuple

import pytest

from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.replicas.node import Node
from data_service.namenode.replicas.verification import Verifications
from data_service.protocol.blocks import Block
from tests.property.test_blocks_walk import NAMES, Walk
from tests.support.models.model_datanodes import ModelCluster, ModelDataNode
from tests.support.models.two_namenodes import TwoNamenodes

STEPS = 400
SEEDS = 60
SEARCHED = 500


class TakeoverWalk(Walk):
    """The steps of the other walk, and those that a standby makes possible."""

    cluster: TwoNamenodes

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.cluster = TwoNamenodes(NAMES, self.random)
        for node in self.cluster.nodes.values():
            node.start()
            self.cluster.connect(node)
        self.slow = set(self.random.sample(NAMES, 2))
        self.takeovers = 0
        self.steps += [self.attend] * 12 + [self.follow] * 8 + [self.begin] * 3
        self.steps += [self.take_over, self.hand_over] * 2

    def attend(self) -> None:
        """A datanode does what it should for the standby."""
        node = self.running()
        if node.up and self.cluster.standby is not None:
            with self.cluster.turned_round():
                self.cluster.connect(node)

    def obey(self) -> None:
        """A node carries out an order; one with a slow disk seldom comes to it."""
        node = self.running()
        if node.up and (node.name not in self.slow or self.random.random() < 0.05):
            self.cluster.obey(node)

    def follow(self) -> None:
        """The standby follows some edits."""
        self.cluster.follow(self.random.randint(1, 20))

    def begin(self) -> None:
        """A standby is started, unless there is one."""
        if self.cluster.standby is None:
            known = set(self.cluster.blocks.census.deleted())
            self.cluster.begin_standby({key: self.rows[key] for key in known & set(self.rows)})

    def confirm(self) -> None:
        """Nothing is forgotten before it is deleted, by the record as well."""
        self.durable()
        super().confirm()

    def take_over(self) -> None:
        """The leader is killed, and the standby leads."""
        if self.cluster.standby is None:
            return
        self.takeovers += 1
        self.cluster.take_over()
        for block_id, (block, wanted) in list(self.rows.items()):
            if self.cluster.deleted_by[block_id] > self.cluster.durable_txid:
                del self.rows[block_id], self.cluster.deleted_by[block_id]
                if wanted:
                    self.deleted.discard(block_id)
                    self.committed[block_id] = block
        self.present()

    def hand_over(self) -> None:
        """The leader ends in good order; it follows the other one from then on."""
        if self.cluster.standby is not None:
            self.takeovers += 1
            self.cluster.hand_over()
            self.present()

    def present(self) -> None:
        """Writers present their blocks to who leads now, or are gone."""
        for block_id in list(self.open):
            if self.random.random() < 0.5:
                self.cluster.blocks.begin(block_id, 1, ())
            else:
                del self.open[block_id]
                self.deleted.add(block_id)

    def step(self) -> None:
        """One random step, and all checks of both."""
        super().step()
        if self.cluster.standby is not None:
            self.cluster.standby.check()

    def compare(self) -> None:
        """Whoever stands by, and has heard all, knows what the leader knows."""
        self.begin()
        cluster = self.cluster
        for _ in range(3):
            cluster.durable_txid = cluster.txid
            cluster.follow(len(cluster.edits))
            with cluster.turned_round():
                for node in cluster.nodes.values():
                    self.read_what_is_doubtful(cluster.blocks, node)
                    cluster.connect(node)
        assert cluster.standby is not None
        assert replicas(cluster.standby) == replicas(cluster.blocks)
        assert set(cluster.standby.census.deleted()) == set(cluster.blocks.census.deleted())

    def read_what_is_doubtful(self, blocks: Blocks, node: ModelDataNode) -> None:
        """What a standby would have read as soon as it leads: it may take a replica for damaged
        that was replaced in a moment in which it was not told."""
        known = blocks._nodes.get(node.name)
        for block in list(known.outbox.verify.values()) if known is not None else ():
            node.verify(block)


def replicas(blocks: Blocks) -> Dict[int, tuple]:
    """Who has which block how."""
    return {block.block_id: (block, redundancy, sorted(blocks.census.examine(block).holders))
            for block, _, redundancy in blocks.census.tracked()}


def run(seed: int) -> TakeoverWalk:
    """One walk to its end."""
    walk = TakeoverWalk(seed)
    try:
        for _ in range(STEPS):
            walk.step()
        walk.calm_down()
        walk.assert_converged()
        walk.compare()
    except AssertionError as error:
        history = " ".join(walk.history[-40:])
        raise AssertionError(f"seed {seed} after {history}: {error}") from error
    return walk


@pytest.mark.parametrize("first", range(0, SEEDS, 20))
def test_a_change_of_leaders_loses_no_block_and_converges(first: int) -> None:
    seen: Set[str] = set()
    takeovers = 0
    for seed in range(first, first + 20):
        walk = run(seed)
        seen |= walk.cluster.seen
        takeovers += walk.takeovers
    assert {"node.settled", "deletion.planned", "replication.planned"} <= seen
    assert takeovers > 100


LEAD, BEAT, STAND_BY = Blocks.lead, ModelCluster.beat, Blocks.stand_by


def lead_unacknowledged(self: Blocks, epoch: int, now: float) -> None:
    """Whoever was heard while this one stood by is taken to obey it."""
    LEAD(self, epoch, now)
    for node in self._nodes:
        node.settled = node.session != 0


def beat_at_once(self: ModelCluster, node: Any, lose_reply: bool = False) -> None:
    """A datanode acknowledges who leads, and goes on with what the one before has ordered."""
    orders = tuple(node.orders)
    BEAT(self, node, lose_reply)
    if orders and not node.orders:
        node.orders.extend(orders)


def never_ask(
    _self: Verifications, _nodes: Iterable[Node], _block: Block, _wanted: int, _now: float
) -> int:
    """Nobody is asked to read what shall stay, which mostly prevents the harm alone."""
    return 0


MUTANTS: Dict[str, Tuple[int, type, str, Any]] = {
    "settled ignored": (19, Node, "usable", property(lambda self: self.reported)),
    "takeover without acknowledgement": (19, Blocks, "lead", lead_unacknowledged),
    "acknowledged, and older orders obeyed": (52, ModelCluster, "beat", beat_at_once),
}
"""After the seed at which each was noticed when this was written: the search begins there."""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_takeover_that_forgets_a_rule_is_noticed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Verifications, "sure", never_ask)
    first, *mutant = MUTANTS[name]
    with monkeypatch.context() as planted:
        planted.setattr(*mutant)
        seed = next((seed for seed in range(first, first + SEARCHED) if is_noticed(seed)), None)
    assert seed is not None, f"not noticed: {name}"
    assert not is_noticed(seed), "it was not for what is planted"


def is_noticed(seed: int) -> bool:
    """Whether the walk fails."""
    try:
        run(seed)
    except AssertionError:
        return True
    return False
