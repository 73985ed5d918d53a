"""Transfers wait their turn: in order, for a while, in no circle, and not behind idle ones."""

import threading
import time
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Dict, List, Optional

import pytest

from data_service.datanode import transfer_slots as streams_module
from data_service.datanode.transfer_slots import TransferSlots
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import Busy

LONG = 60.0


class Crowd:
    """Transfers in threads of their own, each until it is released."""

    def __init__(self, slots: TransferSlots) -> None:
        self.slots = slots
        self.begun: List[str] = []
        self.refused: List[str] = []
        self._ends: Dict[str, threading.Event] = {}
        self._threads: List[threading.Thread] = []

    def come(self, name: str, nodes_after: int = 0, reads: bool = False,
             patience: float = LONG, user: str = "") -> None:
        """One more transfer; returns when it runs, waits, or was refused."""
        end = self._ends[name] = threading.Event()
        known = self._known()

        def run() -> None:
            try:
                interrupt = end.set if reads else None
                with self.slots.hold(patience, nodes_after, interrupt, user):
                    self.begun.append(name)
                    end.wait(60)
            except Busy:
                self.refused.append(name)

        thread = threading.Thread(target=run)
        self._threads.append(thread)
        thread.start()
        wait_until(lambda: self._known() > known)

    def _known(self) -> int:
        return len(self.begun) + len(self.refused) + len(self.slots._waiting)

    def end(self, name: str) -> None:
        """It is over."""
        self._ends[name].set()

    def close(self) -> None:
        """All are over."""
        for end in self._ends.values():
            end.set()
        for thread in self._threads:
            thread.join(60)


def crowd_of(limit: int, stack: ExitStack) -> Crowd:
    """A crowd at a datanode with so many places."""
    made = Crowd(TransferSlots(limit, "localhost:1801"))
    stack.callback(made.close)
    return made


def test_who_comes_when_all_places_are_taken_waits_in_order() -> None:
    """It was told that the datanode has reached its limit, and that data is missing."""
    with ExitStack() as stack:
        crowd = crowd_of(2, stack)
        for name in "abcde":
            crowd.come(name, reads=True)
        assert crowd.begun == ["a", "b"] and crowd.slots.running == 2
        for ended, begun in (("b", "c"), ("a", "d"), ("c", "e")):
            crowd.end(ended)
            wait_until(lambda: crowd.begun[-1] == begun)
    assert crowd.slots.running == 0 and not crowd.refused


def test_patience_ends_and_the_queue_has_one() -> None:
    with ExitStack() as stack:
        crowd = crowd_of(1, stack)
        crowd.come("a")
        crowd.come("b", patience=0.0)
        assert crowd.refused == ["b"]
        crowd.come("c", patience=0.05)
        wait_until(lambda: crowd.refused == ["b", "c"])
        for number in range(streams_module.WAITING_MIN):
            crowd.come(f"w{number}")
        started = time.monotonic()
        with pytest.raises(Busy, match="localhost:1801 has reached its limit of transfers"):
            with crowd.slots.hold(LONG):
                pass
        assert time.monotonic() - started < LONG / 2


@pytest.mark.parametrize("limit", [3, 4, 7])
def test_the_first_of_pipelines_leave_places_for_the_last(limit: int) -> None:
    """Two datanodes whose places are all taken by heads of pipelines through the other one."""
    with ExitStack() as stack:
        crowd = crowd_of(limit, stack)
        for number in range(limit + 2):
            crowd.come(f"head {number}", nodes_after=2)
        assert crowd.slots.running == limit - 2
        crowd.come("middle", nodes_after=1)
        crowd.come("last")
        assert crowd.begun[-2:] == ["middle", "last"]
        crowd.come("reader", reads=True)
        assert crowd.begun[-1] == "last", "a reader takes no place that somebody waits for"
        crowd.end("last")
        crowd.end("middle")
        crowd.end("head 0")
        wait_until(lambda: crowd.begun[-1] == f"head {limit - 2}")


