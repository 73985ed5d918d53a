"""The proxy that tests break links with: a fault that does not happen would prove nothing."""

import os
import socket
import sys
import threading
import time
from typing import Iterator, List

import pytest

from tests.support.links.crossing import Crossing
from tests.support.links.proxy import Proxy
from tests.support.clusters.waiting import wait_until


class Echo:
    """A server that sends back what it gets, and ends when its client ends."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Refuse from now on; may be called again."""
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return  # Closed.
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            try:
                while True:
                    piece = connection.recv(1 << 16)
                    if not piece:
                        return
                    connection.sendall(piece)
            except OSError:
                pass  # Cut, as the test wants it.


@pytest.fixture
def echo() -> Iterator[Echo]:
    """A server behind the proxy."""
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    """A proxy before the server, which leaves no thread behind."""
    made = Proxy(echo.address)
    yield made
    pumps = list(made._threads)
    made.close()
    assert not any(thread.is_alive() for thread in pumps)
    assert not made._open


def dial(proxy: Proxy) -> socket.socket:
    """A connection through the proxy, which gives up after a while."""
    return socket.create_connection(proxy.address, timeout=30)


def ask(connection: socket.socket, text: bytes) -> bytes:
    """What comes back for `text`; less when the link ends before."""
    connection.sendall(text)
    got = b""
    while len(got) < len(text):
        piece = connection.recv(1 << 16)
        if not piece:
            break
        got += piece
    return got


def is_broken(connection: socket.socket) -> bool:
    """Whether the other side ended the connection; a time-out is raised."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def refuses(proxy: Proxy) -> bool:
    """Whether a new connection is broken at once; a quick reset may be seen while connecting."""
    try:
        with dial(proxy) as connection:
            return is_broken(connection)
    except ConnectionError:
        return True


def test_a_whole_link_passes_everything_on(proxy: Proxy) -> None:
    assert not proxy.connections_made
    with dial(proxy) as one, dial(proxy) as other:
        assert ask(one, b"x" * 300_000) == b"x" * 300_000
        assert ask(other, b"hello") == b"hello"
    assert proxy.connections_made == 2


def test_a_link_of_hours_keeps_no_threads_of_connections_that_ended(proxy: Proxy) -> None:
    for _ in range(20):
        with dial(proxy) as connection:
            assert ask(connection, b"hello") == b"hello"
    wait_until(lambda: not proxy._open, what="the end of every connection")
    ended = proxy._threads[1:]
    for thread in ended:
        thread.join()
    with dial(proxy) as connection:
        assert ask(connection, b"hello") == b"hello"
        assert len(proxy._threads) == 3, "who accepts, and two for the connection"


def test_half_of_a_connection_may_end_first(proxy: Proxy) -> None:
    with dial(proxy) as connection:
        connection.sendall(b"last words")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b"last words"
        assert connection.recv(1) == b""


def test_a_cut_breaks_what_is_open_and_what_comes(proxy: Proxy) -> None:
    with dial(proxy) as connection:
        assert ask(connection, b"a") == b"a"
        proxy.cut()
        assert is_broken(connection)
    assert refuses(proxy)
    proxy.heal()
    with dial(proxy) as connection:
        assert ask(connection, b"b") == b"b"


def test_a_reset_breaks_only_what_is_open(proxy: Proxy) -> None:
    with dial(proxy) as connection:
        assert ask(connection, b"a") == b"a"
        proxy.reset()
        assert is_broken(connection)
    with dial(proxy) as connection:
        assert ask(connection, b"b") == b"b"


def test_a_stalled_link_delivers_after_it_is_healed(proxy: Proxy) -> None:
    with dial(proxy) as connection:
        assert ask(connection, b"a") == b"a"
        proxy.stall()
        connection.sendall(b"late")
        connection.settimeout(0.1)
        with pytest.raises(socket.timeout):
            connection.recv(1)
        connection.settimeout(30)
        proxy.heal()
        assert connection.recv(100) == b"late"


@pytest.mark.parametrize("lost", ["requests", "answers"])
def test_a_link_may_lose_one_direction(proxy: Proxy, lost: str) -> None:
    with dial(proxy) as connection:
        proxy.stall(requests=lost == "requests", answers=lost == "answers")
        connection.sendall(b"late")
        if lost == "answers":
            wait_until(lambda: proxy.bytes_passed == 4, what="the request")
        connection.settimeout(0.1)
        with pytest.raises(socket.timeout):
            connection.recv(1)
        assert proxy.bytes_passed == (4 if lost == "answers" else 0)
        connection.settimeout(30)
        proxy.heal()
        assert connection.recv(100) == b"late"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="who dials is told by Linux")
def test_at_a_crossing_everybody_has_a_link_of_his_own(echo: Echo) -> None:
    processes = {"nobody": 1 << 30, "me": os.getpid()}
    crossing = Crossing(echo.address, ("127.0.0.1", 0), lambda: processes, "stranger")
    try:
        crossing.link("me").cut()
        assert refuses(crossing)
        del processes["me"]
        with dial(crossing) as connection:
            assert ask(connection, b"a") == b"a"
            crossing.link("me").heal()
            crossing.link("stranger").cut()
            assert is_broken(connection)
    finally:
        crossing.close()


def test_a_slow_link_is_slow(proxy: Proxy) -> None:
    with dial(proxy) as connection:
        proxy.delay(0.1)
        began = time.monotonic()
        assert ask(connection, b"a") == b"a"
        # There and back.
        assert time.monotonic() - began >= 0.2


def test_a_dead_target_is_seen_through_the_proxy(proxy: Proxy, echo: Echo) -> None:
    echo.close()
    assert refuses(proxy)


def test_closing_wakes_up_who_is_stalled(echo: Echo) -> None:
    proxy = Proxy(echo.address)
    with dial(proxy) as connection:
        assert ask(connection, b"a") == b"a"
        proxy.stall()
        connection.sendall(b"b")
        proxy.close()
        assert is_broken(connection)


@pytest.mark.parametrize("answered", [False, True])
def test_a_trap_springs_once_and_holds_the_message_back_meanwhile(
    proxy: Proxy, answered: bool
) -> None:
    springs: List[int] = []
    passed = threading.Event()

    def spring() -> None:
        springs.append(proxy.bytes_passed)
        passed.wait(10)

    trap = proxy.trap(b"secret", spring, answered)
    with dial(proxy) as other, dial(proxy) as connection:
        assert ask(connection, b"open") == b"open"
        assert not trap.sprung
        connection.sendall(b"a secret word")
        # Whoever says nothing of it goes on.
        assert ask(other, b"open") == b"open"
        passed.set()
        assert connection.recv(100) == b"a secret word"
        assert trap.sprung
        assert ask(connection, b"secret") == b"secret"
    assert len(springs) == 1
