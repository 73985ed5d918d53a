"""Who makes room for a newcomer, and calls that wait for ever and do not keep their place."""

import threading
from typing import List, Optional

import pytest
from rpyc.core import consts

from tests.support.links.loopback import (
    Loopback,
    await_busy,
    busy_caller,
    credentials_as,
    request,
    works,
)
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric import server as server_module
from zookeeper.fabric.auth import SIMPLE
from zookeeper.fabric.errors import Busy, DfsError, Unavailable
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.places import (
    WAITING_SECONDS_MIN,
    Place,
    crowd_of,
    share_of,
    who_makes_room,
)
from zookeeper.fabric.remote import Remote

NOW = 1000.0


def place(
    principal: Optional[str] = "user:a",
    host: str = "10.0.0.1",
    idle_since: float = NOW,
    busy: bool = False,
    waiting_since: Optional[float] = None,
) -> Place:
    """A connection; without a principal of a stranger, who is still in the handshake."""
    made = Place(host, idle_since)
    made.principal = None if principal is None else Principal.parse(principal)
    made.busy, made.waiting_since = busy or waiting_since is not None, waiting_since
    return made


def test_the_idle_make_room_strangers_first() -> None:
    old, older, stranger = place(idle_since=5), place(idle_since=3), place(None)
    busy = place(busy=True, idle_since=0)
    assert who_makes_room([old, older, stranger, busy], NOW) is stranger
    assert who_makes_room([old, older, busy], NOW) is older
    assert who_makes_room([busy], NOW) is None
    assert who_makes_room([], NOW) is None


def test_who_holds_most_places_with_calls_that_wait_gives_one_up() -> None:
    crowd = [place("user:m", waiting_since=NOW - 30 + number) for number in range(5)]
    others = [place("data_node", waiting_since=NOW - 60), place("user:a", idle_since=0)]
    assert who_makes_room(others + crowd, NOW) is crowd[0]


def test_strangers_and_larger_groups_go_before_a_call_that_waits() -> None:
    beat = place("data_node:1801", waiting_since=NOW - 60)
    stranger = place(None, idle_since=NOW)
    crowd = [place("user:m", idle_since=NOW - number) for number in range(5)]
    assert who_makes_room([beat, stranger, *crowd], NOW) is stranger
    assert who_makes_room([beat, *crowd], NOW) is crowd[4]
    assert who_makes_room([beat, crowd[0]], NOW) is beat


def test_with_many_names_the_call_that_waits_for_longest_gives_up() -> None:
    crowd = [place(f"user:m{number}", waiting_since=NOW - number) for number in range(9)]
    assert who_makes_room(crowd, NOW) is crowd[8]


def test_a_call_that_has_just_begun_to_wait_is_left_alone_while_others_can_go() -> None:
    young = place(waiting_since=NOW - WAITING_SECONDS_MIN / 2)
    idle = place(idle_since=NOW - 1)
    assert who_makes_room([young, idle], NOW) is idle
    assert who_makes_room([young, place(busy=True)], NOW) is young


def test_one_principal_has_half_of_a_hosts_places() -> None:
    assert [share_of(limit) for limit in (1, 2, 3, 512)] == [1, 1, 1, 256]


def test_nor_of_those_of_all_hosts_together() -> None:
    def crowd(principal: str, hosts: int) -> int:
        own = [place(principal, f"10.0.0.{number}") for number in range(hosts)]
        others = [place("user:a", f"10.0.0.{number}") for number in range(5)]
        return len(crowd_of(own[-1], own + others, of_host=4, in_all=10))

    assert [crowd("user:m", count) for count in (1, 5, 6, 7)] == [0, 0, 6, 7]
    # Who has no name of his own is one of many.
    assert crowd("data_node", 9) == 0
    assert crowd("data_node:h:1801", 9) == 9


def waiting_calls(loopback: Loopback, count: int) -> List[Remote]:
    """So many connections, each in a call that does nothing but wait."""
    remotes = [loopback.remote() for _ in range(count)]
    for remote in remotes:
        threading.Thread(target=wait_in_vain, args=(remote,), daemon=True).start()
        assert loopback.stage.entered.acquire(timeout=PATIENCE_SECONDS)
    return remotes


