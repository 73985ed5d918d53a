"""The leader's part in a change of members: it looks who serves the addresses, and takes the steps.

Theory of operation. What is to happen is decided in `joint_change.py`. Who is wanted is first given
the record like a member (`Members.candidates`), without being counted. Then the leader's own
configuration changes, by which all is counted from that moment on, and the keepers have every
member store it. No epoch ends for that, and nobody waits.
"""

import threading
import time
from typing import Dict, Optional

from metadata_service.calls import MemberCalls
from metadata_service.leader.asking import ask_all
from metadata_service.leader.joint_change import Joint, Wanted, followed, next_configuration, wanted
from metadata_service.leader.members import Members
from metadata_service.quorum import Configuration, MemberStatus
from zookeeper.fabric import logs
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.errors import Unavailable

log = logs.get("members")

LOOK_SECONDS = 1.0
CALL_SECONDS = 2.0

STATUS = calls_of(MemberCalls)["status"]


class MemberChange:
    """Looks after who the members are, until they are closed."""

    def __init__(self, members: Members, admits: bool) -> None:
        """`admits`: whether another disk may take the place of a member's."""
        self._members, self._admits = members, admits
        self._joint: Optional[Joint] = None
        self._told = Wanted(())

    @property
    def needed(self) -> bool:
        """Whether the members can come to change: not in a cluster that has one, at its address."""
        one = [address for some in self._members.configuration.sets for _, address in some]
        return len(self._members.ways.addresses) > 1 or one != list(self._members.ways.addresses)

    def start(self) -> None:
        """Begin, in a thread."""
        threading.Thread(target=self._run, name="member change", daemon=True).start()

    def _run(self) -> None:
        members = self._members
        while True:
            with members.changed:
                if members.changed.wait_for(lambda: members.closed, LOOK_SECONDS):
                    return
            try:
                self.look(time.monotonic())
            except Exception as error:  # A defect of ours must not keep a new disk out for ever.
                log.error("members.not_looked_at", exc_info=True, error=error)

    def look(self, now: float) -> None:
        """Ask all addresses who is there, and go a step on if that is right now."""
        members = self._members
        addresses = members.ways.addresses
        heard = ask_all(
            members.ways, addresses, STATUS, (), CALL_SECONDS,
            lambda found: len(found) == len(addresses),
        )  # fmt: skip
        with members.changed:
            self._leave_the_lost(heard.answers)
            before = members.configuration
            want = wanted(
                before, members.reign.cluster_id, addresses, heard.answers, self._admits)
            members.candidates = {member_id for member_id, _ in want.members}
            self._tell(want)
            self._joint = followed(
                self._joint, before, self._stored(), members.record.last.txid, now)
            after = next_configuration(
                before, want.members, self._acknowledged(), self._joint, now)
            if after is not None and not members.closed:
                members.configure(after)
        if after is not None:
            self._log(before, after)

    def _leave_the_lost(self, answers: Dict[str, MemberStatus]) -> None:
        """Hang up on who was at an address before. While edits come in, that shows by itself."""
        for lane in self._members.lanes:
            status = answers.get(lane.address)
            gone = status is not None and lane.member_id not in ("", status.member_id)
            if gone and not self._members.turn_taken:
                lane.lose(Unavailable("another member is there now"))

    def _acknowledged(self) -> Dict[str, int]:
        return {lane.member_id: lane.acked for lane in self._members.lanes if lane.acked >= 0}

    def _stored(self) -> Dict[str, int]:
        return {lane.member_id: lane.version for lane in self._members.lanes if lane.acked >= 0}

    def _tell(self, want: Wanted) -> None:
        if want.waits_for and want != self._told:
            log.warning("members.not_changed", waits_for=want.waits_for)
        self._told, self._members.waits_for = want, want.waits_for

    def _log(self, before: Configuration, after: Configuration) -> None:
        old = {f"{member_id}@{address}" for member_id, address in before.sets[0]}
        new = {f"{member_id}@{address}" for member_id, address in after.sets[-1]}
        event = "members.changing" if len(after.sets) > 1 else "members.changed"
        log.warning(event, version=after.version, admitted=sorted(new - old),
                    removed=sorted(old - new), members=len(after.sets[-1]))
