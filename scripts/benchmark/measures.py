"""What is measured: large files, small files, names, the start of a command, memory.

Every measure is taken once in each round, and the results keep the rounds apart. What was written
is deleted before the next measure writes, so that disk and page cache are alike for all of them.
"""

import filecmp
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, Dict, NamedTuple, Optional

from scripts.benchmark.floors import Hops, append_and_sync, copy_and_sync
from scripts.benchmark.processor_time import ProcessorTime
from scripts.benchmark.results import Goal, Results
from scripts.benchmark.trial import DATA_NODES, MIB, TrialCluster, memory_of, run
from scripts.benchmark.warm_client import warm_client
from scripts.benchmark.worker import together

ROOT = Path(__file__).resolve().parents[2]
CLIENT = str(ROOT / "data_service" / "client.py")

SMALL_FILE_BYTES = 4096
MANY = 8
"""Threads, or processes, where more than one is asked for."""
RECORD_BYTES = 200
"""About what one change of a name writes."""
LISTINGS = 2 * MANY
STARTS = 5
"""Starts of a command in each round: they are short, and a single one says little."""

PIPELINE, TO_FILE, TO_NOWHERE = (
    "floor: raw socket pipeline",
    "floor: sendfile to a file",
    "floor: sendfile, thrown away",
)
APPEND = f"floor: append {RECORD_BYTES} bytes + fsync"
ROUND_TRIP = "floor: round trip of 100 bytes on a socket"
TRIPS = 5000
"""So many take some tenths of a second, in which a disturbance is one of several."""
FLOORS_OF_NAMES = {"stat": ROUND_TRIP, "list": ROUND_TRIP}
"""Of what changes nothing; what changes a name is made durable by an append."""
IMPORT = 'floor: python3 -c "import rpyc"'

PUT_GOAL = Goal(0.9)
GET_GOAL = Goal(0.8)
READ_GOAL = Goal(1.0)
START_GOAL = Goal(2.5, at_most=True)
MEMORY_GOAL = Goal(150, at_most=True)


class Scale(NamedTuple):
    """How much is measured: bytes of the large file, rounds, small files, names; and how many files
    a namenode has that is lost."""

    size: int
    repeat: int
    files: int
    names: int
    held: int = 10_000


class Bench:
    """A run: the cluster, a warm client, the floors, and the results so far. Use it in a `with`."""

    def __init__(self, python: str, folder: Path, scale: Scale) -> None:
        self.python = python
        self.folder = folder
        self.source = folder / "source"
        self.scale = scale
        self.results = Results()
        self.peaks: Dict[str, float] = {}
        with ExitStack() as opening:
            self.hops = opening.enter_context(Hops(python, folder / "hops", self.source))
            self.cluster = opening.enter_context(TrialCluster(python, folder))
            self.client = opening.enter_context(warm_client(python, self.cluster.config))
            self.client.do("warm_up", data_nodes=DATA_NODES, threads=MANY)
            self.distant = opening.enter_context(warm_client(python, self.cluster.distant_config))
            self.distant.do("warm_up", data_nodes=DATA_NODES, threads=1)
            self._open = opening.pop_all()

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.__exit__(*exception)  # type: ignore[arg-type]

    def add(
        self,
        group: str,
        name: str,
        value: float,
        unit: str,
        goal: Optional[Goal] = None,
        floor: str = "",
    ) -> None:
        """Keep a sample, and say it to whoever waits."""
        self.results.add(group, name, value, unit, goal, floor)
        print(f"{group}: {name}: {value:,.2f} {unit}", file=sys.stderr, flush=True)

    def command(self, *words: str, verb: str) -> float:
        """Seconds that a whole client command takes; its memory is remembered under `verb`."""
        command = [self.python, CLIENT, "--config", str(self.cluster.config), *words]
        seconds, peak = run(command, self.folder / "errors")
        self.peaks[verb] = max(peak, self.peaks.get(verb, 0.0))
        return seconds

    def remove(self, path: str) -> None:
        """Delete a tree of the cluster, and wait until its blocks are gone."""
        self.client.do("remove", path=path)
        self.cluster.await_empty()


