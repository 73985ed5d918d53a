"""scripts/bench.py, when somebody has seen enough."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from tests.support.clusters.cluster import ROOT
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until


def processes_of(folder: Path) -> List[int]:
    """Whose command line names the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue  # It has just ended.
        if os.fsencode(folder) in words:
            found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("begun", [1, 6])
def test_a_bench_that_is_ended_leaves_no_daemon(tmp_path: Path, begun: int, number: int) -> None:
    bench = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "bench.py"), "--quick", "--only", "names"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: len(list(tmp_path.glob("bench-*/**/*.pid"))) >= begun, 30)
        # To all of its group, and more than once, as a terminal and `timeout` may do.
        for _ in range(3):
            os.killpg(bench.pid, number)
        assert bench.wait(PATIENCE_SECONDS) == 128 + number
        assert not processes_of(tmp_path) and not list(tmp_path.iterdir())
    finally:
        for pid in processes_of(tmp_path):
            os.kill(pid, signal.SIGKILL)
        bench.kill()
        bench.wait()
