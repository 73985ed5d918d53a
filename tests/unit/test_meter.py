"""What a server measured of its calls."""

import threading
from typing import List

import pytest

from tests.support.links.loopback import Loopback
from zookeeper.fabric.meter import CallMetric, Meter, ServerCalls


def test_calls_are_counted_by_name() -> None:
    meter = Meter()
    for name, seconds, failed in (("b", 0.5, False), ("a", 1.0, True), ("b", 2.0, True)):
        meter.note(name, seconds, failed)
    assert meter.metrics() == (
        CallMetric("a", 1, 1, 1.0, 1.0), CallMetric("b", 2, 1, 2.5, 2.0))


def test_threads_lose_no_call() -> None:
    meter = Meter()
    threads: List[threading.Thread] = [
        threading.Thread(target=lambda: [meter.note("a", 0.0, False) for _ in range(500)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.metrics()[0].made == 4000


@pytest.mark.parametrize("times", [1, 3])
def test_every_server_tells_what_it_measured(times: int) -> None:
    with Loopback() as loopback:
        stub = ServerCalls(loopback.remote().perform, 10.0)
        for _ in range(times):
            told = stub.metrics()
        assert [(row.name, row.made, row.failed) for row in told] == (
            [("metrics", times - 1, 0)] if times > 1 else [])
        assert all(0 <= row.slowest_seconds <= row.seconds for row in told)
