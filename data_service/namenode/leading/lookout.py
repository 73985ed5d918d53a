"""A namenode that stands by looks at the members of the metadata quorum, until nobody leads."""

import threading
import time
from math import inf
from typing import Callable, Dict, Optional

from data_service.namenode.leading.candidacy import LOOK_SECONDS, Candidacy
from data_service.namenode.leading.each_member import EachMember
from metadata_service.calls import MemberCalls
from metadata_service.leader.lane import Ways
from metadata_service.leader.recovery import addresses_of
from metadata_service.quorum import MemberStatus
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError

log = logs.get("lookout")

ANSWER_SECONDS = 1.0
"""How long a member may take to say what it knows."""


class Lookout:
    """One namenode's; `ways` lead to every member. In threads of its own it tells `vacant`, once
    in each candidacy, that leadership can be claimed, and `changed` that another one leads.
    `missed_by` says how many datanodes miss that one, when this namenode should lead instead: the
    members are told of it, for the leader to hear; mostly it is 0."""

    def __init__(
        self,
        candidacy: Candidacy,
        ways: Ways,
        vacant: Callable[[int], None],
        changed: Callable[[], None],
        missed_by: Callable[[], int],
    ) -> None:
        self._candidacy = candidacy
        self._ways = ways
        self._vacant, self._changed = vacant, changed
        self._missed_by = missed_by
        self._count = 0
        self._counted_at = -inf
        self._lock = threading.Lock()
        self._number: Optional[int] = None
        self._questions: Optional[EachMember] = None
        self.leader = ""
        """The address of another one who leads, as far as is known; empty when nobody does."""
        self._failures: Dict[str, str] = {}
        self._refusal = ""
        """Why a wish was not told last, for a person, who hears it once."""

    @property
    def trouble(self) -> str:
        """What keeps it from knowing whether anybody leads, as the rest of a sentence that has
        "it"; or empty."""
        with self._lock:
            failures = list(self._failures.values())
            missing = self._candidacy.missing(time.monotonic())
        if 2 * len(failures) > len(self._ways.addresses):
            return f"waits for the metadata service: {failures[0]}"
        if missing:
            return f"waits for most of those metadata services that decide: {', '.join(missing)}"
        return ""

    def campaign(self, candidacy: int, yields: float = 0.0) -> None:
        """Be a candidate from now on; what is told of it has this number. Any other one goes first
        for `yields` seconds."""
        with self._lock:
            self._candidacy.begin(time.monotonic() + yields)
            before, self._number = self._questions, candidacy
            self._questions = EachMember(
                self._ways, "lookout", LOOK_SECONDS, ANSWER_SECONDS, self._look
            )
            self._questions.start()
        if before is not None:
            before.stop()

    def look(self) -> None:
        """Look at once: perhaps a leader is gone."""
        with self._lock:
            questions = self._questions
        if questions is not None:
            questions.now()

    def rest(self) -> None:
        """Be no candidate any more."""
        with self._lock:
            questions, self._questions, self._number = self._questions, None, None
        if questions is not None:
            questions.stop()

    def _look(self, address: str, member: MemberCalls) -> None:
        try:
            self._heard(address, member.status())
            self._wish(member)
        except DfsError as error:
            self._failed(address, error.message)
        except Exception as error:
            # A defect must not end this thread: nobody would take over from a leader that is lost.
            log.error("lookout.failed", exc_info=True, member=address, error=type(error).__name__)
            self._failed(address, type(error).__name__)

    def _failed(self, address: str, message: str) -> None:
        with self._lock:
            known = self._failures.get(address)
            self._failures[address] = message
        if known != message:
            log.warning("member.out_of_reach", member=address, error=message)

    def _heard(self, address: str, status: MemberStatus) -> None:
        now = time.monotonic()
        with self._lock:
            self._failures.pop(address, None)
            self._candidacy.heard(address, status, now)
            leader, number = self._candidacy.leader(now), self._number
            news, self.leader = leader != self.leader, leader
            if self._questions is not None:
                # Also members decide that config.ini does not name any more.
                self._questions.ask_at(addresses_of({address: status}, ()))
            claims = number is not None and self._candidacy.claims(now)
            if claims:
                self._number = None
        if news:
            self._changed()
        if claims and number is not None:
            self.rest()
            self._vacant(number)

    def _wish(self, member: MemberCalls) -> None:
        """Have the leader hear that this namenode should lead, if that is so."""
        missed_by = self._counted()
        if missed_by:
            try:
                member.wish(self._candidacy.own, missed_by)
            except DfsError as error:
                known, self._refusal = self._refusal, error.message
                tell = log.debug if error.retryable or known == error.message else log.warning
                tell("wish.not_told", member=member, error=error.message)

    def _counted(self) -> int:
        """How many datanodes miss the leader; they are counted once for all members."""
        now = time.monotonic()
        with self._lock:
            if not self.leader:
                # What was counted of the one before is not to be said of the next.
                self._count, self._counted_at = 0, -inf
                return 0
            if now - self._counted_at < LOOK_SECONDS:
                return self._count
            before, self._counted_at = self._count, now
        self._count = missed_by = self._missed_by()
        if missed_by and not before:
            log.warning("leader.unheard", leader=self.leader, missed_by=missed_by)
        return missed_by

    def __repr__(self) -> str:
        return f"<Lookout by {self._candidacy!r}>"
