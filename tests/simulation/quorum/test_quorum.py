"""The metadata quorum under a seeded scheduler: nothing decided is lost, whatever happens.

Each seed is a run of three members and two leaders with crashes, pauses, partitions, lost, late and
repeated messages, and disks that fill, hang, rot, are emptied or go back in time; every second run
begins with a moment that chance hardly ever meets (`scenes.py`). See `quorum_run.py` for what is
real and `decided.py` for what must hold. More seeds: `scripts/simulate.py --quorum`.
"""

import os
import subprocess
import sys
from pathlib import Path
import pytest

from tests.simulation.violation import Violation
from tests.simulation.quorum import quorum_run
from tests.simulation.quorum.quorum_mutants import MUTANTS
from tests.simulation.quorum.scenes import SCENES
from tests.simulation.seeking import first_notice

SEEDS = 200
ROOT = Path(__file__).resolve().parents[3]
HASHES = "from tests.simulation.quorum import quorum_run; print(quorum_run.run(7, 2000).trace_hash)"


@pytest.mark.parametrize("first", range(0, SEEDS, 50))
def test_nothing_decided_is_lost(first: int) -> None:
    for seed in range(first, first + 50):
        quorum_run.run(seed)


def test_the_runs_reach_what_they_are_about() -> None:
    runs = [quorum_run.run(seed) for seed in range(20)]
    assert sum(run.edits for run in runs) > 300
    assert sum(run.reads for run in runs) > 600
    assert sum(run.epochs for run in runs) > 60
    done = {deed for run in runs for deed in run.faults}
    assert {"wiped disk", "a row is rotten", "full disk", "most disks full", "stalled disk"} <= done


def test_every_scene_comes_about() -> None:
    seeds = range(1, 8 * len(SCENES), 2)
    played = {quorum_run.run(seed, steps=0).scene for seed in seeds}
    assert len(played - {""}) == len(SCENES)


@pytest.mark.parametrize("hash_seed", ["0", "1234"])
def test_a_seed_is_the_same_run_in_every_process(hash_seed: str) -> None:
    environment = dict(os.environ, PYTHONHASHSEED=hash_seed, PYTHONPATH=str(ROOT))
    ran = subprocess.run(
        [sys.executable, "-c", HASHES], cwd=ROOT, env=environment, check=True,
        stdout=subprocess.PIPE, timeout=60,
    )  # fmt: skip
    assert ran.stdout.decode().strip() == quorum_run.run(7, 2000).trace_hash


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_mistake_is_found(name: str) -> None:
    notice = first_notice(MUTANTS[name], quorum_run.run)
    assert notice is not None, f"no seed noticed: {name}"
    last_line = notice.complaint.splitlines()[-1]
    assert last_line.startswith(f"python3 scripts/simulate.py --quorum --seed {notice.seed} ")


def test_a_failed_run_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise Violation("a rule was broken")

    monkeypatch.setattr(quorum_run.Decided, "answered", refuse)
    with pytest.raises(AssertionError) as caught:
        quorum_run.run(3, 300)
    lines = str(caught.value).splitlines()
    assert lines[-2] == "Violation: a rule was broken"
    assert lines[-1] == "python3 scripts/simulate.py --quorum --seed 3 --steps 300 --trace"
