"""The calling side: deadlines, and servers that do not keep to the protocol."""

import random
import socket
import struct
import threading
import time
from typing import Callable, List, Type

import pytest
from rpyc.core import brine

from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links.impostor import Impostor, reply
from tests.support.links.loopback import Loopback, mutate, works
from zookeeper.fabric.errors import (
    DeadlineExceeded,
    DfsError,
    ProtocolViolation,
    Unavailable,
)

LARGE = b"x" * (15 << 20)
"""More than the kernel holds for a connection: somebody has to read it."""


# Deadlines.


def test_a_slow_answer_is_not_waited_for(loopback: Loopback) -> None:
    remote = loopback.remote()
    with pytest.raises(DeadlineExceeded):
        remote.call("wait", timeout=0.1)
    assert remote.closed
    with pytest.raises(Unavailable, match="is closed"):
        remote.call("echo", 1, timeout=1)
    loopback.stage.gate.set()


@pytest.mark.parametrize("answer", [b"", reply("x" * 100)[:50], b"\0\0\0\x09\0" + b"x" * 3])
def test_a_server_that_stalls_in_its_reply_is_left(impostor: Impostor, answer: bytes) -> None:
    impostor.socket.sendall(struct.pack("!LB", 200, 0) + answer if answer else answer)
    with pytest.raises(DeadlineExceeded):
        impostor.remote.call("echo", 1, timeout=0.2)
    assert impostor.remote.closed


def test_a_server_that_drips_its_reply_is_left(impostor: Impostor) -> None:
    impostor.socket.sendall(struct.pack("!LB", 60_000, 0))
    done = threading.Event()

    def drip() -> None:
        while not done.wait(0.02):
            try:
                impostor.socket.sendall(b".")
            except OSError:
                return

    dripping = threading.Thread(target=drip)
    dripping.start()
    with pytest.raises(DeadlineExceeded):
        impostor.remote.call("echo", 1, timeout=0.3)
    done.set()
    dripping.join()


def test_a_server_that_does_not_read_a_large_request_is_left(impostor: Impostor) -> None:
    with pytest.raises(DeadlineExceeded):
        impostor.remote.call("echo", LARGE, timeout=0.2)
    assert impostor.remote.closed


def test_a_server_that_sends_no_packet_is_left(impostor: Impostor) -> None:
    body = impostor.remote.call_for_body("give", timeout=0.2)
    with pytest.raises(DeadlineExceeded):
        body.receive(memoryview(bytearray(10)))
    assert impostor.remote.closed


@pytest.mark.parametrize("sent", [b"\x80", b"\x80\0\0\x05\0\0\0\0ab"])
def test_a_server_that_stalls_in_a_packet_is_left(sent: bytes) -> None:
    impostor = Impostor(stall_seconds=0.2)
    impostor.socket.sendall(sent)
    body = impostor.remote.call_for_body("give", timeout=PATIENCE_SECONDS)
    with pytest.raises(DeadlineExceeded):
        body.receive(memoryview(bytearray(10)))
    assert impostor.remote.closed
    impostor.socket.close()


def test_a_server_that_takes_no_packets_is_left() -> None:
    impostor = Impostor(stall_seconds=0.2)
    body = impostor.remote.call_with_body("take", timeout=PATIENCE_SECONDS)
    with pytest.raises(DeadlineExceeded):
        for _ in range(100):
            body.send(LARGE[: 1 << 20], 0)
    assert impostor.remote.closed
    impostor.socket.close()


# Answers that nobody asked for.


@pytest.mark.parametrize(
    "message",
    [
        b"",
        reply(1, number=2),
        reply(1, number=0),
        b"\x01" + brine.dump((1, (3, (1, ())))),
        b"\x02" + brine.dump((1, (4, ("builtins.bytes", 1, 2)))),
        b"\x03" + brine.dump((1, ())),
        b"\x03" + brine.dump((2, (("", ""), ("not_leader", ""), (), ""))),
        b"\x02" + b"\x11" * 1000,
        b"\xff" * 100,
    ],
)
def test_an_answer_to_something_else_ends_the_connection(
    impostor: Impostor, message: bytes
) -> None:
    impostor.say(message)
    with pytest.raises(ProtocolViolation, match="^impostor: "):
        impostor.remote.call("echo", 1, timeout=PATIENCE_SECONDS)
    assert impostor.remote.closed


