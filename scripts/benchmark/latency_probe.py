"""What others wait: calls at a steady pace, while the cluster is busy with something else.

Theory of operation. A call is due at fixed moments. One that the call before it made late counts
from the moment at which it was due: else a stall of a second would be one slow call, where a crowd
of clients would have made a hundred (Gil Tene's "coordinated omission"). One that begins late
because the system woke this thread late counts from its beginning.
"""

import threading
import time
from typing import TYPE_CHECKING, Callable, Dict, List, Tuple

from zookeeper.fabric.errors import DfsError, SafeMode

if TYPE_CHECKING:
    from data_service.filesystem import FileSystem

PAUSE_SECONDS = 0.05
"""From one call of a kind to the next: long enough that the calls alone are never a queue, also
where each of them takes some tens of milliseconds."""

LATE_SECONDS_MAX = 10.0
"""Calls that are due for longer than this are not made up for: the pace begins anew."""

Probed = Dict[str, Tuple[List[float], int]]
"""By kind of call: milliseconds of those that were answered, and how many failed."""


class Beats:
    """Makes a call again and again, each at its moment, in a thread of its own."""

    def __init__(self, call: Callable[[int], object], pause: float) -> None:
        self._call = call
        self._pause = pause
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.milliseconds: List[float] = []
        self.failed = 0
        self._thread.start()

    def end(self) -> Tuple[List[float], int]:
        """Stop behind the call that runs: what was measured."""
        self._stopping.set()
        self._thread.join()
        return self.milliseconds, self.failed

    def _run(self) -> None:
        due, number, late = time.perf_counter(), 0, False
        while not self._stopping.wait(max(0.0, due - time.perf_counter())):
            self._make(number, due if late else time.perf_counter())
            number += 1
            due += self._pause
            now = time.perf_counter()
            if now - due > LATE_SECONDS_MAX:
                due = now
            late = due < now

    def _make(self, number: int, started: float) -> None:
        try:
            self._call(number)
        except SafeMode:
            # A cluster that starts takes no changes yet: neither slow nor broken.
            return
        except DfsError:
            self.failed += 1
            return
        self.milliseconds.append(1000 * (time.perf_counter() - started))


class Probe:
    """`stat` of one path and `mkdir` of many, from now on until `end`."""

    def __init__(self, files: "FileSystem", path: str, folder: str) -> None:
        unique = f"{folder}/{time.time_ns()}"
        self._beats = {
            "stat": Beats(lambda _: files.stat(path), PAUSE_SECONDS),
            "mkdir": Beats(
                lambda number: files.mkdir(f"{unique}-{number}", parents=True), PAUSE_SECONDS
            ),
        }

    def end(self) -> Probed:
        """Stop; what became of the calls."""
        return {kind: beats.end() for kind, beats in self._beats.items()}
