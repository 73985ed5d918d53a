"""The zookeeper, around its real core, and a model of the metadata service."""

from math import inf
from typing import Any, Callable, Dict, List, Optional, Tuple

from metadata_service.edits import TABLES, Edit, decode
from metadata_service.member.member_lease import LEASE_FACTOR, address_of
from metadata_service.quorum import OK, Configuration, MemberStatus, Place
from tests.simulation.world import Process, Script, World
from zookeeper.fabric.errors import Busy, Fenced, ProtocolViolation, SessionExpired
from zookeeper.sessions import Sessions

EXPIRY_SECONDS = 3.0
LEADER_SECONDS = 1.0
ZOOKEEPER = "zookeeper"
METADATA = "metadata"
CLUSTER_ID = "cluster-1"

Tables = Dict[str, Dict[Any, tuple]]


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


class MetadataService(Process):
    """What the metadata service promises: a log of edits, the tables that they make, epochs, and
    that it promises none while a leader may still prove that it leads."""

    def __init__(self, world: World) -> None:
        super().__init__(world, METADATA)
        self.witness: Callable[[int, int], None] = lambda epoch, newest: None
        self.epoch, self.owner = 0, ""
        self.heard_at = -inf
        self.lines: List[str] = []
        self.edits: List[Edit] = []
        self.tables: Tables = {name: {} for name in TABLES}
        self.deleted_ever: Dict[int, None] = {}

    def on_start(self) -> None:
        """Nobody knows whom it heard a moment ago."""
        self.heard_at = self.clock()

    @property
    def last_txid(self) -> int:
        """The newest durable edit."""
        return len(self.lines)

    def exposed_claim_epoch(
        self, _source: str, owner: str, above: int, at_least: int
    ) -> Script:
        """More than ever before, once it is on disk; the same again for the same claim."""
        yield self._sync()
        if self.epoch > above and self.owner == owner:
            return self.epoch
        if self.epoch != above:
            raise Fenced(f"epoch {self.epoch} has been claimed meanwhile")
        self.admit_claim(owner)
        self.epoch, self.owner = max(above + 1, at_least), owner
        self.heard_at = self.clock()
        return self.epoch

    def admit_claim(self, owner: str) -> None:
        """Refuse whoever is not the owner himself while another may lead."""
        own = address_of(owner) == address_of(self.owner)
        if not own and self.clock() - self.heard_at < LEADER_SECONDS * LEASE_FACTOR:
            raise Busy("a leader has been heard")

    def exposed_prove(self, _source: str, epoch: int) -> int:
        """The newest epoch that was claimed; a leader that hears of its own is heard."""
        if epoch == self.epoch:
            self.heard_at = self.clock()
        return self.epoch

    def exposed_release(self, _source: str, epoch: int) -> None:
        """The leader of this epoch answers nobody any more."""
        if epoch == self.epoch:
            self.heard_at = -inf

    def exposed_member_status(self, _source: str) -> MemberStatus:
        """What those who stand by look at."""
        place = Place(self.last_txid, "")
        return MemberStatus(
            CLUSTER_ID, METADATA, self.epoch, self.owner, self.epoch, 1, place, place,
            self.last_txid, Configuration(1, (((METADATA, METADATA),),)), (), True,
            self.clock() - self.heard_at, OK,
        )  # fmt: skip

    def exposed_status(self, _source: str) -> Tuple[str, int, int]:
        """As exposed by the real one."""
        return CLUSTER_ID, self.epoch, self.last_txid

    def exposed_append(self, _source: str, epoch: int, first_txid: int, lines: tuple) -> Script:
        """Store edits that follow the last, or were stored before."""
        yield self._sync()
        self.admit(epoch)
        known = self.last_txid + 1 - first_txid
        if known < 0 or self.lines[first_txid - 1 :][: len(lines)] != list(lines[:known]):
            raise ProtocolViolation("a gap, or other content")
        for line in lines[known:]:
            self._store(epoch, line)
        return self.last_txid

    def admit(self, epoch: int) -> None:
        """Refuse whom a newer epoch has fenced."""
        if epoch != self.epoch:
            raise Fenced(f"epoch {epoch} is over, {self.epoch} has been claimed")

    def exposed_load(
        self, _source: str, table: str, after: Optional[Any], limit: int
    ) -> Tuple[tuple, ...]:
        """A page of a table's rows in the order of their keys."""
        rows = self.tables[table]
        keys = [key for key in sorted(rows) if after is None or key > after]
        return tuple(rows[key] for key in keys[:limit])

    def exposed_edits_since(self, _source: str, txid: int, limit: int) -> Tuple[str, ...]:
        """Encoded edits behind `txid`."""
        return tuple(self.lines[txid : txid + limit])

    def _sync(self) -> Any:
        return self.world.sleep(self.world.random.random() * 0.01)

    def _store(self, epoch: int, line: str) -> None:
        edit = decode(line)
        self.witness(epoch, self.epoch)
        assert edit.txid == self.last_txid + 1, f"{edit} does not follow {self.last_txid}"
        self.lines.append(line)
        self.edits.append(edit)
        self.world.note(f"edit {edit.txid} of epoch {epoch}: {edit.operation} {edit.client_id}")
        for table, key, row in edit.changes:
            if row is None:
                self.tables[table].pop(key, None)
                continue
            self.tables[table][key] = row
            if table == "deleted_blocks":
                self.deleted_ever[key] = None


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
