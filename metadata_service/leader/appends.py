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
    """An append, and up to which edit it brings a member."""

    request: Request
    last: int


class Appends:
    """Those of one epoch. Not thread-safe: its owner has a lock."""

    def __init__(self, epoch: int, record: Ring, bytes_max: int) -> None:
        self._epoch, self._record, self._bytes_max = epoch, record, bytes_max
        self._made: Optional[Tuple[Tuple[int, int, int, Witness], Message]] = None
        self._understood: Optional[Tuple[Any, Stored]] = None

    def message(self, behind: int, decided: int, witness: Witness) -> Message:
        """For a member that has the edits up to `behind`. KeyError when what follows is not kept
        (any more)."""
        key = behind, self._record.last.txid, decided, witness
        if self._made is None or self._made[0] != key:
            lines = self._record.behind(behind, self._bytes_max)
            args = self._epoch, self._record.place(behind), join_lines(lines), decided, witness
            self._made = key, Message(Request(APPEND.name, args), behind + len(lines))
        return self._made[1]

    def meaning(self, answer: Any) -> Stored:
        """What a member answered; raises ProtocolViolation."""
        if self._understood is None or self._understood[0] != answer:
            self._understood = answer, APPEND.result(answer)
        return self._understood[1]

    def __repr__(self) -> str:
        return f"<Appends of epoch {self._epoch}>"
