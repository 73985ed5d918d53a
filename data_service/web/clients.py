"""The clients that the gateway has of the cluster: one for each visitor who asked lately."""

import threading
from collections import OrderedDict
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Callable, Dict, Hashable, Iterator, List

from data_service.filesystem.file_system import FileSystem
from zookeeper.fabric.waiting import NobodyWaits, tell_waiting

USERS_MAX = 64
"""How many clients are kept; those who are at work are never closed."""


_LOOK_SECONDS = 1.0
"""How often who waits for a client that another one makes looks whether he is waited for."""


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
        self._being_made: Dict[Hashable, "Future[None]"] = {}

    def __repr__(self) -> str:
        with self._lock:
            return f"<Clients: {len(self._held)}>"

    @contextmanager
    def of(self, visitor: Hashable, make: Callable[[], FileSystem]) -> Iterator[FileSystem]:
        """The client of a visitor, which is not closed before the block ends; `make` makes one
        where there is none yet, and may refuse to: that is told to all who wait for it."""
        held = self._taken(visitor, make)
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

    def _taken(self, visitor: Hashable, make: Callable[[], FileSystem]) -> _Held:
        while True:
            with self._lock:
                held = self._held.get(visitor)
                if held is not None:
                    self._held.move_to_end(visitor)
                    held.uses += 1
                    return held
                made = self._being_made.get(visitor)
                if made is None:
                    self._being_made[visitor] = Future()
            if made is None:
                return self._made(visitor, make)
            _await(made)

    def _made(self, visitor: Hashable, make: Callable[[], FileSystem]) -> _Held:
        try:
            held = _Held(make())
        except BaseException as error:
            with self._lock:
                made = self._being_made.pop(visitor)
            made.set_exception(error)
            raise
        held.uses = 1
        with self._lock:
            self._held[visitor] = held
            made = self._being_made.pop(visitor)
            over = self._too_many()
        made.set_result(None)
        for old in over:
            old.close()
        return held

    def _too_many(self) -> List[FileSystem]:
        """Those that nobody has used for longest, taken out: the caller closes them."""
        idle = [visitor for visitor, held in self._held.items() if not held.uses]
        excess = max(0, len(self._held) - USERS_MAX)
        return [self._held.pop(visitor).fs for visitor in idle[:excess]]


def _await(made: "Future[None]") -> None:
    """Wait until there is a client, or its maker has left. Raises what kept it from being made."""
    while not wait([made], _LOOK_SECONDS).done:
        tell_waiting(True)
    tell_waiting(False)
    try:
        made.result()
    except NobodyWaits:
        pass  # It is he who went; here somebody waits, and will make it himself.
