"""Work that waits for a server which is away: whom it is done for is told, and may end it.

What repeats a call until somebody answers knows that it waits, but not for whose sake. Who serves a
client knows that one, but not what his request waits for. Both run in one thread, which is all that
they have to know of each other.
"""

import threading
from contextlib import contextmanager
from typing import Callable, Iterator, Optional

from zookeeper.fabric.errors import Unavailable

Listener = Callable[[bool], None]


class NobodyWaits(Unavailable):
    """Work ended since he went for whom it was done; for another one it would have gone on."""

    code = "nobody_waits"


class _OfThread(threading.local):
    """Who listens to this thread, if anybody does."""

    listener: Optional[Listener] = None


_here = _OfThread()


@contextmanager
def told_of_waiting(listener: Listener) -> Iterator[None]:
    """In this block, and this thread, `listener` hears True before work waits once more for a
    server that is away, and False when it goes on. What it raises ends the work."""
    before, _here.listener = _here.listener, listener
    try:
        yield
    finally:
        _here.listener = before


def tell_waiting(waiting: bool) -> None:
    """Say that what this thread does waits for a server that is away, or goes on."""
    if _here.listener is not None:
        _here.listener(waiting)
