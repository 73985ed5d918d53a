"""Members of the metadata quorum in memory, as plainly as what they promise can be said, and ways
to them that a test can cut, hold and delay."""

import threading
import time
from random import Random
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from metadata_service.edits import join_lines, split_lines
from metadata_service.quorum import (
    BLANK,
    DAMAGED,
    NOBODY,
    OK,
    START,
    STRANGER,
    Configuration,
    MemberStatus,
    Place,
    Proved,
    Stored,
)
from metadata_service.record.chain import places
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import (
    DeadlineExceeded,
    DfsError,
    Fenced,
    OutOfStep,
    ProtocolViolation,
    Unavailable,
)
from zookeeper.fabric.frames import Request


class ListMember:
    """A member whose disk is a few lists. `refuses` is raised in place of storing anything."""

    def __init__(self, member_id: str, cluster_id: str = "") -> None:
        self.member_id, self.cluster_id = member_id, cluster_id
        self.promised, self.owner, self.log_epoch = 0, "", 0
        self.lines: List[str] = []
        self.applied = self.decided = 0
        self.configuration = NOBODY
        self.witness: Tuple[Tuple[str, int, int], ...] = ()
        self.room = True
        self.state = ""
        self.image = ""
        """What is wrong with its rows."""
        self.refuses: Optional[DfsError] = None
        self.appended: List[int] = []
        """How many edits were stored at once."""
        self.released = 0
        self._claimed_by = cluster_id

    def place(self, txid: int) -> Place:
        """Where the log stood after this edit."""
        return ([START] + list(places(START, self.lines)))[txid]

    def status(self) -> tuple:
        """See MemberCalls."""
        decides = any(self.member_id in dict(some) for some in self.configuration.sets)
        state = self.state or (BLANK if not self.cluster_id else OK if decides else STRANGER)
        return MemberStatus(
            self.cluster_id, self.member_id, self.promised, self.owner, self.log_epoch,
            1 if self.lines else 0, self.place(len(self.lines)), self.place(self.applied),
            self.decided, self.configuration, self.witness, self.room, 99.0, state,
        )  # fmt: skip

    def claim(self, cluster_id: str, epoch: int, owner: str) -> tuple:
        """See MemberCalls."""
        if self.cluster_id not in ("", cluster_id):
            raise ProtocolViolation("another cluster")
        if (epoch, owner) != (self.promised, self.owner) and epoch <= self.promised:
            raise Fenced(f"{self.promised} is promised")
        self.promised, self.owner, self._claimed_by = epoch, owner, cluster_id
        return self.status()

    def adopt(
        self, epoch: int, owner: str, behind: Place, payload: bytes, decided: int,
        configuration: Configuration,
    ) -> tuple:  # fmt: skip
        """See MemberCalls."""
        if epoch > self.promised:
            self.promised, self.owner = epoch, owner
        self._admit(epoch)
        if owner != self.owner:
            raise Fenced("another owner")
        if self.log_epoch != epoch:
            txid = behind[0]
            if txid > len(self.lines) or self.place(txid) != behind or txid < self.applied:
                raise OutOfStep("it differs there, or has applied more")
            self.lines[txid:] = split_lines(payload)
            self.log_epoch = epoch
            self.cluster_id = self.cluster_id or self._claimed_by
        if configuration[0] > self.configuration.version or self.log_epoch != epoch:
            self.configuration = Configuration(*configuration)
        return self._stored(decided)

    def append(
        self, epoch: int, behind: Place, payload: bytes, decided: int, witness: Any
    ) -> tuple:
        """See MemberCalls."""
        self._admit(epoch)
        if self.log_epoch != epoch:
            raise OutOfStep("the log is of another epoch")
        txid, lines = behind[0], split_lines(payload)
        if txid > len(self.lines):
            return self._stored(0)
        if self.place(txid) != behind:
            raise OutOfStep("it differs there")
        known = self.lines[txid : txid + len(lines)]
        if known != lines[: len(known)]:
            raise OutOfStep("it has others")
        self.appended.append(len(lines) - len(known))
        self.lines += lines[len(known) :]
        self.witness = witness or self.witness
        return self._stored(decided)

    def prove(self, epoch: int, decided: int) -> tuple:
        """See MemberCalls."""
        if epoch == self.promised == self.log_epoch:
            self._stored(decided)
        return Proved(self.member_id, self.promised, len(self.lines), self.room, "")

    def release(self, epoch: int) -> None:
        """See MemberCalls."""
        self.released = epoch

    def undecided(self, epoch: int, txid: int, limit: int) -> bytes:
        """See MemberCalls."""
        if epoch != self.promised:
            raise Fenced("another epoch is promised")
        return join_lines(self.lines[txid : txid + limit])

    def image_digest(self, epoch: int, txid: int) -> str:
        """See MemberCalls."""
        self._admit(epoch)
        if txid != len(self.lines):
            raise OutOfStep("it is at another edit")
        return self.image + self.place(txid).digest

    def doubt(self, epoch: int, digest: str) -> None:
        """See MemberCalls."""
        self._admit(epoch)
        if digest != self.image_digest(epoch, len(self.lines)):
            self.state = DAMAGED

    def pull(self, peer: "ListMember") -> None:
        """Take from a peer what it has applied, as a member does by itself that was away."""
        if peer.applied > self.applied:
            known = peer.lines[: peer.applied]
            if self.lines[: len(known)] != known:
                self.lines = known
            self.applied = self.decided = len(known)

    def _admit(self, epoch: int) -> None:
        if self.refuses is not None:
            raise self.refuses
        if epoch != self.promised:
            raise Fenced(f"{self.promised} is promised")

    def _stored(self, decided: int) -> tuple:
        self.decided = max(self.decided, min(decided, len(self.lines)))
        self.applied = max(self.applied, self.decided)
        return Stored(*self.place(len(self.lines)), self.applied, self.room)


