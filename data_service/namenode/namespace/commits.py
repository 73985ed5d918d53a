"""From row changes to edits: numbers, repeated calls, and what a reply must wait for.

Theory of operation. An edit is applied to memory before it is durable, so memory runs a little
ahead of what a crash would leave. Every answer therefore carries the txid that must be durable
before anybody sees it:
- a change waits for its own edit, and so does its repetition from the retry cache;
- a read waits for the last pending edit that touched an inode on its path (`depends_on`);
- an answer that may tell of anything waits for `last_txid`; so does every error.

Numbers of inodes and blocks are reserved a thousand at a time, by an edit, and given out from
memory. An answer with a number waits for the edit that reserved it. After a restart the rest of a
reserved run is skipped, so no number is ever given out twice.

Unless the record was restored from a backup: then numbers of blocks were given out that it does
not know of, and replicas with them lie on datanodes, some of which may be away. So each term begins
its blocks at a distance drawn at random (`leap`), and passes over every number that it hears of.
"""

import json
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from data_service.namenode.namespace.effects import Effects, effects_of
from data_service.namenode.namespace.image import (
    BLOCK_NUMBERS,
    COUNTERS,
    INODE_NUMBERS,
    INODES,
    Image,
)
from data_service.namenode.namespace.inodes import Inode
from data_service.namenode.namespace.retries import NO_OP, Answer, Op, RetryCache, check_op
from metadata_service.edits import EDIT_BYTES_MAX, Change, Edit
from zookeeper.fabric.errors import InvalidArgument, ProtocolViolation
from zookeeper.fabric.kinds import decode

_RESERVED = 1000
"""How many numbers one edit reserves."""

SECRET_NUMBERS = ("secret_1", "secret_2")
SECRET_BITS = 62
"""Two counters that count nothing: together a secret of the namespace."""

_LEAPS_MAX = 1000
"""How often in a term somebody can have us leap: the numbers must last."""

_REACH = 1 << 48
"""How far ahead a block's number may be and yet be one that some namenode gave out."""

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


ROWS_UNMEASURED = 1000
"""An edit of so many rows fits whatever is in them: a row has 2 KB at most."""


def require_recordable(changes: Sequence[Change]) -> None:
    """Raises InvalidArgument when the journal could not send these changes as one edit."""
    if len(changes) <= ROWS_UNMEASURED:
        return
    total = sum(len(_encode(change)) + 1 for change in changes)
    if total > EDIT_BYTES_MAX:
        raise InvalidArgument(
            f"this would change {len(changes)} records at once, {total} bytes of them; "
            f"{EDIT_BYTES_MAX} are the most: do it in parts"
        )


class Outcome(NamedTuple):
    """What an operation did: its answer, the edit to submit, and the txid to wait for."""

    result: Any
    edit: Optional[Edit]
    depends: int


Follow = Callable[[Sequence[Change], Effects, int], None]


