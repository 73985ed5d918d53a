"""The clients that the gateway has of the cluster: one for each visitor who asked lately."""

import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import Callable, Hashable, Iterator, List, Optional

from data_service.filesystem.file_system import FileSystem

USERS_MAX = 64
"""How many clients are kept; those who are at work are never closed."""


class _Held:
    def __init__(self, fs: FileSystem) -> None:
        self.fs = fs
        self.uses = 0
        self.forgotten = False


class Clients:
    """Clients by what stands for their visitors. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: "OrderedDict[Hashable, _Held]" = OrderedDict()

    def __repr__(self) -> str:
        with self._lock:
            return f"<Clients: {len(self._held)}>"

    @contextmanager
    def of(self, visitor: Hashable, make: Callable[[], FileSystem]) -> Iterator[FileSystem]:
        """The client of a visitor, which is not closed before the block ends; `make` makes one
        where there is none yet, and may refuse to."""
        held = self._taken(visitor) or self._kept(visitor, make())
        try:
            yield held.fs
        finally:
            with self._lock:
                held.uses -= 1
                over = held.forgotten and not held.uses
            if over:
                held.fs.close()

    def forget(self, visitor: Hashable) -> None:
        """Make another client when he comes again; this one is closed when nobody uses it."""
        with self._lock:
            held = self._held.pop(visitor, None)
            if held is not None:
                held.forgotten = True
            over = held is not None and not held.uses
        if held is not None and over:
            held.fs.close()

    def close(self) -> None:
        """Close all of them, whatever they do."""
        with self._lock:
            held = [*self._held.values()]
            self._held.clear()
        for one in held:
            one.fs.close()

    def _taken(self, visitor: Hashable) -> Optional[_Held]:
        with self._lock:
            held = self._held.get(visitor)
            if held is not None:
                self._held.move_to_end(visitor)
                held.uses += 1
            return held

    def _kept(self, visitor: Hashable, fs: FileSystem) -> _Held:
        with self._lock:
            # Another thread may have been faster.
            held = self._held.setdefault(visitor, _Held(fs))
            self._held.move_to_end(visitor)
            held.uses += 1
            over = self._too_many() + ([fs] if held.fs is not fs else [])
        for old in over:
            old.close()
        return held

    def _too_many(self) -> List[FileSystem]:
        """Those that nobody has used for longest, taken out: the caller closes them."""
        idle = [visitor for visitor, held in self._held.items() if not held.uses]
        excess = max(0, len(self._held) - USERS_MAX)
        return [self._held.pop(visitor).fs for visitor in idle[:excess]]
