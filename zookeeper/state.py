"""What the zookeeper knows, as one pure machine: sessions, and leaderships bound to them.

A leadership lasts exactly as long as the session that holds it: whatever ends a session here
frees its roles in the same step. A restarted process need not wait until its old session runs
down: its new one, of the same owner and opened later, replaces the old as leader, under the
next epoch, so that the old one, should it still run, is fenced.
"""

from typing import Dict, Mapping, Optional

from zookeeper.election import Election, Leadership
from zookeeper.sessions import CHILDREN_BYTES_MAX, Sessions, check_data


class ZooKeeperState:
    """Sessions and election together; `sessions` alone answers what concerns only znodes."""

    def __init__(
        self,
        expiry_seconds: float,
        base_version: int,
        epochs: Mapping[str, int],
        now: float,
        children_bytes_max: int = CHILDREN_BYTES_MAX,
    ) -> None:
        """Nobody is known yet; see `Sessions` and `Election` for the arguments."""
        self.sessions = Sessions(expiry_seconds, base_version, now, children_bytes_max)
        self.election = Election(epochs)

    def close(self, session_id: str) -> None:
        """End a session with its znodes and leaderships. Raises SessionExpired."""
        self.sessions.close(session_id)
        self.election.release(session_id)

    def tick(self, now: float) -> Dict[str, str]:
        """Remove the silent sessions with all that they held; their ids and owners."""
        expired = self.sessions.tick(now)
        for session_id in expired:
            self.election.release(session_id)
        return expired

    def campaign(self, session_id: str, role: str, data: str) -> Optional[int]:
        """Ask for a role: the epoch to make durable before `won`, or None when it is taken.

        Raises SessionExpired, InvalidArgument.
        """
        self.sessions.require(session_id)
        check_data(data)
        leader = self.election.leader(role)
        if leader and self.sessions.supersedes(session_id, leader.session_id):
            self.election.resign(leader.session_id, role)
        return self.election.stand(session_id, role, data)

    def won(self, session_id: str, role: str, data: str, epoch: int) -> None:
        """The epoch is durable: the candidate leads, unless it is gone (SessionExpired)."""
        self.sessions.require(session_id)
        self.election.seat(session_id, role, data, epoch)

    def leadership(self, session_id: str, role: str) -> Leadership:
        """How the role stands, seen from a candidate. Raises SessionExpired, InvalidArgument."""
        self.sessions.require(session_id)
        leader = self.election.leader(role)
        if leader is None:
            return Leadership(False, 0, "")
        return Leadership(leader.session_id == session_id, leader.epoch, leader.data)

    def resign(self, session_id: str, role: str) -> None:
        """Give the role up when the session leads it. Raises SessionExpired, InvalidArgument."""
        self.sessions.require(session_id)
        self.election.resign(session_id, role)

    def check(self) -> None:
        """Assert the invariants of both, and that every leader has a living session."""
        self.sessions.check()
        self.election.check()
        for role in self.election.epochs():
            leader = self.election.leader(role)
            assert leader is None or self.sessions.is_open(leader.session_id)

    def __repr__(self) -> str:
        return f"<ZooKeeperState {self.sessions} {self.election}>"
