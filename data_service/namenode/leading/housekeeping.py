"""The threads in which a namenode does its chores while it leads.

Four of them. One makes a round every few moments. It never waits for the record, whose disk may
hang: no datanode would be found dead then. So another one has the edits recorded, also those whose
callers do not wait for them any more. The third takes deleted trees apart, piece after piece; the
fourth finds, step by step, what blocks a lost datanode had. None ends before the term does,
whatever happens in it.
"""

import threading
import time
from typing import Callable

from data_service.namenode.chores import Chores
from data_service.namenode.dates import wall_ms
from data_service.namenode.leading.ending import Ending
from data_service.namenode.namesystem import Namesystem
from zookeeper.fabric import logs
from zookeeper.fabric.errors import DfsError

log = logs.get("namenode")

PARTING_SECONDS = 2.0
"""How long the end of a term waits for these threads, which hold what it has in memory."""


class Housekeeping:
    """One term's. `pause_seconds` lie between two rounds, `edit_seconds` is what an edit of one
    may take to be durable; `look` is called in each round, and waits for nothing either."""

    def __init__(
        self,
        namesystem: Namesystem,
        chores: Chores,
        ending: Ending,
        pause_seconds: float,
        edit_seconds: float,
        look: Callable[[], None],
    ) -> None:
        self._namesystem = namesystem
        self._chores = chores
        self._ending = ending
        self._pause_seconds = pause_seconds
        self._edit_seconds = edit_seconds
        self._look = look
        self._threads = [
            threading.Thread(target=self._repeat, args=(step, name), name=name, daemon=True)
            for name, step in (
                ("housekeeping", self._round), ("recording", self._record),
                ("purge", self._purge), ("sweep", self._sweep),
            )
        ]  # fmt: skip

    def start(self) -> None:
        """Begin, once the image is loaded."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """The term is over: wait for the threads, also when they were never begun."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join(PARTING_SECONDS)

    def _repeat(self, step: Callable[[], None], name: str) -> None:
        while not self._ending.wait(self._pause_seconds):
            try:
                step()
            except DfsError as error:
                log.warning(f"{name}.failed", error=error.message)
            except Exception as error:
                # Also a defect must not end these threads: no datanode and no lease would end
                # then, and what is deleted would fill the disks.
                log.error(f"{name}.failed", exc_info=True, error=type(error).__name__)

    def _round(self) -> None:
        with self._namesystem.lock:
            if self._ending.is_set:
                return
            made = self._chores.round(time.monotonic(), wall_ms())
            if made.has_orders:
                self._namesystem.core.wake_ordered()
        for event in made.events:
            log.info(event.name, **dict(event.fields))
        if made.safe_mode:
            log.warning("safe_mode.lasts", **made.safe_mode)
        self._look()

    def _record(self) -> None:
        with self._namesystem.lock:
            last_txid = self._chores.last_txid
        self._namesystem.journal.wait(last_txid, self._edit_seconds)
        with self._namesystem.lock:
            if self._chores.recorded(last_txid):
                self._namesystem.core.wake_ordered()

    def _purge(self) -> None:
        """Piece after piece, and each waits for the disk; calls come in between, and while there
        are any, half of the time is theirs. (One piece a round took 25 minutes for a million
        files.)"""
        self._namesystem.core.in_slices(self.purge_step)

    def purge_step(self) -> bool:
        """Take one piece apart; whether there is a whole one more."""
        with self._namesystem.lock:
            piece = None if self._ending.is_set else self._chores.purge(wall_ms())
        if piece is None:
            return False
        self._namesystem.journal.wait(piece.txid, self._edit_seconds)
        with self._namesystem.lock:
            self._namesystem.core.wake_ordered()
        return piece.is_whole

    def _sweep(self) -> None:
        """A few milliseconds at a time. (With the rounds, a few of a million blocks each time, it
        took a minute until their copying began; and all at once, nobody else was answered.)"""
        self._namesystem.core.in_slices(self.sweep_step)

    def sweep_step(self) -> bool:
        """Look at some of the replicas of datanodes that were lost; whether there were any."""
        with self._namesystem.lock:
            return not self._ending.is_set and self._chores.sweep()

    def __repr__(self) -> str:
        return f"<Housekeeping every {self._pause_seconds:g} s>"
