"""Idle connections: kept for the next call, looked at before it, and never too many."""

import os
import threading
import time
from functools import partial

import pytest

from tests.support.clusters.waiting import PATIENCE_SECONDS
from tests.support.links.loopback import ROLE, Loopback, works
from tests.support.links.playground import BUFFER_BYTES, StageCalls
from typing import Any, Iterator, List, Type
from zookeeper.fabric import pools
from zookeeper.fabric.errors import (
    DeadlineExceeded,
    InternalError,
    InvalidArgument,
    NotLeader,
    PathNotFound,
    PipelineFailed,
    ProtocolViolation,
    Unavailable,
)
from zookeeper.fabric.pools import IDLE_MAX, ConnectionPool, LeaderPool, RemotePool
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address


@pytest.fixture
def pool(loopback: Loopback) -> Iterator[RemotePool]:
    """Connections for many threads."""
    made = RemotePool(ROLE, loopback.address, loopback.credentials, loopback.network)
    yield made
    made.close()


@pytest.fixture
def connections(loopback: Loopback) -> Iterator[ConnectionPool]:
    """Connections to any address."""
    made = ConnectionPool(ROLE, loopback.credentials, loopback.network)
    yield made
    made.close()


def idle(pool: Any) -> List[Remote]:
    """The connections that nobody uses, the one that is idle longest first."""
    return [one.remote for one in getattr(pool, "_connections", pool)._idle]


def test_a_pool_keeps_and_reuses_connections(loopback: Loopback, pool: RemotePool) -> None:
    assert pool.call("echo", 1) == 1
    (first,) = idle(pool)
    assert pool.call("echo", 2) == 2
    assert idle(pool) == [first]


@pytest.mark.parametrize(
    "method, argument, kind",
    [
        ("refuse", "x", PathNotFound),
        ("result", "surrogate", InternalError),
        ("echo", "\udcff", InvalidArgument),
        ("echo", [], TypeError),
    ],
)
def test_a_pool_keeps_a_connection_after_a_clean_error(
    pool: RemotePool, method: str, argument: Any, kind: Type[Exception]
) -> None:
    pool.call("echo", 1)
    (first,) = idle(pool)
    with pytest.raises(kind):
        pool.call(method, argument)
    assert idle(pool) == [first]
    assert pool.call("echo", 2) == 2


def test_a_pool_drops_a_connection_after_a_dirty_error(
    loopback: Loopback, pool: RemotePool
) -> None:
    loopback.stage.gate.clear()
    with pytest.raises(DeadlineExceeded):
        pool.call("wait", timeout=0.1)
    loopback.stage.gate.set()
    assert not idle(pool)
    assert pool.call("echo", 2) == 2


