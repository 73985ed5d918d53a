"""Somebody who means well, and who has to be served whatever others do."""

import threading
import time
from typing import Callable, List

from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until

ROUNDS = 5
"""So often he works while a flood goes on."""

ROUND_SECONDS = 20.0
"""A round takes tens of milliseconds; on a machine that others use too, and under a flood, more."""


class Honest:
    """A user who works all the time, in a thread: `work` is one round."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self.rounds = 0
        self.longest = 0.0
        self.failures: List[BaseException] = []

    def _go_on(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._work()
            except (OSError, AssertionError) as error:
                self.failures.append(error)
                return
            self.longest = max(self.longest, time.monotonic() - began)
            self.rounds += 1

    def __enter__(self) -> "Honest":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(2 * PATIENCE_SECONDS)

    def work_on(self) -> None:
        """Wait until so many rounds are done from now on; none may fail."""
        wanted = self.rounds + ROUNDS
        wait_until(
            lambda: self.failures or self.rounds >= wanted, ROUNDS * ROUND_SECONDS, "honest work"
        )
        assert not self.failures, self.failures
        assert self.longest < ROUND_SECONDS
