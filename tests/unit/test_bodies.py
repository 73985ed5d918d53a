"""Calls with bodies: whole ones, broken ones, and errors at every moment of them."""

from pathlib import Path

import pytest

from tests.support.clusters.waiting import PATIENCE_SECONDS
from tests.support.links.loopback import Loopback, works
from tests.support.links.playground import BUFFER_BYTES
from zookeeper.fabric.errors import (
    DfsError,
    InvalidArgument,
    PathNotFound,
    PipelineFailed,
    ProtocolViolation,
    Unavailable,
)
from zookeeper.fabric.remote import Remote

PACKET = b"p" * (1 << 18)
PLENTY = 400
"""Packets that no kernel holds for us: somebody has to read them."""


@pytest.mark.parametrize("packets", [0, 1, 5])
def test_a_body_is_taken_and_the_connection_used_again(remote: Remote, packets: int) -> None:
    for _ in range(3):
        body = remote.call_with_body("take", b"123", timeout=PATIENCE_SECONDS)
        for _ in range(packets):
            body.send(PACKET, 0)
        assert body.finish() == (3 + packets * len(PACKET), True)
    assert works(remote)


@pytest.mark.parametrize("packets", [0, 1, 300])
def test_a_body_is_given_and_the_connection_used_again(remote: Remote, packets: int) -> None:
    buffer = memoryview(bytearray(BUFFER_BYTES))
    for _ in range(3):
        body = remote.call_for_body("give", packets, 1000, timeout=PATIENCE_SECONDS)
        for index in range(packets):
            received = body.receive(buffer)
            assert received is not None
            assert bytes(received[0]) == bytes([index % 256]) * 1000
            assert received[1] == index
        assert body.receive(buffer) is None
    assert works(remote)


def send_until_refused(remote: Remote, method: str, *args: object) -> DfsError:
    """The error that ends a client's sending of a hundred megabytes."""
    body = remote.call_with_body(method, *args, timeout=PATIENCE_SECONDS)
    with pytest.raises(DfsError) as caught:
        for _ in range(PLENTY):
            body.send(PACKET, 0)
        body.finish()
    return caught.value


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_early_error_reaches_a_client_that_is_still_sending(
    loopback: Loopback, after: int
) -> None:
    remote = loopback.remote()
    error = send_until_refused(remote, "refuse_body", after)
    assert type(error) is PipelineFailed
    assert error.message == f"after {after} packets"
    assert remote.closed


def test_a_method_that_takes_no_body_refuses_one(loopback: Loopback) -> None:
    remote = loopback.remote()
    error = send_until_refused(remote, "refuse", "no body")
    assert type(error) is PathNotFound
    assert remote.closed


@pytest.mark.parametrize("method", ["no_such_method", "take"])
def test_a_call_that_never_begins_is_an_error_for_who_is_sending(
    loopback: Loopback, method: str
) -> None:
    remote = loopback.remote()
    error = send_until_refused(remote, method)
    assert type(error) is InvalidArgument
    assert remote.closed


def test_an_answer_before_the_body_is_whole_breaks_the_call_off(loopback: Loopback) -> None:
    remote = loopback.remote()
    error = send_until_refused(remote, "ignore_body")
    assert type(error) is ProtocolViolation
    assert remote.closed


def test_a_clean_error_at_the_end_of_a_body_keeps_the_connection(remote: Remote) -> None:
    body = remote.call_with_body("take_and_refuse", timeout=PATIENCE_SECONDS)
    body.send(PACKET, 0)
    with pytest.raises(PipelineFailed, match="after all of it"):
        body.finish()
    assert works(remote)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_body_that_breaks_off_gives_the_real_error(remote: Remote, count: int) -> None:
    buffer = memoryview(bytearray(BUFFER_BYTES))
    body = remote.call_for_body("give_some", count, timeout=PATIENCE_SECONDS)
    for _ in range(count):
        assert body.receive(buffer) is not None
    with pytest.raises(PipelineFailed, match=f"after {count} packets"):
        body.receive(buffer)
    assert works(remote)


@pytest.mark.parametrize("method", ["no_such_method", "give", "refuse"])
def test_an_error_before_the_body_is_not_taken_for_a_packet(remote: Remote, method: str) -> None:
    body = remote.call_for_body(method, "x", timeout=PATIENCE_SECONDS)
    with pytest.raises((InvalidArgument, PathNotFound)):
        body.receive(memoryview(bytearray(BUFFER_BYTES)))
    assert works(remote)


def test_a_value_in_the_place_of_a_body_is_a_violation(loopback: Loopback) -> None:
    remote = loopback.remote()
    body = remote.call_for_body("echo", 1, timeout=PATIENCE_SECONDS)
    with pytest.raises(ProtocolViolation, match="without a body"):
        body.receive(memoryview(bytearray(BUFFER_BYTES)))
    assert remote.closed


def test_a_file_that_is_too_short_breaks_the_connection_not_the_data(
    loopback: Loopback, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    remote = loopback.remote()
    body = remote.call_for_body("give_file", str(tmp_path / "file"), 101, timeout=5)
    with pytest.raises(Unavailable):
        body.receive(memoryview(bytearray(BUFFER_BYTES)))
    assert remote.closed


def test_who_hangs_up_in_the_middle_of_a_body_leaves_nothing_behind(loopback: Loopback) -> None:
    remote = loopback.remote()
    body = remote.call_with_body("take", b"", timeout=PATIENCE_SECONDS)
    body.send(PACKET, 0)
    body.close()
    assert remote.closed
    assert works(loopback.remote())
