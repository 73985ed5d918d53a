"""Log lines: their form, and how few of them a flood of bad input makes."""

import io
import logging
import sys
from typing import Iterator, List

import pytest

from tests.support.links.loopback import Recorder
from zookeeper.fabric import logs


@pytest.fixture
def log() -> Iterator[Recorder]:
    """What is logged."""
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """The time, which stands still until the test sets it."""
    now = [1000.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    "value, shown",
    [
        (7, "7"), (1.5, "1.5"), (None, "None"), ("plain", "plain"), ("é😀", "é😀"), ("", '""'),
        ("two words", '"two words"'), ('"', '"\\""'), ("a=b", '"a=b"'), ("\\", '"\\\\"'),
        ("a\nb", '"a\\nb"'), ("\x1b[2J", '"\\u001b[2J"'), ("\x9b31m", '"\\u009b31m"'),
        ("\x7f", '"\\u007f"'), ("a\u202eb", '"a\\u202eb"'), ("\udcff", '"\\udcff"'),
        (b"\xff", '"b\'\\\\xff\'"'), ("x" * 1000, "x" * 300 + "…"),
    ],
)  # fmt: skip
def test_a_value_is_one_word_or_quoted_and_cannot_steer_a_terminal(
    value: object, shown: str
) -> None:
    line = logs.format_event("block.lost", {"value": value})
    assert line == f"block.lost value={shown}"
    assert line.isprintable()


def test_an_event_is_one_line_of_its_layer(log: Recorder) -> None:
    layer = logs.get("namenode")
    layer.info("block.lost", block=7, node="a b")
    assert log.lines == ['block.lost block=7 node="a b"']
    for write in (layer.debug, layer.info, layer.warning, layer.error):
        write("x.y")
    assert {record.name for record in log.records} == {"pyhdfs.namenode"}
    levels = [record.levelname for record in log.records[1:]]
    assert levels == ["DEBUG", "INFO", "WARNING", "ERROR"]


def test_a_level_that_is_off_costs_no_line(log: Recorder) -> None:
    logging.getLogger("pyhdfs").setLevel(logging.INFO)
    logs.get("x").debug("x.y")
    assert log.lines == []


def test_a_flood_is_counted_instead_of_written(log: Recorder, clock: List[float]) -> None:
    layer = logs.get("rpc")
    for _ in range(1000):
        layer.warning("connection.failed")
    assert log.lines == ["connection.failed"] * logs.EVENTS_PER_SECOND
    log.records.clear()
    layer.warning("connection.evicted")
    clock[0] += 0.999
    layer.warning("connection.failed")
    assert log.lines == ["connection.evicted"]
    log.records.clear()
    clock[0] += 0.002
    layer.warning("connection.failed", host="h")
    layer.warning("connection.failed", host="h")
    clock[0] += 5
    layer.warning("connection.failed")
    assert log.lines == [
        "connection.failed host=h events_not_logged=981",
        "connection.failed host=h",
        "connection.failed",
    ]


def test_a_flood_of_defects_writes_few_tracebacks(log: Recorder, clock: List[float]) -> None:
    layer = logs.get("rpc")
    for _ in range(100):
        try:
            raise ValueError("a defect")
        except ValueError:
            layer.error("call.failed", exc_info=True)
    assert log.tracebacks == logs.TRACEBACKS_PER_SECOND
    assert len(log.lines) == logs.EVENTS_PER_SECOND
    layer.error("other.failed")
    assert log.tracebacks == logs.TRACEBACKS_PER_SECOND


def test_what_a_flood_can_write_is_less_than_a_megabyte_a_minute(
    log: Recorder, clock: List[float]
) -> None:
    layer = logs.get("server")
    for _ in range(60):
        for _ in range(100):
            layer.warning("connection.failed", host="255.255.255.255", error="x" * 1000)
        clock[0] += 1
    assert 0 < sum(map(len, log.lines)) < 1 << 20


@pytest.fixture
def restored() -> Iterator[None]:
    """Afterwards the root of all layers is as before."""
    logger = logging.getLogger("pyhdfs")
    before = logger.level, logger.propagate, logger.handlers[:], logging.raiseExceptions
    yield
    logger.level, logger.propagate, logger.handlers[:] = before[:3]
    logging.raiseExceptions = before[3]


@pytest.mark.usefixtures("restored")
def test_configured_logs_go_to_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    captured = io.StringIO()
    monkeypatch.setattr(sys, "stderr", captured)
    logs.configure("WARNING")
    logs.configure("WARNING")
    log = logs.get("daemon")
    log.info("not.shown")
    log.warning("is.shown", why="it is important")
    text = captured.getvalue()
    assert text.endswith(' WARNING pyhdfs.daemon is.shown why="it is important"\n')
    assert text.count("\n") == 1


class Gone(io.StringIO):
    """A pipe whose reader went away."""

    def write(self, text: str) -> int:
        """Always fails."""
        raise BrokenPipeError


@pytest.mark.usefixtures("restored")
def test_a_reader_that_went_away_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (Gone(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure()
        logs.get("daemon").error("something.failed")