class ModelConnection:
    """A connection to a member: a question is answered when it is heard, not when it is asked."""

    def __init__(self, ways: "ModelWays", address: str) -> None:
        self.ways, self.address = ways, address
        self.closed = False
        self._asked: Optional[Tuple[str, tuple]] = None
        self._outcome: Any = None

    def begin(self, request: Request, timeout: float) -> None:
        """See Remote."""
        assert timeout >= 0 and self._asked is None, "one question at a time"
        if self.closed or self.address in self.ways.dead:
            self.close()
            raise Unavailable("the connection broke")
        self._asked, self._outcome = (request.method, request.args), None
        self.look()

    def look(self) -> bool:
        """Whether there is an answer, or the end: what was asked happens now, if it can."""
        if self.closed or self._outcome is not None:
            return True
        if self.address in self.ways.dead:
            self.close()
            return True
        if self._asked is None or self.address in self.ways.held:
            return False
        self._outcome = self.ways.answer(self.address, *self._asked)
        return True

    def finish(self, timeout: float) -> Any:
        """See Remote."""
        deadline = time.monotonic() + timeout
        while not self.look():
            if time.monotonic() > deadline:
                self.close()
                raise DeadlineExceeded("it did not answer in time")
            time.sleep(0.001)
        if self.closed:
            raise Unavailable("the connection is closed")
        (value, error), self._asked, self._outcome = self._outcome, None, None
        if isinstance(error, Unavailable):
            self.close()
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """See Remote."""
        self.closed = True


class ModelWays:
    """Ways to members by their addresses: of those in `dead` nothing is heard, and those in `held`
    answer when they are let go. `fate` may lose what was asked, or the answer, by raising."""

    def __init__(self, *members: Any) -> None:
        self.members: Dict[str, Any] = {f"{one.member_id}:1": one for one in members}
        self.addresses: Sequence[str] = tuple(self.members)
        self.dead: set = set()
        self.held: set = set()
        self.fate: Callable[[str, str], bool] = lambda address, method: False
        """Called before something happens; raises to lose it, and True loses the answer."""
        self.dials: List[str] = []
        self.lock = threading.RLock()

    def answer(self, address: str, method: str, args: tuple) -> Tuple[Any, Optional[DfsError]]:
        """(what a member answered, what it raised)"""
        with self.lock:
            try:
                lost = self.fate(address, method)
                value = getattr(self.members[address], method)(*args)
            except DfsError as error:
                return None, error
            return (None, Unavailable("the answer was lost")) if lost else (value, None)

    def perform(self, address: str, call: Call, args: tuple, seconds: float) -> Any:
        """See Ways."""
        connection = self.dial(address)
        connection.begin(Request(call.name, args), seconds)
        return connection.finish(seconds)

    def dial(self, address: str) -> ModelConnection:
        """See Ways."""
        self.dials.append(address)
        if address in self.dead:
            raise Unavailable("cannot be reached")
        return ModelConnection(self, address)

    def answering(self, connections: Sequence[Any], seconds: float) -> List[Any]:
        """See Ways."""
        deadline = time.monotonic() + seconds
        while True:
            found = [one for one in connections if one.look()]
            if found or time.monotonic() >= deadline:
                return found
            time.sleep(0.0005)


def chance(seed: int, loses: float) -> Callable[[str, str], bool]:
    """A fate that loses so many of all questions, and as many answers."""
    random = Random(seed)
    lock = threading.Lock()

    def fate(_address: str, _method: str) -> bool:
        with lock:
                drawn = random.random()
        if drawn < loses:
            raise Unavailable("the question was lost")
        return drawn < 2 * loses

    return fate
