"""Random walks over all operations of the namenode's core, against the plain tree.

After each step the tree, the answer and every `check()` must agree with the model. What each edit
says is also carried out on plain tables of rows; a namenode that loads those tables must have the
same tree (a restart), and a read must not tell of an edit that it did not wait for (a crash).
Rules are planted wrong to see that this is noticed.
"""

from typing import Any, Dict, List, Tuple

import pytest

from data_service.namenode.namespace import inodes
from data_service.namenode.namespace.quotas import Quotas
from data_service.namenode.namespace.usage import Use
from data_service.namenode.writers.reservations import Reservations
from data_service.namenode.writers.rewriting import Rewriting
from data_service.namenode.writers.takeover import Takeover
from tests.support.models.core_walk import Walk
from tests.support.models.namespace_views import listing, plain

STEPS = 40
SEEDS = 600

DEFECTS: Dict[str, Tuple[type, str, Any]] = {
    "quotas forget who writes": (Reservations, "of", lambda *_: Use(0, 0)),
    "a writer's blocks are not reserved": (Reservations, "block_space", lambda *_: 0),
    "more replicas take no space": (Quotas, "verify_redundancy", lambda *_: None),
    "a move takes the place of a file being written": (Takeover, "give_way", lambda *_: []),
    "a directory takes the place of a file being written": (Takeover, "clear_way", lambda *_: []),
    "what is being written is moved behind another": (
        Rewriting, "_is_written", lambda *_: False),
}  # fmt: skip


@pytest.mark.parametrize("first", range(0, SEEDS, 50))
def test_the_core_does_what_the_model_does(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inodes, "INDEX_FROM", 1)
    for seed in range(first, first + 50):
        run(seed)


@pytest.mark.parametrize("name", DEFECTS)
def test_a_rule_that_is_planted_wrong_is_noticed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*DEFECTS[name])
    with pytest.raises(AssertionError, match="^seed "):
        for seed in range(SEEDS):
            run(seed)


def run(seed: int) -> None:
    """One walk; its end compares everything."""
    walk = Walk(seed)
    steps: List[str] = []
    try:
        for _ in range(STEPS):
            steps.append(walk.step())
        walk.drain()
        assert listing(walk.state) == plain(walk.tree.root)
    except Exception as error:  # Whatever went wrong, the seed is what replays it.
        raise AssertionError(f"seed {seed} after {steps}: {error!r}") from error
