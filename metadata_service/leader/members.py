"""The leader's half of the metadata quorum: edits go to all members, a majority decides.

Theory of operation. Whoever has the turn (`append`) writes the edits to every member that can take
them and waits until majorities have answered: no thread of a member's own stands between. Who
answers later is heard at the next turn, and gets all that it missed in one message. What else there
is to do for a member takes time and is done by its keeper (`member_keeper.py`): the turn never
dials, and a member that is out of reach, slow or stopped costs it nothing.

All state is guarded by one lock. The connections of lanes are used by who has the turn; while
nobody has it, by the keepers, under the lock.
"""

import threading
import time
from typing import AbstractSet, Any, Dict, List, NamedTuple, Sequence, Set, Tuple

from metadata_service.calls import Witness
from metadata_service.leader.append_queue import next_pause
from metadata_service.leader.appends import Appends
from metadata_service.leader.lane import Lane, Ways
from metadata_service.leader.majorities import can_decide, is_majority, reached
from metadata_service.leader.refusals import ending
from metadata_service.leader.ring import EDITS_MAX, Ring
from metadata_service.quorum import Configuration, Stored
from zookeeper.fabric import logs
from zookeeper.fabric.errors import (
    Busy,
    DfsError,
    DiskFull,
    Fenced,
    InternalError,
    OutOfStep,
    ProtocolViolation,
    Unavailable,
)
from zookeeper.fabric.figures import quantile

log = logs.get("members")

LOOK_SECONDS = 0.1
"""How long who has the turn waits for answers before it looks whether a member has come back."""

SILENCE_SECONDS = 5.0
"""A member that is silent for so long is hung up on, and called anew."""

FULL_SECONDS = 0.1
BUSY_SECONDS = 0.02
"""How long a member is left alone that said so."""

CATCH_UP_SECONDS = 0.02
"""How long a turn waits for a member that lags far behind, so that it can catch up under load."""

WITNESS_SECONDS = 0.05
"""How often, at most, a member is told what the others have acknowledged."""

LIVELY_SECONDS = 1.0
"""Unless that has not answered for so long: it is no laggard then, but stopped."""

IDLE_SECONDS = 20.0
"""A member that has not answered for so long is sent no edits: they tell it what is decided, and a
gateway on the way that the connection is in use. The first edit would be lost on it, silently."""


class Reign(NamedTuple):
    """Under which promise members are written to."""

    cluster_id: str
    epoch: int
    owner: str


