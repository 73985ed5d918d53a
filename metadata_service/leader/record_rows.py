"""The record row by row, for a backup: of a member that has applied all that is decided."""

import threading
import time
from typing import Any, Optional, Set, Union

from metadata_service.calls import MemberCalls
from metadata_service.leader.append_queue import ATTEMPTS, next_pause
from metadata_service.leader.members import Members
from metadata_service.leader.proofs import Proofs
from metadata_service.quorum import MemberStatus
from metadata_service.record.schema import JOURNAL
from zookeeper.fabric import logs
from zookeeper.fabric.calls import Call, calls_of
from zookeeper.fabric.errors import CorruptData, DfsError, Unavailable

log = logs.get("journal")

CALLS = calls_of(MemberCalls)
STATUS, LOAD, CHECKPOINT = CALLS["status"], CALLS["load"], CALLS["checkpoint"]


class RecordRows:
    """Those of the record that `members` keep. What is read page by page is one image only while
    nothing is appended. A call is repeated for `seconds`, of another member when one cannot
    answer."""

    def __init__(
        self, members: Members, proofs: Proofs, seconds: float, closed: threading.Event
    ) -> None:
        self._members, self._proofs = members, proofs
        self._seconds, self._closed = seconds, closed
        self._source = ""
        # What these read is not what was written.
        self._unreadable: Set[str] = set()

    def rows(self, table: str, after: Union[int, str, None], limit: int) -> bytes:
        """Lines of at most so many rows behind a key, as `load` of MemberCalls gives them.

        They are as of now or a later moment, of whichever member they come; and of the log there
        are decided edits only, for what is not might still be none.
        """
        decided = self._members.decided
        if table == JOURNAL.name:
            limit = min(limit, decided - int(after or 0))
            if limit <= 0:
                return b""
        if self._ask(STATUS).applied.txid < decided:
            self._source = ""  # It has fallen behind; another one is looked for.
        return bytes(self._ask(LOAD, table, after, limit))

    def checkpoint(self) -> int:
        """Have every member in step copy its log into its database, and read a sample back; up to
        where the one that is furthest behind has come. Raises what the first refuses with."""
        members = self._members
        return min(
            int(CHECKPOINT.result(members.ways.perform(
                lane.address, CHECKPOINT, (members.reign.epoch,), self._seconds)))
            for lane in members.in_step()
        )  # fmt: skip

    def _ask(self, call: Call, *args: Any) -> Any:
        deadline = time.monotonic() + self._seconds
        # Under load no member has ever applied what was decided a moment ago.
        goal = self._members.decided
        pause, told = 0.0, ""
        while True:
            try:
                return self._ask_once(goal, call, *args)
            except DfsError as error:
                if not error.retryable or time.monotonic() >= deadline:
                    raise
                # Once is enough, however long it takes, and nothing if that is not long.
                if pause >= 0.1 and error.message != told:
                    log.warning("metadata.awaited", method=call.name, error=error.message)
                    told = error.message
            pause = next_pause(pause)
            if self._closed.wait(pause):
                raise Unavailable("the journal has been closed")

    def _ask_once(self, goal: int, call: Call, *args: Any) -> Any:
        address = self._source = self._source or self._found(goal)
        try:
            seconds = self._seconds / ATTEMPTS
            return call.result(self._members.ways.perform(address, call, args, seconds))
        except CorruptData as error:
            self._unreadable.add(address)
            self._source = ""
            if len(self._unreadable) >= len(self._members.lanes):
                raise
            raise Unavailable(f"{address} cannot read what it wrote: {error.message}") from None
        except Unavailable:
            self._source = ""
            raise

    def _found(self, goal: int) -> str:
        """A member that has applied the edits up to this one. Raises Unavailable while there is
        none."""
        members = self._members
        trouble: Optional[DfsError] = None
        for lane in members.in_step():
            if lane.address in self._unreadable:
                continue
            try:
                answer = members.ways.perform(lane.address, STATUS, (), self._seconds / ATTEMPTS)
                status: MemberStatus = STATUS.result(answer)
                if status.applied.txid >= goal:
                    return lane.address
            except DfsError as error:
                trouble = error
        # A proof tells them what is decided.
        self._proofs.renew(self._seconds / ATTEMPTS)
        raise trouble or Unavailable("no member has applied all edits yet")
