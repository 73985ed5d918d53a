"""What a namenode does by itself while it leads: time passes, leases end, what was deleted goes.

Three threads. One makes a round every few moments: who is alive, what must be copied or removed,
whose lease is over, which deleted blocks can be forgotten. It never waits for the record, whose
disk may hang: no datanode would be found dead then. So another one has the edits recorded, also
those whose callers do not wait for them any more. The third takes deleted trees apart, piece after
piece. None ends before the term does, whatever happens in it.
"""

import threading
import time
from random import Random
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from data_service.namenode.dates import wall_ms
from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.leading.leader_lease import Office
from data_service.namenode.state import State
from metadata_service.journal import Journal
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError

log = logs.get("namenode")

PURGE_INODES = 1000
FORGET_BLOCKS = 1000
ACCESS_TIMES = 1000
PARTING_SECONDS = 2.0
"""How long the end of a term waits for these threads, which hold what it has in memory."""


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


class Rounds(NamedTuple):
    """The seconds between two rounds, and those that an edit of one may take to be durable."""

    pause_seconds: float
    edit_seconds: float


def record(journal: Journal, outcome: Outcome) -> None:
    """Submit the edit of an outcome, if it has one, under the lock that it was made under."""
    if outcome.edit is not None:
        txid = journal.submit(outcome.edit._replace(wall_ms=wall_ms()))
        assert txid == outcome.edit.txid, "edits are submitted in the order of their making"


class Housekeeping:
    """Works under the `lock` of the core. `ordered` is notified when datanodes may have orders;
    `on_over` is told when the term is found to be over, as `is_over` says."""

    def __init__(
        self,
        state: State,
        journal: Journal,
        office: Office,
        lock: threading.Lock,
        ordered: threading.Condition,
        random: Random,
        rounds: Rounds,
        is_over: Callable[[], bool],
        on_over: Callable[[], None],
    ) -> None:
        self._state = state
        self._journal = journal
        self._office = office
        self._lock = lock
        self._ordered = ordered
        self._random = random
        self._rounds = rounds
        self._is_over = is_over
        self._on_over = on_over
        # The last edit of a round, and whether datanodes should hear when what is there is durable.
        self._kept_txid, self._untold = 0, False
        self._safe_mode = Reminder(SAFE_MODE_PATIENCE_SECONDS, SAFE_MODE_REMINDER_SECONDS)
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep, name="housekeeping", daemon=True),
            threading.Thread(target=self._record, name="recording", daemon=True),
            threading.Thread(target=self._purge, name="purge", daemon=True),
        ]

    def start(self) -> None:
        """Begin, once the image is loaded."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads; also when they were never begun."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(PARTING_SECONDS)

    def _keep(self) -> None:
        while not self._stopping.wait(self._rounds.pause_seconds):
            try:
                self._round()
            except DfsError as error:
                log.warning("housekeeping.failed", error=error.message)
            except Exception as error:
                # Also a defect must not end this thread: no datanode and no lease would end then.
                log.error("housekeeping.failed", exc_info=True, error=type(error).__name__)
            if self._is_over():
                self._on_over()

    def _round(self) -> None:
        with self._lock:
            events = self._state.blocks.tick(time.monotonic(), self._random)
            durable = self._journal.durable_txid
            self._state.commits.note_durable(durable)
            self._state.commits.retries.tick(time.monotonic())
            if self._edits():
                self._kept_txid, self._untold = self._state.commits.last_txid, True
            if events:
                self._ordered.notify_all()
                # Deletions may be ordered only once they are durable.
                self._untold |= durable < self._state.commits.last_txid
            safe_mode = self._safe_mode_news(time.monotonic())
        for event in events:
            log.info(event.name, **dict(event.fields))
        if safe_mode:
            log.warning("safe_mode.lasts", **safe_mode)

    def _safe_mode_news(self, now: float) -> Dict[str, Any]:
        """Why nothing can be changed, and what is missing, when it is time to tell of it."""
        blocks = self._state.blocks
        if not self._safe_mode.is_due(blocks.safe_mode, now):
            return {}
        counts = blocks.census.counts()
        nodes = [node.state for node in blocks.census.datanodes(now)]
        return {
            "reason": blocks.safe_mode_reason(now),
            "blocks": counts.blocks,
            "missing": counts.missing,
            "corrupt": counts.corrupt,
            "live_nodes": len(nodes) - nodes.count("dead"),
            "dead_nodes": nodes.count("dead"),
        }

    def _record(self) -> None:
        while not self._stopping.wait(self._rounds.pause_seconds):
            try:
                with self._lock:
                    last_txid = self._state.commits.last_txid
                self._journal.wait(last_txid, self._rounds.edit_seconds)
                self._tell_durable(last_txid)
            except DfsError as error:
                log.warning("recording.failed", error=error.message)
            except Exception as error:
                log.error("recording.failed", exc_info=True, error=type(error).__name__)

    def _tell_durable(self, txid: int) -> None:
        with self._lock:
            if self._untold:
                # What was made meanwhile is told of with the next ones.
                self._untold = self._state.commits.last_txid > txid
                self._ordered.notify_all()

    def _edits(self) -> List[Outcome]:
        state = self._state
        if state.blocks.safe_mode or self._is_over() or not self._office.may_change:
            return []
        if not self._journal.has_room or self._kept_txid > self._journal.durable_txid:
            return []
        outcomes = state.writing.expire_leases(time.monotonic())
        steps = (
            state.forget_deleted(FORGET_BLOCKS),
            state.store_access_times(ACCESS_TIMES),
        )
        outcomes += [step for step in steps if step is not None]
        for outcome in outcomes:
            record(self._journal, outcome)
        return outcomes

    def _purge(self) -> None:
        """Take deleted trees apart, piece after piece: calls come in between, each piece waits
        for the disk. (One piece a round took 25 minutes for a million files.)"""
        while not self._stopping.wait(self._rounds.pause_seconds):
            try:
                while self.purge_step():
                    pass
            except DfsError as error:
                log.warning("purge.failed", error=error.message)
            except Exception as error:
                # Nor this one: what is deleted would fill the disks.
                log.error("purge.failed", exc_info=True, error=type(error).__name__)

    def purge_step(self) -> bool:
        """Take one piece apart; whether there was any."""
        with self._lock:
            idle = self._is_over() or not self._journal.has_room
            outcome = None if idle else self._state.purge_step(PURGE_INODES)
            if outcome is None:
                return False
            record(self._journal, outcome)
        self._journal.wait(outcome.depends, self._rounds.edit_seconds)
        with self._lock:
            self._ordered.notify_all()
        return True

    def __repr__(self) -> str:
        return f"<Housekeeping every {self._rounds.pause_seconds:g} s>"
