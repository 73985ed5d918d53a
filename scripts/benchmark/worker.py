"""A process that does what it is told: each order is a line of JSON, and so is its answer.

The clock runs only while an order is carried out, by the process's own clock: start-up, imports and
dialling are over before. What can be ordered are the methods of an object; `serve` is the loop of
such a process, and a Worker is how the benchmark sees it.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Sequence

from zookeeper.fabric.errors import DfsError

ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """The process that runs a module; close it. RuntimeError when an order failed."""

    def __init__(self, python: str, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [python, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            encoding="utf-8",
        )
        self.end()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process: it lives until its standard input ends."""
        self._process.communicate()

    def do(self, verb: str, **arguments: object) -> float:
        """Carry out an order; seconds by the process's own clock."""
        self.begin(verb, **arguments)
        return self.end()

    def ask(self, verb: str, **arguments: object) -> Any:
        """Carry out an order; what the method returned, as JSON has it."""
        self.begin(verb, **arguments)
        return self._answer()["value"]

    def begin(self, verb: str, **arguments: object) -> None:
        """Give an order; `end` must follow before the next one."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(dict(arguments, verb=verb)) + "\n")
        self._process.stdin.flush()

    def end(self) -> float:
        """Wait for what was begun."""
        return float(self._answer()["seconds"])

    def _answer(self) -> Dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: Dict[str, Any] = json.loads(line) if line else {"error": "its process ended"}
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer


def together(workers: Sequence[Worker], verb: str, **arguments: object) -> float:
    """Divide an order among workers that begin at once; seconds until the last one is done."""
    started = time.perf_counter()
    for index, worker in enumerate(workers):
        worker.begin(verb, first=index, step=len(workers), **arguments)
    for worker in workers:
        worker.end()
    return time.perf_counter() - started


def serve(verbs: object) -> None:
    """Say that it is ready, and answer orders until standard input ends."""
    print(json.dumps({"seconds": 0, "value": None}), flush=True)
    for line in sys.stdin:
        print(json.dumps(_carried_out(verbs, json.loads(line))), flush=True)


def _carried_out(verbs: object, order: Dict[str, Any]) -> Dict[str, object]:
    verb = getattr(verbs, order.pop("verb"))
    started = time.perf_counter()
    try:
        value = verb(**order)
    except (DfsError, OSError, RuntimeError) as error:
        return {"error": f"{verb.__name__}: {error}"}
    return {"seconds": time.perf_counter() - started, "value": value}
