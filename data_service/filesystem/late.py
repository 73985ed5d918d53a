"""Something that is made when it is first wanted, because most programs never want it."""

import threading
from typing import Callable, Generic, Optional, Protocol, TypeVar

from zookeeper.fabric.forks import Forkable, watch


class _Closable(Protocol):
    def close(self) -> None:
        """It is not used any more."""


Kind = TypeVar("Kind", bound=_Closable)


class Late(Generic[Kind], Forkable):
    """What `make` makes, once for all threads; call it to have it."""

    def __init__(self, make: Callable[[], Kind]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: Optional[Kind] = None
        self._closed = False
        watch(self)

    def forked(self) -> None:
        """Another thread may have been making it."""
        self._lock = threading.Lock()

    def __call__(self) -> Kind:
        with self._lock:
            if self._made is None:
                self._made = self._make()
                if self._closed:
                    self._made.close()
            return self._made

    def close(self) -> None:
        """Close it, now or when it is made."""
        with self._lock:
            self._closed = True
            if self._made is not None:
                self._made.close()
