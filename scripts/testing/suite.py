"""Run the tests in several pytest processes, and say in one line how all of them ended.

    scripts/test [--quick] [--jobs N] [PYTEST'S ARGUMENTS]

Most tests wait for processes, not for the processor, so by default there are three jobs a core.
`--quick` leaves out what starts real processes or whole simulated clusters. One job, or one of
pytest's arguments for a person at the terminal (-s, --pdb, --collect-only), is pytest itself.
"""

import argparse
import collections
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Counter, Dict, List, Optional, Tuple

ROOT = Path(__file__).resolve().parent.parent.parent

TYPES = ROOT / ".venv-types"
"""Where scripts/check_types has its own environment, once it ran."""

QUICK = ("tests/tidy", "tests/unit", "tests/contract", "tests/property")

JOBS_PER_CORE = 3

MEMORY = Path("/dev/shm")
MEMORY_BYTES = 4 << 30
"""Room in memory that makes it the place of the tests' files: where a test cuts the power, it
simulates the disk as well, and an fsync that is real only makes it wait."""

_FOR_A_PERSON = {"-s", "--capture=no", "--pdb", "--trace", "--collect-only", "--co", "--setup-plan"}

STALL_SECONDS = 900.0
"""No test needs so long, on a machine however slow: when none ends, what runs hangs."""

_PAUSE_SECONDS = 0.2
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
_WORD_SECONDS = 30.0

_NO_TESTS = 5  # pytest's exit status for it.


class Job:
    """One pytest process, what it printed and what it counted."""

    def __init__(self, number: int, arguments: List[str], folder: Path) -> None:
        self.tally = folder / f"tally_{number}"
        self.output = folder / f"output_{number}"
        self._failures_told = 0
        command = [sys.executable, "-m", "pytest", "-p", "scripts.testing.turns"]
        # Each in one word: a path that stands alone and exists would be taken for where the tests
        # are, by who starts when another job has made it.
        command += [f"--turns={folder / 'turns'}", f"--tally={self.tally}"]
        command += [f"--basetemp={folder / f'files_{number}'}", "-p", "no:cacheprovider"]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command + arguments,
                cwd=ROOT,
                env=environment(folder),
                stdout=output,
                stderr=output,
                preexec_fn=heed_signals,
            )

    def new_failures(self) -> List[str]:
        """The tests that failed since the last call."""
        try:
            names = Path(f"{self.tally}.failures").read_text("utf-8").splitlines()
        except OSError:
            return []  # None has failed.
        new, self._failures_told = names[self._failures_told :], len(names)
        return new

    def counts(self) -> Counter[str]:
        """How its tests ended up to now."""
        try:
            return collections.Counter(json.loads(self.tally.read_text("utf-8")))
        except (OSError, ValueError):
            return collections.Counter()  # It has not collected yet, or is just writing.


def environment(folder: Path) -> Dict[str, str]:
    """That of the jobs, also where it forbids to keep bytecode: what thousands of daemons import
    is compiled once, into this folder. (Each start took 0.6 s of processor time, now 0.36.)"""
    kept = {name: value for name, value in os.environ.items() if name != _NO_BYTECODE}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def heed_signals() -> None:
    """Whoever runs the suite in the background, or under nohup, has signals ignored by all that it
    starts; tests send them, and expect an effect."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


def parse(argv: List[str]) -> Tuple[argparse.Namespace, List[str]]:
    """Our own options, and what is left for pytest."""
    parser = argparse.ArgumentParser(prog="scripts/test", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only what starts no processes")
    jobs = JOBS_PER_CORE * (os.cpu_count() or 1)
    parser.add_argument("--jobs", type=int, default=jobs, metavar="N", help="pytest processes")
    return parser.parse_known_args(argv)


def verdict(statuses: List[int], total: Dict[str, int]) -> int:
    """The exit status of the whole; a test that nobody ran is a failure, too."""
    if all(status == _NO_TESTS for status in statuses):
        return _NO_TESTS
    good = all(status in (0, _NO_TESTS) for status in statuses)
    complete = total.get("run", 0) == total.get("collected", 0)
    return 0 if good and complete and not total.get("failed", 0) else 1


def summary(total: Dict[str, int]) -> str:
    """The line that tells people and machines how many tests passed."""
    words = [f"{total.get(word, 0)} {word}" for word in ("passed", "failed")]
    return ", ".join(words + ([f"{total['skipped']} skipped"] if total.get("skipped") else []))


def total_of(jobs: List[Job]) -> Counter[str]:
    """All jobs' counts; each of them collected the same tests."""
    every = [job.counts() for job in jobs]
    total = sum(every, collections.Counter())
    total["collected"] = max(counts["collected"] for counts in every)
    return total


