"""Leases: who may write which path, and until when.

Theory of operation. A client renews one lease for all files that it writes. After the soft limit
without renewal another client may take a path over; after the hard limit the lease ends by
itself. Only one file at a time is written at a place.

A place is a directory that exists (its inode number, so that a rename of it or above it does not
matter) and the names below it that do not exist yet. When one of these names becomes a directory,
the place is `move`d below it, so that one path is always one place.

Time is `now`, monotonic seconds. A process that was itself suspended has heard no renewals, so a
round that comes late ends nobody's lease: everybody gets the lost time back.
"""

from collections import OrderedDict
from typing import Dict, List, NamedTuple, Optional, Set, Tuple

from data_service.namenode.namespace.retries import user_of
from data_service.namenode.writers.presence import GRACE_SECONDS, Presence
from zookeeper.fabric.errors import LeaseExpired


Entry = Tuple[int, str]
"""A name in a directory; with an empty name, the inode itself."""


class Place(NamedTuple):
    """Where a file will appear: `names` below the directory `anchor`."""

    anchor: int
    names: Tuple[str, ...]

    @property
    def entry(self) -> Entry:
        """The entry of its anchor that the place is, or that the way to it leads through."""
        return self.anchor, self.names[0] if self.names else ""


class Leases:
    """The leases of all clients. `expired` is to be called at least every `round_seconds`."""

    def __init__(
        self, soft_limit_seconds: float, hard_limit_seconds: float, round_seconds: float = 5.0
    ) -> None:
        self._soft_limit = soft_limit_seconds
        self._hard_limit = hard_limit_seconds
        self._round_seconds = round_seconds
        self._last_round: Optional[float] = None
        self._renewed: "OrderedDict[str, float]" = OrderedDict()  # By client; the oldest first.
        self._files: Dict[str, Set[int]] = {}
        self._clients: Dict[int, str] = {}
        self._places: Dict[int, Place] = {}
        self._writers: Dict[Place, int] = {}
        self._entries: Dict[Entry, Set[int]] = {}
        self._counts: Dict[str, int] = {}
        self._presence = Presence()

    def clear(self) -> None:
        """Nobody writes here any more, and whoever is connected is met anew."""
        for known in (self._renewed, self._files, self._clients, self._places, self._writers,
                      self._entries, self._counts):
            known.clear()
        self._presence = Presence()
        self._last_round = None

    def take(self, client_id: str, file_id: int, place: Place, now: float) -> None:
        """Give the client the lease on a place that is free, for a file that is new."""
        assert place not in self._writers and file_id not in self._clients, f"{place} is taken"
        self._clients[file_id] = client_id
        user = user_of(client_id)
        self._counts[user] = self._counts.get(user, 0) + 1
        self._files.setdefault(client_id, set()).add(file_id)
        self._settle(file_id, place)
        self._renewed[client_id] = now
        self._renewed.move_to_end(client_id)
        self._presence.heard(client_id)

    def renew(self, client_id: str, now: float) -> bool:
        """Renew the client's lease; False when it has none."""
        if client_id not in self._renewed:
            return False
        self._renewed[client_id] = now
        self._renewed.move_to_end(client_id)
        self._presence.heard(client_id)
        return True

    def release(self, file_id: int) -> None:
        """The file is complete or given up: its place is free."""
        client_id = self._clients.pop(file_id)
        user = user_of(client_id)
        self._counts[user] -= 1
        if not self._counts[user]:
            del self._counts[user]
        self._unsettle(file_id)
        files = self._files[client_id]
        files.remove(file_id)
        if not files:
            del self._files[client_id], self._renewed[client_id]
            self._presence.forget(client_id)

    def arrive(self, client_id: str, host: str) -> None:
        """A client calls on a connection for the first time."""
        self._presence.arrive(client_id, host)

    def part(self, client_id: str, by_client: bool, now: float) -> None:
        """A connection on which a client called is over, perhaps because the client is."""
        self._presence.part(client_id, by_client, client_id in self._renewed, now)

    def host(self, client_id: str) -> str:
        """Where a writer was seen last."""
        return self._presence.host(client_id)

    def count(self, user: str) -> int:
        """How many files the clients of a user write."""
        return self._counts.get(user, 0)

    def move(self, file_id: int, place: Place) -> None:
        """The same path is now this place."""
        self._unsettle(file_id)
        self._settle(file_id, place)

    def writer(self, place: Place) -> Optional[int]:
        """The file that is being written at a place."""
        return self._writers.get(place)

    def place(self, file_id: int) -> Place:
        """Where a file will appear."""
        return self._places[file_id]

    def files_through(self, anchor: int, name: str) -> List[int]:
        """The files whose places begin with this name, which does not exist in this directory."""
        return sorted(self._entries.get((anchor, name), ()))

    def holder(self, file_id: int) -> str:
        """The client that writes a file; LeaseExpired when nobody does."""
        try:
            return self._clients[file_id]
        except KeyError:
            raise LeaseExpired(f"No lease on inode {file_id}: it is not open for write") from None

    def is_overdue(self, client_id: str, now: float) -> bool:
        """Whether a client that holds a lease must give way: it is gone, or silent for too long."""
        if self._is_late(now):
            return False
        absent = self._presence.absent_seconds(client_id, now)
        gone = absent is not None and absent > GRACE_SECONDS
        return gone or now - self._renewed[client_id] > self._soft_limit

    def is_leaving(self, client_id: str, now: float) -> bool:
        """Whether a client that holds a lease seems to be gone, which a moment will show."""
        return self._presence.absent_seconds(client_id, now) is not None

    def describe(self, client_id: str, now: float) -> str:
        """Who holds a lease, and when it frees what it holds."""
        silent = now - self._renewed[client_id]
        host = self._presence.host(client_id)
        where = f" on {host}" if host else ""
        return (
            f"{client_id}{where}, which was heard of {silent:.0f} s ago: it is free once that "
            f"client has closed it or ended, or falls silent for {self._soft_limit:.0f} s"
        )

    def expired(self, now: float) -> List[int]:
        """One round: the files of clients that are past the hard limit. They keep their leases
        until `release`; a late round names nobody."""
        late = self._is_late(now)
        if late and self._last_round is not None:
            lost = now - self._last_round
            for client_id, renewed in self._renewed.items():
                self._renewed[client_id] = min(now, renewed + lost)
        self._last_round = now
        files: List[int] = []
        for client_id, renewed in self._renewed.items():
            if late or now - renewed <= self._hard_limit:
                break
            files += sorted(self._files[client_id])
        return files

    def _is_late(self, now: float) -> bool:
        return self._last_round is not None and now - self._last_round > self._round_seconds

    def _settle(self, file_id: int, place: Place) -> None:
        self._places[file_id] = place
        self._writers[place] = file_id
        self._entries.setdefault(place.entry, set()).add(file_id)

    def _unsettle(self, file_id: int) -> None:
        place = self._places.pop(file_id)
        del self._writers[place]
        files = self._entries[place.entry]
        files.remove(file_id)
        if not files:
            del self._entries[place.entry]

    def __len__(self) -> int:
        return len(self._clients)

    def check(self) -> None:
        """Assert that the maps tell the same story."""
        assert set(self._clients) == set(self._places) == set(self._writers.values()), "files"
        assert {file: place for place, file in self._writers.items()} == self._places, "places"
        pairs = {(client, file) for client, files in self._files.items() for file in files}
        assert pairs == {(client, file) for file, client in self._clients.items()}, "clients"
        assert sum(self._counts.values()) == len(self._clients), "counts"
        assert set(self._files) == set(self._renewed) and all(self._files.values()), "renewals"
        below = {(place.entry, file) for file, place in self._places.items()}
        assert below == {(e, file) for e, files in self._entries.items() for file in files}
        times = list(self._renewed.values())
        assert times == sorted(times), "renewals out of order"

    def __repr__(self) -> str:
        return f"<Leases of {len(self._renewed)} clients on {len(self._clients)} files>"
