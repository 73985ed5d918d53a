"""The zookeeper's daemon: the sessions behind one lock, its clock, its service.

Theory of operation. Requests arrive on one thread a connection. Each takes the lock for one step
of the table of sessions, which is microseconds; watchers sleep on a condition of that lock. One
more thread ticks. Nothing is durable: everything comes back by itself after a restart, because
clients find their session gone and register again.

A session id is random and is told to nobody but its client; and who presents it must be the
principal that opened the session, so that one which was overheard is of no use to others.
"""

import argparse
import secrets
import threading
import time
from types import MappingProxyType
from typing import Any, Callable, List, Mapping, Optional, Tuple

from zookeeper.calls import Leader, Opened, ZooKeeperCalls
from zookeeper.fabric import daemon, disk, logs
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import Call, serves
from zookeeper.fabric.errors import Unavailable
from zookeeper.fabric.figures import Family, gauge
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import ZOOKEEPER, Principal
from zookeeper.fabric.rpc import WAITING_SLICE_SECONDS, Service
from zookeeper.fabric.server import Server
from zookeeper.fabric.settings import Address, Settings
from zookeeper.roles import LEADER, places_of, require_parent
from zookeeper.sessions import CHILDREN_BYTES_MAX, Children, Sessions, Znode

log = logs.get("zookeeper")

WATCH_SECONDS_MAX = 30.0
TICKS_PER_EXPIRY = 10


class Coordination:
    """The one state that all connections share. Every method may be called by any thread."""

    def __init__(
        self, expiry_seconds: float, children_bytes_max: int = CHILDREN_BYTES_MAX
    ) -> None:
        self.expiry_seconds = expiry_seconds
        # A random base keeps the versions of this process apart from those of earlier ones.
        self._sessions = Sessions(
            expiry_seconds, secrets.randbits(60), time.monotonic(), children_bytes_max
        )
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._stopped = False

    def open_session(
        self, owner: str, places: Mapping[str, int] = MappingProxyType({}), principal: str = ""
    ) -> str:
        """A new session's id."""
        session_id = secrets.token_hex(16)
        with self._lock:
            self._sessions.open(session_id, owner, time.monotonic(), places, principal)
        log.info("session.opened", owner=owner)
        return session_id

    def require_own(self, session_id: str, principal: str) -> None:
        """Raises SessionExpired unless this principal opened the session, and it lives."""
        with self._lock:
            self._sessions.require_own(session_id, principal)

    def heartbeat(self, session_id: str) -> Tuple[Znode, ...]:
        """The session's client is alive; the znodes that it still holds."""
        with self._lock:
            self._sessions.heartbeat(session_id, time.monotonic())
            return self._sessions.held(session_id)

    def close_session(self, session_id: str) -> None:
        """End a session with all that it holds."""
        with self._lock:
            owner = self._sessions.owner(session_id)
            self._sessions.close(session_id)
            self._changed.notify_all()
        log.info("session.closed", owner=owner)

    def tick(self) -> None:
        """Remove the silent sessions; to be called TICKS_PER_EXPIRY times an expiry."""
        with self._lock:
            expired = self._sessions.tick(time.monotonic())
            if expired:
                self._changed.notify_all()
        for owner in expired.values():
            log.warning("session.expired", owner=owner)

    def create(self, session_id: str, path: str, data: str) -> None:
        """Register a znode or change its data."""
        with self._lock:
            self._sessions.create(session_id, path, data)
            self._changed.notify_all()

    def remove(self, session_id: str, path: str) -> None:
        """Take a znode back."""
        with self._lock:
            self._sessions.remove(session_id, path)
            self._changed.notify_all()

    def children(self, parent_path: str) -> Children:
        """The znodes directly below a path, and the version of that answer."""
        with self._lock:
            return self._sessions.children(parent_path)

    def watch(
        self,
        parent_path: str,
        known_version: int,
        seconds: float,
        gone: Callable[[], bool] = lambda: False,
    ) -> Children:
        """The same, once the version is another than `known_version` or the time is over.

        Raises Unavailable when the zookeeper stops meanwhile, or `gone` says that nobody waits.
        """
        sessions = self._sessions
        deadline = time.monotonic() + seconds
        with self._lock:
            while sessions.version(parent_path) == known_version and not self._stopped:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                if gone():
                    raise Unavailable("the watcher waits no more")
                self._changed.wait(min(left, WAITING_SLICE_SECONDS))
            if self._stopped:
                raise Unavailable("the zookeeper is stopping")
            return sessions.children(parent_path)

    def leader(self) -> Optional[Leader]:
        """Who is registered as the leader of the newest epoch, if anybody is."""
        with self._lock:
            registered = self._sessions.children(LEADER).znodes
        leaders = [
            Leader(int(znode.data), znode.path.rpartition("/")[2])
            for znode in registered
            if znode.data.isascii() and znode.data.isdigit() and len(znode.data) < 19
        ]
        return max(leaders, default=None)

    def figures(self) -> Tuple[Family, ...]:
        """Who is here, and in which epoch somebody leads."""
        leader = self.leader()
        with self._lock:
            sessions = self._sessions.figures()
        epoch = leader.epoch if leader is not None else 0
        return (
            *sessions,
            gauge("pyhdfs_leader_epoch", "In which epoch a namenode leads; 0: none does.", epoch),
        )

    def stop(self) -> None:
        """Send all watchers home."""
        with self._lock:
            self._stopped = True
            self._changed.notify_all()

    def __repr__(self) -> str:
        with self._lock:
            return f"<Coordination {self._sessions}>"


