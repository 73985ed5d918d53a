"""Clients that never rest: threads with the client library, and processes of the command line."""

import io
import subprocess
import threading
from random import Random
from typing import Any, Callable, List, Sequence, Tuple

from data_service.filesystem import FileSystem
from tests.chaos.history import Contents, History
from tests.support.cluster import Cluster
from zookeeper.fabric.errors import LocalFileError, PathExists, PathNotFound, Unavailable

THREADS = 4
SHELLS = 1
REPLICATION = 3
"""No file ever has fewer: what is damaged or dead is always one replica less than that."""

TREES = ("/tree-0", "/tree-1")
"""Where threads make, move and delete files and directories, on the same few names."""

PLAIN = "/plain"
"""Where the command line works, on files only: what it means by a directory is its own matter."""

ROOMS = (*TREES, PLAIN)
NAMES = ("a", "b", "c", "d")
PAUSE_SECONDS = 0.3


class Load:
    """Starts clients, and stops them; what they do follows from the seed, when does not."""

    def __init__(self, cluster: Cluster, history: History, contents: Contents, seed: str) -> None:
        self._cluster = cluster
        self._history = history
        self._contents = contents
        self._seed = seed
        self._over = threading.Event()
        self._threads: List[threading.Thread] = []
        self._rounds = 0
        self._lock = threading.Lock()
        self._processes: List["subprocess.Popen[bytes]"] = []
        self.defects: List[BaseException] = []

    def start(self) -> None:
        """Begin, in threads of their own."""
        self._over.clear()
        self._rounds += 1
        for number in range(THREADS + SHELLS):
            run = self._use_library if number < THREADS else self._use_command_line
            name = f"{'thread' if number < THREADS else 'shell'}-{number}"
            random = Random(f"{self._seed} {self._rounds} {number}")
            thread = threading.Thread(target=self._guard, args=(run, name, random), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """End every client after its current call."""
        self._over.set()
        while self._threads:
            self._threads.pop().join()

    def victims(self) -> Sequence["subprocess.Popen[bytes]"]:
        """The processes of the command line that run just now."""
        with self._lock:
            return [process for process in self._processes if process.poll() is None]

    def _guard(self, run: Callable[[str, Random], None], name: str, random: Random) -> None:
        """What ends a client other than an error of the family is a defect of somebody."""
        try:
            run(name, random)
        except BaseException as error:
            self.defects.append(error)
            raise

    # With the library.

    def _use_library(self, name: str, random: Random) -> None:
        with self._cluster.file_system() as file_system:
            while not self._over.is_set():
                kind, args = random_call(random, random.choice(TREES), self._contents)
                action = self._action(file_system, kind, args)
                self._history.run(name, kind, args, action)
                self._over.wait(random.random() * PAUSE_SECONDS)

    def _action(self, file_system: FileSystem, kind: str, args: tuple) -> Callable[[], Any]:
        """What carries a call out, and returns what the model of it returns."""
        path = args[0]
        if kind == "put":
            _, content, replication, overwrite = args
            stream = io.BytesIO(self._contents.data(content))
            return lambda: _nothing(file_system.put_stream(
                stream, path, overwrite=overwrite, replication=replication))
        return {
            "get": lambda: self._contents.number_of(read(file_system, path)),
            "list": lambda: rows_of(file_system, path),
            "delete": lambda: file_system.delete(path, recursive=True),
            "rename": lambda: file_system.rename(*args),
            "mkdir": lambda: file_system.mkdir(*args),
            "set_replication": lambda: file_system.set_replication(*args),
        }[kind]

    # With the command line.

    def _use_command_line(self, name: str, random: Random) -> None:
        while not self._over.is_set():
            kind, args = random_call(random, PLAIN, self._contents, shell=True)
            self._history.run(name, kind, args, lambda: self._run_command(kind, args))

    def _run_command(self, kind: str, args: tuple) -> Any:
        """One process, to its end. Raises Unavailable when nobody knows what it did, and
        LocalFileError when it says that the tree did not allow it: in which state is its secret,
        for a command looks more than once."""
        stdin = self._contents.data(args[1]) if kind == "put" else None
        words = {
            "put": ("put", "-f", "-", args[0]),
            "get": ("get", args[0]),
            "delete": ("rm", args[0]),
            "rename": ("mv", *args),
        }[kind]
        process = self._cluster.start_client("-D", f"dfs.replication={REPLICATION}", *words)
        with self._lock:
            self._processes = [one for one in self._processes if one.poll() is None] + [process]
        out, err = process.communicate(stdin)
        if process.returncode:
            words = err.decode("utf-8", "replace")
            refused = PathNotFound.reason in words or PathExists.reason in words
            raise (LocalFileError if refused else Unavailable)(words)
        if kind == "get":
            return self._contents.number_of(out)
        return True if kind == "delete" else None


def random_call(
    random: Random, room: str, contents: Contents, shell: bool = False
) -> Tuple[str, tuple]:
    """What a client does next: a kind of call and its arguments, as `explanation.MODELS` names it.

    In trees, files are also moved into directories, and directories with what is in them.
    """
    weights = {"put": 30, "get": 30, "rename": 12, "delete": 10}
    if not shell:
        weights.update(list=10, mkdir=6, set_replication=8)
    kind = random.choices(list(weights), list(weights.values()))[0]
    path, other = (f"{room}/{name}" for name in random.sample(NAMES, 2))
    if kind == "put":
        overwrite = shell or random.random() < 0.8
        return kind, (path, contents.new(), REPLICATION, overwrite)
    if not shell and kind in ("get", "delete", "rename") and random.random() < 0.2:
        path, other = f"{path}/{random.choice(NAMES)}", path
    if kind == "rename":
        return kind, (path, other) if random.random() < 0.5 else (other, path)
    extra = {"mkdir": (False,), "set_replication": (random.choice((3, 4)),)}
    return kind, (room if kind == "list" else path, *extra.get(kind, ()))


def read(file_system: FileSystem, path: str) -> bytes:
    """The whole of a file."""
    with file_system.open(path) as file:
        return file.read()


def rows_of(file_system: FileSystem, path: str) -> tuple:
    """A directory's children as `explanation.listing` tells of them."""
    return tuple(
        (status.name, "d") if status.is_directory else (status.name, "f", status.replication)
        for status in file_system.list(path)
    )


def _nothing(_result: object) -> None:
    """For a call whose result no model tells."""
