"""Proofs that an epoch still is the newest, from a majority of the members."""

import math
import time
from typing import Any, List

from metadata_service.calls import MemberCalls
from metadata_service.leader.allegiance import NO_WISH, Allegiance
from metadata_service.leader.asking import ask_all
from metadata_service.leader.lane import Lane
from metadata_service.leader.members import Members
from metadata_service.quorum import Proved
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.errors import DfsError, Fenced, OutOfStep, Unavailable
from zookeeper.fabric.frames import Request

LOOK_SECONDS = 0.05
"""How often it is looked whether a member has come back meanwhile that can be asked."""

RELEASE_SECONDS = 0.5
"""How long who lets go waits for the members to have heard it."""

PROVE, RELEASE = calls_of(MemberCalls)["prove"], calls_of(MemberCalls)["release"]


class Proofs:
    """Asks all members at once, by a connection each of its own: a write must delay no proof."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self.allegiance = Allegiance(members.reign.epoch)
        self._released = False
        self.wish = NO_WISH
        """Which other namenode would lead, as of the last proof."""

    def renew(self, seconds: float) -> float:
        """The moment, in monotonic seconds, as of which a majority says that no later epoch has
        been promised: not before this call. Raises Fenced, and Unavailable after so long; or
        OutOfStep when some have left by then, or long ago: the epoch should be claimed anew.

        An answer tells of the moment when its question was asked. One that comes late counts for
        that, at the next call.
        """
        with self._members.proving:
            return self._renew(time.monotonic(), seconds)

    def release(self) -> None:
        """Tell all members, once, that this leader answers nobody any more, and hang up. Who does
        not hear it lets others claim when the lease has run out."""
        members = self._members
        # Whoever asks for a proof at the moment has the lock, and soon looks whether to go on.
        self._released = True
        addresses = [lane.address for lane in members.lanes]
        ask_all(
            members.ways, addresses, RELEASE, (members.reign.epoch,), RELEASE_SECONDS,
            lambda answers: 2 * len(answers) > len(addresses),
        )  # fmt: skip
        with members.proving:
            for lane in members.lanes:
                lane.proving.hang_up()

    def _renew(self, began: float, seconds: float) -> float:
        members = self._members
        while not (members.closed or self._released):
            now = time.monotonic()
            for lane in members.lanes:
                self._ask(lane, began, now)
            proved_at = self.allegiance.proved_at(members.configuration)
            if self.allegiance.is_deserted(now):
                raise OutOfStep("some members have promised a later epoch, too few to follow it")
            if proved_at is not None and proved_at >= began:
                self.wish = self.allegiance.wish(members.configuration, now)
                return proved_at
            newer = self.allegiance.fenced_by(members.configuration)
            if newer:
                raise Fenced(f"epoch {members.reign.epoch} is over, {newer} has been promised")
            left = began + seconds - now
            if left <= 0 and self.allegiance.has_lost_some:
                raise OutOfStep("some members have promised a later epoch, and no majority is left")
            if left <= 0:
                raise Unavailable(f"no majority of the members has answered: {members.awaited()}")
            self._hear(min(left, LOOK_SECONDS))
        raise Unavailable("the members have been left")

    def _ask(self, lane: Lane, began: float, now: float) -> None:
        """Ask a member that was not asked since `began`, unless an older answer is awaited."""
        line = lane.proving
        try:
            if line.idle and lane.asked_for_proof_at < began:
                lane.asked_for_proof_at = now
                args = self._members.reign.epoch, self._members.decided
                line.ask(now, Request(PROVE.name, args))
            elif line.busy and now - line.asked_at > self._members.silence_seconds:
                self._lose(lane)
        except DfsError:
            self._lose(lane)

    def _hear(self, seconds: float) -> None:
        lines = [lane for lane in self._members.lanes if lane.proving.busy]
        connections: List[Any] = [lane.proving.connection for lane in lines]
        if not connections:
            time.sleep(seconds)
            return
        ready = self._members.ways.answering(connections, seconds)
        for lane in lines:
            if lane.proving.connection in ready:
                self._take(lane)

    def _take(self, lane: Lane) -> None:
        asked_at = lane.proving.asked_at
        try:
            proved: Proved = lane.proving.answer(PROVE.result)
        except Fenced:
            self.allegiance.left(lane.member_id, self.allegiance.epoch + 1, asked_at)
        except DfsError:
            self._lose(lane)
        else:
            lane.room = proved.room
            self.allegiance.answered(proved, asked_at)
            if lane.rival:  # To it, the epoch of this number is another's.
                self.allegiance.left(lane.member_id, self.allegiance.epoch + 1, asked_at)

    def _lose(self, lane: Lane) -> None:
        """Its keeper dials again, and it may be asked again."""
        lane.proving.hang_up()
        lane.asked_for_proof_at = -math.inf
        with self._members.changed:
            self._members.changed.notify_all()
