"""Keeps the leases of a client's open files, and gives up files that the program forgot."""

import queue
import threading
import time
from typing import Callable, Optional

from data_service.filesystem.namenode import NameNodeClient
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.forks import Forkable, watch

log = logs.get("leases")

Farewell = Callable[[], None]


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
        self._lost.put(farewell)

    def close(self) -> None:
        """End the thread."""
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
                    return
                farewell()

    def _renew(self) -> bool:
        """Whether any file is still open."""
        with self._lock:
            if not self._open_files:
                self._running = False
                return False
        try:
            self._namenode.call("renew_lease", self._namenode.client_id)
        except DfsError as error:
            # The write itself meets the same trouble, and reports it.
            log.info("lease.not_renewed", error=error.message)
        return True
