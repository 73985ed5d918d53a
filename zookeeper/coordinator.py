"""A daemon's side of coordination: stay registered, know who is alive.

Theory of operation. The owner says what shall hold ("this path is registered"). With every
zookeeper there is a session, whose `SessionKeeper` makes it good there; they know nothing of each
other. Each watched path has a thread and a connection for each of them, so that a long poll never
delays a heartbeat, and what they see becomes one view (`views.py`).

A zookeeper that is out of reach for longer than a session lives counts no more, since what it saw
has lost its worth; when all are, watchers are told None. It is no news about anybody else.
"""

import threading
import time
from typing import Callable, List

from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.settings import Settings
from zookeeper.link import Link
from zookeeper.session_keeper import SessionKeeper
from zookeeper.watch import OnChildren, Watch

STOP_SECONDS = 2.0
"""How long `stop` takes at most, also when a zookeeper hangs."""


class Coordinator:
    """Keeps a daemon's sessions, znodes and watches; all methods are thread-safe."""

    def __init__(self, name: str, settings: Settings, credentials: Credentials) -> None:
        """`name` is this daemon's own, and the same after a restart, such as host:port.

        By its name a restarted daemon takes over at once what its predecessor still holds.
        """
        self._name = name
        self._settings = settings
        self._credentials = credentials
        self._lock = threading.Lock()
        self._started = False
        self._stopping = threading.Event()
        self._sessions = [
            SessionKeeper(name, link, settings.zookeeper) for link in self._new_links()
        ]
        self._watches: List[Watch] = []
        self._threads: List[threading.Thread] = []

    @property
    def connected(self) -> bool:
        """Whether a zookeeper answered the last heartbeat, in a session that lives."""
        return any(session.connected for session in self._sessions)

    def register(self, path: str, data: str) -> None:
        """Keep an ephemeral znode at `path` from now on; call again to change its data."""
        for session in self._sessions:
            session.want_znode(path, data)

    def unregister(self, path: str) -> None:
        """Take the znode back."""
        for session in self._sessions:
            session.want_znode(path, None)

    def watch(self, parent_path: str, callback: OnChildren) -> None:
        """Tell `callback` the znodes (path -> data) directly below a path, and every change.

        It is told None when every zookeeper is out of reach for longer than a session lives.
        It has a thread of its own, which it may keep busy: it then skips to the newest state.
        """
        watch = Watch(parent_path, callback, self._new_links())
        with self._lock:
            self._watches.append(watch)
            if self._started and not self._stopping.is_set():
                self._run_watch(watch)

    def start(self) -> None:
        """Begin; returns at once, whether a zookeeper runs or not."""
        with self._lock:
            self._started = True
            for session in self._sessions:
                self._run("session", session.keep, self._stopping)
            for watch in self._watches:
                self._run_watch(watch)

    def stop(self) -> None:
        """Close the sessions and end all threads, within STOP_SECONDS; also before `start`."""
        deadline = time.monotonic() + STOP_SECONDS
        with self._lock:
            self._stopping.set()
            threads, watches = list(self._threads), list(self._watches)
        for session in self._sessions:
            session.wake()
        for link in (link for watch in watches for link in watch.links):
            link.close()
        # Half of the time is for a goodbye; then a zookeeper that hangs is hung up on.
        _join(threads[: len(self._sessions)], deadline - STOP_SECONDS / 2)
        for session in self._sessions:
            session.link.close()
        _join(threads, deadline)

    def _run_watch(self, watch: Watch) -> None:
        expiry = self._settings.zookeeper.session_expiry_seconds
        for link in watch.links:
            self._run(f"watch {watch.parent_path}", watch.keep, link, self._stopping, expiry)

    def _new_links(self) -> List[Link]:
        """A connection to every zookeeper, of which each thread has its own."""
        hosts = self._settings.zookeeper.hosts
        return [Link(address, self._settings, self._credentials) for address in hosts]

    def _run(self, what: str, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name=f"zookeeper-{what}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def __repr__(self) -> str:
        return f"<Coordinator {self._name} {'; '.join(map(repr, self._sessions))}>"


def _join(threads: List[threading.Thread], deadline: float) -> None:
    for thread in threads:
        # A callback may stop its own coordinator; its thread ends when the callback returns.
        if thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