def test_a_pool_serves_many_threads_and_keeps_a_bounded_number(pool: RemotePool) -> None:
    threads = [
        threading.Thread(target=lambda: [pool.call("echo", n) for n in range(20)])
        for _ in range(IDLE_MAX + 8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert 1 <= len(idle(pool)) <= IDLE_MAX


def test_a_closed_pool_is_closed_for_good(loopback: Loopback) -> None:
    pool = RemotePool(ROLE, loopback.address, loopback.credentials, loopback.network)
    pool.call("echo", 1)
    taken = pool._connections.take(loopback.address)
    pool.close()
    assert works(taken)
    pool._connections.give_back(loopback.address, taken)
    assert taken.closed and not idle(pool)
    with pytest.raises(Unavailable, match="closed"):
        pool.call("echo", 1)


def test_a_pool_dials_again_after_the_server_was_restarted() -> None:
    with Loopback() as served:
        pool = served.keep(
            RemotePool(ROLE, served.address, served.credentials, served.network)
        )
        assert pool.call("echo", 1) == 1
        for number in range(2, 5):
            served.server.stop()
            served.restart()
            # The idle connection is of the server that is gone, which shows before it is used.
            assert pool.call("echo", number) == number
        served.server.stop()
        with pytest.raises(Unavailable):
            pool.call("echo", 5)


def test_a_leader_is_found_by_repeating() -> None:
    with Loopback() as served:
        nobody = Address("127.0.0.1", served.ports.take())
        pool = served.keep(
            LeaderPool(ROLE, [nobody, served.address], served.credentials, served.network)
        )
        with pytest.raises(Unavailable):
            pool.call("echo", 1)
        assert pool.call("echo", 1) == 1
        with pytest.raises(NotLeader):
            pool.call("refuse_oddly")
        with pytest.raises(Unavailable):
            pool.call("echo", 1)
        assert pool.call("echo", 1) == 1


def test_a_leader_that_was_overtaken_is_turned_away_from() -> None:
    with Loopback() as served:
        nobody = Address("127.0.0.1", served.ports.take())
        pool = served.keep(
            LeaderPool(ROLE, [served.address, nobody], served.credentials, served.network)
        )
        assert pool.call("echo", 1) == 1
        pool.turn()
        with pytest.raises(Unavailable):
            pool.call("echo", 1)
        assert pool.call("echo", 1) == 1


def test_the_first_of_several_is_not_waited_for_as_long_as_the_only_one(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """A namenode that is suspended lets itself be dialled, and says nothing."""
    waited: List[float] = []
    answers = False

    def connect(_server: str, address: Address, _keys: Any, network: Any, _here: bool) -> Remote:
        if address.port == 1:
            waited.append(network.handshake_timeout_seconds)
            if not answers:
                raise DeadlineExceeded("it is silent")
        return really_connect(ROLE, served.address, served.credentials, network)

    with Loopback() as served:
        really_connect = Remote.connect
        monkeypatch.setattr(Remote, "connect", connect)
        silent, usual = Address("127.0.0.1", 1), served.network.handshake_timeout_seconds
        monkeypatch.setattr(pools, "FIRST_PATIENCE_SECONDS", 0.4 * usual)
        pool = served.keep(
            LeaderPool(ROLE, [silent, served.address], served.credentials, served.network)
        )
        for _ in range(4):
            with pytest.raises(Unavailable, match="it is silent"):
                pool.call("echo", 1)
            assert pool.call("echo", 1) == 1, "by the other one"
            pool.turn()
        assert waited == pytest.approx([0.4 * usual, 0.8 * usual, usual, usual])
        answers = True
        assert pool.call("echo", 1) == 1
        for remote in idle(pool):
            remote.close()
        assert pool.call("echo", 1) == 1 and waited[4:] == pytest.approx([usual, 0.4 * usual])
        only = served.keep(LeaderPool(ROLE, [silent], served.credentials, served.network))
        assert only.call("echo", 1) == 1 and waited[6:] == [usual]


# Bodies.


def calls_at(connections: ConnectionPool, address: Address) -> StageCalls:
    """The service at an address."""
    return StageCalls(partial(connections.perform, address), PATIENCE_SECONDS)


def take(connections: ConnectionPool, address: Address, *packets: bytes) -> Any:
    """Send a body; what the server answers."""
    body = calls_at(connections, address).take(b"")
    try:
        for data in packets:
            body.send(data, 0)
        return body.finish()
    finally:
        body.close()


def give(connections: ConnectionPool, address: Address, count: int) -> int:
    """Receive a body; how many packets it had."""
    body = calls_at(connections, address).give(count, 10)
    buffer, received = memoryview(bytearray(BUFFER_BYTES)), 0
    try:
        while body.receive(buffer) is not None:
            received += 1
        return received
    finally:
        body.close()


def test_a_connection_is_free_when_its_body_ended_well(
    loopback: Loopback, connections: ConnectionPool
) -> None:
    assert take(connections, loopback.address, b"one", b"two") == (6, True)
    (first,) = idle(connections)
    for _ in range(3):
        assert give(connections, loopback.address, 3) == 3
        assert take(connections, loopback.address, b"x") == (1, True)
        assert connections.call(loopback.address, "echo", 1) == 1
    assert idle(connections) == [first]


def test_bodies_that_run_at_a_time_have_connections_of_their_own(
    loopback: Loopback, connections: ConnectionPool
) -> None:
    bodies = [
        calls_at(connections, loopback.address).take(b"")
        for _ in range(3)
    ]
    for size, body in enumerate(bodies, 1):
        body.send(b"x" * size, 0)
    assert [body.finish() for body in reversed(bodies)] == [(3, True), (2, True), (1, True)]
    assert len({id(remote) for remote in idle(connections)}) == 3


def test_a_body_that_was_not_sent_whole_costs_the_connection(
    loopback: Loopback, connections: ConnectionPool
) -> None:
    body = calls_at(connections, loopback.address).take(b"")
    body.send(b"half", 0)
    body.close()
    assert body._remote.closed and not idle(connections)


def test_a_body_that_was_not_read_whole_costs_the_connection(
    loopback: Loopback, connections: ConnectionPool
) -> None:
    body = calls_at(connections, loopback.address).give(3, 10)
    assert body.receive(memoryview(bytearray(BUFFER_BYTES))) is not None
    body.close()
    assert body._remote.closed and not idle(connections)


def test_a_body_that_was_refused_costs_the_connection(
    loopback: Loopback, connections: ConnectionPool
) -> None:
    body = calls_at(connections, loopback.address).take_and_refuse()
    with pytest.raises(PipelineFailed):
        body.finish()
    body.close()
    answer = calls_at(connections, loopback.address).give_some(0)
    with pytest.raises((PipelineFailed, ProtocolViolation)):
        answer.receive(memoryview(bytearray(BUFFER_BYTES)))
    answer.close()
    assert not idle(connections)


def test_to_close_a_body_again_takes_nobody_elses_connection_away(
    loopback: Loopback, connections: ConnectionPool
) -> None:
    body = calls_at(connections, loopback.address).take(b"")
    body.finish()
    remote = connections.take(loopback.address)
    body.close()
    assert works(remote)
    remote.close()


# Limits.


def test_no_more_are_kept_than_so_many_and_the_newest(
    loopback: Loopback, connections: ConnectionPool
) -> None:
    bodies = [
        calls_at(connections, loopback.address).take(b"")
        for _ in range(IDLE_MAX + 2)
    ]
    for body in bodies:
        body.finish()
    kept = [body._remote for body in bodies[2:]]
    assert idle(connections) == kept and all(body._remote.closed for body in bodies[:2])


def test_who_was_idle_for_too_long_is_closed_when_others_come(loopback: Loopback) -> None:
    connections = loopback.keep(
        ConnectionPool(ROLE, loopback.credentials, loopback.network, idle_seconds=30.0)
    )
    assert connections.call(loopback.address, "echo", 1) == 1
    (first,) = idle(connections)
    assert connections.call(loopback.address, "echo", 2) == 2 and idle(connections) == [first]
    connections._idle[0] = connections._idle[0]._replace(since=time.monotonic() - 31.0)
    assert connections.call(loopback.address, "echo", 3) == 3
    (second,) = idle(connections)
    assert second is not first and first.closed


def test_each_address_has_its_own(connections: ConnectionPool, loopback: Loopback) -> None:
    with Loopback() as other:
        mine = connections.call(loopback.address, "echo", 1), idle(connections)
        assert connections.call(other.address, "echo", 2) == 2
        first, second = idle(connections)
        assert mine == (1, [first])
        assert connections.call(loopback.address, "echo", 3) == 3
        assert idle(connections) == [second, first]
        connections.close()


def test_a_forked_process_has_none(loopback: Loopback, connections: ConnectionPool) -> None:
    assert connections.call(loopback.address, "echo", 1) == 1
    child = os.fork()
    if not child:
        try:
            fresh = not idle(connections) and connections.call(loopback.address, "echo", 2) == 2
            os._exit(0 if fresh else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    (remote,) = idle(connections)
    assert works(remote)
