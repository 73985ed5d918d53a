"""A short run of scripts/chaos.py: it passes, and would tell if a promise broke."""

import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from scripts import chaos
from tests.chaos import evidence
from tests.chaos.shapes import SEVERAL, SINGLE, Shape
from tests.chaos.trial import Trial
from tests.support.clusters.cluster import ROOT

SEED = 4


LOAD = {"put", "get", "rename", "delete", "list", "page"}
"""Kinds of calls of which one at least must succeed: a load that is none proves nothing."""

RUNS_MAX = 15


def test_a_short_run_of_chaos_breaks_no_promise(tmp_path: Path) -> None:
    said: List[str] = []
    with Trial(tmp_path, SEED, said.append) as trial:
        for _ in range(RUNS_MAX):  # On a machine with much to do one run may be too short.
            trial.run(seconds=8, rounds=1)
            done = {kind for kind, outcome in trial.history.counts if outcome == "ok"}
            if done >= LOAD:
                break
    assert done >= LOAD, "the load was no load"
    assert not trial.history.calls and not trial.undecided, "all was judged, and forgotten"
    assert trial.thrasher.deeds_done > 3, "nothing was broken"
    assert said[-1] == "after a cold restart all is as it was"


def test_a_short_run_with_several_of_everything_breaks_no_promise(tmp_path: Path) -> None:
    said: List[str] = []
    with Trial(tmp_path, SEED, said.append, SEVERAL) as trial:
        trial.run(seconds=6, rounds=1)
    assert sum(trial.history.counts.values()) > 10, "the load was no load"
    assert not trial.history.calls and not trial.undecided, "all was judged, and forgotten"
    assert trial.thrasher.deeds_done > 3, "nothing was broken"
    assert said[-1] == "after a cold restart all is as it was"


@pytest.mark.parametrize("shape", [SINGLE, SEVERAL], ids=["single", "several"])
def test_a_promise_that_broke_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, shape: Shape
) -> None:
    def forget_a_file(trial: Trial, _seconds: float, _rounds: int) -> None:
        client = trial.history.run
        with trial.cluster.file_system() as file_system:
            put = ("/plain/a", 0, 3, True)
            client("test", "put", put, lambda: file_system.open("/plain/a", "wb").close())
            file_system.delete("/plain/a")
        trial._reckon()

    monkeypatch.setattr(Trial, "run", forget_a_file)
    assert chaos.run(tmp_path, SEED, 1.0, shape) == 1
    out = capsys.readouterr().out
    assert f"seed {SEED} broke a promise" in out and "in /plain" in out
    assert "put /plain/a 0 3 True -> ok" in out, "the history is shown"
    assert list((tmp_path / chaos.EVIDENCE / evidence.RECORD).iterdir()), "the record is kept"
    assert chaos.main(["--replay", str(tmp_path)]) == 1, "and broke it when judged again"


def test_a_trial_that_fails_itself_says_nothing_of_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def fail(trial: Trial, _seconds: float, _rounds: int) -> None:
        raise OSError("no room for the trial")

    monkeypatch.setattr(Trial, "run", fail)
    assert chaos.run(tmp_path, SEED, 1.0) == 2
    assert "the trial itself failed" in capsys.readouterr().out


def test_its_help_tells_what_it_checks() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "chaos.py"), "--help"]
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8")
    assert done.returncode == 0
    assert all(f"I{number} " in done.stdout for number in range(1, 12))
