"""One session with one zookeeper: what shall hold in it is compared with what does, and made good.

The owner says what is wanted, never when. One thread keeps the session by heartbeats, and after
each of them makes good what does not hold yet. A heartbeat is answered with what the session still
holds, so an expired session, a restarted zookeeper, a broken connection and a znode that went to
somebody else are all healed by the same comparison.
"""

import threading
from typing import Callable, Dict, Optional

from zookeeper.calls import ZooKeeperCalls
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, PathNotFound, SessionExpired, Unavailable
from zookeeper.fabric.settings import ZooKeeperSettings
from zookeeper.link import PARTS_OF_EXPIRY, Link

log = logs.get("coordinator")


class SessionKeeper:
    """One session and what shall hold in it. Fields without a lock are the keeping thread's."""

    def __init__(self, name: str, link: Link, settings: ZooKeeperSettings) -> None:
        self.link = link
        self._zookeeper = ZooKeeperCalls(link.perform)
        self.connected = False
        self._failing = False
        self._name = name
        self._settings = settings
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._wanted_znodes: Dict[str, str] = {}
        self._session_id = ""
        self._beat_seconds = settings.heartbeat_seconds
        # What the session may hold: entered before the call, because its answer can be lost.
        self._held_znodes: Dict[str, Optional[str]] = {}
        self._refusals: Dict[str, str] = {}

    def want_znode(self, path: str, data: Optional[str]) -> None:
        """From now on `path` shall have this data, or (None) not be registered."""
        with self._lock:
            if data is None:
                self._wanted_znodes.pop(path, None)
            else:
                self._wanted_znodes[path] = data
        self._wake.set()

    def wake(self) -> None:
        """Let the next round begin now."""
        self._wake.set()

    def keep(self, stopping: threading.Event) -> None:
        """The thread: a round each heartbeat, until `stopping`; then say goodbye."""
        while not stopping.is_set():
            try:
                self._round()
                pause = self._beat_seconds
            except DfsError as error:
                pause = self._lost(error)
            except Exception as error:
                # Also a defect of ours must not end this thread: without a session a daemon is
                # dead to all others.
                log.error("session.failed", exc_info=True, error=type(error).__name__)
                pause = self._lost(error)
            self._wake.wait(pause)
            self._wake.clear()
        self._say_goodbye()

    def _round(self) -> None:
        """Show that we live, then compare what is wanted with what holds, and make it good."""
        if self._session_id:
            self._note_held(dict(self._zookeeper.heartbeat(self._session_id)))
        else:
            self._session_id, expiry = self._zookeeper.open_session(self._name)
            self._beat_seconds = min(self._settings.heartbeat_seconds, expiry / PARTS_OF_EXPIRY)
            self._held_znodes, self._refusals = {}, {}
            log.info("session.opened", name=self._name)
        self.connected, self._failing = True, False
        with self._lock:
            znodes = dict(self._wanted_znodes)
        for path in set(self._held_znodes) - set(znodes):
            self._try(f"remove {path}", self._remove, path)
        for path, data in znodes.items():
            if self._held_znodes.get(path) != data:
                self._try(f"create {path}", self._create, path, data)

    def _try(self, what: str, step: Callable[..., None], *args: object) -> None:
        """One step, whose refusal must not hinder the others; it is tried again next round."""
        try:
            step(*args)
            self._refusals.pop(what, None)
        except (Unavailable, SessionExpired):
            raise
        except DfsError as error:
            if self._refusals.get(what) != error.message:
                log.warning("step.refused", step=what, error=error.message)
            self._refusals[what] = error.message

    def _note_held(self, held: Dict[str, str]) -> None:
        """The zookeeper's word on what this session holds counts, not our own memory."""
        for path in set(self._held_znodes) - set(held):
            if self._held_znodes[path] is not None:
                log.warning("znode.lost", path=path)
        self._held_znodes = dict(held)

    def _create(self, path: str, data: str) -> None:
        self._held_znodes[path] = None
        self._zookeeper.create(self._session_id, path, data)
        self._held_znodes[path] = data

    def _remove(self, path: str) -> None:
        try:
            self._zookeeper.remove(self._session_id, path)
        except PathNotFound:
            pass  # It was never created, or our successor has it: either way it is not ours.
        del self._held_znodes[path]

    def _lost(self, error: Exception) -> float:
        """The round failed; the seconds until the next."""
        if not self._failing:
            log.warning("zookeeper.lost", name=self._name, error=error)
        self.connected, self._failing = False, True
        if isinstance(error, SessionExpired):
            self._session_id = ""
        return self.link.pause()

    def _say_goodbye(self) -> None:
        try:
            if self._session_id:
                self._zookeeper.close_session(self._session_id)
        except DfsError as error:
            log.warning("session.left_to_expire", name=self._name, error=error.message)
        self.connected = False
        self.link.close()

    def __repr__(self) -> str:
        state = "connected" if self.connected else "not connected"
        return f"{state}, {len(self._held_znodes)} znodes"
