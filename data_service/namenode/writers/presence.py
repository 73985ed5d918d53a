"""Which clients are connected, from where, and which of the writers among them are gone.

A client that dies leaves no word, but its connections end. Whoever wants a path that it wrote need
not wait for its lease then. A connection may also end for other reasons, and the client be back a
moment later: it is gone only when it was away for `GRACE_SECONDS`, and comes back by its next call.
"""

from typing import Dict, Optional

GRACE_SECONDS = 1.0
"""How long a client that is alive may need to connect again."""


class Presence:
    """Counts the connections that each client calls on. Time is `now`, monotonic seconds."""

    def __init__(self) -> None:
        self._connections: Dict[str, int] = {}
        self._hosts: Dict[str, str] = {}
        self._gone: Dict[str, float] = {}

    def arrive(self, client_id: str, host: str) -> None:
        """A client calls on a connection for the first time."""
        self._connections[client_id] = self._connections.get(client_id, 0) + 1
        self._hosts[client_id] = host
        self._gone.pop(client_id, None)

    def part(self, client_id: str, by_client: bool, writes: bool, now: float) -> None:
        """One of these connections is over: whether the client ended it, or died, and whether the
        client has a lease, so that its absence matters."""
        self._connections[client_id] -= 1
        if self._connections[client_id]:
            return
        del self._connections[client_id]
        if not writes:
            del self._hosts[client_id]
        elif by_client:
            self._gone[client_id] = now

    def heard(self, client_id: str) -> None:
        """A client calls, so it is there."""
        self._gone.pop(client_id, None)

    def forget(self, client_id: str) -> None:
        """A client has no lease any more."""
        self._gone.pop(client_id, None)
        if client_id not in self._connections:
            self._hosts.pop(client_id, None)

    def host(self, client_id: str) -> str:
        """Where a client that is connected or writes was seen last; empty when it was not."""
        return self._hosts.get(client_id, "")

    def absent_seconds(self, client_id: str, now: float) -> Optional[float]:
        """How long a writer has been gone; None for one that is not, as far as anybody knows."""
        since = self._gone.get(client_id)
        return None if since is None else now - since

    def __repr__(self) -> str:
        return f"<Presence of {len(self._connections)} clients, {len(self._gone)} gone>"
