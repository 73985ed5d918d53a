"""Calls and their values, with our own client and with a stock one, over 127.0.0.1."""

import enum
import socket
import struct
from typing import Any, Iterator, List, NamedTuple, Type

import pytest
import rpyc
from rpyc.core import brine, consts, vinegar

from tests.support.clusters.waiting import PATIENCE_SECONDS
from tests.support.links.loopback import Loopback, Recorder
from tests.support.links.playground import FRAME_BYTES_MAX
from zookeeper.fabric import frames, logs, rpc
from zookeeper.fabric.budget import Account, Budget
from zookeeper.fabric.errors import (
    DfsError,
    InternalError,
    InvalidArgument,
    NotLeader,
    PathNotFound,
    ProtocolViolation,
)
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.rpc import plain
from zookeeper.fabric.settings import Address
from zookeeper.fabric.sockets import dial


class Pair(NamedTuple):
    """A message."""

    left: int
    right: tuple


class Color(enum.IntEnum):
    """Something that looks like an int."""

    RED = 1


@pytest.fixture
def root(loopback: Loopback) -> Iterator[Any]:
    """The service as a stock RPyC client sees it."""
    connection = rpyc.connect(*loopback.address, config={"sync_request_timeout": PATIENCE_SECONDS})
    yield connection.root
    connection.close()


PLAIN = [
    None, True, False, 0, -1, 160, 2**63, -(10**200), 10**900, 0.0, float("inf"),
    "", "é\x00😀", "x" * 300,
    b"", b"\x00\xff", b"y" * 300, (), (1,), (1, (2, ("three", b"4", (None,)))), tuple(range(300)),
]  # fmt: skip


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: repr(value)[:20])
def test_plain_values_cross_unchanged(remote: Remote, root: Any, value: Any) -> None:
    for answer in (remote.call("echo", value, timeout=PATIENCE_SECONDS), root.echo(value)):
        assert answer == value
        assert type(answer) is type(value)


def test_named_tuples_cross_as_plain_tuples(remote: Remote) -> None:
    answer = remote.call("echo", Pair(1, (Pair(2, ()),)), timeout=PATIENCE_SECONDS)
    assert answer == (1, ((2, ()),))
    assert type(answer) is type(answer[1][0]) is tuple


UNFIT = [[], {}, set(), frozenset(), object(), bytearray(b"x"), memoryview(b"x"), 1j, Ellipsis,
         slice(1), NotImplemented, Color.RED, range(3), len, ValueError]  # fmt: skip


@pytest.mark.parametrize("value", UNFIT, ids=lambda value: type(value).__name__)
def test_our_client_sends_nothing_else(remote: Remote, value: object) -> None:
    for argument in (value, (1, (value,))):
        with pytest.raises(TypeError, match="may not cross the wire"):
            plain(argument)
        with pytest.raises(TypeError, match="may not cross the wire"):
            remote.call("echo", argument, timeout=PATIENCE_SECONDS)
    # Nothing was sent, so nothing is broken.
    assert remote.call("echo", 1, timeout=PATIENCE_SECONDS) == 1


@pytest.mark.parametrize("value", [[], {}, object(), (1, [2]), bytearray(b"x"), len])
def test_a_stock_client_cannot_pass_objects(root: Any, value: object) -> None:
    with pytest.raises(Exception, match="a reference to an object is refused"):
        root.echo(value)
    assert root.echo(1) == 1


def test_the_service_itself_is_no_argument(root: Any) -> None:
    for value in (root, root.echo, (root,)):
        with pytest.raises(Exception, match="a reference to an object is refused"):
            root.echo(value)


@pytest.mark.parametrize(
    "value",
    ["\udcff", ("a", ("\ud800",)), 10**5000, b"x" * FRAME_BYTES_MAX],
    ids=["surrogate", "deep surrogate", "number", "large"],
)
def test_a_value_that_cannot_be_sent_is_an_invalid_argument(remote: Remote, value: Any) -> None:
    with pytest.raises(InvalidArgument, match="an argument of echo cannot be sent"):
        remote.call("echo", value, timeout=PATIENCE_SECONDS)
    assert remote.call("echo", 1, timeout=PATIENCE_SECONDS) == 1


BAD_RESULTS = ["surrogate", "number", "large", "list", "dictionary", "object", "nested"]


@pytest.mark.parametrize("kind", BAD_RESULTS)
def test_a_result_that_cannot_be_sent_is_an_error_of_the_call(remote: Remote, kind: str) -> None:
    with pytest.raises(InternalError):
        remote.call("result", kind, timeout=PATIENCE_SECONDS)
    assert not remote.closed
    assert remote.call("echo", 1, timeout=PATIENCE_SECONDS) == 1


