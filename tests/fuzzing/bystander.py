"""An honest client beside the attack: everything it asks for has to be done, and soon."""

import logging
import threading
import time
from typing import Callable, List, NamedTuple

from data_service.filesystem import FileSystem

DIRECTORY = "/honest"
_CONTENT = bytes(range(256)) * 64
_PAUSE_SECONDS = 0.02


class Service(NamedTuple):
    """How many calls an honest client made, and how long they took, in seconds."""

    calls: int
    median: float
    p99: float
    longest: float

    def __str__(self) -> str:
        return (
            f"{self.calls} honest calls: median {self.median * 1000:.1f} ms, "
            f"p99 {self.p99 * 1000:.1f} ms, longest {self.longest * 1000:.0f} ms"
        )


class Bystander:
    """Puts, reads, lists and deletes files of its own, one call after the other, in a `with`."""

    def __init__(self, connect: Callable[[], FileSystem]) -> None:
        self._connect = connect
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bystander", daemon=True)
        self.seconds: List[float] = []
        self.failures: List[str] = []

    def __enter__(self) -> "Bystander":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def service(self) -> Service:
        """What it got so far."""
        seconds = sorted(self.seconds) or [0.0]
        places = (len(seconds) // 2, len(seconds) * 99 // 100, -1)
        return Service(len(self.seconds), *[seconds[place] for place in places])

    def _run(self) -> None:
        try:
            with self._connect() as file_system:
                number = 0
                while not self._over.wait(_PAUSE_SECONDS):
                    number += 1
                    self._work(file_system, f"{DIRECTORY}/{number % 50}")
        except Exception as error:  # Whatever it is, an honest client did not deserve it.
            logging.warning("an honest client met an error", exc_info=True)
            self.failures.append(f"an honest client met {error!r}")

    def _work(self, file_system: FileSystem, path: str) -> None:
        self._timed(lambda: file_system.write_bytes(path, _CONTENT))
        if self._timed(lambda: file_system.read_bytes(path)) != _CONTENT:
            self.failures.append(f"{path} was read with other bytes than were written")
        self._timed(lambda: file_system.stat(path))
        self._timed(lambda: list(file_system.list(DIRECTORY)))
        self._timed(lambda: file_system.delete(path))

    def _timed(self, work: Callable[[], object]) -> object:
        started = time.monotonic()
        result = work()
        self.seconds.append(time.monotonic() - started)
        return result
