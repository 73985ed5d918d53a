"""A site where scripts are run as a person would: a config.ini of its own, with free ports."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

from tests.support.clusters import configuration
from tests.support.clusters.ports import Ports

ROOT = Path(__file__).resolve().parents[3]
SECONDS_MAX = 300
ROLES = ("zookeeper", "metadata", "name_node", "data_node_0", "data_node_1", "data_node_2")


class Done(NamedTuple):
    """What a script did."""

    status: int
    out: str
    err: str


class Site:
    """A config.ini of its own, and the scripts run with it."""

    def __init__(self, folder: Path, ports: Ports, roles: Sequence[str] = ROLES) -> None:
        self.folder = folder
        self.config = folder / "config.ini"
        self.addresses = {role: f"{ports.host}:{ports.take()}" for role in roles}
        sections = configuration.sections_for(folder, self.addresses, {}, {})
        configuration.write(self.config, sections)
        self.run_folder = folder / "data" / "run" / "config"

    def cluster(self, *argv: str) -> Done:
        """`scripts/cluster.py ARGUMENTS --config …`, with this Python."""
        command = [sys.executable, str(ROOT / "scripts" / "cluster.py"), *argv]
        return self.run(command + ["--config", str(self.config)], {})

    def quickstart(self, *argv: str) -> Done:
        """`scripts/quickstart`, told of config.ini by the environment, relative to its folder."""
        environment = {"PYHDFS_CONFIG": self.config.name, "PYTHON": sys.executable}
        return self.run([str(ROOT / "scripts" / "quickstart"), *argv], environment)

    def run(self, command: List[str], environment: Dict[str, str]) -> Done:
        """Run a script to its end, from the site's folder."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=SECONDS_MAX,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def client(self, *argv: str) -> Done:
        """`data_service/client.py ARGUMENTS`."""
        command = [sys.executable, str(ROOT / "data_service" / "client.py"), *argv]
        return self.run(command, {"PYHDFS_CONFIG": str(self.config)})

    def records(self) -> Dict[str, int]:
        """Role -> number of the process, of those that are on record."""
        paths = self.run_folder.glob("*.pid")
        return {path.stem: json.loads(path.read_text())[0] for path in paths}

    def pids(self) -> List[int]:
        """The processes that are on record."""
        return list(self.records().values())
