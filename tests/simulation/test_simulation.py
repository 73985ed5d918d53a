"""The cluster under a seeded scheduler: nothing is lost, whatever the seed lets happen.

Each seed is a run of a whole cluster with crashes, pauses, partitions, lost, late and repeated
messages, damaged replicas, and disks of members that fill, hang, rot, are emptied or go back in
time; in every fifth run one more fault is played alone when all is healed (`acts.py`). See
`simulation.py` for what is real and `checks.py`, `auditor.py` and `history.py` for what must hold.
More seeds: `scripts/simulate.py`.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
import pytest

from tests.simulation import simulation
from tests.simulation.mutants import MUTANTS
from tests.simulation.seeking import first_notice
from tests.simulation.violation import Violation

SEEDS = 200
ROOT = Path(__file__).resolve().parents[2]
HASHES = "from tests.simulation import simulation; print(simulation.run(7, 2500).trace_hash)"


@pytest.mark.parametrize("first", range(0, SEEDS, 20))
def test_nothing_is_lost(first: int) -> None:
    for seed in range(first, first + 20):
        simulation.run(seed)


def test_the_runs_reach_what_they_are_about() -> None:
    figures = [simulation.run(seed) for seed in range(12)]
    assert sum(run.edits for run in figures) > 200
    assert sum(run.epochs for run in figures) > 24
    assert sum(run.answers for run in figures) > 400
    assert sum(run.removals for run in figures) > 50


@pytest.mark.parametrize("hash_seed", ["0", "1234"])
def test_a_seed_is_the_same_run_in_every_process(hash_seed: str) -> None:
    """No decision may rest on the order of a set of texts, on an address or on a real clock."""
    environment = dict(os.environ, PYTHONHASHSEED=hash_seed, PYTHONPATH=str(ROOT))
    ran = subprocess.run(
        [sys.executable, "-c", HASHES], cwd=ROOT, env=environment, check=True,
        stdout=subprocess.PIPE, timeout=60,
    )  # fmt: skip
    assert ran.stdout.decode().strip() == simulation.run(7, 2500).trace_hash


def test_seeds_are_different_runs() -> None:
    hashes = {simulation.run(seed, 500).trace_hash for seed in range(5)}
    assert len(hashes) == 5 and hashlib.sha256().hexdigest() not in hashes


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_defect_is_found(name: str) -> None:
    notice = first_notice(MUTANTS[name], simulation.run)
    assert notice is not None, f"no seed noticed: {name}"
    last_line = notice.complaint.splitlines()[-1]
    assert last_line.startswith(f"python3 scripts/simulate.py --seed {notice.seed} ")


def test_a_failed_run_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise Violation("a rule was broken")

    monkeypatch.setattr(simulation.checks, "check_quiet", refuse)
    with pytest.raises(AssertionError) as caught:
        simulation.run(3, 300)
    lines = str(caught.value).splitlines()
    assert lines[-2] == "Violation: a rule was broken"
    assert lines[-1] == "python3 scripts/simulate.py --seed 3 --steps 300 --trace"
    assert len(lines) > 20, "the last events are missing"