@pytest.mark.parametrize("nodes_after", [0, 1, 2, 9])
def test_one_place_is_enough_for_anybody(nodes_after: int) -> None:
    with TransferSlots(1, "here").hold(0.0, nodes_after):
        pass


def test_a_reader_that_takes_nothing_loses_its_place_to_one_who_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams_module, "YIELD_SECONDS", 0.05)
    with ExitStack() as stack:
        crowd = crowd_of(2, stack)
        crowd.come("writer")
        crowd.come("idle reader", reads=True)
        crowd.come("other")
        wait_until(lambda: crowd.begun[-1] == "other", what="the idle one to be cut off")
        assert crowd.slots.running == 2, "the writer stays"


def test_a_reader_that_goes_on_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "YIELD_SECONDS", 0.5)
    slots, cut = TransferSlots(1, "here"), []
    with slots.hold(0.0, interrupt=lambda: cut.append(1)) as transfer:
        refused: List[Optional[Busy]] = []

        def wait() -> None:
            try:
                with slots.hold(1.0):
                    refused.append(None)
            except Busy as error:
                refused.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        while waiting.is_alive():
            transfer.touch()
            waiting.join(0.02)
    assert refused[0] is not None and not cut


def test_a_reader_that_waited_for_long_is_not_idle_when_its_turn_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, idle = [1000.0], []

    class Running(set):
        """What others see who look just when it begins to run."""

        def add(self, transfer: streams_module.Transfer) -> None:
            idle.append(now[0] - transfer.progress_at)
            super().add(transfer)

    with ExitStack() as stack:
        crowd = crowd_of(1, stack)
        crowd.slots._running = Running()
        monkeypatch.setattr(streams_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
        crowd.come("first")
        crowd.come("reader", reads=True)
        now[0] += 2 * streams_module.YIELD_SECONDS
        crowd.end("first")
        wait_until(lambda: crowd.begun == ["first", "reader"])
        assert idle == [0.0, 0.0]


def test_one_user_has_half_of_the_slots_and_others_overtake_what_waits_for_his() -> None:
    """256 stopped writers of one user made a datanode Busy for everybody, again and again."""
    with ExitStack() as stack:
        crowd = crowd_of(4, stack)
        for number in range(4):
            crowd.come(f"m{number}", reads=number % 2 == 1, user="user:mallory")
        assert crowd.begun == ["m0", "m1"]
        crowd.come("a0", user="user:alice", reads=True)
        crowd.come("copy")
        assert crowd.begun == ["m0", "m1", "a0", "copy"] and not crowd.refused
        crowd.end("m0")
        wait_until(lambda: crowd.begun[-1] == "m2")
        crowd.come("a1", user="user:alice", reads=True)
        crowd.end("copy")
        wait_until(lambda: crowd.begun[-1] == "a1")


def test_a_pipelines_last_datanode_finds_a_slot_of_its_user_too() -> None:
    with ExitStack() as stack:
        crowd = crowd_of(6, stack)
        for number in range(6):
            crowd.come(f"first{number}", nodes_after=2, user="user:alice")
        assert crowd.begun == ["first0"]
        crowd.come("second", nodes_after=1, user="user:alice")
        crowd.come("last", user="user:alice")
        assert crowd.begun == ["first0", "second", "last"]


def test_one_user_has_half_of_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "WAITING_MIN", 4)
    with ExitStack() as stack:
        crowd = crowd_of(2, stack)
        for number in range(4):
            crowd.come(f"m{number}", user="user:mallory")
        assert crowd.begun == ["m0"] and crowd.refused == ["m3"]
        for name in ("a0", "a1", "a2", "a3"):
            crowd.come(name, user="user:alice")
        assert crowd.begun == ["m0", "a0"] and crowd.refused == ["m3", "a3"]
