"""A leader looks whether another namenode should lead, as most datanodes hear only that one."""

import time
from typing import Callable

from data_service.namenode.leading.unheard import Unheard, beats_of
from data_service.namenode.namesystem import Namesystem
from zookeeper.fabric import logs

log = logs.get("namenode")


class GivingWay:
    """In one term. `hand_over` is told, once, that another one should lead."""

    def __init__(
        self, namesystem: Namesystem, unheard: Unheard, hand_over: Callable[[], None]
    ) -> None:
        self._namesystem = namesystem
        self._unheard = unheard
        self._hand_over = hand_over
        self._led_since = time.monotonic()
        self._given = False

    def look(self) -> None:
        """To be called every moment while the term lasts."""
        namesystem, now = self._namesystem, time.monotonic()
        if not namesystem.proved:
            self._led_since = now
        wish = namesystem.journal.wish
        if not wish.address or self._given:
            return
        with namesystem.lock:
            beats = beats_of(namesystem.core.state.blocks.census.nodes(), now)
        if self._unheard.gives_way(wish, beats, self._led_since, now):
            self._given = True
            log.warning("leader.gives_way", to=wish.address, missed_by=wish.missed_by,
                        datanodes=len(beats))
            self._hand_over()

    def __repr__(self) -> str:
        return f"<GivingWay of {self._namesystem!r}>"
