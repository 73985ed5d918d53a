"""Clients that mean harm, over real sockets: they cost themselves a connection, and others nothing.

The hazards are those that were measured on stock RPyC 6.0.2, each in a sentence where it is tried.
"""

import random
import struct
import zlib
from typing import Iterator, List, Tuple

import pytest
from rpyc.core import brine, consts, vinegar

from tests.support.clusters.waiting import PATIENCE_SECONDS
from tests.support.links.loopback import KEY, ROLE, Loopback, Recorder, call, mutate, request
from tests.support.links.playground import FRAME_BYTES_MAX
from zookeeper.fabric import auth, logs, server
from zookeeper.fabric.auth import SECRET, Hello
from zookeeper.fabric.logs import EVENTS_PER_SECOND
from zookeeper.fabric.frames import REQUEST_PIECES_MAX
from zookeeper.fabric.rpc import LOCAL_OBJECTS_MAX

VALUE, TUPLE, LOCAL, REMOTE = (
    consts.LABEL_VALUE, consts.LABEL_TUPLE, consts.LABEL_LOCAL_REF, consts.LABEL_REMOTE_REF
)  # fmt: skip


@pytest.fixture(scope="module")
def loopback() -> Iterator[Loopback]:
    """One server for most of these tests: it has to survive all of them."""
    with Loopback() as served:
        yield served


def served(loopback: Loopback) -> bool:
    """Whether an honest client gets its answer."""
    remote = loopback.remote()
    try:
        return bool(remote.call("echo", 77, timeout=PATIENCE_SECONDS) == 77)
    finally:
        remote.close()


# Frames.


@pytest.mark.parametrize("length", [FRAME_BYTES_MAX + 1, 1 << 30, 2**32 - 1])
def test_a_frame_of_any_length_is_not_waited_for(loopback: Loopback, length: int) -> None:
    """Stock RPyC reads as many bytes as four bytes before the login say: 4 GB."""
    raw = loopback.raw()
    raw.send(struct.pack("!LB", length, 0))
    assert raw.await_end() == b""
    assert served(loopback)


@pytest.mark.parametrize("flag", [1, 2, 255])
def test_a_compressed_frame_is_not_unpacked(loopback: Loopback, flag: int) -> None:
    """Stock RPyC makes 0.7 GB of 61 KB."""
    raw = loopback.raw()
    raw.frame(zlib.compress(call("echo", bytes(1 << 26)), 9)[: FRAME_BYTES_MAX - 1], flag)
    assert raw.await_end() == b""
    assert served(loopback)


@pytest.mark.parametrize(
    "message",
    [
        b"", b"\x00", b"\x01", b"\xff" * 100, b"\x01" + brine.dump(1), b"\x01" + brine.dump((1,)),
        b"\x01" + brine.dump((1, 2)), b"\x01" + brine.dump((1, (1, 2, 3))),
        b"\x01" + brine.dump(("1", (1, (VALUE, ())))),
        b"\x01" + brine.dump((1.0, (1, (VALUE, ())))),
        b"\x04" + brine.dump((1, (1, (VALUE, ())))), b"\x01\x11",
        # Nested tuples, and nested texts, a thousand deep.
        b"\x01" + b"\x10" * 5000, b"\x01" + b"\x08" * 5000, b"\x01" + b"\x14\x01" * 2500,
        # A tuple of four billion, a text that is not UTF-8, a lone surrogate, an unknown tag.
        b"\x01\x15\xff\xff\xff\xff", b"\x01\x11\x51\x08\x0b\xff\xfe",
        b"\x01\x11\x51\x08\x0c\xed\xb3\xbf",
        b"\x01\x11\x51\x09", b"\x01\x11\x51\x17\x00\x00\x10\x00" + b"9" * 4096 + b"x",
    ],
)  # fmt: skip
def test_a_malformed_message_ends_its_connection(loopback: Loopback, message: bytes) -> None:
    raw = loopback.raw()
    raw.frame(message)
    assert raw.await_end() == b""
    assert served(loopback)


