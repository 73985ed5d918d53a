"""README's six terminals: its very commands, on a config file with free ports."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.clusters.cluster import ROOT, Cluster
from tests.support.clusters.daemon import Daemon


def test_the_six_terminals_of_the_readme_store_and_fetch_a_file(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, data_nodes=1, gateways=1, name_node={"replication_factor": 1})
    environment = dict(os.environ, PYHDFS_CONFIG=str(cluster.config))
    terminals = [
        ["zookeeper/zk.py"],
        ["metadata_service/metadata.py"],
        ["data_service/name_node.py"],
        ["data_service/data_node.py", "0"],
        ["data_service/web_gateway.py"],
    ]
    daemons = [
        Daemon(
            words[0],
            [sys.executable, str(ROOT / words[0]), *words[1:]],
            tmp_path / f"{Path(words[0]).stem}.log",
            environment,
        )
        for words in terminals
    ]
    try:
        # Last to first: any order will do.
        for daemon in reversed(daemons):
            daemon.start()
        for daemon in daemons:
            daemon.wait_ready()
        for words in (("put", "README.md", "/docs/readme"), ("get", "/docs/readme")):
            done = subprocess.run(
                [sys.executable, "data_service/client.py", *words],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
        assert done.stdout == (ROOT / "README.md").read_bytes()
        assert [daemon.terminate() for daemon in daemons] == [0] * len(daemons)
    finally:
        for daemon in daemons:
            if daemon.running:
                daemon.kill()
        cluster.close()
