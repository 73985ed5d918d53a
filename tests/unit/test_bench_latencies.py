"""What others wait while the cluster is busy: percentiles, goals, a stall that is not hidden."""

import threading
from typing import Tuple

import pytest

from scripts.benchmark.latencies import Latency, table
from scripts.benchmark.latency_probe import Beats
from zookeeper.fabric.errors import SafeMode, Unavailable


def latency(*milliseconds: float, failed: int = 0) -> Latency:
    """Of `stat` during `count`."""
    return Latency("count", 2.5, "stat", milliseconds, failed)


@pytest.mark.parametrize(
    "count, expected",
    [(1, (1, 1, 1)), (2, (1, 2, 2)), (100, (50, 99, 100)), (101, (51, 100, 101))],
)
def test_a_percentile_is_a_sample(count: int, expected: Tuple[float, ...]) -> None:
    samples = latency(*range(count, 0, -1))
    assert tuple(samples.percentile(share) for share in (0.5, 0.99, 1)) == expected


def test_one_slow_call_of_many_is_allowed_but_no_very_slow_one() -> None:
    quick = [1.0] * 200
    assert latency(*quick, 99.0).is_met
    assert not latency(*quick, 101.0).is_met
    assert not latency(*quick, 21.0, 21.0, 21.0).is_met
    assert not latency(*quick, failed=1).is_met


def test_the_table_says_who_waited_too_long() -> None:
    rows = [latency(1.0, 2.0, 300.0), Latency("start", 12.0, "mkdir", (), 0), latency(1.0)]
    assert table(rows).splitlines() == [
        "while  seconds  call   calls  failed   p50   p99   max  unit",
        "count     2.50  stat       3       0  2.00   300   300  ms    NO",
        "start     12.0  mkdir      0       0",
        "count     2.50  stat       1       0  1.00  1.00  1.00  ms    yes",
        "goal: p99 <= 20 ms, max <= 100 ms, none failed",
    ]


def test_a_program_reads_the_same() -> None:
    assert latency(1.0, 3.0, failed=2).as_json() == {
        "while": "count",
        "seconds": 2.5,
        "call": "stat",
        "p50_ms": 1.0,
        "p99_ms": 3.0,
        "max_ms": 3.0,
        "calls": 2,
        "failed": 2,
        "met": False,
    }


def test_a_stall_delays_every_call_that_was_due_in_it() -> None:
    pause, stall = 0.01, threading.Event()
    enough = threading.Event()

    def call(number: int) -> None:
        if number == 0:
            assert not stall.wait(0.2)
        if number == 10:
            enough.set()

    beats = Beats(call, pause)
    assert enough.wait(60)
    milliseconds, failed = beats.end()
    assert failed == 0 and milliseconds[0] >= 200
    for number in range(1, 11):
        assert milliseconds[number] >= milliseconds[0] - 1000 * pause * number


def test_a_failure_counts_but_not_that_of_safe_mode() -> None:
    enough = threading.Event()

    def call(number: int) -> None:
        if number == 3:
            enough.set()
        if number < 2:
            raise (SafeMode, Unavailable)[number]("not now")

    beats = Beats(call, 0.001)
    assert enough.wait(60)
    milliseconds, failed = beats.end()
    assert failed == 1 and len(milliseconds) >= 2
