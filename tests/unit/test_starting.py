"""How scripts/cluster.py waits for a daemon."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.supervision import starting
from scripts.supervision.daemons import KINDS, Daemon, Record
from scripts.supervision.log_ends import LogReader
from scripts.supervision.processes import Effort


@pytest.mark.parametrize("computes, quiet_seconds", [(0.01, 90.0), (0.2, 0.0)],
                         ids=["waits", "loads"])  # fmt: skip
def test_who_computes_a_little_now_and_then_makes_no_progress(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, computes: float, quiet_seconds: float
) -> None:
    """A namenode that looks for metadata services was waited for without end."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(starting, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(starting, "effort_of", lambda _: Effort(1.0 + computes * clock.now, 0))
    daemon = Daemon(KINDS[2], 0, "localhost:1", tmp_path / "name_node")
    waiting = starting.Waiting(daemon, Record(1, ""), LogReader(daemon.log_path))
    for clock.now in range(91):
        quiet = waiting.quiet_seconds()
    assert quiet == pytest.approx(quiet_seconds, abs=5.0)
