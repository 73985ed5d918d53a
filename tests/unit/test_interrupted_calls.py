"""Connections that were forgotten while idle, and calls that a signal handler breaks off."""

import socket
import time
from typing import Any, Iterator, List, Type

import pytest
from rpyc.core import brine

from tests.support.links.loopback import ROLE, Loopback
from tests.support.clusters.waiting import PATIENCE_SECONDS
from zookeeper.fabric import frames
from zookeeper.fabric import pools as module
from zookeeper.fabric.errors import ProtocolViolation, Unavailable
from zookeeper.fabric.pools import RemotePool
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address
from zookeeper.fabric.sockets import dial


class TimeLimit(ValueError):
    """What somebody's handler of SIGALRM raises; also of a class that is caught elsewhere."""


HANDLERS = [TimeLimit, TimeoutError, KeyError, OSError, KeyboardInterrupt]


@pytest.fixture(name="loopback")
def _loopback() -> Iterator[Loopback]:
    with Loopback(handshake_timeout_seconds=2.0) as loopback:
        yield loopback


@pytest.fixture(name="pool")
def _pool(loopback: Loopback) -> RemotePool:
    return loopback.keep(
        RemotePool(ROLE, loopback.address, loopback.credentials, loopback.network)
    )


@pytest.fixture(name="silent")
def _silent(loopback: Loopback) -> Remote:
    """A connection on which nothing is answered any more, and nothing is said about it."""
    listener = loopback.keep(socket.create_server(("127.0.0.1", 0)))
    stream = dial(Address(*listener.getsockname()), loopback.network, "a forgetful gateway")
    return loopback.keep(Remote(stream, loopback.network, "a forgetful gateway"))


def test_a_connection_that_was_forgotten_while_idle_is_replaced(
    loopback: Loopback, pool: RemotePool, silent: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = loopback.remote()
    pool._connections._idle.extend(
        module._Idle(loopback.address, remote, 0.0) for remote in (other, silent)
    )
    monkeypatch.setattr(silent, "answers", lambda seconds: Remote.answers(silent, 0.05))
    assert pool.call("echo", 1) == 1, "the caller notices nothing"
    assert silent.closed and other.closed, "what was idle for longer is forgotten as well"
    assert len(pool._connections._idle) == 1


def test_a_server_that_is_silent_on_a_connection_of_a_moment_ago_is_not_dialled_in_vain(
    loopback: Loopback, silent: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process takes new connections, too, and says nothing on them either."""
    pool = loopback.keep(
        module.ConnectionPool(ROLE, loopback.credentials, loopback.network, idle_seconds=50.0)
    )
    other = loopback.remote()
    a_moment_ago = time.monotonic() - module.PING_AFTER_SECONDS - 1.0
    pool._idle.extend(
        module._Idle(loopback.address, remote, a_moment_ago) for remote in (other, silent)
    )
    monkeypatch.setattr(silent, "answers", lambda seconds: Remote.answers(silent, 0.05))
    with monkeypatch.context() as patched:
        patched.setattr(Remote, "connect", lambda *_: pytest.fail("it was dialled"))
        with pytest.raises(Unavailable, match="cannot reach .* did not answer in time") as caught:
            pool.call(loopback.address, "echo", 1)
    assert type(caught.value) is Unavailable, "no call was made, which may be told to run again"
    assert silent.closed and other.closed and not pool._idle
    assert pool.call(loopback.address, "echo", 1) == 1, "who comes later dials"


def test_a_connection_that_answers_is_used_again(
    pool: RemotePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PING_AFTER_SECONDS", 0.0)
    assert pool.call("echo", 1) == 1
    first = pool._connections._idle[0].remote
    for number in range(3):
        assert pool.call("echo", number) == number
    assert [one.remote for one in pool._connections._idle] == [first]


def test_a_connection_in_use_is_not_asked(
    loopback: Loopback, pool: RemotePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: List[float] = []
    monkeypatch.setattr(Remote, "answers", lambda _, seconds: bool(asked.append(seconds)))
    monkeypatch.setattr(module, "PING_AFTER_SECONDS", PATIENCE_SECONDS)
    for number in range(3):
        assert pool.call("echo", number) == number
    assert asked == []


@pytest.mark.parametrize("error", HANDLERS)
def test_what_a_signal_handler_raises_while_an_answer_is_read_is_its_callers(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch, error: Type[BaseException]
) -> None:
    """It became `a malformed message`, a violation of the protocol."""

    def handler(_data: Any) -> None:
        raise error("time is up")

    remote = loopback.remote()
    message = b"\x02" + brine.dump((1, (1, f"what came before {error.__name__}")))
    with monkeypatch.context() as patched:
        patched.setattr(brine, "_load", handler)
        with pytest.raises(error, match="time is up"):
            frames.reply_outcome(message, 1)
    with monkeypatch.context() as patched:
        patched.setattr(brine, "dump", handler)
        with pytest.raises(error, match="time is up"):
            remote.call("echo", 1, timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize("error", HANDLERS)
@pytest.mark.parametrize("method", ["recv", "sendmsg"])
def test_what_a_signal_handler_raises_in_a_system_call_is_its_callers(
    loopback: Loopback, error: Type[BaseException], method: str
) -> None:
    """A TimeoutError is an OSError: it was taken for a lost connection, and the call repeated."""
    remote = loopback.remote()
    real = remote._stream._sock

    class Interrupted:
        """The socket; a signal comes in one of its calls."""

        def __getattr__(self, name: str) -> Any:
            if name == method:
                raise error("time is up")
            return getattr(real, name)

    remote._stream._sock = Interrupted()
    with pytest.raises(error, match="time is up"):
        remote.call("echo", 1, timeout=PATIENCE_SECONDS)
    assert remote.closed, "nobody knows how far it has come"


def test_a_malformed_message_is_still_a_violation() -> None:
    for message in (b"", b"\x02\x15\xff\xff\xff\xff", b"\x02" + b"\x13" * 5000, b"\x02\x08\xff"):
        with pytest.raises(ProtocolViolation):
            frames.reply_outcome(message, 1)
