"""Threads that wait for their edits: who is woken, and who is left asleep."""

import threading
from typing import Dict, List, Optional

import pytest

from metadata_service.leader.waiters import Waiters
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until


class Bedroom:
    """Threads that wait for numbers, and what each was told when it woke."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiters = Waiters(self.lock)
        self.woken: Dict[int, bool] = {}
        self._threads: List[threading.Thread] = []

    def sleep(self, number: int, seconds: Optional[float] = None) -> None:
        """Another thread waits for this number; returns when it does."""
        before = len(self.waiters)
        thread = threading.Thread(target=self._sleep, args=(number, seconds), daemon=True)
        self._threads.append(thread)
        thread.start()
        if seconds is None:
            wait_until(lambda: len(self.waiters) > before)

    def _sleep(self, number: int, seconds: Optional[float]) -> None:
        with self.lock:
            self.woken[number] = self.waiters.wait(number, seconds)

    def join(self, count: int) -> Dict[int, bool]:
        """What was woken, once so many were."""
        wait_until(lambda: len(self.woken) >= count)
        with self.lock:
            return dict(self.woken)

    def end(self) -> None:
        """Wake the rest."""
        with self.lock:
            self.waiters.wake_all()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()


@pytest.fixture(name="room")
def _room() -> Bedroom:
    return Bedroom()


def test_who_is_done_is_woken_and_one_more(room: Bedroom) -> None:
    for number in (5, 3, 9, 7, 1):
        room.sleep(number)
    with room.lock:
        room.waiters.wake(3)
    assert room.join(3) == {1: False, 3: False, 5: True}
    assert len(room.waiters) == 2
    room.end()
    assert set(room.woken) == {1, 3, 5, 7, 9}


def test_who_goes_without_taking_its_turn_passes_it_on(room: Bedroom) -> None:
    room.sleep(2)
    room.sleep(4)
    with room.lock:
        room.waiters.wake_next()
    assert room.join(1) == {2: True}
    with room.lock:
        room.waiters.wake_next()
    assert room.join(2) == {2: True, 4: True}


def test_who_waited_long_enough_wakes_by_itself_and_is_not_counted_on(room: Bedroom) -> None:
    room.sleep(1, 0.0)
    assert room.join(1) == {1: False}
    assert len(room.waiters) == 0
    room.sleep(2)
    with room.lock:
        room.waiters.wake(1)
    assert room.join(2)[2] is True, "the next in line is one that still waits"
