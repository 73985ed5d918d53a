"""What a leader does for one member besides writing to it: all that takes time.

Theory of operation. Each member has a keeper, a thread that mostly sleeps. It dials, learns where
the member stands, has it adopt the record in this epoch when it has not yet, and then hands
the lane over to who has the turn. What a turn left behind (a late answer, edits that a member has
missed, a member that is silent) it sees to while nobody writes. So a member whose machine is gone
keeps nobody but its own keeper.
"""

import math
import threading
import time
from typing import Any, Tuple

from metadata_service.calls import MemberCalls
from metadata_service.edits import join_lines
from metadata_service.leader.append_queue import next_pause
from metadata_service.leader.lane import Lane
from metadata_service.leader.members import Members
from metadata_service.leader.recovery import resumes_at
from metadata_service.leader.redialling import Redialling
from metadata_service.quorum import BLANK, DAMAGED, MemberStatus, Place
from zookeeper.fabric import logs
from zookeeper.fabric.calls import Call, calls_of
from zookeeper.fabric.errors import (
    Busy,
    DfsError,
    Fenced,
    InternalError,
    OutOfStep,
    Unavailable,
)
from zookeeper.fabric.frames import Request

log = logs.get("members")

LOOK_SECONDS = 0.2
"""How often a keeper looks after its member while nobody tells it to."""

CALL_SECONDS = 5.0
"""How long a call may take that a member has to sync for."""

CALLS = calls_of(MemberCalls)
STATUS, CLAIM, ADOPT = CALLS["status"], CALLS["claim"], CALLS["adopt"]


