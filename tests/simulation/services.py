"""The zookeeper, around its real core, and the sessions that others have with it."""

from typing import Any, Dict, Optional, Tuple

from tests.simulation.world import Process, Script, World
from zookeeper.fabric.errors import SessionExpired
from zookeeper.sessions import Sessions

EXPIRY_SECONDS = 3.0
ZOOKEEPER = "zookeeper"


class ZooKeeper(Process):
    """The real `Sessions`."""

    def __init__(self, world: World) -> None:
        super().__init__(world, ZOOKEEPER)
        self._opened = 0
        self.state = self._fresh()

    def _fresh(self) -> Sessions:
        base = self.world.random.randrange(1 << 40)
        return Sessions(EXPIRY_SECONDS, base, self.clock())

    def on_start(self) -> None:
        """All sessions are forgotten."""
        self.state = self._fresh()
        self.spawn(self._tick())

    def _tick(self) -> Script:
        while True:
            yield self.world.sleep(0.5)
            self.state.tick(self.clock())
            self.state.check()

    def exposed_keep(self, source: str, session_id: str, path: str) -> Tuple[str, tuple]:
        """One round of a coordinator: live, and be registered; (session id, all datanodes)."""
        sessions = self.state
        if session_id:
            sessions.heartbeat(session_id, self.clock())
        else:
            self._opened += 1
            session_id = f"session-{self._opened}"
            sessions.open(session_id, source, self.clock())
        sessions.create(session_id, path, source)
        return session_id, sessions.children("/data_nodes").znodes

    def exposed_close(self, _source: str, session_id: str) -> None:
        """End a session."""
        self.state.close(session_id)


class Coordination:
    """A process's session with the zookeeper; `round` is called every heartbeat."""

    def __init__(self, process: Process, call: Any, path: str) -> None:
        self._process = process
        self._call = call
        self._path = path
        self.session_id = ""
        self.connected = False
        self.reached_at = process.clock()
        self.datanodes: Optional[Dict[str, str]] = None

    def round(self) -> Script:
        """Live, be registered, learn who else is. Raises Unavailable or SessionExpired."""
        try:
            reply = yield self._call(self._process, ZOOKEEPER, "keep", self.session_id,
                                     self._path, timeout=1.0)
        except SessionExpired:
            self.session_id = ""
            self.connected = False
            raise
        self.session_id, znodes = reply
        self.connected = True
        self.reached_at = self._process.clock()
        self.datanodes = {path.rpartition("/")[2]: name for path, name in znodes}

    def lost(self) -> bool:
        """A round failed; whether the outage is longer than a session lives."""
        self.connected = False
        return self._process.clock() - self.reached_at > EXPIRY_SECONDS
