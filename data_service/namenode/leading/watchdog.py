"""Ends a namenode that nobody can use any more, and that keeps others from leading.

Theory of operation. A thread that waits for ever while it holds the lock of the core (a defect; a
disk that hangs under a log file) stops every call, but not the proofs of leadership, which need no
lock: no other namenode would ever take over. So one more thread asks for that lock now and then.
When it cannot be had for long, what everybody does is written down, the members of the record are
told that others may lead, and the process ends, to be started anew by whoever keeps it running.

It waits in short pieces, of which a suspended process loses one at most.
"""

import faulthandler
import os
import sys
import threading
from typing import Callable

from data_service.namenode.leading.ending import Ending
from zookeeper.fabric import logs
from zookeeper.fabric.errors import NotLeader

log = logs.get("watchdog")

LOOK_SECONDS = 1.0
"""The pause between two looks."""

PIECES, PIECE_SECONDS = 20, 0.5
"""For how long the lock must not be to be had: 10 s."""

EXIT_STATUS = 70
"""EX_SOFTWARE, of sysexits.h."""


def leave() -> None:
    """End this process as it is: who holds the lock would never let it end in order."""
    os._exit(EXIT_STATUS)


class Watchdog:
    """That of one term. `release` lets others lead; `leave` ends the process."""

    def __init__(
        self,
        lock: threading.Lock,
        ending: Ending,
        release: Callable[[], None],
        leave: Callable[[], None] = leave,
    ) -> None:
        self._lock = lock
        self._ending = ending
        self._release = release
        self._leave = leave

    def start(self) -> None:
        """Begin to look, in a thread, until the term is over."""
        threading.Thread(target=self._keep, name="watchdog", daemon=True).start()

    def _keep(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            if not self._can_be_had():
                self._give_up()
                return

    def _can_be_had(self) -> bool:
        for _ in range(PIECES):
            if self._lock.acquire(timeout=PIECE_SECONDS):
                self._lock.release()
                return True
            if self._ending.is_set:
                return True
        return False

    def _give_up(self) -> None:
        seconds = PIECES * PIECE_SECONDS
        log.error("core.stuck", seconds=seconds, effect="this namenode ends: another one may lead")
        try:
            if sys.stderr is not None:
                faulthandler.dump_traceback(sys.stderr)
            self._ending.set(NotLeader("nothing can be decided any more"))
            self._release()
        finally:
            self._leave()

    def __repr__(self) -> str:
        return f"<Watchdog {self._ending!r}>"
