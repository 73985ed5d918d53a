"""Clients that never rest: threads with the client library, and processes of the command line."""

import subprocess
import threading
from random import Random
from typing import Any, Callable, Dict, List, Sequence, Tuple

from tests.chaos.calls import EDITS, LIMITED, PLAIN, PRIVATE, REPLICATION, TREES, Client, draw
from tests.chaos.contents import Contents
from tests.chaos.history import History
from tests.support.clusters.cluster import Cluster
from zookeeper.fabric.errors import LocalFileError, PathExists, PathNotFound, Unavailable

THREADS = 4
SHELLS = 1
ROOMS_AT_ONCE = 2
"""Few, and others each round: clients that never meet tell nothing."""

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
        busy = Random(f"{self._seed} {self._rounds}").sample(
            [*TREES, EDITS, LIMITED, PRIVATE], ROOMS_AT_ONCE
        )
        self._history.note(f"clients work in {' '.join(room.path for room in busy)}")
        for number in range(THREADS + SHELLS):
            name = f"{'thread' if number < THREADS else 'shell'}-{number}"
            random = Random(f"{self._seed} {self._rounds} {number}")
            room = busy[number % ROOMS_AT_ONCE]
            user = room.users[number // ROOMS_AT_ONCE % len(room.users)]
            if number < THREADS:
                arguments: Tuple[Any, ...] = (self._use_library, name, random, room, user)
            else:
                arguments = (self._use_command_line, name, random)
            thread = threading.Thread(target=self._guard, args=arguments, daemon=True)
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

    def _guard(self, run: Callable[..., None], *arguments: Any) -> None:
        """What ends a client other than an error of the family is a defect of somebody."""
        try:
            run(*arguments)
        except BaseException as error:
            self.defects.append(error)
            raise

    # With the library.

    def _use_library(self, name: str, random: Random, room: Any, user: str) -> None:
        def pause() -> bool:
            return self._over.wait(random.random() * PAUSE_SECONDS)

        with self._cluster.file_system(user or None) as file_system:
            client = Client(name, file_system, user, self._history, self._contents, pause)
            while not self._over.is_set():
                client.act(random, *draw(random, room, self._contents))
                pause()

    # With the command line.

    def _use_command_line(self, name: str, random: Random) -> None:
        while not self._over.is_set():
            kind, args = draw(random, PLAIN, self._contents)
            if kind == "put":
                args = (*args[:3], True)
            self._history.run(name, kind, args, lambda: self._run_command(kind, args))

    def _run_command(self, kind: str, args: tuple) -> Any:
        """One process, to its end. Raises Unavailable when nobody knows what it did, and
        LocalFileError when it says that the tree did not allow it: in which state is its secret,
        for a command looks more than once."""
        stdin = self._contents.data(args[1]) if kind == "put" else None
        commands: Dict[str, Tuple[str, ...]] = {
            "put": ("put", "-f", "-", args[0]),
            "get": ("get", args[0]),
            "delete": ("rm", args[0]),
            "rename": ("mv", *args),
        }
        process = self._cluster.start_client(
            "-D", f"dfs.replication={REPLICATION}", *commands[kind]
        )
        with self._lock:
            self._processes = [one for one in self._processes if one.poll() is None] + [process]
        out, err = process.communicate(stdin)
        if process.returncode:
            said = err.decode("utf-8", "replace")
            refused = PathNotFound.reason in said or PathExists.reason in said
            raise (LocalFileError if refused else Unavailable)(said)
        if kind == "get":
            return self._contents.key_of(out)
        return True if kind == "delete" else None
