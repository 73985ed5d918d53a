"""What a journal decides, without a thread: turns, repetitions, and the end."""

from math import inf
from typing import List, Optional

import pytest

from metadata_service.leader import backlog
from metadata_service.leader.append_queue import ATTEMPTS, FULL_SECONDS, AppendQueue
from tests.support.links.journals import edit
from zookeeper.fabric.errors import (
    Busy,
    DeadlineExceeded,
    DfsError,
    DiskFull,
    Fenced,
    InternalError,
    NotLeader,
    Unavailable,
)

SECONDS = 10.0
BYTES = 1 << 16
AWAY = Unavailable("away")


def new_queue(edits: int = 0, last_txid: int = 0) -> AppendQueue:
    """A queue with so many edits."""
    queue = AppendQueue(last_txid, BYTES, SECONDS)
    for number in range(edits):
        assert queue.add(edit(number + 1)) == last_txid + number + 1
    queue.check()
    return queue


def taken(queue: AppendQueue, now: float = 0.0) -> List[int]:
    """The numbers of what is to be sent now."""
    return [pending.txid for pending in queue.take(now) or ()]


def ends_by(queue: AppendQueue, txid: int, deadline: float, now: float) -> Optional[str]:
    """What ends the wait for an edit."""
    try:
        queue.check_wait(txid, deadline, now)
    except DfsError as error:
        return error.code
    return None


def test_one_append_is_under_way_at_a_time() -> None:
    queue = new_queue(3, last_txid=7)
    assert taken(queue) == [8, 9, 10]
    queue.add(edit(4))
    assert queue.take(0.0) is None and queue.next_take() == inf
    queue.appended(10, True)
    assert queue.durable_txid == 10 and taken(queue) == [11]
    queue.check()


def test_what_was_not_acknowledged_is_sent_again_in_the_same_order() -> None:
    queue = new_queue(2)
    assert taken(queue) == [1, 2]
    queue.refused(AWAY, 0.0, 0.5)
    queue.add(edit(3))
    assert taken(queue, 0.5) == [1, 2, 3], "the first repetition is at once"
    queue.refused(AWAY, 0.5, 0.6)
    assert queue.take(0.6) is None and 0.6 < queue.next_take() < 0.7
    assert taken(queue, queue.next_take()) == [1, 2, 3]
    assert queue.trouble == "waits for the metadata service: away"
    queue.appended(3, True)
    assert queue.trouble == "" and queue.next_take() <= 0.0
    queue.check()


@pytest.mark.parametrize("error, seconds", [(AWAY, SECONDS), (DiskFull("full"), FULL_SECONDS)])
def test_it_gives_up_when_the_time_since_the_first_failure_is_over(
    error: DfsError, seconds: float
) -> None:
    """For want of room soon: until then nobody can be told that nothing is recorded any more."""
    queue, now, attempts = new_queue(1), 100.0, 0
    while queue.failure is None:
        assert taken(queue, now) == [1]
        queue.refused(error, now, now)
        attempts += 1
        now = max(now, queue.next_take())
    assert 100.0 + seconds <= now < 101.0 + seconds
    assert seconds < attempts < 60, "and that was no storm"
    assert queue.failure is error


def test_what_waited_for_a_member_waits_for_room_as_long_as_anything() -> None:
    queue, full = new_queue(1), DiskFull("full")
    for now, error in ((0.0, AWAY), (3.0, AWAY), (3.5, full), (5.0, AWAY), (6.0, full)):
        assert taken(queue, now) == [1]
        queue.refused(error, now, now)
    assert queue.failure is None
    assert taken(queue, 6.0 + FULL_SECONDS) == [1]
    queue.refused(full, 6.0 + FULL_SECONDS, 6.0 + FULL_SECONDS)
    assert queue.failure is full


def test_a_success_begins_the_time_anew() -> None:
    queue = new_queue(1)
    for round_number in range(5):
        now = round_number * SECONDS
        queue.take(now)
        queue.refused(AWAY, now, now)
        assert taken(queue, now) == [round_number + 1]
        queue.appended(round_number + 1, True)
        queue.add(edit(2))
    assert queue.failure is None


def test_a_refusal_for_good_ends_it() -> None:
    queue, fenced = new_queue(2), Fenced("a newer epoch")
    queue.take(0.0)
    queue.refused(fenced, 0.0, 0.0)
    assert queue.failure is fenced and ends_by(queue, 1, inf, 0.0) == DeadlineExceeded.code
    assert queue.add(edit(3)) == 3 and taken(queue) == [], "edits go nowhere"
    with pytest.raises(NotLeader, match="a newer epoch"):
        queue.require_room()
    queue.fail(AWAY)
    assert queue.failure is fenced, "what failed first counts"
    queue.check()


def test_an_edit_that_cannot_be_sent_ends_it() -> None:
    for wrong in (edit(1, txid=5), edit(1)._replace(client_id="x" * BYTES)):
        queue = new_queue()
        assert queue.add(wrong) == 1
        assert isinstance(queue.failure, InternalError)


def test_what_ends_a_wait() -> None:
    queue = new_queue(1)
    assert ends_by(queue, 1, inf, 1e9) is None
    assert ends_by(queue, 1, 5.0, 4.9) is None
    assert ends_by(queue, 1, 5.0, 5.0) == DeadlineExceeded.code
    assert ends_by(queue, 2, inf, 0.0) == InternalError.code, "it was never submitted"


def test_one_attempt_leaves_time_for_another() -> None:
    queue = new_queue()
    assert queue.attempt_seconds(inf, 0.0) == SECONDS / ATTEMPTS
    assert queue.attempt_seconds(0.5, 0.0) == 0.5
    assert queue.attempt_seconds(0.0, 9.0) > 0.0, "the answer is wanted by others, too"


def test_what_must_not_be_accepted_now(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = new_queue(2)
    queue.require_room()
    queue.take(0.0)
    queue.refused(DiskFull("full"), 0.0, 0.0)
    with pytest.raises(DiskFull):
        queue.require_room()
    queue.take(0.0)
    queue.appended(1, True)
    queue.require_room()
    monkeypatch.setattr(backlog, "EDITS_MAX", 1)
    with pytest.raises(Busy):
        queue.require_room()
