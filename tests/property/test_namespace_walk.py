"""Random walks over all operations of the namenode's core, against plain nested dictionaries.

After each step the tree, the answer and every `check()` must agree with the model. What each edit
says is also carried out on plain tables of rows; a namenode that loads those tables must have the
same tree (a restart), and a read must not tell of an edit that it did not wait for (a crash).
"""

from typing import List

import pytest

from data_service.namenode.namespace import inodes
from tests.support.models.core_walk import Walk
from tests.support.models.namespace_model import listing, plain

STEPS = 40
SEEDS = 600


@pytest.mark.parametrize("first", range(0, SEEDS, 50))
def test_the_core_does_what_the_model_does(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inodes, "INDEX_FROM", 1)
    for seed in range(first, first + 50):
        walk = Walk(seed)
        steps: List[str] = []
        try:
            for _ in range(STEPS):
                steps.append(walk.step())
            walk.drain()
            assert listing(walk.state) == plain(walk.tree)
        except Exception as error:  # Whatever went wrong, the seed is what replays it.
            raise AssertionError(f"seed {seed} after {steps}: {error!r}") from error