def await_collection(first: Job) -> None:
    """Wait until one job has collected the tests, and compiled every module on its way: the others
    would do the same at the same time (8 s of processor time each, and 2 s behind it)."""
    while first.process.poll() is None and not first.counts()["collected"]:
        time.sleep(_PAUSE_SECONDS)


def watch(jobs: List[Job]) -> None:
    """Wait for all jobs, with a word now and then to whoever waits; interrupt what hangs."""
    begun = told = advanced = time.monotonic()
    ended = -1
    while any(job.process.poll() is None for job in jobs):
        time.sleep(_PAUSE_SECONDS)
        for name in itertools.chain.from_iterable(job.new_failures() for job in jobs):
            say(f"failed: {name}")
        now = time.monotonic()
        if now - told < _WORD_SECONDS:
            continue
        told, total = now, total_of(jobs)
        say(f"{now - begun:.0f} s: {total['run']} of {total['collected']}; {summary(total)}")
        if total["run"] != ended:
            ended, advanced = total["run"], now
        elif now - advanced >= STALL_SECONDS:
            say(f"no test ended for {now - advanced:.0f} s: interrupted")
            for job in jobs:
                # Pytest says where it was, and what was left of its tests is missed at the end.
                job.process.send_signal(signal.SIGINT)
            advanced = now


def run(jobs_count: int, arguments: List[str], folder: Path) -> int:
    """Run all jobs to their ends; the exit status."""
    begun = time.monotonic()
    jobs = [Job(0, arguments, folder)]
    try:
        await_collection(jobs[0])
        jobs += [Job(number, arguments, folder) for number in range(1, jobs_count)]
        watch(jobs)
    except KeyboardInterrupt:
        say("interrupted")  # The terminal has told them, too: their fixtures end what they began.
    finally:
        for job in jobs:
            job.process.wait()
    statuses = [job.process.returncode for job in jobs]
    total = total_of(jobs)
    for job, status in zip(jobs, statuses):
        if status not in (0, _NO_TESTS):
            say(job.output.read_text("utf-8", "replace"))
    if total["run"] != total["collected"]:
        say(f"{total['collected'] - total['run']} tests were not run")
    say(f"{len(jobs)} jobs, {time.monotonic() - begun:.0f} s")
    say(summary(total))
    return verdict(statuses, total)


def say(text: str) -> None:
    """A line, at once: whoever waits wants to see it now."""
    print(text, flush=True)


def place() -> Optional[str]:
    """Where the tests' files go: into memory, when there is plenty; else wherever $TMPDIR says."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return None
    return str(MEMORY) if shutil.disk_usage(MEMORY).free >= MEMORY_BYTES else None


def main(argv: List[str]) -> int:
    """The exit status: 0 when every test ran and passed."""
    options, arguments = parse(argv)
    arguments = arguments + (list(QUICK) if options.quick else [])
    if options.jobs <= 1 or _FOR_A_PERSON & set(arguments):
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments])
    if not TYPES.exists():
        say("types are not checked: mypy is missing; ./scripts/check_types installs and runs it")
    with tempfile.TemporaryDirectory(prefix="pyhdfs_test_", dir=place()) as folder:
        return run(options.jobs, arguments, Path(folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
