"""Whom a datanode obeys, of several namenodes: who leads in the newest epoch that it has heard of.

Theory of operation. The newest epoch is remembered on disk, so that an older namenode which wakes
up can command nothing (HDFS-1972), also after a restart. From the moment when a newer one is
remembered no older order begins to remove anything: each asks before every replica. One that is
about to end must be awaited, for what it removed is only then among the news: who leads now shall
know of all of it before it counts on anything here.
"""

import threading
import time
from collections import Counter
from contextlib import contextmanager
from math import inf
from typing import Counter as Counts
from typing import Iterator

from data_service.datanode.store.volumes import Volumes

NEW_EPOCH_SECONDS = 600.0
"""So long a namenode is new: what it has deleted is only set aside. One that should not lead at
all, or does not know yet what there is, destroys nothing in that time."""


class Obedience:
    """Shared by all that the datanode does for its namenodes; the epoch is kept by `volumes`."""

    def __init__(self, volumes: Volumes) -> None:
        self._volumes = volumes
        self._ended = threading.Condition()
        self._removals: Counts[int] = Counter()
        self._epoch_began = -inf
        # Whoever has heard nobody yet waits since its start.
        self._heard_at = time.monotonic()

    @property
    def epoch(self) -> int:
        """The newest one of a namenode that led; 0 for none."""
        return self._volumes.epoch

    def holds(self, epoch: int) -> bool:
        """Whether what was ordered in this epoch may still be done."""
        return epoch == self._volumes.epoch

    def learn(self, epoch: int) -> None:
        """A namenode leads in this epoch: whoever led in an earlier one is obeyed no more."""
        # Of the first one that a datanode meets nothing is there yet.
        if epoch > self._volumes.epoch > 0:
            self._epoch_began = time.monotonic()
        self._volumes.remember_epoch(epoch)
        self.hear()

    def hear(self) -> None:
        """The namenode that leads has answered something."""
        self._heard_at = time.monotonic()

    @property
    def unheard_seconds(self) -> float:
        """How long ago that was."""
        return time.monotonic() - self._heard_at

    @property
    def is_new(self) -> bool:
        """Whether the namenode that commands has begun its epoch just now."""
        return time.monotonic() - self._epoch_began < NEW_EPOCH_SECONDS

    @contextmanager
    def removal(self) -> Iterator[None]:
        """While replicas are removed by an order, until that is among the news."""
        epoch = self.epoch
        with self._ended:
            self._removals[epoch] += 1
        try:
            yield
        finally:
            with self._ended:
                self._removals[epoch] -= 1
                self._ended.notify_all()

    def await_earlier(self, seconds: float) -> bool:
        """Wait until what earlier namenodes ordered has ended; False when it takes longer."""
        with self._ended:
            return self._ended.wait_for(self._none_earlier, seconds)

    def _none_earlier(self) -> bool:
        return not any(count for epoch, count in self._removals.items() if epoch < self.epoch)

    def __repr__(self) -> str:
        return f"<Obedience to epoch {self.epoch}, {+self._removals}>"
