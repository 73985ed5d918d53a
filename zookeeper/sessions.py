"""Who is registered, and until when: sessions and the ephemeral znodes that hang on them.

Theory of operation. A session lives until its deadline, which every heartbeat moves to `now +
expiry_seconds`. `now` is the monotonic time of the process that owns this table, so no other
machine's clock takes part. A session that stays silent is removed by `tick`, and its znodes go
with it: a znode exists exactly as long as a session holds it.

A tick that was itself late proves nothing about the others: a process that slept for an hour
has heard nobody for an hour. Such a tick expires nobody and gives the lost time back
(HDFS-9107: a pause of the namenode declared every datanode dead).

A restarted process opens a new session while its old one still runs down. It proves that it is
the same one by the same owner name, and then takes its znodes over at once; a znode of another
owner is never touched. Between two sessions of one owner the later opened one wins, so that two
processes that share a name by mistake cannot take a znode from each other for ever.

Versions tell a watcher that something changed. All parents draw from one counter that starts at
an arbitrary base: a parent with children has the number of its last change, one without has the
base itself. Nothing is stored for empty parents, so asking for many costs no memory, and no
version of an earlier process (another base) is mistaken for a present one.
"""

import re
from collections import Counter
from types import MappingProxyType
from typing import Dict, List, Mapping, NamedTuple, Sequence, Set, Tuple

from zookeeper.fabric.errors import Busy, InvalidArgument, PathExists, PathNotFound, SessionExpired
from zookeeper.fabric.figures import GAUGE, Family, counter, gauge, tagged
from zookeeper.fabric.kinds import Text

SESSIONS_MAX = 10_000

ZNODES_PER_SESSION_MAX = 8
PATH_LENGTH_MAX = 512
DATA_BYTES_MAX = 512
CHILDREN_BYTES_MAX = 8 << 20
"""What the children of one parent may have in all, so that the list of them fits in a frame."""

_ROW_BYTES = 16
"""What a row of such a list has beside its path and its data."""

# Printable ASCII without the blank: every path can be logged as it is.
_PATH = re.compile(r"(/[!-.0-~]+)+")


class Znode(NamedTuple):
    """A path that is registered, and what its owner wants the others to know."""

    path: Text
    data: Text


class Children(NamedTuple):
    """The znodes directly below a parent, sorted by path, and the version of that answer."""

    version: int
    znodes: Tuple[Znode, ...]


class _Session:
    """One open session. `number` orders sessions by age; `deadline` is monotonic seconds."""

    def __init__(
        self, owner: str, places: Sequence[str], principal: str, number: int, deadline: float
    ) -> None:
        self.owner = owner
        self.places = places
        self.principal = principal
        self.number = number
        self.deadline = deadline
        self.paths: Set[str] = set()


class _Owned:
    """One registered path; `session_id` names the only session that may change it."""

    def __init__(self, session_id: str, data: str) -> None:
        self.session_id = session_id
        self.data = data

    def row_bytes(self, path: str) -> int:
        """What it adds to the list of its parent's children."""
        return len(path) + len(self.data.encode("utf-8")) + _ROW_BYTES


class _Parent:
    """The children of one path, and the version of their last change."""

    def __init__(self) -> None:
        self.znodes: Dict[str, _Owned] = {}
        self.version = 0
        self.row_bytes = 0


