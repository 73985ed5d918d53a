"""The calling side: deadlines, and servers that do not keep to the protocol."""

import contextlib
import random
import socket
import struct
import threading
import time
from typing import Callable, Iterator, List, Type

import pytest
from rpyc.core import brine

from tests.support.links.loopback import Loopback, mutate, works
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric.errors import (
    DeadlineExceeded,
    DfsError,
    ProtocolViolation,
    Unavailable,
)
from zookeeper.fabric.frames import Request
from zookeeper.fabric.remote import Remote, answering
from zookeeper.fabric.sockets import adopt
from zookeeper.fabric.settings import NetworkSettings
from zookeeper.fabric.stream import Stream, readable

LARGE = b"x" * (15 << 20)
"""More than the kernel holds for a connection: somebody has to read it."""


class Impostor:
    """A peer of a Remote whose every byte the test decides; no handshake."""

    def __init__(self, stall_seconds: float = PATIENCE_SECONDS) -> None:
        near, self.socket = socket.socketpair()
        self.socket.settimeout(PATIENCE_SECONDS)
        network = NetworkSettings(stall_timeout_seconds=stall_seconds)
        self.remote = Remote(adopt(near, network, "impostor"), network, "impostor")

    def say(self, message: bytes, compressed: int = 0, length: int = -1) -> None:
        """Send a frame ahead of the call that it will answer."""
        size = len(message) if length < 0 else length
        self.socket.sendall(struct.pack("!LB", size, compressed) + message + b"\n")


@pytest.fixture
def impostor() -> Iterator[Impostor]:
    """A server that means no good."""
    made = Impostor()
    yield made
    made.remote.close()
    made.socket.close()


def reply(value: object, number: int = 1) -> bytes:
    """The message of a reply."""
    return b"\x02" + brine.dump((number, (1, value)))


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


# Several servers at once.


def test_one_thread_asks_several_servers_at_once(loopback: Loopback) -> None:
    slow, quick = loopback.remote(), loopback.remote()
    loopback.stage.gate.clear()
    slow.begin(Request("wait", ()), 1)
    quick.begin(Request("echo", ("now",)), 1)
    assert answering([slow, quick], PATIENCE_SECONDS) == [quick]
    assert quick.finish(1) == "now" and answering([slow, quick], 0) == []
    loopback.stage.gate.set()
    assert answering([slow, quick], PATIENCE_SECONDS) == [slow]
    slow.finish(1)
    assert works(slow) and works(quick)


def test_a_refusal_is_an_answer_and_a_lost_connection_ends_the_waiting(
    loopback: Loopback, impostor: Impostor
) -> None:
    refused = loopback.remote()
    refused.begin(Request("nowhere", ()), 1)
    impostor.remote.begin(Request("echo", (1,)), 1)
    assert answering([refused, impostor.remote], PATIENCE_SECONDS) == [refused]
    with pytest.raises(DfsError):
        refused.finish(1)
    assert works(refused)
    impostor.socket.close()
    assert answering([refused, impostor.remote], PATIENCE_SECONDS) == [impostor.remote]
    with pytest.raises(Unavailable):
        impostor.remote.finish(1)
    assert impostor.remote.closed


def test_an_answer_that_is_not_finished_in_time_closes(impostor: Impostor) -> None:
    impostor.remote.begin(Request("echo", (1,)), 1)
    impostor.socket.sendall(struct.pack("!LB", 200, 0) + b"half")
    assert answering([impostor.remote], PATIENCE_SECONDS) == [impostor.remote]
    with pytest.raises(DeadlineExceeded):
        impostor.remote.finish(0.1)
    assert impostor.remote.closed


def test_who_does_not_read_keeps_nobody(impostor: Impostor, loopback: Loopback) -> None:
    """What it does not take at once goes on its way while answers are waited for."""
    quick = loopback.remote()
    impostor.remote.begin(Request("echo", (LARGE,)), 0)
    quick.begin(Request("echo", ("now",)), 0)
    assert answering([impostor.remote, quick], PATIENCE_SECONDS) == [quick]
    assert quick.finish(1) == "now" and not impostor.remote.closed
    heard = bytearray()

    def hear() -> None:
        while len(heard) < len(LARGE):
            heard.extend(impostor.socket.recv(1 << 16))
        impostor.socket.settimeout(0.2)
        with contextlib.suppress(socket.timeout):
            heard.extend(impostor.socket.recv(1 << 16))
        impostor.say(reply("all"))

    reader = threading.Thread(target=hear)
    reader.start()
    assert answering([impostor.remote], PATIENCE_SECONDS) == [impostor.remote]
    assert impostor.remote.finish(1) == "all" and bytes(heard).count(LARGE) == 1
    reader.join()


def test_who_goes_in_the_middle_of_a_message_is_over(impostor: Impostor) -> None:
    impostor.remote.begin(Request("echo", (LARGE,)), 0)
    assert answering([impostor.remote], 0) == []
    impostor.socket.close()
    assert answering([impostor.remote], PATIENCE_SECONDS) == [impostor.remote]
    with pytest.raises(Unavailable):
        impostor.remote.finish(1)


def test_who_answers_in_the_middle_of_a_message_is_asked_nothing_more(impostor: Impostor) -> None:
    """The rest of it would become the beginning of the next one."""
    impostor.say(reply("early"))
    impostor.remote.begin(Request("echo", (LARGE,)), 0)
    assert answering([impostor.remote], PATIENCE_SECONDS) == [impostor.remote]
    assert impostor.remote.finish(1) == "early"
    with pytest.raises(Unavailable, match="not heard to the end"):
        impostor.remote.begin(Request("echo", (1,)), 0)
    assert impostor.remote.closed


class HoldingStream(Stream):
    """As with TLS: bytes that were received, and may be a part of a record only."""

    plain, holds_bytes, whole = False, True, False

    def poll(self, seconds: float) -> bool:
        """Whether what it holds is whole."""
        assert seconds == 0
        return self.whole


def test_bytes_that_are_held_are_no_answer_before_they_are_whole() -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    held, other = HoldingStream(pairs[0][0], 1, "held"), Stream(pairs[1][0], 1, "other")
    assert readable([held, other], 0) == []
    pairs[1][1].sendall(b"!")
    assert readable([held, other], PATIENCE_SECONDS) == [other]
    held.whole = True
    assert readable([held, other], PATIENCE_SECONDS) == [held, other]
    other.close()
    held.whole = False
    assert readable([held, other], PATIENCE_SECONDS) == [other]
    held.close()
    for _, far in pairs:
        far.close()
