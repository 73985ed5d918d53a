"""What clients see when the leader is lost, and what a quorum of metadata services costs.

A cluster begins with the record of one member, in which files of one block each are held; two
members more fill themselves, and tiny datanodes have the blocks in name only.
`stat` and `mkdir` are called there at a steady pace while the leader is killed (kill -9), or told
to hand over; the gap is the longest that one of them took. Then the same puts, small files and
changes of names are made in turn in the usual cluster, and in one with three members.
"""

import subprocess
import time
from pathlib import Path
from typing import Callable, List

from scripts.benchmark.filled_record import filled_record
from scripts.benchmark.latency_probe import Probed
from scripts.benchmark.measures import CLIENT, MANY, SMALL_FILE_BYTES, Bench, make_source
from scripts.benchmark.namespace_core import FLAT
from scripts.benchmark.processor_time import seconds_of
from scripts.benchmark.results import Goal
from scripts.benchmark.tiny_datanodes import NODES, tiny_datanodes
from scripts.benchmark.trial import DATA_NODES, TrialCluster
from scripts.benchmark.warm_client import warm_client
from scripts.benchmark.worker import Worker

MEMBERS = 3
NAME_NODES = 2
ROUNDS = 10
"""How often each leader is lost, unless it is only a quick look."""

BEFORE_SECONDS = 1.0
"""Calls go well for so long before the leader is lost."""

PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 900.0
"""A namenode that was killed loads all files anew, and shares the machine with everything else."""

DAEMONS = ("zookeeper", "metadata", "name_node")
"""All but the datanodes."""

KILLED_GOAL = Goal(3000, at_most=True)
HANDED_OVER_GOAL = Goal(1000, at_most=True)
LARGE_GOAL = Goal(0.95)
CHANGE_GOAL = Goal(0.55)
PROCESSOR_GOAL = Goal(1.4, at_most=True)


