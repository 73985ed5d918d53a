"""Who is let in and who has to go when there are too many clients, or too little of anything."""

import errno
import os
import resource
import threading
from typing import Any, Callable, List, Optional

import pytest

from tests.support.links.loopback import (
    Loopback,
    RawClient,
    await_busy,
    busy_caller,
    call,
    works,
)
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric import acceptor as acceptor_module
from zookeeper.fabric.auth import SECRET
from zookeeper.fabric.errors import Unavailable
from zookeeper.fabric.rpc import Service


def fill(loopback: Loopback, count: int) -> List[Any]:
    """Silent clients that are there and known to the server, in this order."""
    crowd = []
    for number in range(count):
        crowd.append(loopback.raw())
        wait_until(
            lambda: f"{number + 1} connections" in repr(loopback.server), what="one more client"
        )
    return crowd


@pytest.mark.parametrize("limit", ["max_connections", "max_connections_per_host"])
def test_who_was_idle_longest_makes_room(limit: str) -> None:
    with Loopback(**{limit: 4}) as loopback:
        crowd = fill(loopback, 4)
        assert works(loopback.remote())
        assert crowd[0].await_end() == b""
        assert works(loopback.remote())
        assert crowd[1].await_end() == b""
        for raw in crowd[2:]:
            raw.frame(call("echo", 1))
            assert raw.answer()[1] == (1, 1)


def test_strangers_make_room_before_those_who_were_let_in() -> None:
    with Loopback(SECRET, max_connections=3) as loopback:
        first, second = loopback.remote(), loopback.remote()
        assert works(first) and works(second)
        for _ in range(5):
            stranger = loopback.raw()
            wait_until(lambda: "3 connections" in repr(loopback.server), what="a stranger")
            third = loopback.remote()
            assert works(third)
            assert stranger.await_end() == b""
            third.close()
            wait_until(lambda: "2 connections" in repr(loopback.server), what="the old two")
        assert works(first) and works(second)


@pytest.mark.parametrize("sent", [b"\0\0", b"\0\0\0\x50\0half a request", b"Py"])
def test_half_a_request_does_not_hold_a_place(sent: bytes) -> None:
    # Nothing but having to make room ends them while the test runs.
    patience = {"stall_timeout_seconds": 600.0, "handshake_timeout_seconds": 600.0}
    with Loopback(max_connections=4, **patience) as loopback:
        crowd = fill(loopback, 4)
        for raw in crowd:
            raw.send(sent)
        assert all(works(loopback.remote()) for _ in crowd)
        assert [raw.await_end() for raw in crowd] == [b""] * 4


def test_a_running_call_keeps_its_place() -> None:
    with Loopback(max_connections=3) as loopback:
        callers = [busy_caller(loopback) for _ in range(2)]
        for _ in range(5):
            assert works(loopback.remote())
            # Its call has ended for the client a moment before it has for the server.
            wait_until(lambda: "2 busy" in repr(loopback.server), what="an idle newcomer")
        loopback.stage.gate.set()
        assert [caller.outcome() for caller in callers] == ["waited"] * 2


def test_when_everybody_is_busy_a_newcomer_is_turned_away() -> None:
    with Loopback(max_connections=2) as loopback:
        callers = [busy_caller(loopback) for _ in range(2)]
        with pytest.raises(Unavailable):
            loopback.remote()
        loopback.stage.gate.set()
        assert [caller.outcome() for caller in callers] == ["waited"] * 2
        await_busy(loopback, 0)
        assert works(loopback.remote())


def test_one_host_cannot_take_the_place_of_others() -> None:
    with Loopback(max_connections_per_host=2) as loopback:
        other = loopback.raw(source="127.0.0.5")
        crowd = fill_from(loopback, 4)
        assert crowd[0].await_end() == crowd[1].await_end() == b""
        other.frame(call("principal"))
        assert other.answer()[1][1] == ("anonymous", "127.0.0.5")


def fill_from(loopback: Loopback, count: int) -> List[Any]:
    """Silent clients of the usual host, each seen before the next."""
    return [wait_until(lambda: served(loopback.raw())) for _ in range(count)]


def served(client: RawClient) -> Optional[RawClient]:
    """The client once it was answered; None when it was turned away, and comes back as clients do:
    who has had an answer is not idle before the server has looked away from it."""
    try:
        client.frame(call("echo", 1))
        assert client.answer()[1] == (1, 1)
    except (EOFError, ConnectionError):
        return None
    return client


