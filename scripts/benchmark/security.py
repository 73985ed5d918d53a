"""What security costs: the same on three clusters, in the modes simple, secret and TLS.

All three run at once, and each measure is taken on one after the other before the next measure is,
small operations a few at a time, and in another order each time. On a machine that others use, too,
the processor time tells more than the clock does: it is that of the client and all daemons.
"""

import os
import sys
from contextlib import ExitStack
from itertools import cycle, permutations
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Callable, Dict, List, NamedTuple, Sequence

from scripts.benchmark.measures import CLIENT, MANY, SMALL_FILE_BYTES, Scale
from scripts.benchmark.processor_time import ProcessorTime
from scripts.benchmark.secured import MODES, SECRET, SIMPLE, TLS
from scripts.benchmark.side_by_side import SideBySide
from scripts.benchmark.trial import DATA_NODES, MIB, TrialCluster, run
from scripts.benchmark.warm_client import warm_client
from scripts.benchmark.worker import Worker

START = "client.py ls /"
SLICES = 12
"""Into so many parts the operations of a round are divided, so that a second in which the machine
is slow is slow for all modes; each order of the modes comes as often."""
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
        clients = {"client_0": self.client.pid, "client_1": self.distant.pid}
        self.pids = dict(self.cluster.pids(), **clients)

    def command(self, *words: str) -> float:
        """Seconds that a whole client command takes."""
        seconds, _ = run([*self._command, str(self.cluster.config), *words], self._errors)
        return seconds

    def remove(self, path: str) -> None:
        """Delete a tree, and wait until its blocks are gone."""
        self.client.do("remove", path=path)
        self.cluster.await_empty()


class _Rows(NamedTuple):
    """What rows have in common: their group, how much is done for each, and in which unit that is
    told, of a second and of the processor time of these kinds of processes."""

    group: str
    amount: float
    unit: str
    time_unit: str
    kinds: Sequence[str]


class SecurityBench:
    """One run. Use it in a `with`; `sides` has the results so far."""

    def __init__(self, python: str, folder: Path, scale: Scale) -> None:
        self._scale = scale
        self._source = folder / "source"
        self._copy = folder / "copy"
        self._orders = cycle(permutations(MODES))
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
        for _ in range(self._scale.repeat):
            self._large_file()
            for threads in (1, MANY):
                self._small_files(threads)
                self._names(threads)
            for _ in range(STARTS):
                self._start()

    def _large_file(self) -> None:
        source, copy, path = str(self._source), str(self._copy), "/large"
        group = f"a file of {self._scale.size / MIB:,g} MiB, replication {DATA_NODES}"
        rows = _Rows(group, self._scale.size / 1e6, "MB/s", "us/MB", OF_FILES)

        def get(client: Worker) -> float:
            seconds = client.do("get", path=path, local=copy)
            self._copy.unlink()
            return seconds

        put = {"local": source, "path": path, "replication": DATA_NODES}
        for name, one in (
            ("put", lambda side: side.client.do("put", **put)),
            ("get, short-circuit", lambda side: get(side.client)),
            ("get, from the datanode", lambda side: get(side.distant)),
            ("cat, short-circuit", lambda side: side.client.do("read", path=path)),
            ("cat, from the datanode", lambda side: side.distant.do("read", path=path)),
        ):
            self._take(rows, name, [one])
        for side in self._modes.values():
            side.remove(path)

    def _small_files(self, threads: int) -> None:
        count, folder = self._scale.files, "/small"
        group = f"{count:,} files of {SMALL_FILE_BYTES:,} bytes, replication {DATA_NODES}"
        rows = _Rows(group, count, "a second", "us each", OF_FILES)
        for side in self._modes.values():
            side.client.do("make_folder", path=folder)
        share = {"folder": folder, "size": SMALL_FILE_BYTES}
        self._count(rows, threads, "put", "write_each", replication=DATA_NODES, **share)
        self._count(rows, threads, "get", "read_each", **share)
        for side in self._modes.values():
            side.remove(folder)

    def _names(self, threads: int) -> None:
        count, folder = self._scale.names, "/names"
        rows = _Rows(f"{count:,} names", count, "a second", "us each", OF_NAMES)
        for side in self._modes.values():
            side.client.do("make_folder", path=folder)
            side.client.do("create", folder=folder, first=0, step=1, count=count, threads=threads)
        self._count(rows, threads, "stat", "stat", folder=folder)
        self._count(rows, threads, "mkdir", "make_each", folder=folder)
        self._count(rows, threads, "handshake with the namenode", "shake_hands")
        for side in self._modes.values():
            side.client.do("remove", path=folder)

    def _count(self, rows: _Rows, threads: int, name: str, verb: str, **more: object) -> None:
        """One verb by the warm client, as often as the amount says."""
        order = {"step": SLICES, "count": int(rows.amount), "threads": threads, **more}

        def part(first: int) -> Measure:
            return lambda side: side.client.do(verb, first=first, **order)

        who = "1 thread" if threads == 1 else f"{threads} threads"
        self._take(rows, f"{name}, {who}", [part(first) for first in range(SLICES)])

    def _take(self, rows: _Rows, name: str, parts: Sequence[Measure]) -> None:
        """Measure each part in every mode, before the next one."""
        used = {kind: dict.fromkeys(MODES, 0.0) for kind in rows.kinds}
        seconds = dict.fromkeys(MODES, 0.0)
        for part in parts:
            for side in self._in_turn():
                time = ProcessorTime(side.pids)
                seconds[side.mode] += part(side)
                found = time.used()
                found["in all"] = sum(found.values())
                for kind in rows.kinds:
                    used[kind][side.mode] += 1e6 * found[kind] / rows.amount
        rates = {mode: rows.amount / spent for mode, spent in seconds.items()}
        self._add(rows.group, name, rows.unit, rates)
        for kind, times in used.items():
            self._add(f"{rows.group}: processor time", f"{name}, {kind}", rows.time_unit, times)

    def _start(self) -> None:
        seconds: Dict[str, float] = {}
        used: Dict[str, float] = {}
        for side in self._in_turn():
            before = getrusage(RUSAGE_CHILDREN)
            seconds[side.mode] = 1000 * side.command("ls", "/")
            after = getrusage(RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            used[side.mode] = 1000 * spent
        self._add("start of a command", START, "ms", seconds)
        self._add("start of a command", f"{START}, processor time", "ms", used)

    def _in_turn(self) -> List[_Side]:
        """Each mode once, in another order each time: what one leaves behind, in caches and on its
        way to the disk, the next one meets."""
        return [self._modes[mode] for mode in next(self._orders)]

    def _add(self, group: str, name: str, unit: str, figures: Dict[str, float]) -> None:
        in_order = [figures[mode] for mode in MODES]
        self.sides.add(group, name, unit, *in_order)
        told = " : ".join(f"{figure:,.2f}" for figure in in_order)
        print(f"{group}: {name}: {told} {unit}", file=sys.stderr, flush=True)