class Commits:
    """Numbers edits, applies them to the image, and knows which are not durable yet.

    `follow` is told of each: its changes, what they mean for blocks, and its txid.
    """

    def __init__(self, image: Image, follow: Follow) -> None:
        self._image = image
        self._follow = follow
        self.last_txid = 0
        self.retries = RetryCache()
        self._durable_txid = 0
        self._numbers_txid = 0
        self._next: Dict[str, int] = {}
        self._least_block = self._leap = self._leaps = 0
        self._drawn: Dict[str, int] = {}
        self._pending: Dict[int, int] = {}  # Inode number: its last edit that is not durable.
        self._queue: Deque[Tuple[int, List[int]]] = deque()
        self.start(0, ())

    def start(self, last_txid: int, edits: Iterable[Edit]) -> None:
        """Go on from a loaded image; `edits` are the most recent ones, for the retry cache."""
        self.last_txid = self._durable_txid = last_txid
        self._next = {n: self._image.counters[n] for n in (INODE_NUMBERS, BLOCK_NUMBERS)}
        for edit in edits:
            self._remember_edit(edit)

    def lead(self, leap: int) -> None:
        """This namenode leads from now on, and gives out numbers. So many numbers of blocks as
        `leap` are passed over before the first is given out."""
        self._leap, self._leaps = leap, 0
        self._least_block = max(self._least_block, self._next[BLOCK_NUMBERS]) + leap

    def replay(self, edit: Edit) -> None:
        """Carry out the next edit of the namenode that leads, which is durable."""
        assert edit.txid == self.last_txid + 1, f"{edit.txid} is not behind {self.last_txid}"
        self.last_txid = self._durable_txid = edit.txid
        self._apply(edit.changes, edit.txid)
        self._remember_edit(edit)
        # All numbers that it has reserved may have been given out.
        self._next = {name: self._image.counters[name] for name in self._next}

    def stand_by(self) -> None:
        """Another namenode leads from now on, and knows what is recorded, which all of this is."""
        self.note_durable(self.last_txid)
        self._numbers_txid = 0
        self._drawn.clear()
        self._next = {name: self._image.counters[name] for name in self._next}
        self.retries.forget_unrecorded()

    def secret(self, draw: Callable[[int], int]) -> bytes:
        """A random value of this namespace, which outlives restarts. It is drawn when first asked
        for, and the next outcome waits until it is recorded."""
        known = self._image.counters
        for name in SECRET_NUMBERS:
            if name not in known and name not in self._drawn:
                self._drawn[name] = draw(SECRET_BITS)
        parts = [known.get(name, self._drawn.get(name, 0)) for name in SECRET_NUMBERS]
        return b"".join([part.to_bytes(8, "big") for part in parts])

    def new_inode_number(self) -> int:
        """A number that no inode ever had. The next outcome waits until it is reserved."""
        return self._take(INODE_NUMBERS)

    def new_block_number(self) -> int:
        """A number that no block ever had. The next outcome waits until it is reserved."""
        self._next[BLOCK_NUMBERS] = max(self._next[BLOCK_NUMBERS], self._least_block)
        return self._take(BLOCK_NUMBERS)

    def pass_over_block(self, number: int) -> None:
        """Somebody has a block of this number, which this namespace does not know: it, and what is
        below, is not given out. One that is absurdly far ahead would use up all numbers, and is
        never reached."""
        if self._least_block <= number < self._least_block + _REACH:
            # Its neighbours may lie on datanodes that are away: again at a distance of our own.
            distance = self._leap if self._leaps < _LEAPS_MAX else 0
            self._leaps += 1
            self._least_block = number + 1 + distance

    def was_given_out(self, counter: str, number: int) -> bool:
        """Whether this namenode, or one before it, may have given out this number."""
        return 0 < number < self._next[counter]

    def commit(
        self, operation: str, op: Op, changes: List[Change], result: Any = None
    ) -> Outcome:
        """Make the changes one edit and apply it. Nothing is left that could refuse it.

        Raises InvalidArgument, before anything is changed, for what is too large to be recorded:
        once it is in memory, an edit that cannot be sent would end the term.
        """
        require_recordable(changes)
        self.last_txid = txid = self.last_txid + 1
        reservations = self._reservations()
        if reservations:
            self._numbers_txid = txid
            changes = changes + reservations
        self._apply(changes, txid)
        self._mark(txid, changes)
        text = "null" if result is None else _encode(result)
        op = _named(op)
        self._remember(operation, op, text, txid, True)
        edit = Edit(txid, operation, op.client_id, op.number, text, tuple(changes), 0, op.digest)
        return Outcome(result, edit, txid)

    def unchanged(self, operation: str, op: Op, result: Any = None) -> Outcome:
        """The outcome of a call that found nothing to do; it may tell of any pending edit."""
        self._remember(operation, op, _encode(result), self.last_txid)
        return Outcome(result, None, self.last_txid)

    def volatile(
        self,
        operation: str,
        op: Op,
        result: Any,
        changes: Optional[List[Change]] = None,
        depends: int = 0,
    ) -> Outcome:
        """The outcome of what changed only soft state; `changes` are what it ended on the way.

        After a restart the answer is forgotten, as the soft state is. Edit `depends` is one that
        the result reveals.
        """
        edit = None
        changes = changes or []
        if changes or self._reservations():
            edit = self.commit(operation, NO_OP, changes).edit
        depends = max(depends, self._numbers_txid, edit.txid if edit else 0)
        if op[0]:
            self._remember(operation, op, _encode(result), depends)
        return Outcome(result, edit, depends)

    def repeated(self, operation: str, op: Op, kind: Any) -> Optional[Outcome]:
        """The outcome of an earlier call with the same op, whose result is of this kind.

        A namenode of another release may have recorded it. ProtocolViolation for another call's.
        """
        op = _named(op)
        check_op(op)
        answer = self.retries.get(op)
        if answer is None:
            return None
        if answer.operation != operation:
            raise ProtocolViolation(f"call {op[1]} was {answer.operation}, now {operation}")
        if answer.digest != op.digest:
            raise ProtocolViolation(
                f"call {op.number} ({operation}) was made with other arguments: do two programs "
                "use one client id?"
            )
        return Outcome(decode(kind, json.loads(answer.result)), None, answer.txid)

    def _apply(self, changes: Sequence[Change], txid: int) -> None:
        effects = effects_of(changes, self._image)
        self._image.apply(changes)
        self._follow(changes, effects, txid)

    def _remember_edit(self, edit: Edit) -> None:
        if edit.client_id:
            op = Op(edit.client_id, edit.call_number)
            self.retries.put(op, Answer(edit.operation, edit.result, edit.txid, edit.digest))

    def _remember(
        self, operation: str, op: Op, result: str, txid: int, recorded: bool = False
    ) -> None:
        op = _named(op)
        if op.client_id:
            self.retries.put(op, Answer(operation, result, txid, op.digest, recorded))
            # Behind that: what comes late is refused as long as the client has any answer.
            self.retries.settle(op.client_id, op.floor)

    def depends_on(self, inode: Inode) -> int:
        """The last edit, of those not durable yet, that touched the inode or one above it."""
        pending = self._pending
        if not pending:
            return 0
        depends = pending.get(inode.id, 0)
        while inode.parent is not inode:
            inode = inode.parent
            depends = max(depends, pending.get(inode.id, 0))
        return depends

    def depends_on_all(self, inodes: Iterable[Inode]) -> int:
        """The last edit, of those not durable yet, that touched one of these inodes."""
        pending = self._pending
        if not pending:
            return 0
        return max((pending.get(inode.id, 0) for inode in inodes), default=0)

    def note_durable(self, txid: int) -> None:
        """Every edit up to `txid` is durable: nothing waits for those any more."""
        if txid <= self._durable_txid:
            return
        self._durable_txid = txid
        while self._queue and self._queue[0][0] <= txid:
            done, inodes = self._queue.popleft()
            for number in inodes:
                if self._pending.get(number) == done:
                    del self._pending[number]

    def _take(self, counter: str) -> int:
        number = self._next[counter]
        self._next[counter] = number + 1
        return number

    def _reservations(self) -> List[Change]:
        """Changes that cover every number given out; most often none."""
        counters = self._image.counters
        changes: List[Change] = [
            (COUNTERS, name, (name, value))
            for name, value in self._drawn.items()
            if name not in counters
        ]
        for name, following in self._next.items():
            if following > self._image.counters[name]:
                changes.append((COUNTERS, name, (name, following + _RESERVED)))
        return changes

    def _mark(self, txid: int, changes: Iterable[Change]) -> None:
        touched = [key for table, key, _ in changes if table == INODES]
        for number in touched:
            self._pending[number] = txid
        self._queue.append((txid, touched))

    def check(self) -> None:
        """Assert that nothing waits for what is durable, or for what does not exist."""
        self.retries.check()
        waiting = self._pending.values()
        assert all(self._durable_txid < txid <= self.last_txid for txid in waiting), "pending"
        for name, following in self._next.items():
            assert following <= self._image.counters[name], f"{name} is ahead of its reservation"

    def __repr__(self) -> str:
        ahead = self.last_txid - self._durable_txid
        return f"<Commits at {self.last_txid}, {ahead} not durable, {len(self._pending)} touched>"


def _named(op: Op) -> Op:
    """The name of a call, which may come as a mere tuple."""
    return op if type(op) is Op else Op(*op)
