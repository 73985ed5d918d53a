"""What security costs: the same on three clusters, in the modes simple, secret and TLS.

All three run at once, and each measure is taken on one after the other before the next measure is;
who is first changes from round to round. On a machine that others use, too, the processor time
tells more than the clock does: it is that of the client and all daemons.
"""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Callable, Dict, NamedTuple, Sequence

from scripts.benchmark.measures import CLIENT, MANY, SMALL_FILE_BYTES, Scale
from scripts.benchmark.processor_time import ProcessorTime
from scripts.benchmark.secured import MODES, SECRET, SIMPLE, TLS
from scripts.benchmark.side_by_side import SideBySide
from scripts.benchmark.trial import DATA_NODES, MIB, TrialCluster, run
from scripts.benchmark.warm_client import warm_client
from scripts.benchmark.worker import Worker

START = "client.py ls /"
STARTS = 5
"""Starts of a command in each round: they are short, and a single one says little."""

OF_FILES = ("in all", "client", "name_node", "data_node")
OF_NAMES = ("in all", "client", "name_node")
"""Whose processor time is told; `in all` is that of the metadata service and the zookeeper, too."""

Measure = Callable[["_Side"], float]
"""Carries something out in one mode, and tells the seconds."""


class _Side:
    """A cluster in one mode, and its clients: here, and as if on another machine."""

    def __init__(self, python: str, folder: Path, mode: str, opening: ExitStack) -> None:
        folder.mkdir()
        self.mode = mode
        self._command = [python, CLIENT, "--config"]
        self._errors = folder / "errors"
        self.cluster = opening.enter_context(TrialCluster(python, folder, security=mode))
        self.client = opening.enter_context(warm_client(python, self.cluster.config))
        self.distant = opening.enter_context(warm_client(python, self.cluster.distant_config))
        self.client.do("warm_up", data_nodes=DATA_NODES, threads=MANY)
        self.distant.do("warm_up", data_nodes=DATA_NODES, threads=1)
        self.pids = dict(self.cluster.pids(), client=self.client.pid)

    def command(self, *words: str) -> float:
        """Seconds that a whole client command takes."""
        seconds, _ = run([*self._command, str(self.cluster.config), *words], self._errors)
        return seconds

    def remove(self, path: str) -> None:
        """Delete a tree, and wait until its blocks are gone."""
        self.client.do("remove", path=path)
        self.cluster.await_empty()


class _Rows(NamedTuple):
    """What rows have in common: so many times by so many threads, and whose processor time."""

    group: str
    who: str
    count: int
    threads: int
    kinds: Sequence[str]


