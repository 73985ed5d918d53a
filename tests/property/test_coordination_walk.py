"""Random walks of the zookeeper's state against a model that is slow and obviously right.

The model keeps a list of everything that was ever said and answers by reading all of it. Times
are multiples of a half second, so that floating point adds nothing of its own.
"""

import random
from typing import Callable, Dict, List, Tuple

import pytest

from zookeeper.fabric.errors import DfsError, PathExists, PathNotFound, SessionExpired
from zookeeper.sessions import Sessions

WALKS = 1500
STEPS = 60
EXPIRY = 10.0
OWNERS = ("node-1", "node-2", "node-3")
PATHS = ("/data_nodes/a", "/data_nodes/b", "/name_nodes/a")
PARENTS = ("/data_nodes", "/name_nodes", "/nothing")
TEXTS = ("x", "y")

Znodes = Tuple[Tuple[str, str], ...]


class ModelSession:
    """What one client did: when it was heard last, and whether it is over."""

    def __init__(self, session_id: str, owner: str, now: float) -> None:
        self.session_id = session_id
        self.owner = owner
        self.heard = now
        self.over = False


class Model:
    """All sessions in the order of opening, all znodes, all pauses."""

    def __init__(self) -> None:
        self.sessions: List[ModelSession] = []
        self.znodes: Dict[str, Tuple[str, str]] = {}
        self.pauses: List[Tuple[float, float]] = []
        self.last_tick = 0.0

    def find(self, session_id: str) -> ModelSession:
        """The living session, or SessionExpired."""
        for session in self.sessions:
            if session.session_id == session_id and not session.over:
                return session
        raise SessionExpired()

    def later_of_one_owner(self, session_id: str, other_id: str) -> bool:
        """Whether the first was opened after the second, by the same owner."""
        first, second = self.find(session_id), self.find(other_id)
        order = self.sessions.index(first) > self.sessions.index(second)
        return order and first.owner == second.owner

    def silence(self, session: ModelSession, now: float) -> float:
        """Seconds without a heartbeat in which the zookeeper itself was awake."""
        asleep = sum(max(0.0, end - max(start, session.heard)) for start, end in self.pauses)
        return now - session.heard - asleep

    def end(self, session_id: str) -> None:
        """The session is over, with everything that it held."""
        self.find(session_id).over = True
        self.znodes = {p: held for p, held in self.znodes.items() if held[0] != session_id}

    def tick(self, now: float) -> List[str]:
        """Who expires now: nobody when the tick comes late."""
        if now - self.last_tick > EXPIRY / 2:
            self.pauses.append((self.last_tick, now))
            expired = []
        else:
            alive = [session for session in self.sessions if not session.over]
            expired = [s.session_id for s in alive if self.silence(s, now) > EXPIRY]
        self.last_tick = now
        for session_id in expired:
            self.end(session_id)
        return expired

    def create(self, session_id: str, path: str, data: str) -> None:
        """Register, update, or take over from an earlier session of the same owner."""
        self.find(session_id)
        holder = self.znodes.get(path, (session_id, ""))[0]
        if holder != session_id and not self.later_of_one_owner(session_id, holder):
            raise PathExists()
        self.znodes[path] = (session_id, data)

    def remove(self, session_id: str, path: str) -> None:
        """Take back one's own znode."""
        self.find(session_id)
        if self.znodes.get(path, ("", ""))[0] != session_id:
            raise PathNotFound()
        del self.znodes[path]

    def children(self, parent: str) -> Znodes:
        """Everything below a parent."""
        below = [p for p in self.znodes if p.startswith(parent + "/")]
        return tuple((path, self.znodes[path][1]) for path in sorted(below))


