"""One watched path at one zookeeper: a long poll after the other."""

import threading
import time
from typing import Callable, Dict, List, Optional

from zookeeper.calls import ZooKeeperCalls
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, Unavailable
from zookeeper.link import PARTS_OF_EXPIRY, Link, Outage, tell

log = logs.get("coordinator")

OnChildren = Callable[[Optional[Dict[str, str]]], None]


class Watch:
    """One watched path: a long poll after the other, and what its owner was told last."""

    def __init__(self, parent_path: str, callback: OnChildren, link: Link) -> None:
        self.parent_path = parent_path
        self.link = link
        self._callback = callback
        self._told: List[Optional[Dict[str, str]]] = []

    def keep(self, stopping: threading.Event, expiry_seconds: float) -> None:
        """The thread, until `stopping` and a closed link."""
        poll_seconds = expiry_seconds / PARTS_OF_EXPIRY
        within = self.link.patience + poll_seconds
        zookeeper = ZooKeeperCalls(self.link.perform, within)
        outage = Outage(expiry_seconds, time.monotonic())
        version = -1
        while not stopping.is_set():
            try:
                version, znodes = zookeeper.watch(self.parent_path, version, poll_seconds)
                self._tell(dict(znodes))
                outage.reached(time.monotonic())
            except Exception as error:
                # Also a defect of ours must not end this thread: it would freeze the list.
                if stopping.is_set():
                    return
                if not isinstance(error, Unavailable):
                    defect = not isinstance(error, DfsError)
                    log.error("watch.failed", exc_info=defect, path=self.parent_path, error=error)
                version = -1
                if outage.failed(time.monotonic()):
                    self._tell(None)
                stopping.wait(self.link.pause())

    def _tell(self, news: Optional[Dict[str, str]]) -> None:
        if self._told != [news]:
            self._told = [news]
            tell(self._callback, news)