def test_a_method_that_is_not_exposed_leads_nowhere_even_when_returned(root: Any) -> None:
    """A bound method of the service is a reference, and can be called: only exposed ones."""
    with pytest.raises(Exception, match="unexpected error"):
        root.result("unexposed")


def test_errors_arrive_as_the_class_that_was_raised(remote: Remote) -> None:
    with pytest.raises(PathNotFound) as caught:
        remote.call("refuse", "/no/such — thing", timeout=PATIENCE_SECONDS)
    assert type(caught.value) is PathNotFound
    assert caught.value.message == "/no/such — thing"
    assert not remote.closed


def test_an_error_with_an_odd_message_arrives_all_the_same(remote: Remote) -> None:
    with pytest.raises(NotLeader) as caught:
        remote.call("refuse_oddly", timeout=PATIENCE_SECONDS)
    assert caught.value.message == "?" + "x" * (rpc.ERROR_CHARACTERS_MAX - 1)


def test_a_stock_client_gets_code_and_message_and_no_more(root: Any) -> None:
    with pytest.raises(vinegar.GenericException) as caught:
        root.refuse("/no/such")
    error: Any = caught.value
    assert type(error).__name__ == "pyhdfs.PathNotFound"
    assert error.args == ("path_not_found", "/no/such")
    assert error._remote_tb == ""
    assert not hasattr(error, "_remote_version")


@pytest.mark.parametrize("method", ["fail", "crash"])
def test_a_defect_is_internal_and_keeps_its_details(
    remote: Remote, root: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "log", logs.get("rpc"))
    with Recorder() as log, pytest.raises(InternalError) as caught:
        remote.call(method, timeout=PATIENCE_SECONDS)
    assert log.tracebacks == 1 and log.lines[0].startswith("call.failed error=")
    assert "secret" not in caught.value.message and "wire" not in caught.value.message
    with pytest.raises(Exception, match="unexpected error"):
        getattr(root, method)()


@pytest.mark.parametrize(
    "method, arguments",
    [("echo", ()), ("echo", (1, 2)), ("principal", (1,)), ("take", ()), ("give", (1,))],
)
def test_a_wrong_number_of_arguments_is_invalid(
    loopback: Loopback, method: str, arguments: tuple
) -> None:
    remote = loopback.remote()
    with pytest.raises(InvalidArgument, match=f"^{method}[(:]"):
        if method == "give":
            remote.call_for_body(method, *arguments, timeout=5).receive(memoryview(bytearray(1)))
        elif method == "take":
            remote.call_with_body(method, *arguments, timeout=PATIENCE_SECONDS).finish()
        else:
            remote.call(method, *arguments, timeout=PATIENCE_SECONDS)


HIDDEN = [
    "secret", "_stage", "unexposed", "peer", "on_connect", "on_disconnect", "__class__",
    "__init__", "__dict__", "__doc__", "__getattribute__", "_rpyc_getattr", "get_service_name",
    "exposed_", "", "ECHO", "echo ", "exposed_exposed_echo", "x" * 1000, "é\x00",
]  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN, ids=repr)
def test_what_is_not_exposed_does_not_exist(remote: Remote, root: Any, name: str) -> None:
    with pytest.raises(InvalidArgument, match="no such method") as caught:
        remote.call(name, timeout=PATIENCE_SECONDS)
    assert len(caught.value.message) < 200
    netref = object.__getattribute__(root, "____conn__")
    for handler, arguments in (
        (consts.HANDLE_GETATTR, (name,)),
        (consts.HANDLE_CALLATTR, (name, (), ())),
    ):
        with pytest.raises(Exception, match="no such method"):
            netref.sync_request(handler, root, *arguments)


SERVED = ("PING", "CLOSE", "GETROOT", "GETATTR", "CALL", "CALLATTR", "DEL", "INSPECT")
REFUSED = sorted(
    value
    for name, value in vars(consts).items()
    if name.startswith("HANDLE_") and name[len("HANDLE_") :] not in SERVED
)


@pytest.mark.parametrize("handler", REFUSED + [0, 99, -1, None, "1", (1,)])
def test_other_handlers_do_not_exist(root: Any, handler: Any) -> None:
    connection = object.__getattribute__(root, "____conn__")
    for arguments in ((), (root,), (root, "exposed_echo"), (root, "exposed_echo", 1)):
        with pytest.raises(Exception, match="malformed request: KeyError"):
            connection.sync_request(handler, *arguments)
    assert root.echo(1) == 1