@pytest.mark.parametrize("reason", ["sent away", "stopping"])
def test_a_call_that_is_too_late_does_not_begin(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    with Loopback() as loopback:
        server, entered = loopback.server, loopback.stage.entered
        begin = server._begin

        def too_late(client: Any) -> bool:
            # The request is here already when something happens that ends its connection.
            with server._lock:
                if reason == "stopping":
                    server._stopping = True
                else:
                    assert server._dismiss(server._clients) is client
            return begin(client)

        monkeypatch.setattr(server, "_begin", too_late)
        remote = loopback.remote()
        with pytest.raises(Unavailable):
            remote.call("wait", timeout=PATIENCE_SECONDS)
        serving = "client 127.0.0.1"
        wait_until(
            lambda: entered._value or serving not in {one.name for one in threading.enumerate()},
            what="the end of the connection's thread, or the beginning of a call",
        )
        assert not entered.acquire(blocking=False)


def test_silence_ends_a_connection() -> None:
    with Loopback(idle_timeout_seconds=0.2) as loopback:
        assert loopback.raw().await_end() == b""
        raw = loopback.raw()
        raw.frame(call("echo", 1))
        raw.answer()
        assert raw.await_end() == b""


def test_a_client_that_stalls_in_a_request_is_cut() -> None:
    with Loopback(stall_timeout_seconds=0.2) as loopback:
        for sent in (b"\0", b"\0\0\0\x50\0", b"\0\0\0\x50\0half a request"):
            raw = loopback.raw()
            raw.send(sent)
            assert raw.await_end() == b""


def test_a_client_that_stalls_in_a_body_is_cut() -> None:
    with Loopback(stall_timeout_seconds=0.2) as loopback:
        raw = loopback.raw()
        raw.frame(call("take", b""))
        raw.send(b"\x80\0\0\x05\0\0\0\0abc")
        assert raw.await_end() == b""
        wait_until(lambda: "0 connections" in repr(loopback.server), what="a free thread")


def test_a_client_that_does_not_read_its_reply_is_cut() -> None:
    with Loopback(stall_timeout_seconds=0.2) as loopback:
        raw = loopback.raw()
        raw.frame(call("give", 1000, 1 << 20))
        wait_until(lambda: "1 busy" in repr(loopback.server), what="a busy server")
        wait_until(lambda: "0 connections" in repr(loopback.server), what="a free thread")
        assert 0 < len(raw.await_end()) < 1000 << 20


# Shortages.


def fail_once(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, error: Exception) -> List:
    """The next call of a function fails; returns what counts the calls."""
    made: List[int] = []
    real = getattr(where, name)

    def failing(*args: Any, **kwargs: Any) -> Any:
        made.append(1)
        if len(made) == 1:
            raise error
        return real(*args, **kwargs)

    monkeypatch.setattr(where, name, failing)
    return made


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("can't start new thread"),
        MemoryError(),
        OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
        OSError(errno.EPERM, os.strerror(errno.EPERM)),
        ValueError("a defect"),
    ],
)
def test_a_connection_that_cannot_be_served_costs_only_itself(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    with Loopback() as loopback:
        made = fail_once(monkeypatch, acceptor_module, "adopt", error)
        assert loopback.raw().await_end() == b""
        assert works(loopback.remote())
        assert len(made) == 2


def test_when_no_thread_can_be_started_an_idle_client_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Loopback() as loopback:
        (silent,) = fill(loopback, 1)
        real = threading.Thread.start
        refused: List[str] = []

        def start(thread: threading.Thread) -> None:
            if thread.name.startswith("client") and not refused:
                refused.append(thread.name)
                raise RuntimeError("can't start new thread")
            real(thread)

        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(Unavailable):
            loopback.remote()
        assert silent.await_end() == b""
        assert works(loopback.remote())
        assert "1 connections" in repr(loopback.server)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_when_accepting_fails_an_idle_client_makes_room(number: int) -> None:
    with Loopback() as loopback:
        (silent,) = fill(loopback, 1)
        loopback.server._recover(number)
        assert silent.await_end() == b""
        assert works(loopback.remote())


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPERM])
def test_other_failures_to_accept_cost_nobody_his_place(number: int) -> None:
    with Loopback() as loopback:
        (silent,) = fill(loopback, 1)
        loopback.server._recover(number)
        silent.frame(call("echo", 1))
        assert silent.answer()[1] == (1, 1)


def test_a_service_that_cannot_be_made_costs_one_connection() -> None:
    def factory() -> Service:
        raise ValueError("a defect")

    with Loopback() as loopback:
        made, loopback.server._factory = loopback.server._factory, factory
        with pytest.raises(Unavailable):
            works(loopback.remote())
        loopback.server._factory = made
        assert works(loopback.remote())


def test_the_limit_of_descriptors_is_raised_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = {"now": (100, 1000)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.update(now=new))
    allow: Callable[[int], None] = acceptor_module._allow_descriptors
    for wanted, expected in ((50, 100), (500, 500), (400, 500), (5000, 1000)):
        allow(wanted)
        assert limits["now"] == (expected, 1000)
    limits["now"] = (100, resource.RLIM_INFINITY)
    allow(5000)
    assert limits["now"] == (5000, resource.RLIM_INFINITY)
    limits["now"] = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    allow(5000)
    assert limits["now"] == (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
