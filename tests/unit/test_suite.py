"""scripts/testing: several pytest processes run each test once, and tell the truth about it."""

import json
import signal
import threading
from pathlib import Path
from typing import Any, Dict, List

import pytest

from scripts.testing import suite
from scripts.testing.turns import NEIGHBOURS, Turns, turns_of


class Item:
    """As much of a test as its turn depends on."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)


def test_each_number_is_taken_once_whoever_asks(tmp_path: Path) -> None:
    taken: List[int] = []

    def take() -> None:
        turns = Turns(tmp_path / "turns")
        taken.extend(turns.take() for _ in range(100))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(400))


def test_slow_tests_come_first_and_alone_but_those_of_one_browser_and_none_is_left_out() -> None:
    items: List[Any] = [Item("/r/tests/unit/test_a.py")] * (NEIGHBOURS + 1)
    items += [Item("/r/tests/faults/test_b.py")] * 2 + [Item("/r/tests/unit/test_c.py")]
    items += [Item("/r/tests/web/test_d.py"), Item("/r/tests/web/test_e.py")]
    turns = turns_of(items)
    assert [len(turn) for turn in turns] == [2, 1, 1, NEIGHBOURS, 1, 1]
    stems = [turn[0].path.stem for turn in turns]
    assert stems == ["test_d"] + ["test_b"] * 2 + ["test_a"] * 2 + ["test_c"]


@pytest.mark.parametrize(
    "statuses, total, expected",
    [
        ([0, 0], {"run": 9, "collected": 9, "passed": 9}, 0),
        ([0, 5], {"run": 9, "collected": 9, "passed": 9}, 0),
        ([5, 5], {}, 5),
        ([0, 1], {"run": 9, "collected": 9, "passed": 8, "failed": 1}, 1),
        ([0, 0], {"run": 9, "collected": 9, "passed": 8, "failed": 1}, 1),
        ([0, 0], {"run": 8, "collected": 9, "passed": 8}, 1),
        ([0, -9], {"run": 9, "collected": 9, "passed": 9}, 1),
    ],
    ids="good idle none failed counted lost killed".split(),
)
def test_the_whole_passes_only_when_every_test_was_run_and_passed(
    statuses: List[int], total: Dict[str, int], expected: int
) -> None:
    assert suite.verdict(statuses, total) == expected


def run_suite(folder: Path, text: str, capfd: pytest.CaptureFixture[str]) -> List[str]:
    """The last lines that two jobs print of a suite of one file, and the exit status."""
    tests = folder / "test_it.py"
    tests.write_text(text, "utf-8")
    arguments = [str(tests), f"--rootdir={folder}", "-c", str(folder / "none.ini")]
    (folder / "none.ini").write_text("[pytest]\n", "utf-8")
    status = suite.run(2, arguments, folder)
    return capfd.readouterr().out.splitlines()[-1:] + [str(status)]


def test_failed_and_skipped_tests_are_counted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = """
import pytest

@pytest.mark.parametrize("number", range(60))
def test_numbers(number):
    if number == 7:
        pytest.skip("not today")
    assert number != 33
"""
    assert run_suite(tmp_path, text, capfd) == ["58 passed, 1 failed, 1 skipped", "1"]


def test_a_process_that_dies_fails_the_suite(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = "import os\ndef test_it():\n    os._exit(0)\n"
    assert run_suite(tmp_path, text, capfd) == ["0 passed, 0 failed", "1"]


def test_a_file_that_cannot_be_imported_fails_the_suite(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_suite(tmp_path, "import nothing_of_that_name\n", capfd)[1] == "1"


def test_counts_that_are_just_being_written_are_none_yet(tmp_path: Path) -> None:
    job = object.__new__(suite.Job)
    job.tally = tmp_path / "tally"
    assert not job.counts()
    job.tally.write_text('{"pas', "utf-8")
    assert not job.counts()
    job.tally.write_text(json.dumps({"passed": 3}), "utf-8")
    assert job.counts()["passed"] == 3


def test_a_suite_in_the_background_heeds_signals_all_the_same(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = """
import signal

def test_it():
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_DFL
"""
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run_suite(tmp_path, text, capfd) == ["1 passed, 0 failed", "0"]
    finally:
        signal.signal(signal.SIGHUP, former)


def test_a_test_that_hangs_is_interrupted_and_fails_the_suite(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "STALL_SECONDS", 1.0)
    monkeypatch.setattr(suite, "_WORD_SECONDS", 0.2)
    text = "import threading\ndef test_it():\n    threading.Event().wait()\n"
    assert run_suite(tmp_path, text, capfd) == ["0 passed, 0 failed", "1"]


def test_no_path_of_the_suites_own_is_taken_for_where_the_tests_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever started after the first job found its files there, took their folder for the root of
    all tests, and had two modules of one name."""
    begun: List[List[str]] = []
    monkeypatch.setattr(suite.subprocess, "Popen", lambda words, **_: begun.append(words))
    suite.Job(1, [], tmp_path)
    assert not [word for word in begun[0] if word.startswith(str(tmp_path))]
    assert len([word for word in begun[0] if f"={tmp_path}" in word]) == 3
