"""What a big namespace costs: memory a file, the start, operations on much, and what others wait.

The files are made twice in a way: by the core alone, in a process of its own, whose edits fill a
metadata database; and by the real metadata service and namenode, which start from that database.
Through the wire only WIRE_FILES more are made: all would take hours of fsync and show nothing else.
The datanodes are tiny ones, which hold the blocks of all files in name only.
"""

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import List, Optional

from scripts.benchmark.burdens import Burdens
from scripts.benchmark.latencies import Latency
from scripts.benchmark.namespace_core import FLAT, FLAT_SHARE, TOP
from scripts.benchmark.results import Goal, Results
from scripts.benchmark.tiny_datanodes import NODES, tiny_datanodes
from scripts.benchmark.trial import MIB, TrialCluster
from scripts.benchmark.warm_client import warm_client
from scripts.benchmark.worker import ROOT, Worker

WIRE_FILES = 2000
THREADS = 8
ROUNDS = 5
"""Operations that are short are repeated so often."""

DAEMONS = ("zookeeper", "metadata", "name_node")
"""All but the datanodes."""

RENAME_EMPTY = "rename an empty directory"
MEMORY_GOAL = Goal(700, at_most=True)
START_GOAL = Goal(20, at_most=True)
RENAME_GOAL = Goal(3, at_most=True)
"""Constant time: what is below a directory does not matter, but the disk has its moods."""


class NamespaceBench:
    """One run for so many files of one block each."""

    def __init__(self, python: str, folder: Path, files: int) -> None:
        self._python = python
        self._folder = folder
        self._files = files
        self._blocks = str(folder / "blocks")
        self.results = Results()
        self.latencies: List[Latency] = []

    def run(self) -> None:
        """Measure everything; the cluster is stopped at the end."""
        self._build()
        cluster = TrialCluster(self._python, self._folder, NODES, DAEMONS, hasty=True)
        with ExitStack() as opening:
            client = opening.enter_context(warm_client(self._python, cluster.config))
            started = time.perf_counter()
            opening.enter_context(cluster)
            client.do("await_reads", path=FLAT)
            self._served(cluster, time.perf_counter() - started)
            nodes = opening.enter_context(self._tiny_datanodes(cluster))
            probe = opening.enter_context(warm_client(self._python, cluster.config))
            burdens = Burdens(self._python, cluster.config, self._folder / "errors", self._files)
            for latency in burdens.all(client, probe, nodes, lambda: self._operate(client)):
                self.latencies.append(latency)

    def _tiny_datanodes(self, cluster: TrialCluster) -> Worker:
        return tiny_datanodes(self._python, cluster.config, self._blocks)

    def _served(self, cluster: TrialCluster, seconds: float) -> None:
        self._add("start of all daemons until a read is answered", seconds, "s", START_GOAL)
        for role, (now, _) in cluster.memory().items():
            if role.startswith("name_node"):
                self._add("memory a file", now * MIB / self._files, "bytes", MEMORY_GOAL)

    def _build(self) -> None:
        words = ["-m", "scripts.benchmark.namespace_core"]
        words += [str(self._folder / "data" / "metadata"), self._blocks, str(self._files)]
        process = subprocess.Popen(
            [self._python, *words], stdout=subprocess.PIPE, cwd=ROOT, encoding="utf-8"
        )
        assert process.stdout is not None
        for line in process.stdout:
            name, value, unit = json.loads(line)
            goal = MEMORY_GOAL if name.startswith("memory") else None
            self._say(f"{self._files:,} files in the core alone", name, value, unit, goal)
        if process.wait():
            raise RuntimeError("the core could not be built")

    def _operate(self, client: Worker) -> None:
        flat = self._files // FLAT_SHARE
        for _ in range(ROUNDS):
            seconds = client.do("list", folder=FLAT, first=0, step=1, count=1, threads=1)
            self._add(f"list a directory of {flat:,}", 1000 * seconds, "ms")
        client.do("make_folder", path="/empty")
        for _ in range(ROUNDS):
            self._add(RENAME_EMPTY, self._rename(client, "/empty"), "ms")
            milliseconds = self._rename(client, TOP)
            name = "rename the directory of all"
            self._add(name, milliseconds, "ms", RENAME_GOAL, RENAME_EMPTY)
        client.do("make_folder", path="/wire")
        seconds = client.do(
            "create", folder="/wire", first=0, step=1, count=WIRE_FILES, threads=THREADS
        )
        name = f"create {WIRE_FILES:,} empty files through the wire, {THREADS} threads"
        self._add(name, WIRE_FILES / seconds, "files/s")

    def _rename(self, client: Worker, path: str) -> float:
        """Milliseconds of a rename, which is undone."""
        seconds = client.do("move", source=path, target="/moved")
        client.do("move", source="/moved", target=path)
        return 1000 * seconds

    def _add(
        self, name: str, value: float, unit: str, goal: Optional[Goal] = None, floor: str = ""
    ) -> None:
        self._say(f"{self._files:,} files in real daemons", name, value, unit, goal, floor)

    def _say(
        self,
        group: str,
        name: str,
        value: float,
        unit: str,
        goal: Optional[Goal],
        floor: str = "",
    ) -> None:
        self.results.add(group, name, value, unit, goal, floor)
        print(f"{group}: {name}: {value:,.2f} {unit}", file=sys.stderr, flush=True)
