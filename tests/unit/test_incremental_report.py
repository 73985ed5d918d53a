"""Changes of single replicas: in order, none lost, one call for many."""

import threading
from typing import List

import pytest

from data_service.datanode import incremental_report
from data_service.datanode.incremental_report import (
    CORRUPT,
    DELETED,
    RECEIVED,
    VERIFIED,
    Changes,
    IncrementalReport,
    as_arguments,
)
from data_service.protocol.blocks import Block
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import Unavailable

ONE, TWO, FOUR = Block(1, 1, 10), Block(2, 1, 20), Block(4, 1, 40)


class Listener:
    """The namenode's end: what was sent, a gate that holds a call, an error to raise."""

    def __init__(self) -> None:
        self.heard: List[tuple] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        self.error = ""
        self.at_once = 0
        self.most_at_once = 0

    def __call__(self, changes: Changes) -> None:
        """Take a batch."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.entered.release()
        self.gate.wait()
        self.at_once -= 1
        if self.error:
            raise Unavailable(self.error)
        self.heard.append(as_arguments(changes))


def test_changes_are_told_by_kind() -> None:
    listener = Listener()
    told = IncrementalReport(listener, lambda: None)
    assert told.tell() and listener.heard == []
    told.add(RECEIVED, [ONE])
    told.add(CORRUPT, [TWO])
    told.add(DELETED, [Block(3, 1, 0)])
    told.add(VERIFIED, [FOUR])
    assert len(told) == 4 and told.tell() and len(told) == 0
    assert listener.heard == [((ONE,), (Block(3, 1, 0),), (TWO,), (FOUR,))]


def test_only_the_last_change_of_a_block_is_told() -> None:
    """HDFS-16922: a queued older report was sent after the newer one."""
    listener = Listener()
    told = IncrementalReport(listener, lambda: None)
    told.add(RECEIVED, [ONE, TWO])
    told.add(DELETED, [ONE])
    told.tell()
    assert listener.heard == [((TWO,), (ONE,), (), ())]


def test_what_could_not_be_told_is_kept() -> None:
    """SeaweedFS #10295: an error was swallowed, and what it was about was passed over."""
    listener = Listener()
    told = IncrementalReport(listener, lambda: None)
    listener.error = "away"
    told.add(RECEIVED, [ONE])
    with pytest.raises(Unavailable):
        told.tell()
    assert len(told) == 1
    told.add(CORRUPT, [ONE])
    listener.error = ""
    assert told.tell() and listener.heard == [((), (), (ONE,), ())]


def test_a_change_during_a_call_goes_into_the_next() -> None:
    listener = Listener()
    told = IncrementalReport(listener, lambda: None)
    listener.gate.clear()
    told.add(RECEIVED, [ONE])
    first = threading.Thread(target=told.tell)
    first.start()
    assert listener.entered.acquire(timeout=60)
    told.add(DELETED, [ONE])
    listener.gate.set()
    first.join()
    assert len(told) == 1 and told.tell()
    assert listener.heard == [((ONE,), (), (), ()), ((), (ONE,), (), ())]


def test_threads_take_turns_and_share_a_call() -> None:
    listener = Listener()
    told = IncrementalReport(listener, lambda: None)
    listener.gate.clear()
    threads = []
    for number in range(1, 11):
        told.add(RECEIVED, [Block(number, 1, 1)])
        threads.append(threading.Thread(target=told.tell))
        threads[-1].start()
    assert listener.entered.acquire(timeout=60)
    listener.gate.set()
    for thread in threads:
        thread.join()
    heard = [block.block_id for received, *_ in listener.heard for block in received]
    assert sorted(heard) == list(range(1, 11)) and listener.most_at_once == 1
    assert len(listener.heard) < 10


def test_those_who_wait_are_freed_when_the_call_fails() -> None:
    """Otherwise each of a hundred transfers would wait for a deadline of its own."""
    listener = Listener()
    told = IncrementalReport(listener, lambda: None)
    listener.gate.clear()
    listener.error = "away"
    told.add(RECEIVED, [ONE])
    results: List[bool] = []

    def lead() -> None:
        with pytest.raises(Unavailable):
            told.tell()

    leader = threading.Thread(target=lead)
    leader.start()
    assert listener.entered.acquire(timeout=60)
    told.add(RECEIVED, [TWO])
    follower = threading.Thread(target=lambda: results.append(told.tell()))
    follower.start()
    wait_until(lambda: len(told._condition._waiters) == 1)  # type: ignore[attr-defined]
    listener.gate.set()
    leader.join()
    follower.join()
    assert results == [False] and len(told) == 2


def test_many_changes_go_in_several_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental_report, "CHANGES_MAX", 3)
    listener = Listener()
    told = IncrementalReport(listener, lambda: None)
    told.add(DELETED, [Block(number, 1, 0) for number in range(8)])
    assert told.tell()
    assert [len(deleted) for _, deleted, *_ in listener.heard] == [3, 3, 2]


def test_what_is_too_much_to_keep_is_left_to_a_full_report(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """HDFS-17953: the queue for a namenode that was away grew until the datanode died of it."""
    monkeypatch.setattr(incremental_report, "KEPT_MAX", 100)
    listener, overflows = Listener(), []
    listener.error = "away"
    told = IncrementalReport(listener, lambda: overflows.append(len(told)))
    told.add(RECEIVED, [Block(number, 1, 1) for number in range(100)])
    with pytest.raises(Unavailable):
        told.tell()
    told.add(RECEIVED, [Block(5, 1, 2)])
    assert (overflows, len(told)) == ([], 100), "what happened to one block again is not more"
    told.add(DELETED, [Block(100, 1, 1)])
    assert (overflows, len(told)) == ([0], 0)
    told.add(DELETED, [ONE])
    listener.error = ""
    assert told.tell() and listener.heard[-1] == ((), (ONE,), (), ())
