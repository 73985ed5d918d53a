"""scripts/bench.py --only web as a command: a gateway beside the library."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 600


def test_the_gateway_stands_beside_the_library(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "bench.py"), "--only", "web", "--quick"]
    done = subprocess.run(
        [*command, "--size", "2M", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, TMPDIR=str(tmp_path)),
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    rows = {row["name"]: row for row in json.loads(done.stdout)["rows"]}
    assert {"GETFILESTATUS, 8 clients", "CREATE of 4,096 bytes, 1 client"} <= set(rows)
    assert {"written by a program", "up", "down"} <= set(rows)
    assert {"a call is counted: processor time", "scrape of all daemons"} <= set(rows)
    assert all(row["median"] > 0 for row in rows.values())
    assert rows["up"]["floor"] == "floor: put by the library"