class _LargeFile:
    """A large file at one replication: floors, whole commands, warm client."""

    PATH = "/bench"

    def __init__(self, bench: Bench, replication: int) -> None:
        self._bench = bench
        self._replication = replication
        self._size = bench.scale.size
        self._source = bench.source
        self._copy = bench.folder / "copy"

    def round(self, turn: int) -> None:
        """Every measure once; a write begins when what was written before it is gone."""
        puts = [self._put_floors, self._put_by_command, self._put_warm]
        # Whoever comes first meets another machine than whoever comes last, so they take turns.
        # The last one leaves a file in the cluster, to be read.
        order = ((0, 1, 2), (1, 0, 2), (2, 0, 1))[turn % 3]
        for index in order:
            self._bench.remove(self.PATH)
            puts[index]()
        gets = [self._get_floor, self._get_by_command, self._get_warm]
        for index in order:
            gets[index]()
            if index and not filecmp.cmp(self._source, self._copy, shallow=False):
                raise RuntimeError("what came back is not what was put")
            self._copy.unlink()
        self._reads(turn)
        self._bench.remove(self.PATH)

    def _reads(self, turn: int) -> None:
        """Reads that keep nothing: as a client on this machine does, and as one elsewhere."""
        self._add(TO_NOWHERE, self._bench.hops.fetch(self._size, None))
        here = (self._bench.client, "short-circuit", READ_GOAL)
        distant = (self._bench.distant, "from the datanode", None)
        for client, how, goal in (here, distant) if turn % 2 else (distant, here):
            seconds = client.do("read", path=self.PATH)
            self._add(f"read and throw away, {how}", seconds, goal, TO_NOWHERE)
            seconds = client.do("read_into", path=self.PATH)
            self._add(f"open().readinto, {how}", seconds, None, TO_NOWHERE)
        seconds = self._bench.distant.do("get", path=self.PATH, local=str(self._copy))
        self._add("get, warm client, from the datanode", seconds, None, TO_FILE)
        self._copy.unlink()

    def _put_floors(self) -> None:
        self._add("floor: cp + fsync", copy_and_sync(self._source, self._copy))
        self._add(PIPELINE, self._bench.hops.pipeline(self._source, self._replication))
        self._bench.hops.forget()

    def _put_by_command(self) -> None:
        words = ["-D", f"dfs.replication={self._replication}", "put", str(self._source), self.PATH]
        self._add("put, whole command", self._bench.command(*words, verb="put"), PUT_GOAL, PIPELINE)

    def _put_warm(self) -> None:
        seconds = self._bench.client.do(
            "put", local=str(self._source), path=self.PATH, replication=self._replication
        )
        self._add("put, warm client", seconds, PUT_GOAL, PIPELINE)

    def _get_floor(self) -> None:
        self._add(TO_FILE, self._bench.hops.fetch(self._size, self._copy))

    def _get_by_command(self) -> None:
        seconds = self._bench.command("get", self.PATH, str(self._copy), verb="get")
        self._add("get, whole command", seconds, GET_GOAL, TO_FILE)

    def _get_warm(self) -> None:
        seconds = self._bench.client.do("get", path=self.PATH, local=str(self._copy))
        self._add("get, warm client", seconds, GET_GOAL, TO_FILE)

    def _add(
        self, name: str, seconds: float, goal: Optional[Goal] = None, floor: str = ""
    ) -> None:
        group = f"a file of {self._size / MIB:,g} MiB, replication {self._replication}"
        self._bench.add(group, name, self._size / seconds / 1e6, "MB/s", goal, floor)


def make_source(bench: Bench) -> None:
    """The local file that is put."""
    data = os.urandom(MIB)
    with open(bench.source, "wb") as file:
        for start in range(0, bench.scale.size, MIB):
            file.write(data[: bench.scale.size - start])
        os.fsync(file.fileno())


def large_files(bench: Bench) -> None:
    """One large file, by replication: put and get against the floors of the same round."""
    make_source(bench)
    for replication in range(1, DATA_NODES + 1):
        for turn in range(bench.scale.repeat):
            _LargeFile(bench, replication).round(turn)
    bench.source.unlink()


