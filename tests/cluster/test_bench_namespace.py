"""scripts/bench.py --namespace as a command: daemons start from the tree that it built."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 600

BURDENS = (
    "start: first block reports",
    "nothing else",
    "full block reports",
    "count",
    "du -s",
    "fsck",
    "ls -R",
    "setQuota, clrQuota",
    "rm -r by an ordinary user",
    "purge of what was deleted",
    "copies after a lost datanode",
)


def test_a_small_namespace_is_measured(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "bench.py"), "--namespace", "300", "--json"]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, TMPDIR=str(tmp_path)),
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    told = json.loads(done.stdout)
    assert told["scale"] == {"namespace": 300}
    groups = {row["group"] for row in told["rows"]}
    assert groups == {"300 files in the core alone", "300 files in real daemons"}
    judged = [row["name"] for row in told["rows"] if "goal" in row]
    assert judged == [
        "memory a file, with three replicas",
        "start of all daemons until a read is answered",
        "memory a file",
        "rename the directory of all",
    ]
    assert all(row["median"] > 0 for row in told["rows"] if not row["name"].startswith("memory"))
    probed = {(row["while"], row["call"]) for row in told["latencies"]}
    assert probed == {(deed, call) for deed in BURDENS for call in ("stat", "mkdir")}
    assert not any(row["failed"] for row in told["latencies"])
    assert not list(tmp_path.iterdir())
