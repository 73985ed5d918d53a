"""A running HDFS as a peer: what the benchmark asks of it, through the script `hdfs.sh`.

The script is not part of this project. `hdfs.sh status` prints a line for each daemon, such as
`datanode1 pid=7 rss_mib=150 peak_rss_mib=195`; `put LOCAL PATH REPLICATION`, `get PATH LOCAL` and
`ls PATH` are whole commands; and `jvm` is one warm JVM, which says {"ready": true} and then answers
each line on its standard input, such as `stat /names 2000 8`, with {"s": SECONDS} by its own clock,
or {"error": WHY}.
"""

import json
import subprocess
from pathlib import Path
from typing import Any, Dict, List

from scripts.benchmark.trial import run


class Hdfs:
    """The peer whose script is in `directory`; close it. RuntimeError when an order failed.

    Every method tells the seconds that it took.
    """

    def __init__(self, directory: Path, errors: Path) -> None:
        self._script = ["bash", str(directory / "hdfs.sh")]
        self._errors = errors
        if not self.memory():
            raise RuntimeError(f"no HDFS runs: {directory}/hdfs.sh start")
        self._jvm = subprocess.Popen(
            [*self._script, "jvm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self._answer()

    def __enter__(self) -> "Hdfs":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._jvm.communicate("quit\n")

    def memory(self) -> Dict[str, float]:
        """Daemon -> MiB of memory that it had at its peak."""
        done = subprocess.run(
            [*self._script, "status"], stdout=subprocess.PIPE, encoding="utf-8"
        )
        return peaks(done.stdout.splitlines())

    def order(self, *words: object) -> float:
        """Carry out an order in the JVM."""
        assert self._jvm.stdin is not None
        self._jvm.stdin.write(" ".join(map(str, words)) + "\n")
        self._jvm.stdin.flush()
        return float(self._answer()["s"])

    def command(self, *words: object) -> float:
        """Run a whole command."""
        seconds, _ = run([*self._script, *map(str, words)], self._errors)
        return seconds

    def _answer(self) -> Dict[str, Any]:
        assert self._jvm.stdout is not None
        return parse_answer(self._jvm.stdout.readline())


def parse_answer(line: str) -> Dict[str, Any]:
    """What the JVM said; RuntimeError when that is an error, or no answer."""
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not answer.keys() & {"s", "ready", "error"}:
        raise RuntimeError(f"HDFS: no answer, but {line!r}")
    if "error" in answer:
        raise RuntimeError(f"HDFS: {answer['error']}")
    return answer


def peaks(lines: List[str]) -> Dict[str, float]:
    """What `status` printed of the daemons that run: each one's peak in MiB."""
    found: Dict[str, float] = {}
    for line in lines:
        daemon, *facts = line.split()
        values = dict(fact.split("=", 1) for fact in facts if "=" in fact)
        if "peak_rss_mib" in values:
            found[daemon] = float(values["peak_rss_mib"])
    return found
