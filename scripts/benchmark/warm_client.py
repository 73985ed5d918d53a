"""A client that is warm: a process with one open FileSystem, told what to do.

Eight of them are eight processes, because eight threads of one Python would measure its one lock;
eight threads can be asked for too.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Optional

from data_service.protocol.health import DEAD
from scripts.benchmark.latency_probe import Probe, Probed
from scripts.benchmark.worker import Worker, serve
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.identity import NAME_NODE, USER, Principal

PAUSE_SECONDS = 0.05
PIECE_BYTES = 1 << 20
READY_SECONDS = 300.0


def warm_client(python: str, config: Path) -> Worker:
    """The process, for the cluster of a config file."""
    return Worker(python, "scripts.benchmark.warm_client", str(config))


class _Verbs:
    """What can be ordered: a method for each verb."""

    def __init__(self, config: str) -> None:
        # Imported by the process of the client only: the benchmark itself needs no RPyC.
        from data_service.filesystem import FileSystem

        self._files = FileSystem(config)
        self._probe: Optional[Probe] = None

    def warm_up(self, data_nodes: int, threads: int) -> None:
        """Wait until the cluster takes changes; open a connection for each thread."""
        self._await("the cluster is ready", lambda: self._is_ready(data_nodes))
        _each(lambda _: self._files.stat("/"), 0, 1, 10 * threads, threads)

    def _is_ready(self, data_nodes: int) -> bool:
        live = [node for node in self._files.datanodes() if node.state == "live"]
        return len(live) == data_nodes and not self._files.safe_mode("get")

    def _await(self, what: str, holds: Callable[[], bool]) -> None:
        if not _poll(holds, READY_SECONDS):
            raise RuntimeError(f"it is not so that {what} after {READY_SECONDS:g} s")

    def put(self, local: str, path: str, replication: int) -> None:
        """A local file into the cluster."""
        self._files.put(local, path, replication=replication)

    def write(self, local: str, path: str, replication: int) -> None:
        """The same by a program's own writes."""
        buffer = memoryview(bytearray(PIECE_BYTES))
        with open(local, "rb", buffering=0) as source:
            with self._files.open(path, "wb", replication=replication) as file:
                while True:
                    count = source.readinto(buffer)
                    if not count:
                        return
                    file.write(buffer[:count])

    def get(self, path: str, local: str) -> None:
        """A file into a local one."""
        self._files.get(path, local)

    def read(self, path: str) -> None:
        """A whole file, and throw it away."""
        self._files.cat(path, len)

    def read_into(self, path: str) -> None:
        """A whole file, by one buffer of a program's own."""
        buffer = bytearray(PIECE_BYTES)
        with self._files.open(path) as file:
            while file.readinto(buffer):
                pass

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

    def safe_mode(self, action: str) -> None:
        """`enter` or `leave`."""
        self._files.safe_mode(action)

    def await_blocks(self, at_most: int, seconds: float) -> None:
        """Until the namenode has so few blocks left, or so much time is over."""
        _poll(lambda: self._files.cluster_status().blocks <= at_most, seconds)

    def await_loss(self) -> None:
        """Until a datanode is dead: it stays so, while what it had may soon be copied."""
        nodes = self._files.datanodes
        self._await("a datanode is dead", lambda: any(node.state == DEAD for node in nodes()))

    def await_copies(self, seconds: float) -> None:
        """Until no block lacks replicas, or so much time is over."""

        def copied() -> bool:
            # What a dead datanode had is looked for step by step, from the next moment on.
            time.sleep(PAUSE_SECONDS)
            return not self._files.cluster_status().under_replicated

        _poll(copied, seconds)

    def begin_probe(self, path: str, folder: str) -> None:
        """Ask for the status of `path`, and make directories in `folder`, at a steady pace."""
        self._probe = Probe(self._files, path, folder)

    def end_probe(self) -> Probed:
        """What became of these calls."""
        assert self._probe is not None, "no probe was begun"
        return self._probe.end()

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

    def make_each(self, folder: str, **share: int) -> None:
        """Directories d0, d1, …"""
        _each(lambda number: self._files.mkdir(f"{folder}/d{number}"), **share)

    def shake_hands(self, **share: int) -> None:
        """Connections to the namenode, on which nothing is asked."""
        from zookeeper.fabric.handshake import credentials_of
        from zookeeper.fabric.remote import Remote

        settings = self._files.settings
        credentials = credentials_of(settings, Principal(USER, self._files.user))
        (address,) = settings.name_node.hosts

        def connect(_number: int) -> None:
            Remote.connect(NAME_NODE, address, credentials, settings.network).close()

        _each(connect, **share)

    def list(self, folder: str, **share: int) -> None:
        """The whole directory, `count` times."""
        _each(lambda _: sum(1 for _ in self._files.list(folder)), **share)

    def rename(self, folder: str, **share: int) -> None:
        """f0 to g0, f1 to g1, …"""
        _each(lambda n: self._files.rename(f"{folder}/f{n}", f"{folder}/g{n}"), **share)

    def delete(self, folder: str, **share: int) -> None:
        """g0, g1, …, one by one."""
        _each(lambda number: self._files.delete(f"{folder}/g{number}"), **share)


def _poll(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds, at most so long; whether it does."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_SECONDS)
    return True


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


if __name__ == "__main__":
    serve(_Verbs(sys.argv[1]))
