"""How often a block is tried again, and what is waited before."""

import random
import time
from typing import Callable, Optional

from zookeeper.fabric.errors import Busy, DfsError

_BUSY_PAUSE_SECONDS = 0.5
_PAUSES_SECONDS = (0.0, 0.0, 0.5, 1.0, 2.0)
"""After the first failures and, the last of them, each further one. A pipeline that broke is built
anew at once, without its suspect; when that fails, too, datanodes may be in the middle of a
restart, one after the other."""


class Patience:
    """Of the writer of one block. `wait` waits so many seconds, or until the file is given up."""

    def __init__(
        self, attempts: int, busy_seconds: float, wait: Callable[[float], object]
    ) -> None:
        self._left = attempts
        self._busy_seconds = busy_seconds
        self._wait = wait
        self._busy_since: Optional[float] = None
        self._failures = 0

    def again(self, error: DfsError) -> bool:
        """An attempt ended by `error`: whether to make another one, after the wait for it.

        A datanode with as many transfers as it may have is waited for: nothing is wrong with it.
        """
        now = time.monotonic()
        if isinstance(error, Busy):
            if self._busy_since is None:
                self._busy_since = now
            if now - self._busy_since < self._busy_seconds:
                self._pause(_BUSY_PAUSE_SECONDS)
                return True
        self._left -= 1
        if self._left <= 0:
            return False
        self._pause(_PAUSES_SECONDS[min(self._failures, len(_PAUSES_SECONDS) - 1)])
        self._failures += 1
        return True

    def _pause(self, seconds: float) -> None:
        if seconds:
            # Many writers that were refused together must not come back together.
            self._wait(seconds * random.uniform(0.5, 1.0))
