"""One thread that asks several servers at once: whose answers have come, and who keeps nobody."""

import contextlib
import socket
import struct
import threading

import pytest

from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links.impostor import Impostor, reply
from tests.support.links.loopback import Loopback, works
from zookeeper.fabric.errors import DeadlineExceeded, DfsError, ProtocolViolation, Unavailable
from zookeeper.fabric.frames import Request
from zookeeper.fabric.remote import answering
from zookeeper.fabric.stream import Stream, readable

LARGE = b"x" * (15 << 20)
"""More than the kernel holds for a connection: somebody has to read it."""


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


def test_half_an_answer_is_none_and_keeps_nobody(impostor: Impostor, loopback: Loopback) -> None:
    quick = loopback.remote()
    for said in range(1, len(reply("all")) + 6):
        message = reply("all", said)
        whole = struct.pack("!LB", len(message), 0) + message + b"\n"
        impostor.remote.begin(Request("echo", (1,)), 1)
        quick.begin(Request("echo", ("now",)), 1)
        impostor.socket.sendall(whole[:said])
        wait_until(lambda: impostor.remote._stream.poll(0))
        assert answering([impostor.remote, quick], PATIENCE_SECONDS) == [quick]
        assert quick.finish(0) == "now" and answering([impostor.remote], 0.001) == []
        impostor.socket.sendall(whole[said:])
        for _ in range(2):
            found = answering([impostor.remote], PATIENCE_SECONDS)
            assert found == [impostor.remote], "also when it was not taken the first time"
        assert impostor.remote.finish(0) == "all"
    assert len(whole) == said + 1, "wherever it was cut"


@pytest.mark.parametrize("said", [0, 3, 9])
def test_an_answer_that_is_not_finished_in_time_closes(impostor: Impostor, said: int) -> None:
    impostor.remote.begin(Request("echo", (1,)), 1)
    impostor.socket.sendall((struct.pack("!LB", 200, 0) + b"half")[:said])
    wait_until(lambda: not said or impostor.remote._stream.poll(0))
    assert answering([impostor.remote], 0) == []
    with pytest.raises(DeadlineExceeded):
        impostor.remote.finish(0.01)
    assert impostor.remote.closed


def test_what_ends_an_answer_in_its_middle_is_told(impostor: Impostor) -> None:
    impostor.remote.begin(Request("echo", (1,)), 1)
    impostor.socket.sendall(struct.pack("!LB", 200, 0) + b"half")
    impostor.socket.close()
    assert answering([impostor.remote], PATIENCE_SECONDS) == [impostor.remote]
    with pytest.raises(Unavailable, match="closed the connection|lost the connection"):
        impostor.remote.finish(0)


def test_an_answer_of_a_length_that_is_not_allowed_ends_the_waiting(impostor: Impostor) -> None:
    impostor.remote.begin(Request("echo", (1,)), 1)
    impostor.socket.sendall(struct.pack("!LB", 1 << 31, 0))
    assert answering([impostor.remote], PATIENCE_SECONDS) == [impostor.remote]
    with pytest.raises(ProtocolViolation, match="not allowed"):
        impostor.remote.finish(0)


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
