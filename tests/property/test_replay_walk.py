"""A standby that replays edits knows what the namenode that leads knows, and what a start would.

A random walk over all operations of a core runs beside a second one, which hears the same datanodes
and replays the edits, often late and many at once: datanodes then tell it of blocks before the
edits do. Whenever it has caught up, both have the same rows, the same blocks with the same
replicas, the same deleted ids and the same answers to calls; so has a third one, that loads the
rows. What an edit means for blocks is planted wrong to see that this is noticed.
"""

from typing import Any, Callable, Dict, List, Optional

import pytest

from data_service.namenode.namespace import commits
from data_service.namenode.namespace.commits import Commits
from data_service.namenode.namespace.effects import Effects
from data_service.namenode.namespace.image import INODE_NUMBERS
from data_service.namenode.state import State
from data_service.protocol.redundancy import replicated
from metadata_service.edits import Edit
from tests.support.models.block_side import STATS, Datanodes
from tests.support.models.core_walk import Walk
from tests.support.models.standby import Overheard, answers, replicas

STEPS = 80
SEEDS = 60


class ReplayWalk(Walk):
    """The steps of the walk, with a standby beside; a restart ends only the one that leads."""

    standby: Optional[State] = None
    epoch = 1

    def datanodes(self, count: int) -> Datanodes:
        """Datanodes that tell both."""
        if self.standby is None:
            self.standby = self.metadata.start()
            self.standby.blocks.stand_by()
            self.standby.blocks.loaded(0.0)
        told: Any = Overheard(self.state.blocks, self.standby.blocks)
        return Datanodes(told, count)

    def step(self) -> str:
        """Any step, most of them such that blocks change."""
        if self.random.random() < 0.6:
            return super().step()
        deed = self.random.choice((self.put, self.replicate, self.concat, self.truncate))
        deed()
        self.compare()
        return deed.__name__

    def restart(self) -> None:
        """The standby, too, has all that is durable before it hears of new sessions."""
        self.follow(self.metadata.last_txid)
        super().restart()

    def hand_over(self) -> None:
        """The two take turns: the standby leads, and who led stands by with what it has."""
        self.follow(self.metadata.last_txid)
        assert self.standby is not None
        before = self.state.image.rows()
        self.durable = self.metadata.last_txid
        self.state, self.standby = self.standby, self.state
        self.standby.stand_by()
        self.standby.check()
        told: Any = self.nodes.blocks
        self.nodes.sessions = told.take_turns(self.nodes.sessions)
        assert self.state.image.rows() == before
        self.present_writers()

    def present_writers(self) -> None:
        """To who leads now, in a new epoch that all datanodes acknowledge."""
        self.epoch += 1
        self.state.lead(self.epoch, 0.0)
        told: Any = self.nodes.blocks
        for session in self.nodes.sessions.values():
            # Orders come with the next beat.
            told.heartbeat(session, STATS, 0.0, -1, self.epoch)
        super().present_writers()

    def follow(self, txid: int) -> None:
        """The standby replays the edits up to this one."""
        assert self.standby is not None
        self.standby.replay(self.metadata.edits[self.standby.commits.last_txid : txid])
        self.standby.check()

    def catch_up(self) -> None:
        """The standby replays all edits, and must know what the others know."""
        self.follow(self.metadata.last_txid)
        edits, standby = self.metadata.edits, self.standby
        assert standby is not None
        loaded = self.metadata.start(edits=len(edits))
        assert standby.image.rows() == self.state.image.rows() == loaded.image.rows()
        open_blocks = self.state.open_files.block_ids()
        assert replicas(standby) == replicas(self.state, open_blocks)
        known = [sorted(row[:4] for row in replicas(state).values()) for state in (standby, loaded)]
        assert known[0] == known[1]
        deleted = [set(state.blocks.census.deleted()) for state in (standby, self.state, loaded)]
        assert deleted[0] == deleted[1] == deleted[2]
        assert answers(standby, edits) == answers(loaded, edits)
        for op, answer in answers(self.state, edits).items():
            assert answer in (None, standby.commits.retries.get(op)), op
        assert standby.commits.last_txid == self.state.commits.last_txid
        # Who leads next gives out no number again.
        assert standby.commits.was_given_out(INODE_NUMBERS, self.greatest_number())

    def greatest_number(self) -> int:
        """The greatest number of an inode that is there or being written."""
        open_files = [file.new.file_id for file in self.state.open_files]
        return max(*self.state.image.inodes, *open_files, 0)


def run(seed: int) -> None:
    """One walk; its end compares everything."""
    walk = ReplayWalk(seed)
    steps: List[str] = []
    try:
        for _ in range(STEPS):
            steps.append(walk.step())
            chance = walk.random.random()
            if chance < 0.05:
                walk.hand_over()
            elif chance < 0.1:
                walk.catch_up()
            elif chance < 0.4:
                assert walk.standby is not None
                first = walk.standby.commits.last_txid
                walk.follow(walk.random.randint(first, walk.metadata.last_txid))
        walk.catch_up()
        walk.drain()
        walk.catch_up()
    except Exception as error:  # Whatever went wrong, the seed is what replays it.
        raise AssertionError(f"seed {seed} after {steps}: {error!r}") from error


@pytest.mark.parametrize("first", range(0, SEEDS, 20))
def test_a_standby_knows_what_the_leader_knows(first: int) -> None:
    for seed in range(first, first + 20):
        run(seed)


Plant = Callable[[Effects], Effects]

DEFECTS: Dict[str, Plant] = {
    "nobody hears of new blocks": lambda told: told._replace(kept=()),
    "nobody hears that blocks are deleted": lambda told: told._replace(deleted=()),
    "tombstones stay for ever": lambda told: told._replace(forgotten=()),
    "a block that moves stays its first file's": lambda told: told._replace(
        kept=[kept._replace(inode_id=min(kept.inode_id, 9)) for kept in told.kept]
    ),
    "replications do not matter": lambda told: told._replace(
        kept=[kept._replace(redundancy=replicated(2)) for kept in told.kept]
    ),
    "a block's length is the whole block's": lambda told: told._replace(
        kept=[kept._replace(block=kept.block._replace(length=100)) for kept in told.kept]
    ),
    "nobody hears what blocks hold": lambda told: told._replace(digests={}),
    "one deleted block of several is told of": lambda told: told._replace(
        deleted=list(told.deleted)[:1]
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_effects_that_are_told_wrong_are_noticed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = commits.effects_of
    monkeypatch.setattr(commits, "effects_of", lambda *said: DEFECTS[name](whole(*said)))
    assert is_noticed()


def replay_without_answers(self: Commits, edit: Edit) -> None:
    """The standby forgets who caused an edit."""
    REPLAY(self, edit._replace(client_id=""))


def replay_without_numbers(self: Commits, edit: Edit) -> None:
    """The standby does not hear which numbers are reserved."""
    before = dict(self._next)
    REPLAY(self, edit)
    self._next.update(before)


REPLAY = Commits.replay


@pytest.mark.parametrize("replay", [replay_without_answers, replay_without_numbers])
def test_a_standby_that_forgets_is_noticed(
    replay: Callable[[Commits, Edit], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Commits, "replay", replay)
    assert is_noticed()


def is_noticed() -> bool:
    """Whether any of the walks fails."""
    for seed in range(SEEDS):
        try:
            run(seed)
        except AssertionError:
            return True
    return False
