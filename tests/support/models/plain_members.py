"""Members of a metadata quorum that tell what a test has them tell, without a disk or a server.

    members = PlainMembers("abc")
    members.of("a").silent_seconds = 0.1
    members.of("b").error = Unavailable("away")
"""

from math import inf
from typing import Any, Dict, List, Optional, Sequence, Tuple

from metadata_service.quorum import OK, Configuration, MemberStatus, Place
from zookeeper.fabric.calls import Call


class PlainMember:
    """One member, which has promised an epoch long ago."""

    def __init__(self, name: str, configuration: Configuration) -> None:
        self.name, self.configuration = name, configuration
        self.error: Optional[Exception] = None
        """What every call is refused with."""
        self.promised, self.owner = 1, "elsewhere:1 nonce"
        self.last_txid = 1
        self.silent_seconds, self.state = inf, OK
        self.asked: List[str] = []
        self.wish_of: Tuple[str, int] = ("", 0)

    def status(self) -> tuple:
        """See MemberCalls."""
        place = tuple(Place(self.last_txid, "d"))
        return tuple(MemberStatus(
            "cluster", self.name, self.promised, self.owner, self.promised, 1, place, place, 1,
            self.configuration, (), True, self.silent_seconds, self.state,
        ))  # fmt: skip

    def release(self, epoch: int) -> None:
        """See MemberCalls."""
        if epoch == self.promised:
            self.silent_seconds = inf

    def wish(self, address: str, missed_by: int) -> None:
        """See MemberCalls."""
        self.wish_of = address, missed_by


class PlainMembers:
    """Members that are named by letters, and the ways to them."""

    def __init__(self, names: str) -> None:
        configuration = Configuration(1, (tuple((one, f"{one}:1") for one in names),))
        self.members: Dict[str, PlainMember] = {
            f"{name}:1": PlainMember(name, configuration) for name in names
        }
        self.addresses: Sequence[str] = tuple(self.members)

    def of(self, name: str) -> PlainMember:
        """The one of this name."""
        return self.members[f"{name}:1"]

    def times(self, call: str) -> int:
        """How often this was asked, of all of them."""
        return sum(member.asked.count(call) for member in self.members.values())

    def perform(self, address: str, call: Call, args: Tuple[Any, ...], _seconds: float) -> Any:
        """See Ways."""
        member = self.members[address]
        member.asked.append(call.name)
        if member.error is not None:
            raise member.error
        return getattr(member, call.name)(*args)

    def dial(self, address: str) -> Any:
        """See Ways; nobody here needs a connection."""
        raise NotImplementedError(address)

    def answering(self, connections: Sequence[Any], seconds: float) -> List[Any]:
        """See Ways; nobody here needs a connection."""
        raise NotImplementedError(connections, seconds)
