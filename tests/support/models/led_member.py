"""A member that is led, in memory: with edits of two leaders, and what one does with them."""

from typing import List, Sequence

from metadata_service.edits import join_lines
from metadata_service.member.member_record import Record
from metadata_service.quorum import START, Configuration, Place, Stored
from metadata_service.record.chain import places
from tests.support.models.memory_member import ALONE, CLUSTER, MemoryMember
from tests.support.models.sample_edits import file_edit, file_edits, lines_of

THREE = Configuration(1, ((("m1", "a:1"), ("m2", "b:1"), ("m3", "c:1")),))
ONE_OF_THREE = ALONE._replace(configuration=THREE)
LINES = lines_of(file_edits(1, 40))
PLACES: List[Place] = [START, *places(START, LINES)]
OTHERS = LINES[:3] + lines_of([file_edit(txid, "of another leader") for txid in range(4, 41)])
OTHER_PLACES: List[Place] = [START, *places(START, OTHERS)]
A, B = "a:1 first", "b:1 second"


def payload(first: int, last: int, lines: Sequence[str] = LINES) -> bytes:
    """The edits numbered so, as they are sent."""
    return join_lines(lines[first - 1 : last])


def led(record: Record = ONE_OF_THREE, keep_edits: int = 1 << 30) -> MemoryMember:
    """A member that has adopted the empty log for the owner A."""
    member = MemoryMember(record, keep_edits)
    lead(member, 1, A)
    return member


def lead(member: MemoryMember, epoch: int, owner: str) -> Stored:
    """Claim, and adopt what it has."""
    status = member.claim(CLUSTER, epoch, owner)
    configuration = status.configuration if status.configuration.sets else THREE
    return member.adopt(epoch, owner, status.last, b"", 0, configuration)


def append(member: MemoryMember, first: int, last: int, decided: int = 0, epoch: int = 1) -> Stored:
    """These edits, behind the one before them."""
    return member.append(epoch, PLACES[first - 1], payload(first, last), decided, ())
