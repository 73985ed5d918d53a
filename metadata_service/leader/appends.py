"""What members are sent, and what they answer: mostly all get the same, and say the same.

So a message is encoded once, however many get it, and an answer is checked once. Done for each of
three members, both took a quarter of the processor time that an append takes the leader.
"""

from typing import Any, NamedTuple, Optional, Tuple

from metadata_service.calls import MemberCalls, Witness
from metadata_service.edits import join_lines
from metadata_service.leader.ring import Ring
from metadata_service.quorum import Stored
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.frames import Request

APPEND = calls_of(MemberCalls)["append"]


class Message(NamedTuple):
    """An append that brings a member from behind one edit up to another; and with which witness."""

    request: Request
    behind: int
    last: int
    witness: Witness


class Appends:
    """Those of one epoch. Not thread-safe: its owner has a lock."""

    def __init__(self, epoch: int, record: Ring, bytes_max: int) -> None:
        self._epoch, self._record, self._bytes_max = epoch, record, bytes_max
        self._made: Optional[Message] = None
        self._understood: Optional[Tuple[Any, Stored]] = None

    def message(self, behind: int, decided: int, witness: Witness) -> Message:
        """For a member that has the edits up to `behind`. KeyError when what follows is not kept
        (any more)."""
        made, end = self._made, self._record.last.txid
        # Who is a moment late is sent what the others were, though more may be decided by now.
        if made is not None and behind == made.behind < end == made.last:
            if witness in ((), made.witness):
                return made
        lines = self._record.behind(behind, self._bytes_max)
        args = self._epoch, self._record.place(behind), join_lines(lines), decided, witness
        request = Request(APPEND.name, args)
        self._made = Message(request, behind, behind + len(lines), witness)
        return self._made

    def meaning(self, answer: Any) -> Stored:
        """What a member answered; raises ProtocolViolation."""
        if self._understood is None or self._understood[0] != answer:
            self._understood = answer, APPEND.result(answer)
        return self._understood[1]

    def __repr__(self) -> str:
        return f"<Appends of epoch {self._epoch}>"