@pytest.mark.parametrize("size, compressed", [((16 << 20) + 1, 0), (2**32 - 1, 0), (10, 1)])
def test_a_frame_that_is_not_allowed_ends_the_connection(
    impostor: Impostor, size: int, compressed: int
) -> None:
    impostor.say(b"x" * 100, compressed, size)
    with pytest.raises(ProtocolViolation, match="not allowed"):
        impostor.remote.call("echo", 1, timeout=PATIENCE_SECONDS)
    assert impostor.remote.closed


def test_a_violation_that_the_server_reports_is_a_clean_error(impostor: Impostor) -> None:
    impostor.say(b"\x03" + brine.dump((1, (("", ""), ("protocol_violation", "gap"), (), ""))))
    with pytest.raises(ProtocolViolation, match="^gap$"):
        impostor.remote.call("echo", 1, timeout=PATIENCE_SECONDS)
    assert not impostor.remote.closed


def test_a_second_answer_is_not_taken_for_the_next_calls(impostor: Impostor) -> None:
    impostor.say(reply("first"))
    assert impostor.remote.call("echo", 1, timeout=PATIENCE_SECONDS) == "first"
    impostor.say(reply("again"))
    assert impostor.remote.stale
    with pytest.raises(ProtocolViolation):
        impostor.remote.call("echo", 2, timeout=PATIENCE_SECONDS)


def test_who_answers_twice_at_once_is_left(impostor: Impostor) -> None:
    impostor.say(reply("first"))
    impostor.say(reply("again"))
    with pytest.raises(ProtocolViolation, match="more than it was asked"):
        impostor.remote.call("echo", 1, timeout=PATIENCE_SECONDS)
    assert impostor.remote.closed


@pytest.mark.parametrize("size", [0, 4000, 4085, 4086, 4087, 100_000])
def test_an_answer_of_any_length_comes_as_it_was_sent(impostor: Impostor, size: int) -> None:
    impostor.say(reply("x" * size))
    assert impostor.remote.call("echo", 1, timeout=PATIENCE_SECONDS) == "x" * size
    assert not impostor.remote.stale


def test_an_interrupted_call_does_not_leave_its_answer_to_the_next(
    impostor: Impostor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_deadline: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(impostor.remote._stream, "await_readable", interrupted)
    with pytest.raises(KeyboardInterrupt):
        impostor.remote.call("echo", 1, timeout=PATIENCE_SECONDS)
    assert impostor.remote.closed


def test_another_thread_can_end_a_call(loopback: Loopback) -> None:
    remote = loopback.remote()
    errors: List[DfsError] = []

    def wait() -> None:
        try:
            remote.call("wait", timeout=PATIENCE_SECONDS)
        except DfsError as error:
            errors.append(error)

    loopback.stage.gate.clear()
    waiting = threading.Thread(target=wait)
    waiting.start()
    loopback.stage.entered.acquire()
    remote.close()
    waiting.join(PATIENCE_SECONDS)
    assert [type(error) for error in errors] == [Unavailable]
    loopback.stage.gate.set()


@pytest.mark.parametrize("seed", range(10))
def test_mutated_answers_are_values_or_errors_of_the_family(seed: int) -> None:
    chance = random.Random(seed)
    failure = b"\x03" + brine.dump((1, (("", ""), ("path_not_found", "why"), (), "")))
    for _ in range(30):
        impostor = Impostor()
        message = chance.choice([reply((1, "text", b"bytes", (None, 2.5))), reply(7), failure])
        frame = struct.pack("!LB", len(message), 0) + message + b"\n"
        impostor.socket.sendall(mutate(frame, chance) + bytes(8))
        impostor.socket.shutdown(socket.SHUT_WR)
        try:
            impostor.remote.call("echo", 1, timeout=PATIENCE_SECONDS)
        except DfsError:
            pass  # Whatever else is raised fails the test.
        impostor.remote.close()
        impostor.socket.close()


def until_error(action: Callable[[], object], kind: Type[DfsError]) -> None:
    """Repeat the action until it raises this error."""

    def raises() -> bool:
        try:
            action()
        except kind:
            return True
        return False

    wait_until(raises, what=f"{kind.__name__}")


def test_an_idle_connection_that_the_server_closed_is_stale() -> None:
    with Loopback(idle_timeout_seconds=0.2) as served:
        remote = served.remote()
        assert works(remote)
        wait_until(lambda: remote.stale, what="the server's end of an idle connection")
        until_error(lambda: remote.call("echo", 1, timeout=PATIENCE_SECONDS), Unavailable)


def test_time_is_of_the_monotonic_clock(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = loopback.remote()
    monkeypatch.setattr(time, "time", lambda: pytest.fail("asked the wall clock"))
    assert works(remote)