@serves(ZooKeeperCalls)
class ZooKeeperService(Service):
    """Answers one client, on one connection. All errors of `Coordination` cross."""

    def __init__(self, coordination: Coordination) -> None:
        super().__init__()
        self._coordination = coordination
        self.heartbeat, self.close_session = coordination.heartbeat, coordination.close_session
        self.remove = coordination.remove
        self.children, self.leader = coordination.children, coordination.leader
        self.own_figures = coordination.figures  # type: ignore[method-assign]

    def own(self, call: Call, values: Tuple[Any, ...], args: Tuple[Any, ...]) -> Tuple[Any, ...]:
        """Who names a session names one of his own."""
        if call.parameters and call.parameters[0].name == "session_id":
            self._coordination.require_own(values[0], str(self.peer.principal))
        return values

    def open_session(self, name: str) -> Opened:
        """See ZooKeeperCalls."""
        # Who has another principal is another owner, whatever name he gives.
        owner = f"{self.peer.principal} {name}"
        places = places_of(self.peer.principal, self.peer.host)
        principal = str(self.peer.principal)
        session_id = self._coordination.open_session(owner, places, principal)
        return Opened(session_id, self._coordination.expiry_seconds)

    def create(self, session_id: str, path: str, data: str) -> None:
        """See ZooKeeperCalls."""
        require_parent(self.peer.principal, path)
        self._coordination.create(session_id, path, data)

    def watch(self, parent_path: str, known_version: int, timeout_seconds: float) -> Children:
        """See ZooKeeperCalls."""
        seconds = min(timeout_seconds, WATCH_SECONDS_MAX)
        return self._coordination.watch(parent_path, known_version, seconds, self.gone)


class ZooKeeper(daemon.Daemon):
    """The zookeeper's process: directory, listening address, ticking thread."""

    def __init__(self, settings: Settings, credentials: Credentials, index: int = 0) -> None:
        """Lock the directory and listen. Raises StartRefused."""
        zookeeper = settings.zookeeper
        advertised = daemon.address_at(zookeeper.hosts, index, "zookeeper_hosts")
        directory = zookeeper.directory_of(advertised)
        self._directory_lock = disk.take_directory(directory)
        try:
            self._coordination = Coordination(
                zookeeper.session_expiry_seconds, settings.network.max_frame_bytes // 2
            )
            self._server = Server(
                f"{ZOOKEEPER}@{advertised}",
                daemon.bind_host(settings, advertised),
                advertised.port,
                lambda: ZooKeeperService(self._coordination),
                credentials,
                settings.network,
            )
        except BaseException:
            self._directory_lock.close()
            raise
        self.address = Address(advertised.host, self._server.address.port)
        self.ready = str(self.address)
        self._stopping = threading.Event()
        self._ticker = threading.Thread(target=self._keep_ticking, name="tick", daemon=True)

    def start(self) -> None:
        """Begin to serve and to tick."""
        self._ticker.start()
        self._server.start()

    def stop(self) -> None:
        """Send watchers home, let running calls finish, free the directory."""
        self._stopping.set()
        self._coordination.stop()
        self._server.stop()
        if self._ticker.is_alive():
            self._ticker.join()
        self._directory_lock.close()

    def _keep_ticking(self) -> None:
        pause = self._coordination.expiry_seconds / TICKS_PER_EXPIRY
        while not self._stopping.wait(pause):
            try:
                self._coordination.tick()
            except Exception as error:
                # Without ticks a dead datanode would stay on the list for ever.
                log.error("tick.failed", exc_info=True, error=type(error).__name__)

    def __repr__(self) -> str:
        return f"<ZooKeeper {self.ready} {self._coordination}>"


def _build(settings: Settings, arguments: argparse.Namespace) -> ZooKeeper:
    return ZooKeeper(settings, credentials_of(settings, Principal(ZOOKEEPER)), arguments.index)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    daemon.add_index(parser, "zookeeper", "zookeeper_hosts")


def main(argv: Optional[List[str]] = None) -> int:
    """Run the zookeeper until a signal; the process's exit status."""
    return daemon.run(
        role=ZOOKEEPER,
        description="Tracks which daemons are alive.",
        argv=argv,
        build=_build,
        add_arguments=_add_arguments,
    )