def small_files(bench: Bench) -> None:
    """Small files from one warm client, by one thread and by several, and their processor time."""
    count = bench.scale.files
    group = f"{count:,} files of {SMALL_FILE_BYTES:,} bytes, replication {DATA_NODES}"
    share = {"folder": "/small", "size": SMALL_FILE_BYTES, "first": 0, "step": 1, "count": count}
    piece = bench.folder / "piece"
    piece.write_bytes(os.urandom(SMALL_FILE_BYTES))
    pids = dict(bench.cluster.pids(), client=bench.client.pid)

    def measure(verb: str, name: str, floor: str, **arguments: int) -> None:
        time = ProcessorTime(pids)
        seconds = bench.client.do(verb, **share, **arguments)
        bench.add(group, name, count / seconds, "files/s", floor=floor)
        used = time.used()
        for kind, spent in [*used.items(), ("in all", sum(used.values()))]:
            milliseconds = 1000 * spent / count
            bench.add(f"{group}: processor time", f"{name}, {kind}", milliseconds, "ms/file")

    for _ in range(bench.scale.repeat):
        seconds = sum(bench.hops.pipeline(piece, DATA_NODES) for _ in range(count))
        bench.add(group, PIPELINE, count / seconds, "files/s")
        bench.hops.forget()
        bench.add(group, ROUND_TRIP, TRIPS / bench.hops.round_trips(TRIPS), "a second")
        for threads, who in ((1, "1 thread"), (MANY, f"{MANY} threads")):
            bench.client.do("make_folder", path="/small")
            replicated = {"replication": DATA_NODES, "threads": threads}
            measure("write_each", f"put, {who}", PIPELINE, **replicated)
            measure("read_each", f"get, {who}", ROUND_TRIP, threads=threads)
            bench.remove("/small")


Runner = Callable[[str, int], float]
"""Seconds to carry out a verb so many times in all."""


def names(bench: Bench) -> None:
    """Operations on names: from one warm client, and from several at once."""
    count = bench.scale.names
    group = f"{count:,} empty files in one directory"
    with ExitStack() as opening:
        clients = [
            opening.enter_context(warm_client(bench.python, bench.cluster.config))
            for _ in range(MANY)
        ]
        for client in clients:
            client.do("warm_up", data_nodes=DATA_NODES, threads=1)

        def alone(threads: int) -> Runner:
            return lambda verb, count: bench.client.do(
                verb, folder="/names", first=0, step=1, count=count, threads=threads
            )

        def by_processes(verb: str, count: int) -> float:
            return together(clients, verb, folder="/names", count=count, threads=1)

        for _ in range(bench.scale.repeat):
            seconds = append_and_sync(bench.folder / "log", RECORD_BYTES, count)
            bench.add(group, APPEND, count / seconds, "a second")
            bench.add(group, ROUND_TRIP, TRIPS / bench.hops.round_trips(TRIPS), "a second")
            _names_round(bench, group, "1 thread", alone(1))
            _names_round(bench, group, f"{MANY} threads", alone(MANY))
            _names_round(bench, group, f"{MANY} processes", by_processes)


def _names_round(bench: Bench, group: str, who: str, runner: Runner) -> None:
    count = bench.scale.names
    bench.client.do("make_folder", path="/names")
    for verb in ("create", "stat", "list", "rename", "delete"):
        times, made, unit = count, count, "a second"
        if verb == "list":
            times, made, unit = LISTINGS, LISTINGS * count, "entries/s"
        rate = made / runner(verb, times)
        bench.add(group, f"{verb}, {who}", rate, unit, floor=FLOORS_OF_NAMES.get(verb, APPEND))
    bench.remove("/names")


def start_of_a_command(bench: Bench) -> None:
    """`client.py ls /` as a whole process, against Python that only imports RPyC."""
    group = "start of a command"
    import_rpyc = [bench.python, "-c", "import rpyc"]
    for _ in range(STARTS * bench.scale.repeat):
        seconds, _ = run(import_rpyc, bench.folder / "errors")
        bench.add(group, IMPORT, 1000 * seconds, "ms")
        seconds = bench.command("ls", "/", verb="ls")
        bench.add(group, "client.py ls /", 1000 * seconds, "ms", START_GOAL, IMPORT)


def memory(bench: Bench) -> None:
    """What every process needed so far."""
    for role, (now, peak) in bench.cluster.memory().items():
        goal = MEMORY_GOAL if role.startswith("data_node") else None
        bench.add("memory", f"{role}, now", now, "MiB")
        bench.add("memory", f"{role}, peak", peak, "MiB", goal)
    for verb, peak in bench.peaks.items():
        bench.add("memory", f"client.py {verb}, peak", peak, "MiB", MEMORY_GOAL)
    _, peak = memory_of(bench.client.pid)
    bench.add("memory", "warm client, peak", peak, "MiB")


GROUPS: Dict[str, Callable[[Bench], None]] = {
    "large": large_files,
    "small": small_files,
    "names": names,
    "start": start_of_a_command,
    "memory": memory,
}
"""The names on the command line. Memory is last: it tells of what the others did."""