class _Standbys:
    """The cluster in which a leader can be lost, and who leads there."""

    def __init__(self, bench: Bench, cluster: TrialCluster) -> None:
        self._command = [bench.python, CLIENT, "--config", str(cluster.config)]
        self._cluster = cluster
        self._errors = bench.folder / "errors"

    def states(self) -> List[str]:
        """active, standby or another word, of each namenode."""
        lines = self._haadmin("-getAllServiceState").stdout.splitlines()
        return [line.split()[-1] if line.split() else "" for line in lines]

    def leader(self) -> int:
        """The number of the one that leads, once the others stand by and lack nothing."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            states = self.states()
            if sorted(states) == ["active"] + ["standby"] * (NAME_NODES - 1):
                healthy = [not self._haadmin("-checkHealth", str(number)).returncode
                           for number in range(NAME_NODES)]
                if all(healthy):
                    return states.index("active")
            if time.monotonic() > deadline:
                raise RuntimeError(f"after {PATIENCE_SECONDS:g} s the namenodes are {states}")
            time.sleep(PAUSE_SECONDS)

    def kill(self, leader: int) -> None:
        """kill -9."""
        self._cluster.kill(_role(leader))

    def hand_over(self, leader: int) -> None:
        """Have the other one lead."""
        done = self._haadmin("-failover", str(leader), str(1 - leader))
        if done.returncode:
            raise RuntimeError(f"haadmin -failover failed: {done.stderr.strip()}")

    def mend(self, leader: int) -> None:
        """Start it again, if it was killed."""
        self._cluster.start(_role(leader))

    def _haadmin(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._command, "haadmin", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, encoding="utf-8", check=False,
        )  # fmt: skip


def _role(number: int) -> str:
    return f"name_node_{number}" if number else "name_node"


def failover(bench: Bench) -> None:
    """The gaps, and the cost of a quorum."""
    for measure in (_gaps, _costs):
        folder = bench.folder / measure.__name__
        folder.mkdir()
        measure(bench, folder)


def _gaps(bench: Bench, folder: Path) -> None:
    held, blocks = bench.scale.held, str(folder / "blocks")
    filled_record(bench.python, folder / "data" / "metadata", blocks, held)
    made = TrialCluster(bench.python, folder, NODES, DAEMONS, name_nodes=NAME_NODES,
                        members=MEMBERS, zookeepers=MEMBERS)
    with made as cluster, tiny_datanodes(bench.python, cluster.config, blocks) as nodes, \
            warm_client(bench.python, cluster.config) as client:
        nodes.do("join")
        client.do("warm_up", data_nodes=NODES, threads=MANY)
        standbys = _Standbys(bench, cluster)
        standbys.leader()
        for role, (now, _) in cluster.memory().items():
            bench.add("memory", f"{role}, {held:,} files", now, "MiB")
        _Gaps(bench, client, standbys, "kill -9", standbys.kill, KILLED_GOAL).measure()
        _Gaps(bench, client, standbys, "haadmin -failover", standbys.hand_over,
              HANDED_OVER_GOAL).measure()


class _Gaps:
    """How long clients wait when the leader is lost in one way, again and again."""

    def __init__(
        self, bench: Bench, client: Worker, standbys: _Standbys, how: str,
        lose: Callable[[int], None], goal: Goal,
    ) -> None:  # fmt: skip
        self._bench, self._client, self._standbys = bench, client, standbys
        self._how, self._lose, self._goal = how, lose, goal
        self._group = f"the leader of {bench.scale.held:,} files is lost: the longest call"

    def measure(self) -> None:
        """Lose it in every round; what counts is the worst of all."""
        rounds = ROUNDS if self._bench.scale.repeat > 1 else 1
        longest = max([self._gap() for _ in range(rounds)])
        self._bench.add(self._group, f"{self._how}, worst of {rounds}", longest, "ms", self._goal)

    def _gap(self) -> float:
        leader = self._standbys.leader()
        self._client.do("begin_probe", path=FLAT, folder="/probe")
        time.sleep(BEFORE_SECONDS)
        self._lose(leader)
        # It is done as soon as somebody leads.
        self._client.do("make_folder", path="/lost")
        time.sleep(BEFORE_SECONDS)
        probed: Probed = self._client.ask("end_probe")
        longest = max(ms for milliseconds, _ in probed.values() for ms in milliseconds)
        failed = sum(failures for _, failures in probed.values())
        self._bench.add(self._group, self._how, longest, "ms")
        self._bench.add(self._group, f"{self._how}, calls that failed", failed, "",
                        Goal(0, at_most=True))
        self._standbys.mend(leader)
        return longest


def _costs(bench: Bench, folder: Path) -> None:
    made = TrialCluster(bench.python, folder, name_nodes=NAME_NODES, members=MEMBERS,
                        zookeepers=MEMBERS)
    with made as cluster, warm_client(bench.python, cluster.config) as client:
        client.do("warm_up", data_nodes=DATA_NODES, threads=MANY)
        _beside(bench, cluster, client, _Standbys(bench, cluster))


def _beside(bench: Bench, cluster: TrialCluster, three: Worker, standbys: _Standbys) -> None:
    """The same work with one member and with three."""
    leader = _role(standbys.leader())
    sides = [
        ("1 member", bench.client, bench.cluster.pids()["name_node"]),
        (f"{MEMBERS} members", three, cluster.pids()[leader]),
    ]
    make_source(bench)
    copy = bench.folder / "copy"
    for turn in range(bench.scale.repeat):
        for name, client, pid in sides if turn % 2 else sides[::-1]:
            _Side(bench, name, client, pid).round(copy)
    bench.source.unlink()


class _Side:
    """One of two clusters, and what is measured there."""

    def __init__(self, bench: Bench, name: str, client: Worker, leader: int) -> None:
        self._bench, self._name, self._client, self._leader = bench, name, client, leader
        self._group = f"{MEMBERS} members beside one"

    def round(self, copy: Path) -> None:
        """Every measure once."""
        size, _, files, names, _ = self._bench.scale
        seconds = self._client.do("put", local=str(self._bench.source), path="/large",
                                  replication=DATA_NODES)
        self._add("put of the large file", size / seconds / 1e6, "MB/s", LARGE_GOAL)
        seconds = self._client.do("get", path="/large", local=str(copy))
        self._add("get of the large file", size / seconds / 1e6, "MB/s", LARGE_GOAL)
        copy.unlink()
        self._client.do("make_folder", path="/work")
        share = {"folder": "/work", "first": 0, "step": 1}
        for threads in (1, MANY):
            seconds = self._client.do("write_each", size=SMALL_FILE_BYTES, replication=DATA_NODES,
                                      count=files, threads=threads, **share)
            self._add(f"small files, {threads} threads", files / seconds, "files/s", CHANGE_GOAL)
            self._client.do("remove", path="/work")
            self._client.do("make_folder", path="/work")
            before = seconds_of(self._leader)
            seconds = self._client.do("make_each", count=names, threads=threads, **share)
            used = 1e6 * (seconds_of(self._leader) - before) / names
            self._add(f"mkdir, {threads} threads", names / seconds, "a second", CHANGE_GOAL)
            self._add(f"mkdir, {threads} threads: processor time of the leader", used, "us",
                      PROCESSOR_GOAL)
            self._client.do("remove", path="/work")
            self._client.do("make_folder", path="/work")
        self._client.do("remove", path="/large")
        self._client.do("remove", path="/work")

    def _add(self, what: str, value: float, unit: str, goal: Goal) -> None:
        is_floor = self._name == "1 member"
        self._bench.add(
            self._group, f"{what}, {self._name}", value, unit, None if is_floor else goal,
            "" if is_floor else f"{what}, 1 member")