def wait_in_vain(remote: Remote) -> None:
    """A call that ends with the connection."""
    try:
        remote.call("wait_for_nothing", timeout=PATIENCE_SECONDS)
    except DfsError:
        pass


def test_a_waiting_call_makes_room_and_its_thread_ends() -> None:
    with Loopback(max_connections=3) as loopback:
        remotes = waiting_calls(loopback, 3)
        assert works(loopback.remote())
        wait_until(lambda: [remote.closed for remote in remotes].count(True) == 1)
        wait_until(lambda: loopback.stage.seen == ["gone"], what="the end of the call")


def test_a_waiting_call_whose_client_hung_up_ends() -> None:
    with Loopback() as loopback:
        (remote,) = waiting_calls(loopback, 1)
        remote._stream.interrupt()
        wait_until(lambda: loopback.stage.seen == ["gone"], what="the end of the call")
        wait_until(lambda: "0 connections" in repr(loopback.server))


def test_a_running_call_keeps_its_place_among_waiting_ones() -> None:
    with Loopback(max_connections=3) as loopback:
        caller = busy_caller(loopback)
        waiting_calls(loopback, 2)
        for _ in range(4):
            assert works(loopback.remote())
            await_busy(loopback, 2)
        loopback.stage.gate.set()
        assert caller.outcome() == "waited"


def test_one_principal_does_not_take_all_places_of_its_host() -> None:
    with Loopback(max_connections_per_host=4) as loopback:
        waiting_calls(loopback, 2)
        refused = loopback.remote()
        with pytest.raises(Unavailable):
            works(refused)
        loopback.credentials = credentials_as(SIMPLE, "user:other")
        for _ in range(5):
            remote = loopback.remote()
            assert works(remote)
            remote.close()


def test_ones_own_idle_connection_makes_room_for_ones_own() -> None:
    with Loopback(max_connections_per_host=4) as loopback:
        first, second = loopback.remote(), loopback.remote()
        assert works(first) and works(second)
        await_busy(loopback, 0)
        assert works(loopback.remote())
        # The server may have noticed in the other order that they are idle.
        wait_until(lambda: first.stale or second.stale, what="the end of one")
        assert [first.stale, second.stale].count(True) == 1


def test_half_messages_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "BUFFERED_BYTES_MAX", 0)
    size = 1 << 20
    with Loopback(max_frame_bytes=2 * size) as loopback:
        crowd = [loopback.raw() for _ in range(12)]
        for raw in crowd:
            raw.frame(bytes(size // 2), length=size)
        wait_until(lambda: 0 < loopback.server._budget.used)
        large = bytes(size // 4)

        def is_served() -> bool:
            # On a busy machine its own message may be the one that took too long to come.
            try:
                return bool(loopback.remote().call("echo", large, timeout=10.0) == large)
            except (Busy, Unavailable):
                return False

        wait_until(is_served)
        loopback.server._budget.check()


def test_answers_that_nobody_reads_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "BUFFERED_BYTES_MAX", 0)
    size = 8 << 20  # More than the kernel takes on loopback.
    with Loopback(max_frame_bytes=size) as loopback:
        ping = request(consts.HANDLE_PING, (consts.LABEL_VALUE, (bytes(4 << 20 - 10),)))
        assert len(ping) < 4 << 20
        for _ in range(12):
            raw = loopback.raw()
            raw.socket.setsockopt(1, 8, 4096)  # SO_RCVBUF: it reads nothing.
            raw.frame(ping)
        loopback.server._budget.check()
        assert works(loopback.remote())


def test_a_request_is_as_large_as_its_sender_may_need() -> None:
    with Loopback(max_frame_bytes=16 << 20) as loopback:
        large = bytes(5 << 20)
        with pytest.raises(Unavailable):
            loopback.remote().call("echo", large, timeout=PATIENCE_SECONDS)
        loopback.server._large_requests_of = "user"
        assert loopback.remote().call("echo", large, timeout=PATIENCE_SECONDS) == large
