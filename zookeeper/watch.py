"""A watched path: a long poll after the other at every zookeeper, and one view of all answers."""

import threading
import time
from typing import Callable, Dict, List, Optional, Sequence

from zookeeper.calls import ZooKeeperCalls
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, Unavailable
from zookeeper.link import PARTS_OF_EXPIRY, Link, Outage, tell
from zookeeper.views import merged

log = logs.get("coordinator")

OnChildren = Callable[[Optional[Dict[str, str]]], None]


class Watch:
    """One path: what each zookeeper sees below it, and what its owner was told last."""

    def __init__(self, parent_path: str, callback: OnChildren, links: Sequence[Link]) -> None:
        """`links` lead to a zookeeper each, and to each one only."""
        self.parent_path = parent_path
        self.links = tuple(links)
        self._callback = callback
        self._lock = threading.Lock()
        self._views: Dict[Link, Optional[Dict[str, str]]] = {}
        self._telling = False
        self._told: List[Optional[Dict[str, str]]] = []

    def keep(self, link: Link, stopping: threading.Event, expiry_seconds: float) -> None:
        """The thread that polls over one of the links, until `stopping` and that link is closed."""
        poll_seconds = expiry_seconds / PARTS_OF_EXPIRY
        within = link.patience + poll_seconds
        zookeeper = ZooKeeperCalls(link.perform, within)
        outage = Outage(expiry_seconds, time.monotonic())
        version = -1
        while not stopping.is_set():
            try:
                version, znodes = zookeeper.watch(self.parent_path, version, poll_seconds)
                self._note(link, dict(znodes))
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
                    self._note(link, None)
                stopping.wait(link.pause())

    def _note(self, link: Link, view: Optional[Dict[str, str]]) -> None:
        """What is seen over a link, or None while nobody answers there; tell what is new."""
        with self._lock:
            self._views[link] = view
            if self._telling:
                return  # Who tells the owner looks again when he has heard it.
            self._telling = True
        while True:
            with self._lock:
                news = merged([self._views[link] for link in self.links if link in self._views])
                if self._told == [news]:
                    self._telling = False
                    return
                self._told = [news]
            tell(self._callback, news)