class Members:
    """All members, from when a majority has promised `reign.epoch` on.

    `record` is the log that they are given, as far back as it was read; all of it is decided once
    a majority has adopted it.
    """

    def __init__(
        self,
        ways: Ways,
        reign: Reign,
        configuration: Configuration,
        record: Ring,
        decided: int,
        bytes_max: int,
        doubtful: AbstractSet[str] = frozenset(),
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """`doubtful` are the members whose disks have forgotten something."""
        self.ways, self.reign = ways, reign
        self.configuration = configuration
        self.record = record
        self.decided = decided
        """Up to which edit a majority has all."""
        self.bytes_max, self.doubtful, self.silence_seconds = bytes_max, doubtful, silence_seconds
        addresses = dict.fromkeys((*ways.addresses, *configuration.addresses))
        self.lanes = [Lane(one) for one in addresses]
        for lane in self.lanes:
            lane.heard_at = time.monotonic()
        self.candidates: Set[str] = set()
        """The ids of those who shall be members: they are written to, and do not count yet."""
        self.waits_for = ""
        """Why the members stay as they are although config.ini would have it otherwise."""
        self.changed = threading.Condition()
        """The lock; told of when a lane is lost or has come, and at the end."""
        self.turn_taken = False
        self.proving = threading.Lock()
        """Held by who asks for proofs: the other connection of each lane is his."""
        self.closed = False
        self._appends = Appends(reign.epoch, record, bytes_max)

    def await_adoption(self, deadline: float) -> None:
        """Return when majorities have adopted the record, all of which is decided then."""
        goal = self.record.last.txid
        with self.changed:
            while not self.closed:
                acked = reached(self.configuration, self._acked())
                if acked is not None and acked >= goal:
                    return
                self._require_possible()
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Unavailable(f"no majority has adopted the record: {self.awaited()}")
                self.changed.wait(left)
        raise Unavailable("the members have been left")

    # Writing.

    def append(self, first_txid: int, lines: Sequence[str], seconds: float) -> None:
        """Return when these edits are decided. They follow those of before, or begin with some.

        Raises Unavailable when no majority has answered in time, DiskFull, Fenced, or what else
        so many have refused it with that no majority is left. They may be decided all the same,
        and are to be sent again unless Fenced.
        """
        deadline = time.monotonic() + seconds
        with self.changed:
            known = self.record.last.txid + 1 - first_txid
            if known < 0:
                raise InternalError(f"edits from {first_txid} come after {self.record.last.txid}")
            self.record.add(lines[known:])
            self.turn_taken = True
            goal = self.record.last.txid
        try:
            self._write_until(goal, deadline)
            self._wait_for_laggards()
        finally:
            with self.changed:
                self.turn_taken = False
                self._hang_up_if_closed()

    def _write_until(self, goal: int, deadline: float) -> None:
        asked = self._asked()
        ready = self.ways.answering(asked, 0) if asked else []
        while True:
            with self.changed:
                self.exchange(ready, time.monotonic())
                if self.decided >= goal:
                    return
                self._require_possible()
            if self.closed:
                raise Unavailable("the members have been left")
            seconds = min(deadline - time.monotonic(), LOOK_SECONDS)
            if seconds <= 0:
                raise Unavailable(f"no majority of its members has answered: {self.awaited()}")
            ready = self._wait_for_answers(seconds)

    def _asked(self) -> List[Any]:
        lines = [lane.writing for lane in self.lanes]
        return [line.connection for line in lines if line.busy and line.connection is not None]

    def _wait_for_answers(self, seconds: float) -> List[Any]:
        asked = self._asked()
        if asked:
            return self.ways.answering(asked, seconds)
        with self.changed:
            # Unless one came back in between, which nobody tells again.
            if not any(self._is_due(lane, time.monotonic()) for lane in self.lanes):
                self.changed.wait(min(seconds, BUSY_SECONDS) if self._refusals() else seconds)
        return []

    def exchange(self, ready: Sequence[Any], now: float) -> None:
        """Under the lock, by who has the turn or while nobody has: hear those who have answered,
        hang up on those who are silent, and write to all that lack something."""
        for lane in self.lanes:
            line = lane.writing
            if line.busy and line.connection in ready:
                self._hear(lane, now)
            elif now - line.asked_at > self.silence_seconds:
                self._lose(lane, Unavailable(f"did not answer for {self.silence_seconds:g} s"))
        for lane in self.lanes:
            if self._is_due(lane, now):
                self._write(lane, now)

    def acknowledge(self, lane: Lane, txid: int) -> None:
        """Under the lock: the log of a member is that of this epoch, durably, up to this edit."""
        lane.acked = txid
        if txid > self.decided:
            self._decide()

    def _decide(self) -> None:
        self.decided = max(self.decided, reached(self.configuration, self._acked()) or 0)

    def _acked(self) -> Dict[str, int]:
        return {lane.member_id: lane.acked for lane in self.lanes if lane.acked >= 0}

    def _is_due(self, lane: Lane, now: float) -> bool:
        if not lane.writing.idle or lane.retry_at > now:
            return False
        return lane.acked < self.record.last.txid or now - lane.heard_at > IDLE_SECONDS

    def _write(self, lane: Lane, now: float) -> None:
        witness = self._witness(lane, now)
        try:
            message = self._appends.message(lane.acked, self.decided, witness)
            lane.asked_to = message.last
            lane.writing.ask(now, message.request)
        except KeyError:
            self._lose(lane, Unavailable("lacks more edits than are kept for it"))
        except DfsError as error:
            self._lose(lane, error)

    def _witness(self, lane: Lane, now: float) -> Witness:
        """What all have acknowledged, for this one to remember; none if it has just been told,
        since in every append it would be the largest part of the work, or if it is alone."""
        if now - lane.told_at < WITNESS_SECONDS or len(self.lanes) == 1:
            return ()
        lane.told_at = now
        return tuple([(one, self.reign.epoch, txid) for one, txid in self._acked().items()])

    def _hear(self, lane: Lane, now: float) -> None:
        asked_at = lane.writing.asked_at
        try:
            stored: Stored = lane.writing.answer(self._appends.meaning)
            last = stored.last
            if last.txid < lane.asked_to:
                raise ProtocolViolation(
                    f"answered an append up to edit {lane.asked_to} by {last.txid}")
            if last.txid >= self.record.base.txid and not self.record.has(last):
                raise ProtocolViolation(f"its log is another one at edit {last.txid}")
        except DfsError as error:
            self._refuse(lane, error, now)
            return
        lane.appends.note(now - asked_at)
        lane.heard_at = now
        self.acknowledge(lane, last.txid)
        lane.applied_txid = stored.applied_txid
        lane.room, lane.refusal, lane.pause = stored.room, None, 0.0
        lane.trouble = ""

    def _refuse(self, lane: Lane, error: DfsError, now: float) -> None:
        """A member did not store what it was sent."""
        lane.refusals += 1
        if isinstance(error, (DiskFull, Busy)):
            lane.retry_at = now + (FULL_SECONDS if isinstance(error, DiskFull) else BUSY_SECONDS)
            lane.refusal, lane.trouble = error, error.message
            return
        if not error.retryable:
            log.error("member.refused", member=lane.address, code=error.code, error=error.message)
            lane.refusal = error
        # The first try is at once: perhaps only an idle connection had been broken.
        lane.retry_at, lane.pause = now + lane.pause, next_pause(lane.pause)
        if isinstance(error, (Fenced, OutOfStep, ProtocolViolation)):
            lane.acked = -1  # Its log is not that of this epoch (any more).
        self._lose(lane, error)

    def _lose(self, lane: Lane, error: DfsError) -> None:
        lane.lose(error)
        self.changed.notify_all()

    def _refusals(self) -> Dict[str, DfsError]:
        """Why members refused, by their ids, that have not been asked again yet."""
        return {
            one.member_id: one.refusal for one in self.lanes
            if one.refusal is not None and not one.writing.busy
        }  # fmt: skip

    def _require_possible(self) -> None:
        """Raise why no majority can be had: a later epoch, a lasting error, or full disks."""
        refusals = self._refusals()
        error = ending(self.configuration, refusals) if refusals else None
        if error is not None:
            raise error

    def _wait_for_laggards(self) -> None:
        """Who lags far behind, and is well, catches up: a turn gives it a moment."""
        if len(self.lanes) == 1:
            return
        last, now = self.record.last.txid, time.monotonic()
        late = [
            lane.writing.connection for lane in self.lanes
            if lane.writing.busy and last - lane.acked > EDITS_MAX // 2
            and now - lane.heard_at < LIVELY_SECONDS
        ]  # fmt: skip
        if late:
            self.ways.answering(late, CATCH_UP_SECONDS)

    # What is known of them.

    @property
    def has_room(self) -> bool:
        """Whether the disks of a majority have room, as far as is known."""
        full = {lane.member_id for lane in self.lanes if not lane.room}
        return not full or can_decide(self.configuration, full)

    def configure(self, configuration: Configuration) -> None:
        """Under the lock: from now on these decide. The keepers have all members store it."""
        self.configuration = configuration
        named = {*configuration.addresses, *self.ways.addresses}
        # Another list: who has the turn may be going through the one of before.
        self.lanes = [lane for lane in self.lanes if lane.address in named]
        self._decide()
        self.changed.notify_all()

    def in_step(self) -> List[Lane]:
        """Those that are written to, and count."""
        return [
            lane for lane in self.lanes
            if lane.writing.connection is not None and lane.member_id in self.configuration.ids
        ]  # fmt: skip

    def awaited(self) -> str:
        """Who is not in step, and why, for a person; empty when all are."""
        there = self.in_step()
        away = [
            f"{one.address} {one.trouble or 'has another disk, which does not count yet'}"
            for one in self.lanes if one not in there
        ]  # fmt: skip
        silent = [
            f"{one.address} {one.trouble or 'is silent'}" for one in there
            if one.writing.busy or one.refusal is not None
        ]  # fmt: skip
        return "; ".join(away + silent)

    @property
    def risk(self) -> str:
        """Who of several is not in step, for a person, when without one more nothing is decided;
        empty while one may be lost."""
        spare = len(self.in_step()) - 1 > len(self.lanes) // 2
        return "" if spare or len(self.lanes) == 1 else self.awaited()

    def delays(self) -> Dict[str, Tuple[float, float]]:
        """How long appends take at each address, in seconds: half of them at most the first, and
        one in a hundred longer than the second. Who has had none yet is left out."""
        found = {}
        for lane in self.lanes:
            median = quantile(lane.appends.bounds, lane.appends.counts, 0.5)
            slow = quantile(lane.appends.bounds, lane.appends.counts, 0.99)
            if median is not None and slow is not None:
                found[lane.address] = (median, slow)
        return found

    @property
    def trouble(self) -> str:
        """Why nothing can be decided now, for a person; empty when it can be."""
        there = {lane.member_id for lane in self.in_step()}
        return "" if is_majority(self.configuration, there) else self.awaited()

    def check(self) -> None:
        """Assert what must always hold."""
        with self.changed:
            self.record.check()
            assert self.decided <= self.record.last.txid
            for lane in self.lanes:
                assert lane.acked <= self.record.last.txid
                assert not lane.writing.busy or lane.writing.connection is not None

    def close(self) -> None:
        """Write to nobody any more. Who has the turn fails at his next look, and hangs up."""
        with self.changed:
            self.closed = True
            self._hang_up_if_closed()
            self.changed.notify_all()

    def _hang_up_if_closed(self) -> None:
        if self.closed and not self.turn_taken:
            for lane in self.lanes:
                lane.writing.hang_up()

    def __repr__(self) -> str:
        return f"<Members of epoch {self.reign.epoch}, {len(self.in_step())} in step>"
