"""What many threads tell the one that leads: the newest of each kind, in the order of arrival."""

import threading
import time
from math import inf
from typing import Dict, Optional

from data_service.namenode.leading.leadership import Event, Woke


class Inbox:
    """Holds at most one event of each kind: a later one makes the earlier one worthless."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: Dict[type, Event] = {}
        self._closed = False

    def put(self, event: Event) -> None:
        """Neither blocks nor calls anybody, so it may be called under any lock."""
        with self._changed:
            self._events.pop(type(event), None)
            self._events[type(event)] = event
            self._changed.notify()

    def take(self, wake_at: float) -> Optional[Event]:
        """The next event, a `Woke` at that moment of the monotonic clock (inf: never), or None when
        it has been closed."""
        with self._changed:
            while not self._closed:
                if self._events:
                    return self._events.pop(next(iter(self._events)))
                left = wake_at - time.monotonic()
                if left <= 0:
                    return Woke()
                self._changed.wait(None if left == inf else min(left, threading.TIMEOUT_MAX))
            return None

    def close(self) -> None:
        """No event is taken any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __repr__(self) -> str:
        return f"<Inbox {list(self._events.values())}>"
