"""scripts/bench.py --security as a command: three clusters, and what each of their modes costs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 600

MODES = ("simple", "secret", "TLS")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="it makes the certificates")
def test_modes_stand_side_by_side(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "bench.py"), "--security", "--quick"]
    done = subprocess.run(
        [*command, "--size", "2M", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, TMPDIR=str(tmp_path)),
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    told = json.loads(done.stdout)
    assert told["rows"] == [] and told["scale"]["size"] == 2 << 20
    rows = {(row["group"], row["name"]): row for row in told["sides"]}
    assert all(len(row[mode]) > 0 for row in rows.values() for mode in MODES)
    small, names = "50 files of 4,096 bytes, replication 3", "100 names"
    for group, name in (
        ("a file of 2 MiB, replication 3", "put"),
        ("a file of 2 MiB, replication 3", "get, from the datanode"),
        ("a file of 2 MiB, replication 3", "cat, short-circuit"),
        (small, "put, 1 thread"),
        (small, "get, 8 threads"),
        (f"{small}: processor time", "put, 8 threads, data_node"),
        (names, "stat, 8 threads"),
        (names, "mkdir, 1 thread"),
        (names, "handshake with the namenode, 1 thread"),
        (f"{names}: processor time", "stat, 1 thread, in all"),
        ("start of a command", "client.py ls /"),
    ):
        row = rows[group, name]
        assert all(figure > 0 for mode in MODES for figure in row[mode])
        assert set(row["ratios"]) == {"secret : simple", "TLS : simple"}
    # With public keys it is another thing altogether, by a factor of eight.
    shaken = rows[f"{names}: processor time", "handshake with the namenode, 1 thread, client"]
    assert shaken["simple"] < shaken["TLS"]
    assert not list(tmp_path.iterdir())
