"""The clients that the gateway has of the cluster: one for each user who asked something lately."""

import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import Callable, Iterator, List

from data_service.filesystem.file_system import FileSystem

USERS_MAX = 64
"""How many clients are kept; those who are at work are never closed."""


class _Held:
    def __init__(self, fs: FileSystem) -> None:
        self.fs = fs
        self.uses = 0


class Clients:
    """Clients by their users; `make` makes one. Thread-safe."""

    def __init__(self, make: Callable[[str], FileSystem]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._held: "OrderedDict[str, _Held]" = OrderedDict()

    def __repr__(self) -> str:
        with self._lock:
            return f"<Clients {' '.join(self._held)}>"

    @contextmanager
    def of(self, user: str) -> Iterator[FileSystem]:
        """The client of a user, which is not closed before the block ends."""
        with self._lock:
            held = self._held.get(user)
            if held is None:
                # It connects when it is first used, not here.
                held = self._held[user] = _Held(self._make(user))
            self._held.move_to_end(user)
            held.uses += 1
            left = self._too_many()
        try:
            for old in left:
                old.close()
            yield held.fs
        finally:
            with self._lock:
                held.uses -= 1

    def close(self) -> None:
        """Close all of them, whatever they do."""
        with self._lock:
            held = [*self._held.values()]
            self._held.clear()
        for one in held:
            one.fs.close()

    def _too_many(self) -> List[FileSystem]:
        """Those that nobody has used for longest, taken out: the caller closes them."""
        idle = [user for user, held in self._held.items() if not held.uses]
        excess = max(0, len(self._held) - USERS_MAX)
        return [self._held.pop(user).fs for user in idle[:excess]]
