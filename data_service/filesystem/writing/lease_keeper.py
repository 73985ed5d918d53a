"""Keeps the leases of a client's open files, and gives up files that the program forgot."""

import atexit
import queue
import threading
import time
import weakref
from collections import deque
from typing import Callable, Deque, Optional

from data_service.filesystem.namenode_client import BRIEF_SECONDS, NameNodeClient
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.forks import Forkable, watch

log = logs.get("leases")

Farewell = Callable[[], None]

_keepers: "weakref.WeakSet[LeaseKeeper]" = weakref.WeakSet()


class LeaseKeeper(Forkable):
    """Renews a client's leases while it has files open for writing; one thread a client.

    A forked process has no files open yet: those of its parent are not its own.
    """

    def __init__(self, namenode: NameNodeClient, interval_seconds: float) -> None:
        self._namenode = namenode
        self._interval = interval_seconds
        self.forked()
        watch(self)

    def forked(self) -> None:
        """Begin without files and without a thread."""
        self._lock = threading.Lock()
        self._open_files = 0
        self._running = False
        # Of all ways to tell another thread something, the only one that a destructor may use.
        self._lost: "queue.SimpleQueue[Optional[Farewell]]" = queue.SimpleQueue()
        self._unsaid: Deque[Farewell] = deque()
        _keepers.add(self)

    def enter(self) -> None:
        """One more file is open."""
        with self._lock:
            self._open_files += 1
            if not self._running:
                self._running = True
                threading.Thread(target=self._keep, name="lease", daemon=True).start()

    def leave(self) -> None:
        """One file less is open."""
        with self._lock:
            self._open_files -= 1

    def lose(self, farewell: Farewell) -> None:
        """Have `farewell` called soon, by another thread: this one may be in the middle of
        anything, since it is the garbage collector that calls."""
        self._unsaid.append(farewell)
        self._lost.put(farewell)

    def settle(self) -> None:
        """Wait, but not long, until the farewells so far were said."""
        with self._lock:
            if not self._unsaid or not self._running:
                return
        said = threading.Event()
        self._lost.put(said.set)
        said.wait(2 * BRIEF_SECONDS)

    def close(self) -> None:
        """End the thread, when it has given up what was lost."""
        self.settle()
        self._lost.put(None)

    def __repr__(self) -> str:
        return f"<LeaseKeeper of {self._open_files} files>"

    def _keep(self) -> None:
        due = time.monotonic() + self._interval
        while True:
            try:
                farewell = self._lost.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                if not self._renew():
                    return
                due = time.monotonic() + self._interval
            else:
                if farewell is None:
                    with self._lock:
                        self._running = False
                    return
                farewell()
                if self._unsaid and self._unsaid[0] is farewell:
                    self._unsaid.popleft()

    def _renew(self) -> bool:
        """Whether any file is still open."""
        with self._lock:
            if not self._open_files:
                self._running = False
                return False
        try:
            self._namenode.calls.renew_lease(self._namenode.client_id)
        except DfsError as error:
            # The write itself meets the same trouble, and reports it.
            log.info("lease.not_renewed", error=error.message)
        return True


def _settle_all() -> None:
    """At the end of the program, which would cut the threads off in the middle of a word."""
    for keeper in list(_keepers):
        keeper.settle()


atexit.register(_settle_all)
