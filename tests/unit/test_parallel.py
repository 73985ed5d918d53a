"""Several parts of one transfer at a time."""

import threading
from functools import partial
from typing import List

import pytest

from data_service.filesystem.parallel import Task, run_all


@pytest.mark.parametrize("parallel", [1, 2, 20])
@pytest.mark.parametrize("count", [0, 1, 2, 10])
def test_every_task_runs_once(count: int, parallel: int) -> None:
    done: List[int] = []
    run_all([partial(done.append, number) for number in range(count)], parallel, threading.Event())
    assert sorted(done) == list(range(count))


def test_no_more_than_so_many_run_at_a_time() -> None:
    lock, running, most = threading.Lock(), [0], [0]
    meeting = threading.Barrier(3, timeout=60)

    def task() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        meeting.wait()
        with lock:
            running[0] -= 1

    run_all([task] * 9, 3, threading.Event())
    assert most == [3]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_first_failure_is_raised_and_stops_the_rest(error: type) -> None:
    stop, begun = threading.Event(), []

    def fail() -> None:
        raise error

    def last() -> None:
        begun.append(1)
        assert stop.wait(timeout=60)

    with pytest.raises(error):
        run_all([last, fail] + [last] * 50, 2, stop)
    # The worker that met the failure may have begun one more before `stop` was set.
    assert len(begun) < 5
    assert not [thread for thread in threading.enumerate() if "transfer" in thread.name]


def test_an_interrupt_while_others_finish_stops_them_and_waits_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop, ended, waits = threading.Event(), threading.Event(), []
    wait = Task.wait

    def interrupted(task: Task) -> None:
        waits.append(task)
        if len(waits) == 1:
            raise KeyboardInterrupt
        wait(task)

    def long() -> None:
        assert stop.wait(timeout=60)
        ended.set()

    monkeypatch.setattr(Task, "wait", interrupted)
    meeting = threading.Barrier(2, timeout=60)
    main = threading.current_thread()

    def task() -> None:
        meeting.wait()
        if threading.current_thread() is not main:
            long()

    with pytest.raises(KeyboardInterrupt):
        run_all([task] * 2, 2, stop)
    assert ended.is_set(), "what they write into may be closed now"


@pytest.mark.parametrize("parallel, count", [(1, 3), (5, 1)])
def test_one_at_a_time_needs_no_thread(parallel: int, count: int) -> None:
    names: List[str] = []
    tasks = [lambda: names.append(threading.current_thread().name)] * count
    run_all(tasks, parallel, threading.Event())
    assert set(names) == {threading.current_thread().name}
