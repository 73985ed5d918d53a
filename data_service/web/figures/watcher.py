"""Looks at all daemons of a cluster, for all who want to know, and remembers the last hour.

Theory of operation. One look at a time is under way, in which all daemons are asked at once; it
ends after DEADLINE_SECONDS, whoever has not answered then. Who wants to know while it goes on waits
for it, and for a moment afterwards gets what was seen: so a crowd costs the cluster no more than
one does. A daemon that hangs holds one thread here until the deadlines of its calls are over, and
is not asked again before.
"""

import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence, Set, Tuple

from data_service.web.figures.history import INTERVAL_SECONDS, History
from data_service.web.figures.sightings import Look, Sighting
from zookeeper.fabric import logs
from zookeeper.fabric.moments import now
from zookeeper.fabric.settings import Address

log = logs.get("figures")

DEADLINE_SECONDS = 3.0
FRESH_SECONDS = 2.0
"""For how long what was seen is told to who comes."""

ASKED_MAX = 32
"""Threads that ask daemons in one look."""

Place = Tuple[str, Address]


class Watcher:
    """Looks at the daemons at `places`, each a role and an address, by `ask`; `own` tells of this
    gateway itself. Thread-safe."""

    def __init__(
        self,
        places: Sequence[Place],
        ask: Callable[[str, Address], Sighting],
        own: Callable[[], Sighting],
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self._places = tuple(places)
        self._ask = ask
        self._own = own
        self._interval_seconds = interval_seconds
        self._changed = threading.Condition()
        self._asked: Set[Place] = set()
        self._looking = self._stopped = False
        self._last: Optional[Look] = None
        self._fresh_until = 0.0
        self._history = History()
        self._thread = threading.Thread(target=self._watch, name="figures", daemon=True)

    def start(self) -> None:
        """Begin to look by itself, every `interval_seconds`."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; who waits for a look gets what was seen so far."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> Look:
        """The cluster as it is, or was a moment ago."""
        with self._changed:
            if self._last is not None and time.monotonic() < self._fresh_until:
                return self._last
            while self._looking:
                self._changed.wait()
                if not self._looking and self._last is not None:
                    return self._last
            self._looking = True
        return self._look_anew()

    def last_look(self) -> Look:
        """The cluster as it was seen last, which is not long ago: nobody waits, but at first."""
        return self._last or self.look()

    def history(self) -> Dict[str, Any]:
        """The last hour, as `/cluster/history` tells it."""
        with self._changed:
            return self._history.record()

    def _look_anew(self) -> Look:
        found: Optional[Look] = None
        try:
            found = self._ask_all()
        finally:
            with self._changed:
                self._looking = False
                self._last = found or self._last
                self._fresh_until = time.monotonic() + FRESH_SECONDS
                self._changed.notify_all()
        return found

    def _ask_all(self) -> Look:
        began, wall = time.monotonic(), now()
        found: Dict[Place, Sighting] = {}
        with self._changed:
            waiting = deque([place for place in self._places if place not in self._asked])
            wanted = len(waiting)
        for _ in range(min(ASKED_MAX, wanted)):
            threading.Thread(
                target=self._work, args=(waiting, found), name="ask", daemon=True
            ).start()
        with self._changed:
            self._changed.wait_for(
                lambda: len(found) == wanted or self._stopped, DEADLINE_SECONDS
            )
            waiting.clear()
            seen: List[Sighting] = [
                found.get(place) or Sighting(
                    place[0], str(place[1]), f"did not answer within {DEADLINE_SECONDS:g} s",
                    seconds=DEADLINE_SECONDS,
                )
                for place in self._places
            ]  # fmt: skip
        return Look(began, wall, (*seen, self._own()))

    def _work(self, waiting: Deque[Place], found: Dict[Place, Sighting]) -> None:
        """Ask one after the other of those that still wait to be asked."""
        while True:
            with self._changed:
                if not waiting:
                    return
                place = waiting.popleft()
                self._asked.add(place)
            sighting = self._ask(*place)
            with self._changed:
                self._asked.discard(place)
                found[place] = sighting
                self._changed.notify_all()

    def _watch(self) -> None:
        while not self._stopped:
            try:
                seen = self.look()
                with self._changed:
                    self._history.add(seen)
            except Exception:  # A defect costs one point of the history, and is seen.
                log.error("look.failed", exc_info=True)
            with self._changed:
                self._changed.wait_for(lambda: self._stopped, self._interval_seconds)
