"""Measure the cluster against what the machine itself can do, and print a table.

    python3 scripts/bench.py [--size 1G] [--repeat 3] [--only GROUP] [--quick] [--json] [--python P]
    python3 scripts/bench.py --namespace 1000000 [--json] [--python P]
    python3 scripts/bench.py --security [--size 256M] [--repeat 5] [--quick] [--json]
    python3 scripts/bench.py [...] --check FILE
    python3 scripts/bench.py [...] --peer DIR

Starts a cluster of its own (free ports, three datanodes) in a temporary directory, and throws it
away at the end; $TMPDIR chooses the disk. The floors (cp, bare sockets, sendfile) are measured in
the same run, in turn with the cluster: figures of a shared machine differ from hour to hour, but
their ratios hold. Speeds are medians of the rounds, 1 MB is 1,000,000 bytes. The whole takes some
minutes, and up to five times the size of the large file on the disk. With `--namespace N` only
a namespace of N files is measured, and how long others wait for `stat` and `mkdir` while it is
busy with something large: a million take about ten minutes and 2 GB of disk. With `--security`
three clusters stand side by side, in the modes simple, secret, and secret with TLS. `--only web`
measures WebHDFS through a gateway, beside the library; `--only failover` how long clients wait when
the leader of `--held` files is killed or hands over, and three metadata services beside one.
`--check FILE` compares the ratios, and memory, with those of a run whose `--json` was saved, names
what is more than twice as bad in the median and at its best, and then exits with status 1.
`--peer DIR` measures an HDFS that runs, too, in alternation, and prints ours : theirs;
scripts/benchmark/hdfs.py says what DIR/hdfs.sh does.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

ROOT = Path(__file__).resolve().parent.parent

if not __package__:
    sys.path[0] = str(ROOT)

from scripts.benchmark.comparison import Rows, what_got_worse  # noqa: E402
from scripts.benchmark.failover import failover  # noqa: E402
from scripts.benchmark.hdfs import Hdfs  # noqa: E402
from scripts.benchmark.latencies import Latency  # noqa: E402
from scripts.benchmark.latencies import table as latency_table  # noqa: E402
from scripts.benchmark.measures import GROUPS, Bench, Scale  # noqa: E402
from scripts.benchmark.namespace import NamespaceBench  # noqa: E402
from scripts.benchmark.results import Results  # noqa: E402
from scripts.benchmark.security import SecurityBench  # noqa: E402
from scripts.benchmark.side_by_side import SideBySide  # noqa: E402
from scripts.benchmark.versus import run_versus  # noqa: E402
from scripts.benchmark.web import web  # noqa: E402

TOLERANCE = 1.0
"""How much worse a figure may be than in a saved run, as a fraction, on a machine that others use
heavily: three runs without a change differed by up to a half there."""

ALONE = ("namespace", "security", "peer", "check")
"""Options that go with no other of them; only what `--namespace` found can be checked, too."""

USUAL_MEASURES = {**GROUPS, "web": web}
"""By their names on the command line. The last one has a daemon more than the others."""

MEASURES = {**USUAL_MEASURES, "failover": failover}
"""With those that must be asked for: they have a second cluster, and take minutes."""

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

USUAL = Scale(size=1 << 30, repeat=3, files=1000, names=2000)
OF_SECURITY = Scale(size=256 << 20, repeat=5, files=300, names=1000)
"""Three clusters at once: short measures, so that what disturbs one disturbs the others, too."""

QUICK = Scale(size=8 * 1024 * 1024, repeat=1, files=50, names=100, held=50)
"""A look whether everything works; its figures mean nothing."""


def byte_count(text: str) -> int:
    """The number in `1G`, `64M`, `512K` or `4096`; ValueError becomes argparse's own sentence."""
    scales = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    scale = scales.get(text[-1:].upper(), 1)
    return positive(text[:-1] if scale > 1 else text) * scale


def positive(text: str) -> int:
    """A whole number from 1; ValueError becomes argparse's own sentence."""
    if not text.isdecimal() or not int(text):
        raise ValueError(text)
    return int(text)


def parse(argv: Optional[List[str]]) -> argparse.Namespace:
    """The command line; exits with status 2 when it is wrong."""
    parser = argparse.ArgumentParser(description="Measure the cluster against the machine.")
    parser.add_argument("--size", type=byte_count, metavar="BYTES", help="large file (1G)")
    parser.add_argument("--repeat", type=positive, metavar="N", help="rounds (3)")
    parser.add_argument("--only", choices=MEASURES, action="append", help="only this group")
    parser.add_argument("--held", type=positive, metavar="N", help="of --only failover (10,000)")
    parser.add_argument("--quick", action="store_true", help="small and short, to see it work")
    parser.add_argument("--namespace", type=positive, metavar="N", help="only: a tree of N files")
    parser.add_argument("--security", action="store_true", help="only: what each mode costs")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--check", metavar="FILE", help="name what is worse than in a saved run")
    parser.add_argument("--peer", metavar="DIR", help="beside the HDFS that DIR/hdfs.sh started")
    parser.add_argument("--python", default=sys.executable, help="runs daemons and clients")
    arguments = parser.parse_args(argv)
    alone = [f"--{name}" for name in ALONE if getattr(arguments, name)]
    if len(alone) > 1 and alone != ["--namespace", "--check"]:
        parser.error(f"{alone[0]} does not go with {alone[1]}")
    for name in ("web", "failover"):
        if arguments.peer and name in (arguments.only or ()):
            parser.error(f"--only {name} does not go with --peer")
    return arguments