def test_keywords_are_refused_in_words(root: Any) -> None:
    with pytest.raises(Exception, match="given by position"):
        root.echo(value=1)


def test_a_stock_client_pings_holds_methods_and_says_goodbye(loopback: Loopback) -> None:
    connection = rpyc.connect(*loopback.address)
    connection.ping("x" * 100)
    methods = [connection.root.exposed_echo for _ in range(10)]
    assert [method(index) for index, method in enumerate(methods)] == list(range(10))
    del methods
    connection.close()
    assert connection.closed


def test_the_configuration_allows_nothing(loopback: Loopback) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = dial(Address(*listener.getsockname()), loopback.network, "peer")
    account = Account(Budget(1 << 20), "all", stream.close)
    connection = rpc.serve(stream, rpc.Service(), loopback.network, account)
    try:
        allowed = {key for key, value in connection._config.items() if value and "allow" in key}
        # Both are read by handlers that are not served at all.
        assert allowed == {"allow_exposed_attrs", "allow_getattr"}
        imports = ("import_custom_exceptions", "instantiate_custom_exceptions")
        assert not any(connection._config[key] for key in imports)
    finally:
        connection.close()
    assert stream.closed


@pytest.mark.parametrize(
    "value", [frozenset([1]), slice(1, 2), 1j, Ellipsis, NotImplemented], ids=repr
)
def test_brine_builds_plain_values_only(value: object) -> None:
    data = brine.dump((value,))
    with pytest.raises(TypeError):
        brine.load(data)


def test_integers_have_a_bounded_number_of_digits() -> None:
    def message(digits: int) -> bytes:
        head = b"\x02\x11\x51\x11\x51" + brine.TAG_INT_L4 + struct.pack("!L", digits)
        return head + b"9" * digits

    assert frames.reply_outcome(message(4000), 1) == 10**4000 - 1
    with pytest.raises(ProtocolViolation):
        frames.reply_outcome(message(4301), 1)


@pytest.mark.parametrize(
    "message",
    [
        b"", b"\x02", b"\x02\x50",
        b"\x09" + brine.dump((1, (1, 2))), b"\x01" + brine.dump((1, (1, 2))),
        b"\x02" + brine.dump((2, (1, 2))), b"\x02" + brine.dump(("1", (1, 2))),
        b"\x02" + brine.dump((1, (4, ("builtins.list", 1, 2)))), b"\x02" + brine.dump((1, 5)),
        b"\x02" + brine.dump((1, (1,))), b"\x02" + brine.dump((1, None)),
        b"\x03" + brine.dump((1, ())), b"\x03" + brine.dump((1, (1, 2, 3))),
        b"\x03" + brine.dump((1, (("a", "b"), ("code",), (), ""))),
        b"\x03" + brine.dump((1, 1)), b"\x03" + brine.dump((2, (("", ""), ("a", "b"), (), ""))),
        b"\x02" + b"\x13" * 5000, b"\x02\x15\xff\xff\xff\xff", b"\x02" + b"\x08" * 5000,
    ],
)  # fmt: skip
def test_a_message_that_is_no_answer_is_refused(message: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        frames.reply_outcome(message, 1)


def test_equal_answers_of_several_servers_are_taken_apart_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: List[bytes] = []
    real = brine._load

    def load(data: Any) -> Any:
        taken.append(data)
        return real(data)

    answers = [b"\x02" + brine.dump((number, (1, ("the same", 1)))) for number in (3, 300, 10**9)]
    wrong = b"\x02" + brine.dump((3, (1, ("the same", True))))
    monkeypatch.setattr(brine, "_load", load)
    found = [frames.reply_outcome(message, number)
             for message, number in zip(answers, (3, 300, 10**9))]
    assert found == [("the same", 1)] * 3 and len(taken) < 8
    assert frames.reply_outcome(wrong, 3)[1] is True
    with pytest.raises(ProtocolViolation):
        frames.reply_outcome(answers[1], 3)


@pytest.mark.parametrize("code, kind", [("path_not_found", PathNotFound), ("news", DfsError)])
def test_an_answer_is_a_value_or_an_error(code: str, kind: Type[DfsError]) -> None:
    assert frames.reply_outcome(b"\x02" + brine.dump((7, (1, "value"))), 7) == "value"
    exception = brine.dump((7, (("any.module", "AnyClass"), (code, "why"), (), "traceback")))
    error = frames.reply_outcome(b"\x03" + exception, 7)
    assert type(error) is kind
    assert error.message == "why"
