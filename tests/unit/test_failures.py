"""Broken pipelines: the link that broke travels in the message."""

import pytest

from data_service.protocol.failures import (
    broken_link,
    failure_reason,
    pipeline_failure,
    reply_seconds,
    seen_from_upstream,
)
from zookeeper.fabric.errors import DiskFull, PipelineFailed, Unavailable, from_wire


def test_a_link_survives_the_wire() -> None:
    error = pipeline_failure(("one", "two"), "no room | left > right")
    again = from_wire(error.code, error.message)
    assert isinstance(again, PipelineFailed)
    assert broken_link(again) == ("one", "two")
    assert failure_reason(again) == "no room | left > right"


@pytest.mark.parametrize("message", [
    "", "no link", "a>b", "a | x", "a>b>c | x", ">b | x", "a> | x", " | "])
def test_what_names_no_link_blames_nobody(message: str) -> None:
    error = PipelineFailed(message)
    assert broken_link(error) == () and failure_reason(error) == error.message


def test_another_error_names_no_link() -> None:
    error = Unavailable("a>b | x")
    assert broken_link(error) == () and failure_reason(error) == "a>b | x"


def test_the_link_that_broke_first_is_kept_all_the_way_up() -> None:
    third = DiskFull("full")
    second = seen_from_upstream(("two", "three"), third)
    first = seen_from_upstream(("one", "two"), second)
    assert broken_link(first) == ("two", "three") and failure_reason(first) == "full"


def test_who_waits_upstream_is_more_patient() -> None:
    waits = [reply_seconds(10.0, nodes_after) for nodes_after in range(4)]
    assert waits[0] == 10.0
    assert all(later - earlier >= 2.0 for earlier, later in zip(waits, waits[1:]))
