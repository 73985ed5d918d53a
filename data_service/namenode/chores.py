"""What a namenode does by itself while it leads: time passes, leases end, what was deleted goes.

The decisions of it, each to be made under the lock of the namesystem; `leading/housekeeping.py`
has the threads that make them in their time and wait for what must be durable.
"""

from typing import Any, Dict, List, NamedTuple, Optional

from data_service.namenode.decisions import Decisions
from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.replicas.events import Event
from data_service.protocol.health import DEAD

PURGE_INODES = 200
FORGET_BLOCKS = 1000
ACCESS_TIMES = 1000
TOKENS = 1000

SAFE_MODE_PATIENCE_SECONDS = 10.0
"""What safe mode takes at a start of which there is nothing to tell."""
SAFE_MODE_REMINDER_SECONDS = 60.0


class Reminder:
    """Says when to tell of something that lasts: after a while, and then now and again."""

    def __init__(self, patience_seconds: float, pause_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._pause_seconds = pause_seconds
        self._next: Optional[float] = None

    def __repr__(self) -> str:
        return f"<Reminder every {self._pause_seconds:g} s>"

    def is_due(self, lasts: bool, now: float) -> bool:
        """Whether to tell of it now; to be asked all the time, also while there is nothing."""
        if not lasts:
            self._next = None
            return False
        if self._next is None:
            self._next = now + self._patience_seconds
        if now < self._next:
            return False
        self._next = now + self._pause_seconds
        return True


class Round(NamedTuple):
    """What came of a round: what to log, and whether datanodes may have orders."""

    events: List[Event]
    safe_mode: Dict[str, Any]
    """Why nothing can be changed, and what is missing, when it is time to tell of it."""

    @property
    def has_orders(self) -> bool:
        """Whether datanodes may have new orders."""
        return self.events != []


class Piece(NamedTuple):
    """Of what was deleted, taken apart by an edit. `is_whole`: as much as an edit may be, so that
    there is more. What is left over waits for the next round, and for others to come with it: else
    each deletion of a file would bring about a second edit of its own."""

    txid: int
    is_whole: bool


class Chores:
    """Those of one term."""

    def __init__(self, decisions: Decisions, purge_inodes: int = PURGE_INODES) -> None:
        self._decisions = decisions
        self.purge_inodes = purge_inodes
        """How many rows of a deleted tree are taken apart in one edit, about."""
        self.safe_mode_reminder = Reminder(
            SAFE_MODE_PATIENCE_SECONDS, SAFE_MODE_REMINDER_SECONDS
        )
        # The last edit of a round, and whether datanodes should hear when what is there is durable.
        self._kept_txid, self._untold = 0, False

    @property
    def last_txid(self) -> int:
        """The newest edit: also what nobody else waits for shall become durable."""
        return self._decisions.state.commits.last_txid

    def round(self, now: float, wall_ms: int) -> Round:
        """Who is alive, what must be copied or removed, whose lease is over, what to forget."""
        state, durable = self._decisions.state, self._decisions.log.durable_txid
        events = state.blocks.monitor.tick(now, self._decisions.random)
        state.commits.note_durable(durable)
        state.commits.retries.tick(now)
        if self._tidy(now, wall_ms):
            self._kept_txid, self._untold = self.last_txid, True
        if events:
            # Deletions may be ordered only once they are durable.
            self._untold |= durable < self.last_txid
        return Round(events, self._safe_mode(now))

    def recorded(self, txid: int) -> bool:
        """Edits up to this one are durable; whether datanodes may have orders by that."""
        told, self._untold = self._untold, self._untold and self.last_txid > txid
        return told

    def sweep(self) -> bool:
        """Look at some of the replicas of datanodes that were lost; whether there were any."""
        return self._decisions.state.blocks.monitor.sweep()

    def purge(self, wall_ms: int) -> Optional[Piece]:
        """Take one piece of what was deleted apart; None: nothing to do."""
        if self._decisions.closed or not self._decisions.log.has_room:
            return None
        outcome = self._decisions.state.purge_step(self.purge_inodes)
        if outcome is None:
            return None
        self._decisions.submit(outcome, wall_ms)
        changes = outcome.edit.changes if outcome.edit is not None else ()
        return Piece(outcome.depends, len(changes) >= self.purge_inodes)

    def _tidy(self, now: float, wall_ms: int) -> List[Outcome]:
        """Edits of our own; they would end the term as well as a caller's, so none is made while
        the disk of the record is nearly full, or before those of the last round are durable."""
        state, log = self._decisions.state, self._decisions.log
        if self._decisions.closed or state.blocks.safe_mode:
            return []
        if not log.has_room or self._kept_txid > log.durable_txid:
            return []
        outcomes = state.writing.expire_leases(now)
        steps = (
            state.forget_deleted(FORGET_BLOCKS),
            state.store_access_times(ACCESS_TIMES),
            state.delegating.forget_expired(wall_ms, TOKENS),
        )
        outcomes += [step for step in steps if step is not None]
        for outcome in outcomes:
            self._decisions.submit(outcome, wall_ms)
        return outcomes

    def _safe_mode(self, now: float) -> Dict[str, Any]:
        blocks = self._decisions.state.blocks
        if not self.safe_mode_reminder.is_due(blocks.safe_mode, now):
            return {}
        counts = blocks.census.counts()
        nodes = [node.state for node in blocks.census.datanodes(now)]
        return {
            "reason": blocks.safe_mode_reason(now),
            "blocks": counts.blocks,
            "missing": counts.missing,
            "corrupt": counts.corrupt,
            "live_nodes": len(nodes) - nodes.count(DEAD),
            "dead_nodes": nodes.count(DEAD),
        }

    def __repr__(self) -> str:
        return f"<Chores of {self._decisions!r}>"
