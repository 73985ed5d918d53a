"""Every measure on both: on a cluster of ours, and on a running HDFS, in alternation.

Who is first changes from round to round. Whole commands and warm clients are measured, with one
thread and with several. Where the two promise different things it is not made alike: HDFS, as it
comes, syncs no block before it answers, and we do; and without its native library it has no
short-circuit reads: its figure beside ours is that of a read from its datanode.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Sequence

from scripts.benchmark.hdfs import Hdfs
from scripts.benchmark.measures import LISTINGS, MANY, SMALL_FILE_BYTES, Bench, make_source
from scripts.benchmark.side_by_side import SideBySide
from scripts.benchmark.trial import DATA_NODES, MIB

Measure = Callable[[], float]
"""Carries something out, and tells the seconds."""


class Versus:
    """A run on both sides; `sides` has the results so far."""

    def __init__(self, bench: Bench, hdfs: Hdfs) -> None:
        self._bench = bench
        self._hdfs = hdfs
        self.sides = SideBySide(("ours", "theirs"), [("ours", "theirs")])

    def large_files(self) -> None:
        """One large file, by replication."""
        make_source(self._bench)
        for replication in range(1, DATA_NODES + 1):
            for turn in range(self._bench.scale.repeat):
                self._large_file(replication, turn)
        self._bench.source.unlink()

    def _large_file(self, replication: int, turn: int) -> None:
        bench, hdfs, path = self._bench, self._hdfs, "/large"
        source, copy = bench.source, bench.folder / "copy"
        amount = bench.scale.size / 1e6
        group = f"a file of {bench.scale.size / MIB:,g} MiB, replication {replication}"

        def pair(name: str, ours: Measure, theirs: Measure) -> None:
            self._pair(turn, group, name, amount, "MB/s", ours, theirs)

        asked = ["-D", f"dfs.replication={replication}"]
        self._remove(path)
        pair(
            "put, whole command",
            lambda: bench.command(*asked, "put", str(source), path, verb="put"),
            lambda: hdfs.command("put", source, path, replication),
        )
        self._remove(path)
        pair(
            "put, warm client",
            lambda: bench.client.do(
                "put", local=str(source), path=path, replication=replication
            ),
            lambda: hdfs.order("put", source, path, replication),
        )
        pair(
            "get, whole command",
            lambda: _new(copy, lambda: bench.command("get", path, str(copy), verb="get")),
            lambda: _new(copy, lambda: hdfs.command("get", path, copy)),
        )
        pair(
            "get, warm client",
            lambda: _new(copy, lambda: bench.client.do("get", path=path, local=str(copy))),
            lambda: _new(copy, lambda: hdfs.order("get", path, copy)),
        )
        for how, client in (("short-circuit", bench.client), ("from the datanode", bench.distant)):
            pair(
                f"read and throw away, {how}",
                partial(client.do, "read", path=path),
                lambda: hdfs.order("read", path),
            )
        self._remove(path)

    def small_files(self) -> None:
        """Small files, by one thread and by several."""
        bench, hdfs, folder = self._bench, self._hdfs, "/small"
        count, size = bench.scale.files, SMALL_FILE_BYTES
        group = f"{count:,} files of {size:,} bytes, replication {DATA_NODES}"
        share = {"folder": folder, "size": size, "first": 0, "step": 1, "count": count}

        def round(turn: int, threads: int, who: str) -> None:
            bench.client.do("make_folder", path=folder)
            self._pair(
                turn, group, f"put, {who}", count, "files/s",
                lambda: bench.client.do(
                    "write_each", replication=DATA_NODES, threads=threads, **share
                ),
                lambda: hdfs.order("small", folder, count, size, DATA_NODES, threads),
            )  # fmt: skip
            self._pair(
                turn, group, f"get, {who}", count, "files/s",
                lambda: bench.client.do("read_each", threads=threads, **share),
                lambda: hdfs.order("smallread", folder, count, threads),
            )  # fmt: skip
            self._remove(folder)

        self._by_threads(round)

    def names(self) -> None:
        """Operations on names, by one thread and by several; a listing by one."""
        bench, hdfs, folder = self._bench, self._hdfs, "/names"
        count = bench.scale.names
        group = f"{count:,} empty files in one directory"
        share = {"folder": folder, "first": 0, "step": 1}

        def pair(turn: int, verb: str, threads: int, who: str) -> None:
            self._pair(
                turn, group, f"{verb}, {who}", count, "a second",
                lambda: bench.client.do(verb, count=count, threads=threads, **share),
                lambda: hdfs.order(verb, folder, count, threads),
            )  # fmt: skip

        def listing(turn: int) -> None:
            self._pair(
                turn, group, "list", LISTINGS * count, "entries/s",
                lambda: bench.client.do("list", count=LISTINGS, threads=1, **share),
                lambda: hdfs.order("list", folder, LISTINGS),
            )  # fmt: skip

        def round(turn: int, threads: int, who: str) -> None:
            bench.client.do("make_folder", path=folder)
            for verb in ("create", "stat", "rename", "delete"):
                pair(turn, verb, threads, who)
                if verb == "stat" and threads == 1:
                    listing(turn)
            self._remove(folder)

        self._by_threads(round)

    def start_of_a_command(self) -> None:
        """`ls /` as a whole process."""
        for turn in range(self._bench.scale.repeat):
            self._pair(
                turn, "start of a command", "ls /", 1, "a second",
                lambda: self._bench.command("ls", "/", verb="ls"),
                lambda: self._hdfs.command("ls", "/"),
            )  # fmt: skip

    def memory(self) -> None:
        """What the daemons needed at their peak; of several datanodes the largest."""
        ours = {role: peak for role, (_, peak) in self._bench.cluster.memory().items()}
        theirs = self._hdfs.memory()
        for name, our_prefix, their_prefix in (
            ("namenode", "name_node", "namenode"),
            ("largest datanode", "data_node", "datanode"),
        ):
            largest = _largest(ours, our_prefix), _largest(theirs, their_prefix)
            self.sides.add("memory at its peak", name, "MiB", *largest)

    def _by_threads(self, round: Callable[[int, int, str], None]) -> None:
        for turn in range(self._bench.scale.repeat):
            for threads, who in ((1, "1 thread"), (MANY, f"{MANY} threads")):
                round(turn, threads, who)

    def _pair(
        self,
        turn: int,
        group: str,
        name: str,
        amount: float,
        unit: str,
        ours: Measure,
        theirs: Measure,
    ) -> None:
        """Measure both, and keep how much of `amount` a second each of them did."""
        if turn % 2:
            their_seconds, our_seconds = theirs(), ours()
        else:
            our_seconds, their_seconds = ours(), theirs()
        rates = amount / our_seconds, amount / their_seconds
        self.sides.add(group, name, unit, *rates)
        told = f"{group}: {name}: {rates[0]:,.2f} : {rates[1]:,.2f} {unit}"
        print(told, file=sys.stderr, flush=True)

    def _remove(self, path: str) -> None:
        self._bench.remove(path)
        self._hdfs.order("rmr", path)


def _new(path: Path, measure: Measure) -> float:
    """Measure what makes a file, which is removed."""
    seconds = measure()
    path.unlink()
    return seconds


def _largest(peaks: Dict[str, float], prefix: str) -> float:
    return max(peak for daemon, peak in peaks.items() if daemon.startswith(prefix))


VERSUS_GROUPS: Dict[str, Callable[[Versus], None]] = {
    "large": Versus.large_files,
    "small": Versus.small_files,
    "names": Versus.names,
    "start": Versus.start_of_a_command,
    "memory": Versus.memory,
}
"""The same names as those of the groups that are measured alone."""


def run_versus(bench: Bench, hdfs: Hdfs, chosen: Sequence[str]) -> SideBySide:
    """Measure the groups that are chosen on both sides."""
    versus = Versus(bench, hdfs)
    for name, measure in VERSUS_GROUPS.items():
        if name in chosen:
            measure(versus)
    return versus.sides
