"""A client that is warm: a process with one open FileSystem, told line by line what to do.

The clock runs only while it does so: start-up, imports and dialling are over before. Eight of them
are eight processes, because eight threads of one Python would measure its one lock; eight threads
can be asked for too. Each order is a line of JSON, and so is its answer.
"""

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, Sequence

from zookeeper.fabric.errors import DfsError

ROOT = Path(__file__).resolve().parents[2]

READ_BYTES = 1024 * 1024
PAUSE_SECONDS = 0.05
READY_SECONDS = 60.0


class WarmClient:
    """The process as the benchmark sees it; close it. RuntimeError when an order failed."""

    def __init__(self, python: str, config: Path) -> None:
        self._process = subprocess.Popen(
            [python, "-m", "scripts.benchmark.warm_client", str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            encoding="utf-8",
        )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def __enter__(self) -> "WarmClient":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process: it lives until its standard input ends."""
        self._process.communicate()

    def do(self, verb: str, **arguments: object) -> float:
        """Carry out an order; seconds by the client's own clock."""
        self.begin(verb, **arguments)
        return self.end()

    def begin(self, verb: str, **arguments: object) -> None:
        """Give an order; `end` must follow before the next one."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(dict(arguments, verb=verb)) + "\n")
        self._process.stdin.flush()

    def end(self) -> float:
        """Wait for what was begun."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "a client's process ended"}
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return float(answer["seconds"])


def together(clients: Sequence[WarmClient], verb: str, **arguments: object) -> float:
    """Divide an order among clients that begin at once; seconds until the last one is done."""
    started = time.perf_counter()
    for index, client in enumerate(clients):
        client.begin(verb, first=index, step=len(clients), **arguments)
    for client in clients:
        client.end()
    return time.perf_counter() - started


class _Verbs:
    """What can be ordered: a method for each verb."""

    def __init__(self, config: str) -> None:
        # Imported by the process of the client only: the benchmark itself needs no RPyC.
        from data_service.filesystem import FileSystem

        self._files = FileSystem(config)

    def warm_up(self, data_nodes: int, threads: int) -> None:
        """Wait until the cluster takes changes; open a connection for each thread."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_ready(data_nodes):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the cluster is not ready after {READY_SECONDS:g} s")
            time.sleep(PAUSE_SECONDS)
        _each(lambda _: self._files.stat("/"), 0, 1, 10 * threads, threads)

    def _is_ready(self, data_nodes: int) -> bool:
        live = [node for node in self._files.datanodes() if node.state == "live"]
        return len(live) == data_nodes and not self._files.safe_mode("get")

    def put(self, local: str, path: str, replication: int) -> None:
        """A local file into the cluster."""
        self._files.put(local, path, replication=replication)

    def get(self, path: str, local: str) -> None:
        """A file into a local one."""
        self._files.get(path, local)

    def read(self, path: str) -> None:
        """A whole file, and throw it away."""
        self._files.cat(path, len)

    def await_reads(self, path: str) -> None:
        """Until the namenode answers a first read, whatever it says before."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                self._files.stat(path)
                return
            except DfsError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE_SECONDS)

    def leave_safe_mode(self) -> None:
        """Changes are possible, though nobody holds the blocks."""
        self._files.safe_mode("leave")

    def move(self, source: str, target: str) -> None:
        """One rename."""
        self._files.rename(source, target)

    def make_folder(self, path: str) -> None:
        """A directory and those above it."""
        self._files.mkdir(path, parents=True)

    def remove(self, path: str) -> None:
        """A file or a tree."""
        self._files.delete(path, recursive=True)

    def write_each(self, folder: str, size: int, replication: int, **share: int) -> None:
        """Files f0, f1, … of `size` bytes each, from memory."""
        data = bytes(size)

        def write(number: int) -> None:
            path = f"{folder}/f{number}"
            with self._files.open(path, "wb", replication=replication) as file:
                file.write(data)

        _each(write, **share)

    def read_each(self, folder: str, size: int, **share: int) -> None:
        """What `write_each` wrote, into memory."""

        def read(number: int) -> None:
            with self._files.open(f"{folder}/f{number}") as file:
                if len(file.read()) != size:
                    raise RuntimeError(f"{folder}/f{number} came back with another length")

        _each(read, **share)

    def create(self, folder: str, **share: int) -> None:
        """Empty files f0, f1, …"""
        _each(lambda number: self._files.open(f"{folder}/f{number}", "wb").close(), **share)

    def stat(self, folder: str, **share: int) -> None:
        """The status of each of them."""
        _each(lambda number: self._files.stat(f"{folder}/f{number}"), **share)

    def list(self, folder: str, **share: int) -> None:
        """The whole directory, `count` times."""
        _each(lambda _: sum(1 for _ in self._files.list(folder)), **share)

    def rename(self, folder: str, **share: int) -> None:
        """f0 to g0, f1 to g1, …"""
        _each(lambda n: self._files.rename(f"{folder}/f{n}", f"{folder}/g{n}"), **share)

    def delete(self, folder: str, **share: int) -> None:
        """g0, g1, …, one by one."""
        _each(lambda number: self._files.delete(f"{folder}/g{number}"), **share)


def _each(
    operation: Callable[[int], object], first: int, step: int, count: int, threads: int
) -> None:
    """Do it for every `step`-th number below `count` from `first` on, in so many threads."""
    numbers = range(first, count, step)

    def run(thread: int) -> None:
        for number in numbers[thread::threads]:
            operation(number)

    # The pool gives each of its threads one share, and raises the failure of any.
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(threads)))


def _answer(verbs: _Verbs, order: Dict[str, Any]) -> Dict[str, object]:
    verb = getattr(verbs, order.pop("verb"))
    started = time.perf_counter()
    try:
        verb(**order)
    except (DfsError, OSError, RuntimeError) as error:
        return {"error": f"{verb.__name__}: {error}"}
    return {"seconds": time.perf_counter() - started}


def serve(config: str) -> None:
    """Answer orders until standard input ends."""
    verbs = _Verbs(config)
    for line in sys.stdin:
        print(json.dumps(_answer(verbs, json.loads(line))), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