class Sessions:
    """The table of sessions and znodes. Every method is one step; errors change nothing."""

    def __init__(
        self,
        expiry_seconds: float,
        base_version: int,
        now: float,
        children_bytes_max: int = CHILDREN_BYTES_MAX,
    ) -> None:
        """An empty table. `base_version` must differ from that of every earlier process."""
        assert expiry_seconds > 0
        self.expiry_seconds = expiry_seconds
        self._children_bytes_max = children_bytes_max
        self._places: Dict[str, int] = {}
        self._base_version = base_version
        self._last_version = base_version
        self._last_tick = now
        self._opened = self._expired = 0
        self._sessions: Dict[str, _Session] = {}
        self._parents: Dict[str, _Parent] = {}

    # Sessions.

    def open(
        self,
        session_id: str,
        owner: str,
        now: float,
        places: Mapping[str, int] = MappingProxyType({}),
        principal: str = "",
    ) -> None:
        """Begin a session under an id that was never used. Raises Busy, InvalidArgument.

        `places` are what its client shares with others (role and host, its name), and how many
        sessions each may have.
        `principal` is who opens it, and alone may speak in it.
        """
        if not 0 < len(owner) <= PATH_LENGTH_MAX or not owner.isprintable():
            raise InvalidArgument(f"a session needs a printable name of {PATH_LENGTH_MAX} at most")
        if len(self._sessions) >= SESSIONS_MAX:
            raise Busy(f"{SESSIONS_MAX} sessions are open")
        for place, most in places.items():
            if self._places.get(place, 0) >= most:
                raise Busy(f"{most} sessions of {place} are open")
        assert session_id not in self._sessions
        self._opened += 1
        deadline = now + self.expiry_seconds
        self._sessions[session_id] = _Session(
            owner, tuple(places), principal, self._opened, deadline
        )
        for place in places:
            self._places[place] = self._places.get(place, 0) + 1

    def heartbeat(self, session_id: str, now: float) -> None:
        """The holder is alive now. Raises SessionExpired."""
        self._session(session_id).deadline = now + self.expiry_seconds

    def close(self, session_id: str) -> None:
        """End a session; its znodes go at once. Raises SessionExpired."""
        for path in sorted(self._session(session_id).paths):
            self._forget(path)
        for place in self._sessions.pop(session_id).places:
            self._places[place] -= 1
            if not self._places[place]:
                del self._places[place]

    def tick(self, now: float) -> Dict[str, str]:
        """Remove the silent sessions; their ids and owners, oldest deadline first."""
        late = now - self._last_tick
        self._last_tick = now
        if late > self.expiry_seconds / 2:
            for session in self._sessions.values():
                # A heartbeat that was handled after the pause must not gain the pause as well.
                session.deadline = min(session.deadline + late, now + self.expiry_seconds)
            return {}
        silent = sorted(
            (session.deadline, session_id, session.owner)
            for session_id, session in self._sessions.items()
            if session.deadline < now
        )
        for _, session_id, _ in silent:
            self.close(session_id)
        self._expired += len(silent)
        return {session_id: owner for _, session_id, owner in silent}

    def is_open(self, session_id: str) -> bool:
        """Whether the session lives."""
        return session_id in self._sessions

    def owner(self, session_id: str) -> str:
        """Whose session it is. Raises SessionExpired."""
        return self._session(session_id).owner

    def require(self, session_id: str) -> None:
        """Raises SessionExpired unless the session lives."""
        self._session(session_id)

    def require_own(self, session_id: str, principal: str) -> None:
        """Raises SessionExpired unless the session lives, and this principal opened it."""
        if self._session(session_id).principal != principal:
            raise _unknown()

    def supersedes(self, session_id: str, other_id: str) -> bool:
        """Whether the first session was opened later, by the same owner. Raises SessionExpired."""
        session, other = self._session(session_id), self._session(other_id)
        same = (session.principal, session.owner) == (other.principal, other.owner)
        return same and session.number > other.number

    # Znodes.

    def create(self, session_id: str, path: str, data: str) -> None:
        """Register a znode, or set the data of one's own.

        Raises SessionExpired, InvalidArgument, PathExists when another owner or a later session
        holds it, and Busy when the session holds its full number.
        """
        session = self._session(session_id)
        _check_path(path)
        check_data(data)
        parent = self._parents.get(_parent_of(path))
        znode = parent.znodes.get(path) if parent else None
        if znode and znode.session_id != session_id:
            if not self.supersedes(session_id, znode.session_id):
                raise PathExists(f"{path} is registered by another session")
        if path not in session.paths and len(session.paths) >= ZNODES_PER_SESSION_MAX:
            raise Busy(f"the session holds {ZNODES_PER_SESSION_MAX} znodes")
        changed = _Owned(session_id, data)
        more = changed.row_bytes(path) - (znode.row_bytes(path) if znode else 0)
        if more > 0 and (parent.row_bytes if parent else 0) + more > self._children_bytes_max:
            raise Busy(f"{_parent_of(path)} is full: the list of its znodes must fit in a message")
        if znode:
            self._sessions[znode.session_id].paths.discard(path)
            znode.session_id = session_id
        session.paths.add(path)
        # Registering again what is known already wakes no watcher.
        if znode is None or znode.data != data:
            self._store(path, changed, more)

    def remove(self, session_id: str, path: str) -> None:
        """Take back a znode of this session. Raises SessionExpired, PathNotFound."""
        session = self._session(session_id)
        if path not in session.paths:
            raise PathNotFound(f"{path} is not registered by this session")
        session.paths.discard(path)
        self._forget(path)

    def held(self, session_id: str) -> Tuple[Znode, ...]:
        """Every znode that the session holds, sorted. Raises SessionExpired."""
        paths = sorted(self._session(session_id).paths)
        held = [(path, self._parents[_parent_of(path)].znodes[path]) for path in paths]
        return tuple([Znode(path, owned.data) for path, owned in held])

    def children(self, parent_path: str) -> Children:
        """What is registered directly below a path; empty when nothing is. InvalidArgument."""
        if parent_path != "/":
            _check_path(parent_path)
        parent = self._parents.get(parent_path)
        if parent is None:
            return Children(self._base_version, ())
        rows = sorted([Znode(path, owned.data) for path, owned in parent.znodes.items()])
        return Children(parent.version, tuple(rows))

    def version(self, parent_path: str) -> int:
        """The version that `children` would tell, without the children."""
        parent = self._parents.get(parent_path)
        return parent.version if parent else self._base_version

    # Inside.

    def _session(self, session_id: str) -> _Session:
        session = self._sessions.get(session_id)
        if session is None:
            raise _unknown()
        return session

    def _store(self, path: str, znode: _Owned, more_bytes: int) -> None:
        parent = self._parents.setdefault(_parent_of(path), _Parent())
        parent.znodes[path] = znode
        parent.row_bytes += more_bytes
        self._changed(parent)

    def _forget(self, path: str) -> None:
        parent_path = _parent_of(path)
        parent = self._parents[parent_path]
        parent.row_bytes -= parent.znodes.pop(path).row_bytes(path)
        if parent.znodes:
            self._changed(parent)
        else:
            del self._parents[parent_path]

    def _changed(self, parent: _Parent) -> None:
        self._last_version += 1
        parent.version = self._last_version

    def check(self) -> None:
        """Assert the invariants: sessions and znodes point at each other, within the limits."""
        assert len(self._sessions) <= SESSIONS_MAX
        places = Counter(place for one in self._sessions.values() for place in one.places)
        assert places == self._places
        held: Dict[str, str] = {}
        for session_id, session in self._sessions.items():
            assert len(session.paths) <= ZNODES_PER_SESSION_MAX
            assert 0 < session.number <= self._opened
            for path in session.paths:
                assert path not in held, "a znode has two sessions"
                held[path] = session_id
        stored: Dict[str, str] = {}
        versions: List[int] = []
        for parent_path, parent in self._parents.items():
            assert parent.znodes, "an empty parent is kept"
            assert self._base_version < parent.version <= self._last_version
            versions.append(parent.version)
            rows = sum(znode.row_bytes(path) for path, znode in parent.znodes.items())
            assert rows == parent.row_bytes <= self._children_bytes_max
            for path, znode in parent.znodes.items():
                assert _parent_of(path) == parent_path
                stored[path] = znode.session_id
        assert stored == held, "a znode without its session, or the reverse"
        assert len(set(versions)) == len(versions), "two parents share a version"

    def figures(self) -> Tuple[Family, ...]:
        """How many there are, and were."""
        below = {path: float(len(parent.znodes)) for path, parent in self._parents.items()}
        return (
            gauge("pyhdfs_sessions", "Open sessions.", len(self._sessions)),
            counter("pyhdfs_sessions_opened_total", "Sessions so far.", self._opened),
            counter("pyhdfs_sessions_expired_total", "Sessions that fell silent.", self._expired),
            tagged(GAUGE, "pyhdfs_znodes", "Daemons that are registered.", "parent", below),
        )

    def __repr__(self) -> str:
        znodes = sum(len(parent.znodes) for parent in self._parents.values())
        return f"<Sessions {len(self._sessions)} open, {znodes} znodes>"


def _unknown() -> SessionExpired:
    return SessionExpired("the session is not known; open a new one")


def _parent_of(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _check_path(path: str) -> None:
    if len(path) > PATH_LENGTH_MAX or not _PATH.fullmatch(path):
        raise InvalidArgument("a znode path is /name/name of printable ASCII without blanks")


def check_data(data: str) -> None:
    """Raises InvalidArgument unless the text is short enough and can be sent to others."""
    try:
        size = len(data.encode("utf-8"))
    except UnicodeEncodeError as error:
        # A lone surrogate could not be sent to anybody who asks for the children.
        raise InvalidArgument("the data of a znode must be Unicode text") from error
    if size > DATA_BYTES_MAX:
        raise InvalidArgument(f"the data of a znode is at most {DATA_BYTES_MAX} bytes")
