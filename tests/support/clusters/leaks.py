"""Threads and descriptors that a test began and did not end."""

import gc
import os
import threading
from typing import Any, Set

from tests.support.clusters.waiting import wait_until


class Leaks:
    """What this process has now that it did not have when this object was made."""

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())
        self._descriptors = descriptors()

    def await_none(self) -> None:
        """Wait until all of it is gone again; AssertionError names what stays."""
        wait_until(lambda: not self.found(), what=f"the end of {self.found()}")

    def found(self) -> Set[Any]:
        """The threads and descriptors that came and are still there."""
        left = self._newcomers()
        if left:
            # What only a cycle of garbage holds is no leak.
            gc.collect()
            left = self._newcomers()
        return left

    def _newcomers(self) -> Set[Any]:
        threads = set(threading.enumerate()) - self._threads
        return threads | (descriptors() - self._descriptors)


def descriptors() -> Set[str]:
    """The open descriptors of this process."""
    found = set(os.listdir("/proc/self/fd"))
    # The directory's own is among them, and closed by now.
    return {number for number in found if os.path.lexists(f"/proc/self/fd/{number}")}
