"""A daemon's side of coordination: stay registered, stay a candidate, know who is alive.

Theory of operation. The owner says what shall hold ("this path is registered", "I want this
role"); a `SessionKeeper` makes it good. Each watched path has a thread and a connection of its own,
so that a long poll never delays a heartbeat.

A zookeeper that is out of reach for longer than a session lives is told to watchers and
candidates as None: what they knew has lost its worth. It is no news about anybody else.
"""

import math
import threading
import time
from typing import Callable, List, Tuple

from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.settings import Settings
from zookeeper.link import Link
from zookeeper.session_keeper import OnLeadership, SessionKeeper
from zookeeper.watch import OnChildren, Watch

STOP_SECONDS = 2.0
"""How long `stop` takes at most, also when the zookeeper hangs."""


class Coordinator:
    """Keeps a daemon's session, znodes, candidacies and watches; all methods are thread-safe."""

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
        self._session = SessionKeeper(name, Link(settings, credentials), settings.zookeeper)
        self._watches: List[Watch] = []
        self._threads: List[threading.Thread] = []

    @property
    def connected(self) -> bool:
        """Whether the last heartbeat was answered, in a session that lives."""
        return self._session.connected

    def register(self, path: str, data: str) -> None:
        """Keep an ephemeral znode at `path` from now on; call again to change its data."""
        self._session.want_znode(path, data)

    def unregister(self, path: str) -> None:
        """Take the znode back."""
        self._session.want_znode(path, None)

    def campaign(self, role: str, data: str, callback: OnLeadership) -> None:
        """Be a candidate for `role` from now on; `data` is what the others know of the leader.

        `callback` is told every change of who leads, in a thread that it may keep busy, and None
        when the zookeeper has been out of reach for longer than a session lives. Then another
        may lead already, or nobody can: what fences the leader decides, not this silence.
        """
        self._session.stand(role, data, callback)

    def resign(self, role: str) -> None:
        """Be no candidate any more, and give the role up when leading.

        Who campaigns again is told anew how the role stands, once it has been given up.
        """
        self._session.resign(role)

    def led(self, role: str) -> Tuple[int, float]:
        """(epoch, monotonic seconds) of the last answer that this daemon leads: when it was asked.

        (0, -inf) when there was none. Until that moment nobody else was elected in a later epoch.
        """
        return self._session.led.get(role, (0, -math.inf))

    def watch(self, parent_path: str, callback: OnChildren) -> None:
        """Tell `callback` the znodes (path -> data) directly below a path, and every change.

        It is told None when the zookeeper has been out of reach for longer than a session lives.
        It has a thread of its own, which it may keep busy: it then skips to the newest state.
        """
        watch = Watch(parent_path, callback, Link(self._settings, self._credentials))
        with self._lock:
            self._watches.append(watch)
            if self._started and not self._stopping.is_set():
                self._run_watch(watch)

    def start(self) -> None:
        """Begin; returns at once, whether a zookeeper runs or not."""
        with self._lock:
            self._started = True
            self._run("session", self._session.keep, self._stopping)
            self._run("roles", self._session.tell_roles)
            for watch in self._watches:
                self._run_watch(watch)

    def stop(self) -> None:
        """Close the session and end all threads, within STOP_SECONDS; also before `start`."""
        deadline = time.monotonic() + STOP_SECONDS
        with self._lock:
            self._stopping.set()
            threads, watches = list(self._threads), list(self._watches)
        self._session.wake()
        for watch in watches:
            watch.link.close()
        # Half of the time is for a goodbye; then a zookeeper that hangs is hung up on.
        _join(threads[:1], deadline - STOP_SECONDS / 2)
        self._session.link.close()
        _join(threads, deadline)

    def _run_watch(self, watch: Watch) -> None:
        expiry = self._settings.zookeeper.session_expiry_seconds
        self._run(f"watch {watch.parent_path}", watch.keep, self._stopping, expiry)

    def _run(self, what: str, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name=f"zookeeper-{what}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def __repr__(self) -> str:
        return f"<Coordinator {self._name} {self._session}>"


def _join(threads: List[threading.Thread], deadline: float) -> None:
    for thread in threads:
        # A callback may stop its own coordinator; its thread ends when the callback returns.
        if thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
