"""Figures that a process tells of itself: buckets, families, and how they cross the wire."""

import os
import threading
from typing import Tuple

import pytest

from tests.support.links.loopback import Loopback
from zookeeper.fabric.figures import (
    CALL_SECONDS,
    CALLS_FAILED,
    SECONDS,
    SIZES,
    START_TIME,
    Family,
    Histogram,
    counter,
    gauge,
    histogram,
    tagged,
    value_in,
)
from zookeeper.fabric.kinds import decode
from zookeeper.fabric.meter import Meter, ServerCalls
from zookeeper.fabric.process import process_figures


@pytest.mark.parametrize("bounds", [SECONDS, SIZES, (1.0,)])
def test_a_value_is_in_the_first_bucket_that_it_fits_into(bounds: Tuple[float, ...]) -> None:
    for place, bound in enumerate(bounds):
        found = Histogram(bounds)
        found.note(bound)
        assert found.counts.index(1) == place, "a bound belongs to its bucket"
        found.note(bound * 1.0001)
        assert found.counts[place + 1] == 1 and found.count == 2
    above = Histogram(bounds)
    above.note(bounds[-1] * 1000)
    assert above.counts == [0] * len(bounds) + [1] and above.total == bounds[-1] * 1000


def test_bounds_grow() -> None:
    for bounds in (SECONDS, SIZES):
        assert list(bounds) == sorted(set(bounds)) and bounds[0] > 0


def test_families_cross_the_wire_as_they_are() -> None:
    found = Histogram((1.0, 2.0))
    found.note(1.5)
    for family in (
        gauge("a", "A.", 3),
        counter("b_total", "B.", 1 << 62),
        tagged("gauge", "c", "C.", "directory", {"/z": 1.0, "/a": 2.0}),
        histogram("d", "D.", found),
    ):
        assert decode(Family, tuple(family)) == family
    assert histogram("d", "D.", found).samples[0].values == (0, 1, 0, 1.5)


def test_a_value_is_found_by_its_name() -> None:
    families = (gauge("a", "", 1), tagged("gauge", "b", "", "t", {"x": 2.0, "y": 3.0}))
    assert [value_in(families, name) for name in ("a", "b", "c")] == [1, 5, 0]
    assert value_in(families, "c", -1) == -1


def test_a_meter_tells_how_long_its_calls_took() -> None:
    meter = Meter()
    for seconds in (0.00005, 0.003, 0.003, 99.0):
        meter.note("stat", seconds, failed=seconds > 1)
    meter.carry(10, 20)
    meter.carry(1, 2)
    families = {family.name: family for family in meter.figures()}
    sample = families[CALL_SECONDS].samples[0]
    assert sample.tags == (("call", "stat"),)
    assert sample.values[0] == 1 and sample.values[SECONDS.index(0.005)] == 2
    assert sample.values[len(SECONDS)] == 1 and sample.values[-1] == pytest.approx(99.00605)
    assert value_in(meter.figures(), CALLS_FAILED) == 1
    assert value_in(meter.figures(), "pyhdfs_received_bytes_total") == 11
    assert value_in(meter.figures(), "pyhdfs_sent_bytes_total") == 22


def test_a_process_tells_of_itself() -> None:
    found = {family.name: family.samples[0].values[0] for family in process_figures()}
    assert found["process_resident_memory_bytes"] > 1 << 20
    assert found["process_threads"] == threading.active_count()
    assert 0 < found["process_open_fds"] <= len(os.listdir("/proc/self/fd")) + 5
    assert 0 < found[START_TIME] == process_figures()[1].samples[0].values[0]


def test_every_server_tells_its_figures() -> None:
    with Loopback() as loopback:
        stub = ServerCalls(loopback.remote().perform, 10.0)
        stub.metrics()
        first, second = stub.figures(), stub.figures()
    assert value_in(first, "pyhdfs_connections") == 1
    assert value_in(first, "pyhdfs_connections_accepted_total") == 1
    for name in ("pyhdfs_received_bytes_total", "pyhdfs_sent_bytes_total"):
        assert 0 < value_in(first, name) < value_in(second, name)
    calls = next(family for family in second if family.name == CALL_SECONDS)
    assert [sample.tags for sample in calls.samples] == [(("call", "figures"),),
                                                         (("call", "metrics"),)]