def scale_of(arguments: argparse.Namespace) -> Scale:
    """How much is to be measured."""
    usual = OF_SECURITY if arguments.security else USUAL
    scale = QUICK if arguments.quick else usual
    return scale._replace(
        size=arguments.size or scale.size,
        repeat=arguments.repeat or scale.repeat,
        held=arguments.held or scale.held,
    )


def machine(python: str) -> Dict[str, object]:
    """Where the figures come from; RuntimeError when `python` cannot be run."""
    try:
        version = subprocess.check_output([python, "--version"], encoding="utf-8")
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"cannot run {python}: {error}") from None
    return {
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": version.split()[-1],
    }


def end_once(number: int, _frame: object) -> None:
    """Stop the daemons and end; whoever asks once more, as `timeout` and impatient people do, must
    neither interrupt that nor end the process that stops them, which ignores what we ignore."""
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    sys.exit(128 + number)


class Measured(NamedTuple):
    """All results, and how much was measured."""

    scale: Dict[str, int]
    results: Results
    latencies: Sequence[Latency] = ()
    sides: Optional[SideBySide] = None

    def as_json(self) -> Dict[str, object]:
        """Plain values, for a program."""
        return {
            "scale": self.scale,
            "rows": self.results.as_json(),
            "latencies": [latency.as_json() for latency in self.latencies],
            "sides": self.sides.as_json() if self.sides else [],
        }

    def table(self) -> str:
        """For a person: what was measured of these."""
        latencies = latency_table(self.latencies) if self.latencies else ""
        sides = self.sides.table() if self.sides else ""
        parts = (self.results.table(), latencies, sides)
        return "\n\n".join(part for part in parts if part)


def measured(arguments: argparse.Namespace, folder: Path) -> Measured:
    """Measure what the command line asks for."""
    if arguments.namespace:
        namespace = NamespaceBench(arguments.python, folder, arguments.namespace)
        namespace.run()
        scale = {"namespace": arguments.namespace}
        return Measured(scale, namespace.results, namespace.latencies)
    whole = scale_of(arguments)
    if arguments.security:
        with SecurityBench(arguments.python, folder, whole) as security:
            security.run()
        return Measured(whole._asdict(), Results(), sides=security.sides)
    with Bench(arguments.python, folder, whole) as bench:
        if arguments.peer:
            with Hdfs(Path(arguments.peer), folder / "errors") as hdfs:
                sides = run_versus(bench, hdfs, arguments.only or list(GROUPS))
            return Measured(whole._asdict(), bench.results, sides=sides)
        for name, measure in MEASURES.items():
            if name in (arguments.only or USUAL_MEASURES):
                measure(bench)
    return Measured(whole._asdict(), bench.results)


def saved_rows(path: str) -> Rows:
    """The rows of a run that `--json` printed into a file; RuntimeError when it is none."""
    try:
        with open(path, encoding="utf-8") as file:
            rows = json.load(file)["rows"]
        # What is no run fails here, and not when the new one has been measured.
        what_got_worse(rows, rows, TOLERANCE)
    except OSError as error:
        raise RuntimeError(f"{path}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError):
        raise RuntimeError(f"{path} has no run that --json has saved") from None
    return list(rows)


def main(argv: Optional[List[str]] = None) -> int:
    """The exit status: 0 when all was measured (whether goals are met is for the reader), 1 when
    `--check` found something worse."""
    arguments = parse(argv)
    saved = saved_rows(arguments.check) if arguments.check else None
    for number in ENDINGS:
        signal.signal(number, end_once)
    before = dict(machine(arguments.python), started=time.strftime("%Y-%m-%d %H:%M:%S"))
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        found = measured(arguments, Path(folder))
    seconds = round(time.monotonic() - started)
    if arguments.json:
        print(json.dumps(dict(before, seconds=seconds, **found.as_json()), indent=2))
    else:
        print(found.table())
        facts = ", ".join(f"{name} {value}" for name, value in before.items())
        repeat = found.scale.get("repeat")
        rounds = f", medians of {repeat} rounds" if repeat else ""
        print(f"\n{facts}; {seconds} s{rounds}")
    if saved is None:
        return 0
    try:
        worse = what_got_worse(saved, found.results.as_json(), TOLERANCE)
    except ValueError as error:
        raise RuntimeError(f"{arguments.check}: {error}") from None
    for line in worse:
        print(f"bench: {line}", file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
