"""One session with one zookeeper: what shall hold in it is compared with what does, and made good.

The owner says what is wanted, never when. One thread keeps the session by heartbeats, and after
each of them makes good what does not hold yet. A heartbeat is answered with what the session still
holds, so an expired session, a restarted zookeeper, a broken connection and a znode that went to
somebody else are all healed by the same comparison. A resignation is no wish that the next one may
hide: it has a number, and nobody is a candidate again before the zookeeper has acknowledged it.

News about roles is told by one more thread: a daemon that takes a minute to become a leader must
not lose its session in that minute.
"""

import queue
import threading
import time
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

from zookeeper.calls import ZooKeeperCalls
from zookeeper.election import Leadership
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError, PathNotFound, SessionExpired, Unavailable
from zookeeper.fabric.settings import ZooKeeperSettings
from zookeeper.link import PARTS_OF_EXPIRY, Link, Outage, tell

log = logs.get("coordinator")

OnLeadership = Callable[[Optional[Leadership]], None]


class _Candidacy(NamedTuple):
    """A wish to lead; `number` tells how many resignations from the role came before it."""

    number: int
    data: str
    callback: OnLeadership


class SessionKeeper:
    """One session and what shall hold in it. Fields without a lock are the keeping thread's."""

    def __init__(self, name: str, link: Link, settings: ZooKeeperSettings) -> None:
        self.link = link
        self._zookeeper = ZooKeeperCalls(link.perform)
        self.connected = False
        self.led: Dict[str, Tuple[int, float]] = {}
        self._failing = False
        self._name = name
        self._settings = settings
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._wanted_znodes: Dict[str, str] = {}
        self._wanted_roles: Dict[str, _Candidacy] = {}
        self._resignations: Dict[str, int] = {}
        self._session_id = ""
        self._beat_seconds = settings.heartbeat_seconds
        # What the session may hold: entered before the call, because its answer can be lost.
        self._held_znodes: Dict[str, Optional[str]] = {}
        self._held_roles: Dict[str, int] = {}
        """Role -> number of the candidacy that was sent, until its resignation is acknowledged."""
        self._told_roles: Dict[str, Tuple[int, OnLeadership, Optional[Leadership]]] = {}
        self._refusals: Dict[str, str] = {}
        self._news: "queue.SimpleQueue[Any]" = queue.SimpleQueue()

    def want_znode(self, path: str, data: Optional[str]) -> None:
        """From now on `path` shall have this data, or (None) not be registered."""
        with self._lock:
            _set(self._wanted_znodes, path, data)
        self._wake.set()

    def stand(self, role: str, data: str, callback: OnLeadership) -> None:
        """From now on the role is wanted."""
        with self._lock:
            number = self._resignations.get(role, 0)
            self._wanted_roles[role] = _Candidacy(number, data, callback)
        self._wake.set()

    def resign(self, role: str) -> None:
        """What was wanted until now is given up, whatever is wanted next."""
        with self._lock:
            self._wanted_roles.pop(role, None)
            self._resignations[role] = self._resignations.get(role, 0) + 1
        self._wake.set()

    def wake(self) -> None:
        """Let the next round begin now."""
        self._wake.set()

    def keep(self, stopping: threading.Event) -> None:
        """The thread: a round each heartbeat, until `stopping`; then say goodbye."""
        outage = Outage(self._settings.session_expiry_seconds, time.monotonic())
        while not stopping.is_set():
            try:
                self._round()
                outage.reached(time.monotonic())
                pause = self._beat_seconds
            except DfsError as error:
                pause = self._lost(error, outage)
            except Exception as error:
                # Also a defect of ours must not end this thread: without a session a daemon is
                # dead to all others.
                log.error("session.failed", exc_info=True, error=type(error).__name__)
                pause = self._lost(error, outage)
            self._wake.wait(pause)
            self._wake.clear()
        self._say_goodbye()
        self._news.put(None)

    def tell_roles(self) -> None:
        """The other thread: tell candidates what is new, in order."""
        for role, number, callback, leadership in iter(self._news.get, None):
            with self._lock:
                resigned = self._resignations.get(role, 0) != number
            if not resigned:  # Else it is news about a candidacy that is no more.
                tell(callback, leadership)

    def _round(self) -> None:
        """Show that we live, then compare what is wanted with what holds, and make it good."""
        if self._session_id:
            self._note_held(dict(self._zookeeper.heartbeat(self._session_id)))
        else:
            self._session_id, expiry = self._zookeeper.open_session(self._name)
            self._beat_seconds = min(self._settings.heartbeat_seconds, expiry / PARTS_OF_EXPIRY)
            self._held_znodes, self._held_roles, self._refusals = {}, {}, {}
            log.info("session.opened", name=self._name)
        self.connected, self._failing = True, False
        with self._lock:
            znodes, roles = dict(self._wanted_znodes), dict(self._wanted_roles)
        for path in set(self._held_znodes) - set(znodes):
            self._try(f"remove {path}", self._remove, path)
        for path, data in znodes.items():
            if self._held_znodes.get(path) != data:
                self._try(f"create {path}", self._create, path, data)
        for role, number in list(self._held_roles.items()):
            if role not in roles or roles[role].number != number:
                self._try(f"resign {role}", self._resign, role)
        for role in set(self._told_roles) - set(roles):
            del self._told_roles[role]
        # The leader asks again, too: so it hears when its successor took its role.
        for role, candidacy in roles.items():
            if self._held_roles.get(role, candidacy.number) == candidacy.number:
                self._try(f"campaign {role}", self._campaign, role, candidacy)

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

    def _resign(self, role: str) -> None:
        self._zookeeper.resign(self._session_id, role)
        self._held_roles.pop(role, None)

    def _campaign(self, role: str, candidacy: _Candidacy) -> None:
        self._held_roles[role] = candidacy.number
        asked_at = time.monotonic()
        leadership = self._zookeeper.campaign(self._session_id, role, candidacy.data)
        if leadership.leads:
            self.led[role] = (leadership.epoch, asked_at)
        self._tell_role(role, candidacy, leadership)

    def _tell_role(self, role: str, candidacy: _Candidacy, news: Optional[Leadership]) -> None:
        told = (candidacy.number, candidacy.callback, news)
        if self._told_roles.get(role) != told:
            self._told_roles[role] = told
            self._news.put((role, *told))

    def _lost(self, error: Exception, outage: Outage) -> float:
        """The round failed; the seconds until the next."""
        if not self._failing:
            log.warning("zookeeper.lost", name=self._name, error=error)
        self.connected, self._failing = False, True
        if isinstance(error, SessionExpired):
            self._session_id = ""
        elif outage.failed(time.monotonic()):
            with self._lock:
                roles = dict(self._wanted_roles)
            for role, candidacy in roles.items():
                self._tell_role(role, candidacy, None)
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
        return f"{state}, {len(self._held_znodes)} znodes, {len(self._held_roles)} roles"


def _set(wanted: Dict[str, Any], key: str, value: object) -> None:
    if value is None:
        wanted.pop(key, None)
    else:
        wanted[key] = value