class MemberKeeper:
    """The keeper of one lane, until the members are closed."""

    def __init__(self, members: Members, lane: Lane) -> None:
        self._members = members
        self._lane = lane
        self._pause = 0.0
        self._told = ""
        self._joining, self._proving = Redialling(), Redialling()

    def start(self) -> None:
        """Begin, in a thread."""
        name = f"member {self._lane.address}"
        threading.Thread(target=self._keep, name=name, daemon=True).start()

    def _keep(self) -> None:
        while not self._members.closed and self._lane in self._members.lanes:
            try:
                self._look_after()
                self._pause = 0.0
            except DfsError as error:
                self._pause = next_pause(self._pause)
                self._tell(error)
            except Exception as error:  # A defect of ours must not leave the lane to nobody.
                self._pause = next_pause(self._pause)
                log.error("keeper.failed", exc_info=True, member=self._lane.address)
                self._tell(InternalError(f"its keeper broke: {error}"))
            self._sleep()
        self._leave()

    def _leave(self) -> None:
        members, lane = self._members, self._lane
        with members.proving:
            lane.proving.hang_up()
        with members.changed:
            if lane not in members.lanes:
                # Who had the turn when it was taken out looks at it no more after this.
                members.changed.wait_for(lambda: not members.turn_taken, LOOK_SECONDS)
                lane.writing.hang_up()

    def _sleep(self) -> None:
        members, lane = self._members, self._lane
        with members.changed:
            pause = self._pause
            if lane.writing.connection is None:
                pause = max(pause, self._joining.seconds_left(time.monotonic()))
            if pause:
                members.changed.wait_for(lambda: members.closed, pause)
            elif not members.closed and lane.writing.connection is not None:
                members.changed.wait(LOOK_SECONDS)

    def _look_after(self) -> None:
        members, lane = self._members, self._lane
        if lane.writing.connection is None and self._joining.is_due(time.monotonic()):
            self._take_in()
        if lane.version < members.configuration.version:
            self._tell_configuration()
        with members.changed:
            if not members.turn_taken and not members.closed:
                line = lane.writing
                asked = [line.connection] if line.connection is not None else []
                ready = members.ways.answering(asked, 0) if asked else []
                if ready and not line.busy:
                    # It ends without a question: its process has ended, and the next edit would
                    # be the first to meet that.
                    lane.lose(Unavailable("closed the connection"))
                members.exchange(ready, time.monotonic())
        self._open_to_proofs()

    def _open_to_proofs(self) -> None:
        members, lane = self._members, self._lane
        if lane.proving.connection is not None or members.closed:
            return
        if self._proving.is_due(time.monotonic()):
            lane.proving.connection = members.ways.dial(lane.address)
            self._proving.opened(time.monotonic())

    # The way into step.

    def _take_in(self) -> None:
        try:
            self._join()
        except Fenced:
            # It takes part in nothing any more until all are united in another epoch: to begin one
            # the leader has to learn it, by the answer to a question for a proof.
            self._open_to_proofs()
            raise

    def _join(self) -> None:
        """Have the member take part; raises whatever keeps it from that."""
        try:
            connection = self._members.ways.dial(self._lane.address)
        except DfsError:
            self._lane.state = ""
            raise
        try:
            self._agree(connection)
        except BaseException:
            connection.close()
            raise

    def _agree(self, connection: Any) -> None:
        members, lane = self._members, self._lane
        status: MemberStatus = _ask(connection, STATUS)
        self._require_member(status)
        cluster_id, epoch, owner = members.reign
        if status.state == BLANK:
            # Which cluster it is of, only a claim tells it.
            status = _ask(connection, CLAIM, cluster_id, epoch, owner)
        if status.log_epoch != epoch:
            acked, version = self._adopt(connection, status)
        else:
            acked, version = status.last.txid, status.configuration.version
        with members.changed:
            if members.closed:
                raise Unavailable("the members have been left")
            self._require_only()
            if status.log_epoch == epoch:
                self._require_kept(status.last)
            members.acknowledge(lane, acked)
            lane.version = version
            if acked >= members.record.last.txid:
                lane.refusal, lane.trouble = None, ""  # Otherwise what it is sent next will show.
            lane.writing.connection, lane.heard_at = connection, time.monotonic()
            lane.told_at = -math.inf
            self._joining.opened(lane.heard_at)
            members.changed.notify_all()
        self._told = ""
        log.info("member.joined", member=lane.address, last=acked, epoch=epoch)

    def _require_only(self) -> None:
        """Raises Unavailable when this member takes part at another address already: then one of
        the two directories is a copy. (One process may be known by an old address, too.)"""
        lane, addresses = self._lane, self._members.ways.addresses
        for one in self._members.in_step():
            twin = one is not lane and one.member_id == lane.member_id
            if twin and one.address in addresses and lane.address in addresses:
                raise Unavailable(f"and {one.address} are one member, of a copied directory")

    def _require_kept(self, last: Place) -> None:
        """Raises OutOfStep unless this is a place of the record, and Unavailable when what follows
        it is not kept any more."""
        record = self._members.record
        if last.txid < record.base.txid:
            raise Unavailable("lacks many edits, which it fetches from the others first")
        if not record.has(last):
            raise OutOfStep(f"its log is another one at edit {last.txid}")

    def _require_member(self, status: MemberStatus) -> None:
        """Raises Unavailable, and forgets what the member had, unless it takes part."""
        members, lane = self._members, self._lane
        _, epoch, owner = members.reign
        reason = ""
        with members.changed:
            lane.rival = status.promised == epoch and status.owner != owner
            # Also of one that is too full to take part: none of its room may be counted on.
            lane.state, lane.room = status.state, status.room
            if lane.member_id != status.member_id:
                lane.member_id, lane.acked, lane.version = status.member_id, -1, -1
                lane.refusal = None
        if status.member_id not in members.configuration.ids | members.candidates:
            reason = f"is another member now ({status.state})"
        elif status.state == DAMAGED:
            reason = "is damaged"
        elif status.member_id in members.doubtful:
            reason = "has forgotten what it had acknowledged: its disk is an old copy"
        elif status.promised > epoch or lane.rival:
            raise Fenced(
                f"epoch {epoch} is over, {status.promised} has been promised to {status.owner}")
        if reason:
            with members.changed:
                lane.acked = -1
            raise Unavailable(reason)

    def _adopt(self, connection: Any, status: MemberStatus) -> Tuple[int, int]:
        """Give it the record; up to which edit it has that then, and the version of the
        configuration that it has stored with it."""
        members = self._members
        with members.changed:
            record = members.record
            behind = resumes_at(status, record)
            if behind is None and status.applied.txid >= record.base.txid:
                raise OutOfStep(f"its image at edit {status.applied.txid} is of another record")
            lines = record.behind(behind.txid, members.bytes_max) if behind is not None else []
            if behind is None or behind.txid + len(lines) < record.last.txid:
                # A part of the record must never look like all of it.
                raise Unavailable("lacks many edits, which it fetches from the others first")
            decided, configuration = members.decided, members.configuration
        _, epoch, owner = members.reign
        stored = _ask(
            connection, ADOPT, epoch, owner, behind, join_lines(lines), decided, configuration)
        return stored.last.txid, configuration.version

    def _tell_configuration(self) -> None:
        """Have a member that is in step store who decides by now."""
        members, lane = self._members, self._lane
        with members.changed:
            configuration, decided = members.configuration, members.decided
            place = members.record.base
        _, epoch, owner = members.reign
        args = epoch, owner, place, b"", decided, configuration
        members.ways.perform(lane.address, ADOPT, args, CALL_SECONDS)
        with members.changed:
            lane.version = max(lane.version, configuration.version)
            members.changed.notify_all()

    def _tell(self, error: DfsError) -> None:
        members, lane = self._members, self._lane
        with members.changed:
            if lane.writing.connection is None:
                lane.trouble = error.message
                if not error.retryable:
                    lane.refusal = error
                members.changed.notify_all()
        # Once, however long it takes; of what says another number each time, its kind is enough.
        told = error.code if isinstance(error, Busy) else error.message
        if told != self._told and not members.closed:
            self._told = told
            log.warning("member.awaited", member=lane.address, error=error.message)


def _ask(connection: Any, call: Call, *args: Any) -> Any:
    connection.begin(Request(call.name, args), CALL_SECONDS)
    return call.result(connection.finish(CALL_SECONDS))
