"""A pytest plugin: several processes run one suite, and each test is run by one of them.

Theory of operation. Every process collects the same tests in the same order. Whoever is free takes
the next turn from a counter in a file that all share, under a lock, and runs the test of that
number; so a process that met slow tests takes fewer, and no table of durations has to be kept.
Most tests of real processes wait, so more processes than cores pay off. A turn covers a few
neighbours at a time, which keep their module's fixtures.

    python -m pytest -p scripts.testing.turns --turns FILE --tally FILE …
"""

import collections
import fcntl
import json
import os
from pathlib import Path
from typing import Counter, Dict, Iterator, List, Optional

import pytest

SLOW_FOLDERS = ("cluster", "faults", "protocol", "security", "simulation")
"""Below tests/: whose tests take seconds each, so that a turn is one test."""

ONE_TURN_FOLDERS = ("web",)
"""Below tests/: whose tests are all one turn, because they share a browser and its clusters."""

NEIGHBOURS = 25
"""Tests of the other folders in one turn: a turn costs a lock, and module fixtures are kept."""


class Turns:
    """Numbers from 0 on, each given to one process only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self) -> int:
        """The next number that nobody took."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # The lock ends with the descriptor, also when this process is killed.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            number = int(os.read(descriptor, 32) or b"0")
            os.pwrite(descriptor, b"%d" % (number + 1), 0)
            return number
        finally:
            os.close(descriptor)


def turns_of(items: List[pytest.Item]) -> List[List[pytest.Item]]:
    """The tests, cut into turns: slow ones alone and first, the others with their neighbours."""
    whole: Dict[str, List[pytest.Item]] = {}
    slow: List[List[pytest.Item]] = []
    quick: List[List[pytest.Item]] = []
    for item in items:
        if item.path.parent.name in ONE_TURN_FOLDERS:
            whole.setdefault(item.path.parent.name, []).append(item)
        elif set(SLOW_FOLDERS) & set(item.path.parts):
            slow.append([item])
        elif quick and len(quick[-1]) < NEIGHBOURS and quick[-1][-1].path == item.path:
            quick[-1].append(item)
        else:
            quick.append([item])
    # What takes long begins early: otherwise the others wait for it at the end.
    return [*whole.values(), *slow, *quick]


class Sharing:
    """Runs the tests whose turns this process took, and counts how they ended."""

    def __init__(self, turns: Turns, tally: Path) -> None:
        self._turns = turns
        self._tally = tally
        self._counts: Counter[str] = collections.Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run one turn after the other, in place of pytest's own loop."""
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            raise session.Interrupted(f"{session.testsfailed} errors while tests were collected")
        if session.config.option.collectonly:
            return True
        mine = self._mine(turns_of(session.items))
        item = next(mine, None)
        while item is not None:
            # What follows must be known first: it tells which fixtures to keep.
            following = next(mine, None)
            self._counts["run"] += 1
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
            item = following
        return True

    def _mine(self, turns: List[List[pytest.Item]]) -> Iterator[pytest.Item]:
        while True:
            number = self._turns.take()
            if number >= len(turns):
                return
            yield from turns[number]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note how many tests there are for all processes together."""
        self._counts["collected"] = len(session.items)
        self._write()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test by its call, or by what kept it from being called."""
        if report.when == "call" or report.outcome != "passed":
            self._counts[report.outcome] += 1
            self._write()
        if report.failed:
            # Whoever watches tells of it at once, not when all is over.
            with open(f"{self._tally}.failures", "a", encoding="utf-8") as failures:
                failures.write(report.nodeid + "\n")

    def pytest_sessionfinish(self) -> None:
        """Leave the last word on what was run."""
        self._write()

    def _write(self) -> None:
        self._tally.write_text(json.dumps(self._counts), "utf-8")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where the counter and this process's counts are."""
    parser.addoption("--turns", type=Path, help="counter that the processes share")
    parser.addoption("--tally", type=Path, help="where this process writes how its tests ended")


def pytest_configure(config: pytest.Config) -> None:
    """Share the suite when there is a counter to share it by."""
    turns: Optional[Path] = config.getoption("--turns")
    if turns:
        config.pluginmanager.register(Sharing(Turns(turns), config.getoption("--tally")))