class Walk:
    """One seeded walk: does a random step to both, and compares all that can be seen."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.model = Model()
        self.state = Sessions(EXPIRY, self.random.getrandbits(60), self.now)
        self.contents: Dict[Tuple[str, int], Znodes] = {}
        self.seen: Dict[str, Tuple[int, Znodes]] = {}
        self.done: List[str] = []

    def run(self) -> None:
        """All steps."""
        steps = (self.open, self.heartbeat, self.heartbeat, self.close, self.create, self.create,
                 self.remove, self.pass_time, self.pass_time, self.restart)
        weights = (4, 6, 6, 1, 6, 6, 2, 8, 8, 1)
        for _ in range(STEPS):
            step = self.random.choices(steps, weights)[0]
            self.done.append(step.__name__)
            step()
            self.compare()

    def both(self, real: Callable[[], object], model: Callable[[], object]) -> object:
        """The same call to both: the same result, or the same error."""
        answers = [_answer(real), _answer(model)]
        assert answers[0] == answers[1]
        return answers[0]

    def any_session(self) -> str:
        """A session, living or over, or one that never was; mostly a recent one."""
        known = [session.session_id for session in self.model.sessions]
        return self.random.choice(known[-4:] * 4 + known + ["never opened"])

    def open(self) -> None:
        """A client opens a session."""
        session_id = f"s{len(self.model.sessions)}"
        owner = self.random.choice(OWNERS)
        self.state.open(session_id, owner, self.now)
        self.model.sessions.append(ModelSession(session_id, owner, self.now))

    def heartbeat(self) -> None:
        """A client is heard."""
        session_id = self.any_session()

        def model() -> None:
            self.model.find(session_id).heard = self.now

        self.both(lambda: self.state.heartbeat(session_id, self.now), model)

    def close(self) -> None:
        """A client leaves."""
        session_id = self.any_session()
        self.both(lambda: self.state.close(session_id), lambda: self.model.end(session_id))

    def create(self) -> None:
        """A client registers."""
        arguments = self.any_session(), self.random.choice(PATHS), self.random.choice(TEXTS)
        self.both(lambda: self.state.create(*arguments),
                  lambda: self.model.create(*arguments))

    def remove(self) -> None:
        """A client takes a registration back."""
        arguments = self.any_session(), self.random.choice(PATHS)
        self.both(lambda: self.state.remove(*arguments),
                  lambda: self.model.remove(*arguments))

    def pass_time(self) -> None:
        """Time passes, and now and then the tick is late."""
        self.now += self.random.choice((0.0, 0.5, 1.0, 2.0, 4.5, 5.0, 5.5, 11.0, 3600.0))
        if self.random.random() < 0.8:
            self.both(lambda: sorted(self.state.tick(self.now)),
                      lambda: sorted(self.model.tick(self.now)))

    def restart(self) -> None:
        """The zookeeper restarts, and knows nothing."""
        self.state = Sessions(EXPIRY, self.random.getrandbits(60), self.now)
        for session in self.model.sessions:
            if not session.over:
                self.model.end(session.session_id)
        self.model.last_tick = self.now
        self.seen = {}

    def compare(self) -> None:
        """All that a client can see, and the invariants."""
        self.state.check()
        for parent in PARENTS:
            version, znodes = self.state.children(parent)
            assert znodes == self.model.children(parent)
            assert version == self.state.version(parent)
            assert self.contents.setdefault((parent, version), znodes) == znodes
            before = self.seen.get(parent)
            assert before is None or (before[0] == version) == (before[1] == znodes)
            self.seen[parent] = (version, znodes)


def _answer(call: Callable[[], object]) -> object:
    try:
        return call()
    except DfsError as error:
        return type(error)


@pytest.mark.parametrize("first_seed", range(0, WALKS, WALKS // 10))
def test_the_zookeeper_agrees_with_the_model(first_seed: int) -> None:
    for seed in range(first_seed, first_seed + WALKS // 10):
        walk = Walk(seed)
        try:
            walk.run()
        except AssertionError as error:
            raise AssertionError(f"seed={seed} after {walk.done}: {error}") from error


def test_the_walks_reach_the_interesting_states() -> None:
    pauses = expiries = takeovers = 0
    for seed in range(100):
        walk = Walk(seed)
        walk.run()
        pauses += len(walk.model.pauses)
        expiries += sum(session.over for session in walk.model.sessions)
        takeovers += len({s.owner for s in walk.model.sessions}) < len(walk.model.sessions)
    assert min(pauses, expiries) > 100 and takeovers > 50
