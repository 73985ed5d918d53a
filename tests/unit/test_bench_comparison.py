"""scripts/bench.py --check: a change that is slower is named, a machine that is slower is not."""

import json
from pathlib import Path
from random import Random
from typing import Any, List, Mapping

import pytest

from scripts import bench
from scripts.benchmark.comparison import what_got_worse
from scripts.benchmark.results import Results

TOLERANCE = bench.TOLERANCE


def rounds(seed: int, slower: float = 1.0, bigger: float = 1.0) -> List[Mapping[str, Any]]:
    """Three rounds on a machine that others use, whose speed is anything from a half to twice."""
    random = Random(seed)
    results = Results()
    for _ in range(3):
        speed = random.uniform(0.5, 2.0)
        noisy = [speed * random.uniform(0.85, 1.15) for _ in range(4)]
        results.add("names", "floor", 10_000 * noisy[0], "a second")
        results.add("names", "stat", 5_000 * noisy[1] / slower, "a second", None, "floor")
        results.add("start", "floor", 200 / noisy[2], "ms")
        results.add("start", "ls", 300 * slower / noisy[3], "ms", None, "floor")
        results.add("memory", "node", 60 * bigger * random.uniform(0.95, 1.05), "MiB")
    rows: List[Mapping[str, Any]] = json.loads(json.dumps(results.as_json()))
    return rows


@pytest.mark.parametrize("seed", range(20))
def test_a_slower_machine_is_no_slower_change(seed: int) -> None:
    assert what_got_worse(rounds(seed), rounds(seed + 100), TOLERANCE) == []


@pytest.mark.parametrize("seed", range(20))
def test_what_is_slower_or_bigger_is_named(seed: int) -> None:
    slower = what_got_worse(rounds(seed), rounds(seed + 100, slower=3), TOLERANCE)
    assert [(worse.group, worse.name) for worse in slower] == [("names", "stat"), ("start", "ls")]
    assert all(1 + TOLERANCE < worse.factor < 4.5 for worse in slower)
    bigger = what_got_worse(rounds(seed), rounds(seed + 100, bigger=3), TOLERANCE)
    assert [worse.name for worse in bigger] == ["node"] and "times worse" in str(bigger[0])


def test_a_run_of_something_else_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="measured nothing"):
        what_got_worse([], rounds(1), TOLERANCE)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"rows": [{}]}', b"\xff"])
def test_a_file_that_is_no_saved_run_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "saved"
    path.write_bytes(content)
    with pytest.raises(RuntimeError, match="no run that --json has saved"):
        bench.saved_rows(str(path))


def test_a_saved_run_is_read(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    path.write_text(json.dumps({"rows": rounds(1)}), "utf-8")
    assert bench.saved_rows(str(path)) == rounds(1)