class SecurityBench:
    """One run. Use it in a `with`; `sides` has the results so far."""

    def __init__(self, python: str, folder: Path, scale: Scale) -> None:
        self._scale = scale
        self._source = folder / "source"
        self._copy = folder / "copy"
        self._turn = 0
        self.sides = SideBySide(MODES, [(SECRET, SIMPLE), (TLS, SIMPLE)])
        with ExitStack() as opening:
            self._modes = {mode: _Side(python, folder / mode, mode, opening) for mode in MODES}
            self._open = opening.pop_all()

    def __enter__(self) -> "SecurityBench":
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.__exit__(*exception)  # type: ignore[arg-type]

    def run(self) -> None:
        """Measure everything."""
        self._source.write_bytes(os.urandom(self._scale.size))
        for self._turn in range(self._scale.repeat):
            self._large_file()
            for threads, who in ((1, "1 thread"), (MANY, f"{MANY} threads")):
                self._small_files(threads, who)
                self._names(threads, who)
            for _ in range(STARTS):
                self._start()

    def _large_file(self) -> None:
        source, copy, path = str(self._source), str(self._copy), "/large"
        group = f"a file of {self._scale.size / MIB:,g} MiB, replication {DATA_NODES}"

        def measure(name: str, one: Measure) -> None:
            amount = self._scale.size / 1e6
            self._rates(group, name, amount, "MB/s", self._in_turn(one))

        def get(client: Worker) -> float:
            seconds = client.do("get", path=path, local=copy)
            self._copy.unlink()
            return seconds

        put = {"local": source, "path": path, "replication": DATA_NODES}
        measure("put", lambda side: side.client.do("put", **put))
        measure("get, short-circuit", lambda side: get(side.client))
        measure("get, from the datanode", lambda side: get(side.distant))
        measure("cat, short-circuit", lambda side: side.client.do("read", path=path))
        measure("cat, from the datanode", lambda side: side.distant.do("read", path=path))
        for side in self._modes.values():
            side.remove(path)

    def _small_files(self, threads: int, who: str) -> None:
        count, folder = self._scale.files, "/small"
        group = f"{count:,} files of {SMALL_FILE_BYTES:,} bytes, replication {DATA_NODES}"
        for side in self._modes.values():
            side.client.do("make_folder", path=folder)
        share = {"folder": folder, "size": SMALL_FILE_BYTES}
        rows = _Rows(group, who, count, threads, OF_FILES)
        self._counted(rows, "put", "write_each", replication=DATA_NODES, **share)
        self._counted(rows, "get", "read_each", **share)
        for side in self._modes.values():
            side.remove(folder)

    def _names(self, threads: int, who: str) -> None:
        count, folder = self._scale.names, "/names"
        for side in self._modes.values():
            side.client.do("make_folder", path=folder)
            side.client.do("create", folder=folder, first=0, step=1, count=count, threads=threads)
        rows = _Rows(f"{count:,} names", who, count, threads, OF_NAMES)
        self._counted(rows, "stat", "stat", folder=folder)
        self._counted(rows, "mkdir", "make_each", folder=folder)
        self._counted(rows, "handshake with the namenode", "shake_hands")
        for side in self._modes.values():
            side.client.do("remove", path=folder)

    def _counted(self, rows: _Rows, name: str, verb: str, **more: object) -> None:
        """One verb, again and again, by the warm client, and the processor time of each kind."""
        used: Dict[str, Dict[str, float]] = {kind: {} for kind in rows.kinds}

        def measure(side: _Side) -> float:
            time = ProcessorTime(side.pids)
            share = {"first": 0, "step": 1, "count": rows.count, "threads": rows.threads}
            seconds = side.client.do(verb, **share, **more)
            found = time.used()
            found["in all"] = sum(found.values())
            for kind in rows.kinds:
                used[kind][side.mode] = 1e6 * found[kind] / rows.count
            return seconds

        name = f"{name}, {rows.who}"
        self._rates(rows.group, name, rows.count, "a second", self._in_turn(measure))
        for kind, spent in used.items():
            self._add(f"{rows.group}: processor time", f"{name}, {kind}", "us each", spent)

    def _start(self) -> None:
        used: Dict[str, float] = {}

        def measure(side: _Side) -> float:
            before = getrusage(RUSAGE_CHILDREN)
            seconds = side.command("ls", "/")
            after = getrusage(RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            used[side.mode] = 1000 * spent
            return seconds

        seconds = self._in_turn(measure)
        milliseconds = {mode: 1000 * second for mode, second in seconds.items()}
        self._add("start of a command", START, "ms", milliseconds)
        self._add("start of a command", f"{START}, processor time", "ms", used)

    def _in_turn(self, measure: Measure) -> Dict[str, float]:
        """The seconds of each mode; who is first takes turns."""
        first = self._turn % len(MODES)
        return {mode: measure(self._modes[mode]) for mode in (*MODES[first:], *MODES[:first])}

    def _rates(
        self, group: str, name: str, amount: float, unit: str, seconds: Dict[str, float]
    ) -> None:
        """How much of `amount` a second."""
        self._add(group, name, unit, {mode: amount / spent for mode, spent in seconds.items()})

    def _add(self, group: str, name: str, unit: str, figures: Dict[str, float]) -> None:
        in_order = [figures[mode] for mode in MODES]
        self.sides.add(group, name, unit, *in_order)
        told = " : ".join(f"{figure:,.2f}" for figure in in_order)
        print(f"{group}: {name}: {told} {unit}", file=sys.stderr, flush=True)
