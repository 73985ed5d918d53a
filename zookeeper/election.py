"""One leader a role, and an epoch for every leadership that only grows.

Theory of operation. A role is free or led by one session. Who asks for a free role gets it,
under an epoch that is larger than every earlier one of that role, also of earlier processes.
The epoch is what fences: whoever meets two leaders believes the one with the larger epoch. So
no epoch may be told before it is on disk, and a campaign has two steps:

    stand   decides, and hands out the next epoch, which the caller makes durable;
    seat    makes the candidate the leader, once it is.

An epoch that was handed out and never seated (the disk failed, the session expired meanwhile) is
lost and never used again. The caller lets one campaign at a time go through both steps, so that
a file written later never holds less. A leadership ends with its session or by resignation, and
never by itself.
"""

import re
import zlib
from typing import Dict, Mapping, NamedTuple, Optional

from zookeeper.fabric.errors import CorruptData, InvalidArgument
from zookeeper.fabric.kinds import Natural, Text
from zookeeper.sessions import check_data

ROLES_MAX = 64

_ROLE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_HEADER = "epochs 1"


class Leader(NamedTuple):
    """Who leads a role, since which epoch, and what it wants the others to know."""

    session_id: str
    epoch: int
    data: str


class Leadership(NamedTuple):
    """How a role stands, as a candidate is told: with epoch 0, nobody leads."""

    leads: bool
    epoch: Natural
    leader_data: Text


class Election:
    """The leaders of all roles. Every method is one step; errors change nothing."""

    def __init__(self, epochs: Mapping[str, int]) -> None:
        """All roles are free; `epochs` are the newest ones that were ever made durable."""
        self._epochs = dict(epochs)
        self._leaders: Dict[str, Leader] = {}

    def stand(self, session_id: str, role: str, data: str) -> Optional[int]:
        """Ask for a role: the epoch to make durable before `seat`, or None when it is taken.

        The leader that asks again keeps its epoch; its data is replaced. Raises InvalidArgument.
        """
        self._check_role(role)
        check_data(data)
        leader = self._leaders.get(role)
        if leader is None:
            self._epochs[role] = self._epochs.get(role, 0) + 1
            return self._epochs[role]
        if leader.session_id == session_id:
            self._leaders[role] = leader._replace(data=data)
        return None

    def seat(self, session_id: str, role: str, data: str, epoch: int) -> None:
        """The epoch that `stand` gave is durable: the candidate leads."""
        assert role not in self._leaders, "two campaigns for one role at once"
        assert epoch == self._epochs[role], "an epoch that was not the last one given"
        self._leaders[role] = Leader(session_id, epoch, data)

    def resign(self, session_id: str, role: str) -> None:
        """Free the role when this session leads it. Raises InvalidArgument."""
        leader = self.leader(role)
        if leader is not None and leader.session_id == session_id:
            del self._leaders[role]

    def release(self, session_id: str) -> None:
        """The session is gone: every role that it led is free."""
        for role in [role for role, held in self._leaders.items() if held.session_id == session_id]:
            del self._leaders[role]

    def leader(self, role: str) -> Optional[Leader]:
        """Who leads now, or None. Raises InvalidArgument."""
        if not _ROLE.fullmatch(role):
            raise InvalidArgument("a role is a lower-case word of at most 64 characters")
        return self._leaders.get(role)

    def epochs(self) -> Dict[str, int]:
        """The newest epoch of each role: what has to be on disk before it is told."""
        return dict(self._epochs)

    def _check_role(self, role: str) -> None:
        self.leader(role)
        if role not in self._epochs and len(self._epochs) >= ROLES_MAX:
            raise InvalidArgument(f"there are {ROLES_MAX} roles already")

    def check(self) -> None:
        """Assert the invariants: every leader has an epoch that was given, and none is zero."""
        assert len(self._epochs) <= ROLES_MAX
        assert all(epoch > 0 for epoch in self._epochs.values())
        for role, leader in self._leaders.items():
            assert 0 < leader.epoch <= self._epochs[role]

    def __repr__(self) -> str:
        roles = (
            f"{role} epoch {epoch} {'led' if role in self._leaders else 'free'}"
            for role, epoch in sorted(self._epochs.items())
        )
        return f"<Election {', '.join(roles) or 'no roles'}>"


def encode_epochs(epochs: Mapping[str, int]) -> bytes:
    """The epochs as a small text file: a header, a line a role, and a checksum of both."""
    lines = [_HEADER, *(f"{role} {epoch}" for role, epoch in sorted(epochs.items()))]
    body = "".join(f"{line}\n" for line in lines)
    return f"{body}crc32 {zlib.crc32(body.encode('ascii')):08x}\n".encode("ascii")


def decode_epochs(content: bytes) -> Dict[str, int]:
    """The epochs of such a file. Raises CorruptData for anything that was not written so."""
    try:
        header, *lines, _ = content.decode("ascii").splitlines()
        epochs = {role: int(epoch) for role, epoch in (line.split(" ") for line in lines)}
    except ValueError as error:
        raise CorruptData("not a file of epochs") from error
    written_so = header == _HEADER and encode_epochs(epochs) == content
    if not written_so or not all(epoch > 0 for epoch in epochs.values()):
        raise CorruptData("the checksum of the epochs does not match")
    return epochs