@pytest.mark.parametrize("kind", [consts.MSG_REPLY, consts.MSG_EXCEPTION])
def test_answers_that_nobody_asked_for_are_not_kept(loopback: Loopback, kind: int) -> None:
    """Stock RPyC keeps a class for each unknown exception, for ever: 107 MB of 30,000 frames."""
    known = len(vinegar._generic_exceptions_cache)
    for number in range(20):
        raw = loopback.raw()
        content = (("any", f"Class{number}"), ("x",), (), "")
        raw.frame(bytes([kind]) + brine.dump((1, content if kind == 3 else (VALUE, 1))))
        assert raw.await_end() == b""
    assert len(vinegar._generic_exceptions_cache) == known


@pytest.mark.parametrize(
    "value", [frozenset(range(1000)), slice(1, 2), 1j, Ellipsis, NotImplemented, (1, frozenset())]
)
def test_types_that_nobody_needs_are_not_built(loopback: Loopback, value: object) -> None:
    """A frozenset of 20,000 colliding integers costs 3 s: hashing is quadratic then."""
    raw = loopback.raw()
    raw.frame(call("echo", value))
    assert raw.await_end() == b""
    assert served(loopback)


def test_a_message_of_very_many_values_is_not_taken_apart() -> None:
    """A tuple of one costs a byte on the wire and 64 bytes here."""
    chain = b"\x10" * 100 + b"\x00"

    def message(chains: int) -> bytes:
        head = b"\x01\x11\x51\x11\x58\x11\x51\x13\x00\x08\x0decho"
        return head + b"\x10\x15" + struct.pack("!L", chains) + chain * chains + b"\x02"

    with Loopback(max_frame_bytes=16 << 20) as roomy:
        raw = roomy.raw()
        for chains in (10, 1000):  # A small frame, and one that is watched while it is read.
            raw.frame(message(chains))
            kind, (_, value) = raw.answer()
            assert kind == consts.MSG_REPLY and len(value) == chains
        raw.frame(message(REQUEST_PIECES_MAX // 100))
        assert raw.await_end() == b""


# Requests.

BY_VALUE: List[Tuple[int, tuple]] = [
    (consts.HANDLE_CALLATTR, (b"x", "__mul__", (1 << 30,))),
    (consts.HANDLE_CALLATTR, (b"x", "exposed___mul__", (1 << 30,))),
    (consts.HANDLE_CALLATTR, (b"x", "echo", (1,))),
    (consts.HANDLE_GETATTR, (b"x", "echo")),
    (consts.HANDLE_CALLATTR, (10, "__pow__", (10**9,))),
    (consts.HANDLE_CALLATTR, ("{:1000000000}", "format", ("x",))),
    (consts.HANDLE_GETATTR, ("text", "__class__")),
    (consts.HANDLE_GETATTR, ((), "__class__")),
    (consts.HANDLE_CALL, (b"x", (1 << 30,))),
    (consts.HANDLE_CALL, (None, ())),
    (consts.HANDLE_CALL, ()),
    (consts.HANDLE_CALLATTR, ()),
    (consts.HANDLE_CALLATTR, (None, "echo")),
    (consts.HANDLE_CALLATTR, (None, "echo", 5)),
    (consts.HANDLE_CALLATTR, (None, "echo", None, None)),
    (consts.HANDLE_CALLATTR, (None, "echo", (1,), (("value", 1),))),
    (consts.HANDLE_CALLATTR, (None, "echo", (), tuple((n * (2**61 - 1), 0) for n in range(1000)))),
    (consts.HANDLE_CALLATTR, (None, b"echo", (1,))),
    (consts.HANDLE_CALLATTR, (None, 5, (1,))),
    (consts.HANDLE_CALLATTR, (None, ("echo",), (1,))),
    (consts.HANDLE_DEL, (b"x", 1)),
    (consts.HANDLE_DEL, (b"x", -(10**100))),
    (consts.HANDLE_PING, ()),
    (consts.HANDLE_PING, (1, 2)),
    (consts.HANDLE_GETROOT, (1,)),
    (consts.HANDLE_INSPECT, ()),
    (consts.HANDLE_INSPECT, (1, 2)),
]


@pytest.mark.parametrize("handler, arguments", BY_VALUE)
def test_a_value_is_no_object_to_call(loopback: Loopback, handler: int, arguments: tuple) -> None:
    """Stock RPyC calls methods of values: 48 bytes make it allocate 3 GB."""
    raw = loopback.raw()
    for boxed in ((VALUE, arguments), (TUPLE, tuple((VALUE, item) for item in arguments))):
        raw.request(handler, boxed)
        assert raw.refusal() == "invalid_argument"
    raw.frame(call("echo", 1))
    assert raw.answer() == (consts.MSG_REPLY, (VALUE, 1))


BOXED = [
    None, 5, b"xy", "xy", (), (VALUE,), (VALUE, 1), (TUPLE, 1), (TUPLE, ()), (TUPLE, (1,)),
    (TUPLE, ((),)), (LOCAL, ("x", 1, 2)), (REMOTE, ("x", 1, 2)), (9, ()), (None, None),
    (TUPLE, ((LOCAL, ("builtins.object", 1, 2)), (VALUE, "echo"), (VALUE, (1,)))),
    (TUPLE, ((LOCAL, ()), (VALUE, "echo"), (VALUE, (1,)))),
    # Netrefs: stock RPyC calls back to the client to learn what they are, and waits; their
    # `isinstance` says what the client wants.
    (TUPLE, ((VALUE, None), (VALUE, "echo"), (TUPLE, ((REMOTE, ("builtins.bytes", 1, 2)),)))),
    (TUPLE, ((VALUE, None), (VALUE, "echo"), (TUPLE, ((TUPLE, ((REMOTE, ("a", 1, 2)),)),)))),
    (TUPLE, ((REMOTE, ("builtins.bytes", 1, 2)), (VALUE, "echo"), (VALUE, (1,)))),
    (TUPLE, ((VALUE, None), (VALUE, "echo"), (TUPLE, ((LOCAL, ("a", 1, 2)),)))),
]  # fmt: skip


@pytest.mark.parametrize("boxed", BOXED, ids=repr)
def test_a_request_of_another_shape_is_refused(loopback: Loopback, boxed: object) -> None:
    raw = loopback.raw()
    for handler in (consts.HANDLE_CALLATTR, consts.HANDLE_CALL, consts.HANDLE_GETATTR):
        raw.request(handler, boxed)
        assert raw.refusal() == "invalid_argument"
    raw.frame(call("echo", 1))
    assert raw.answer() == (consts.MSG_REPLY, (VALUE, 1))


def test_the_root_is_no_argument_and_no_value(loopback: Loopback) -> None:
    raw = loopback.raw()
    raw.request(consts.HANDLE_GETROOT, (VALUE, ()))
    kind, (label, root) = raw.answer()
    assert (kind, label) == (consts.MSG_REPLY, REMOTE)
    raw.request(consts.HANDLE_CALLATTR, (TUPLE, ((LOCAL, root), (VALUE, "echo"), (VALUE, (5,)))))
    assert raw.answer() == (consts.MSG_REPLY, (VALUE, 5))
    for boxed in (
        (TUPLE, ((LOCAL, root), (VALUE, "echo"), (TUPLE, ((LOCAL, root),)))),
        (TUPLE, ((LOCAL, root), (LOCAL, root), (VALUE, ()))),
        (TUPLE, ((LOCAL, root), (VALUE, ()))),
    ):
        raw.request(consts.HANDLE_CALLATTR, boxed)
        assert raw.refusal() == "invalid_argument"
    # It can be given back, any number of times, and is gone then.
    for count in (-5, 10**50, 1):
        raw.request(consts.HANDLE_DEL, (TUPLE, ((LOCAL, root), (VALUE, count))))
        raw.answer()
    raw.request(consts.HANDLE_CALLATTR, (TUPLE, ((LOCAL, root), (VALUE, "echo"), (VALUE, (5,)))))
    assert raw.refusal() == "invalid_argument"


def test_references_are_bounded(loopback: Loopback) -> None:
    """Stock RPyC keeps every method that a client asks for: 38 MB of 100,000."""
    raw = loopback.raw()
    asked = request(consts.HANDLE_GETATTR, (VALUE, (None, "echo")))
    granted = 0
    for _ in range(LOCAL_OBJECTS_MAX + 50):
        raw.frame(asked)
        granted += raw.answer()[0] == consts.MSG_REPLY
    assert granted == LOCAL_OBJECTS_MAX
    raw.frame(call("echo", 1))
    assert raw.answer() == (consts.MSG_REPLY, (VALUE, 1))


def test_a_large_number_is_a_number_and_a_huge_one_is_nothing(loopback: Loopback) -> None:
    raw = loopback.raw()
    raw.frame(call("echo", -(10**250)))
    assert raw.answer()[1] == (VALUE, -(10**250))
    raw.frame(b"\x01\x11\x51\x11\x58\x17" + struct.pack("!L", 50_000) + b"9" * 50_000)
    assert raw.await_end() == b""


def test_a_refusal_shows_no_traceback_and_no_version(loopback: Loopback) -> None:
    raw = loopback.raw()
    for message in (call("crash"), call("fail"), call("nothing"), call("echo")):
        raw.frame(message)
        kind, ((module, name), arguments, attributes, traceback) = raw.answer()
        assert (kind, module, attributes, traceback) == (consts.MSG_EXCEPTION, "pyhdfs", (), "")
        assert len(arguments) == 2 and name in ("InternalError", "InvalidArgument")


def test_attacks_write_few_log_lines(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tests before this one may have used up what one second allows.
    monkeypatch.setattr(server, "log", logs.get("server"))
    with Recorder() as log:
        for _ in range(200):
            raw = loopback.raw()
            raw.request(consts.HANDLE_PICKLE, (VALUE, ()))
            raw.frame(b"\xff")
            raw.hang_up()
            raw.await_end()
            raw.close()
    assert log.tracebacks == 0
    seconds = log.records[-1].created - log.records[0].created
    assert 0 < len(log.lines) <= EVENTS_PER_SECOND * (seconds + 2)


# Random bytes.

SEEDS = range(15)
FRAMES_A_SEED = 100

VALID = [
    call("echo", 1, "text", b"bytes", (1.5, None, True)),
    call("principal"),
    call("give", 2, 10),
    call("take", b"") + b"\n\x80\0\0\x03\0\0\0\0abc\x80\0\0\0\0\0\0\0",
    request(consts.HANDLE_GETROOT, (VALUE, ())),
    request(consts.HANDLE_GETATTR, (VALUE, (None, "echo"))),
    request(consts.HANDLE_PING, (VALUE, ("x" * 50,))),
    request(consts.HANDLE_CALL, (TUPLE, ((LOCAL, ("x", 1, 2)), (VALUE, ()), (VALUE, ())))),
    request(consts.HANDLE_DEL, (TUPLE, ((LOCAL, ("x", 1, 2)), (VALUE, 1)))),
]


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_frames_hurt_nobody(seed: int) -> None:
    """1,500 connections in all; the fixture finds any thread or descriptor that is left."""
    chance = random.Random(seed)
    with Loopback(stall_timeout_seconds=1.0) as attacked:
        for _ in range(FRAMES_A_SEED):
            raw = attacked.raw()
            message = chance.choice(VALID)
            if chance.randrange(2):
                raw.frame(mutate(message, chance))
            else:
                raw.send(mutate(struct.pack("!LB", len(message), 0) + message + b"\n", chance))
            raw.hang_up()
            raw.await_end()
            raw.close()
        assert served(attacked)


@pytest.mark.parametrize("seed", range(3))
def test_mutated_handshakes_let_nobody_in(seed: int) -> None:
    chance = random.Random(seed)
    with Loopback(SECRET, handshake_timeout_seconds=1.0) as attacked:
        for _ in range(FRAMES_A_SEED):
            raw = attacked.raw()
            hello = Hello(SECRET, bytes(32), "user:mallory")
            raw.send(mutate(auth.encode_hello(hello), chance))
            raw.send(mutate(auth.client_proof(KEY, hello, bytes(32), ROLE), chance))
            raw.frame(call("echo", "let in"))
            raw.hang_up()
            assert b"let in" not in raw.await_end()
            raw.close()
        assert served(attacked)
