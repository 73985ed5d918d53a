"""Members of the metadata quorum around the real core of one, whose edits are letters."""

from typing import Any, List, Optional, Sequence

from metadata_service.edits import Edit, decode, encode, split_lines
from metadata_service.leader.claiming import lead
from metadata_service.leader.members import Members
from metadata_service.member.member_record import Record
from metadata_service.quorum import Place, Stored
from tests.support.clusters.waiting import PATIENCE_SECONDS
from tests.support.models.memory_member import BLANK as BLANK_RECORD
from tests.support.models.memory_member import MemoryMember
from tests.support.models.quorum_members import ModelWays
from zookeeper.fabric.errors import DfsError

BYTES_MAX = 1 << 20
SILENCE_SECONDS = 0.3


def letters(first_txid: int, text: str) -> List[str]:
    """Edits that are told apart by a letter each."""
    return [
        encode(Edit(first_txid + number, letter, "", 0, "", ()))
        for number, letter in enumerate(text)
    ]


def text_of(lines: Sequence[str]) -> str:
    """The letters of edits."""
    return "".join(decode(line).operation for line in lines)


class LetteredMember(MemoryMember):
    """A member whose edits are letters. `refuses` is raised in place of storing anything."""

    def __init__(self, member_id: str, record: Record = BLANK_RECORD) -> None:
        super().__init__(record._replace(member_id=member_id))
        self.refuses: Optional[DfsError] = None
        self.appended: List[int] = []
        """How many edits came in each append."""

    @classmethod
    def filled(cls, member_id: str, source: MemoryMember) -> "LetteredMember":
        """One whose empty disk was filled from another, and that has promised nothing yet."""
        source.settle()
        was = source.record
        new = cls(member_id, was._replace(
            promised=0, owner="", log_epoch=0, last=was.applied, witness=()))
        new.log.entries.update(
            (txid, entry) for txid, entry in source.log.entries.items() if txid <= was.applied.txid)
        return new

    @property
    def member_id(self) -> str:
        """Of its disk."""
        return self.record.member_id

    @property
    def text(self) -> str:
        """The letters of its log."""
        return text_of(self.lines)

    def append(
        self, epoch: int, behind: Place, payload: bytes, decided: int, witness: Any
    ) -> Stored:
        """See MemberCalls."""
        self._admit()
        self.appended.append(len(split_lines(payload)))
        return super().append(epoch, behind, payload, decided, witness)

    def adopt(self, *args: Any) -> Stored:
        """See MemberCalls."""
        self._admit()
        return super().adopt(*args)

    def _admit(self) -> None:
        if self.refuses is not None:
            raise self.refuses

    def catch_up(self, peer: MemoryMember) -> None:
        """Take from a peer what it has applied and this one lacks, and apply what is decided."""
        self.settle()
        mine = self.record.applied
        if peer.record.applied.txid > mine.txid:
            self.pull(mine, peer.tail(mine.txid, 1000, 0.0).payload)


class Quorum:
    """Some members, and whoever leads them."""

    def __init__(self, count: int) -> None:
        self.members = [LetteredMember(name) for name in "abcde"[:count]]
        self.ways = ModelWays(*self.members)
        self.leaders: List[Members] = []
        self.txid = 0

    def lead(self, at_least: int = 0, seconds: float = PATIENCE_SECONDS) -> Members:
        """A new leader."""
        owner = f"namenode:1 {len(self.leaders)}"
        leader = lead(self.ways, owner, at_least, seconds, BYTES_MAX, SILENCE_SECONDS)
        self.leaders.append(leader)
        return leader

    def logs(self) -> List[str]:
        """What each member has."""
        with self.ways.lock:
            return [one.text for one in self.ways.members.values()]

    def settled(self) -> List[int]:
        """Up to where each member has applied its edits, once it has applied all that it can."""
        with self.ways.lock:
            for one in self.members:
                one.settle()
            return [one.record.applied.txid for one in self.members]

    def close(self) -> None:
        """Nobody leads."""
        for leader in self.leaders:
            leader.close()


def write(leader: Members, text: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Append an edit a letter."""
    first = leader.record.last.txid + 1
    leader.append(first, letters(first, text), seconds)
