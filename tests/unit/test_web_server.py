"""HTTP on real sockets: what comes after what, who is waited for, and what is left behind."""

import random
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import Iterator, List, Optional

import pytest

from data_service.web.exchange import http_server
from data_service.web.exchange.answers import Answer, Pieces
from data_service.web.exchange.body import Body, Inbox
from data_service.web.exchange.http_head import Head
from data_service.web.exchange.http_server import HttpServer
from tests.support.clusters.leaks import Leaks
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links.loopback import RawClient, mutate
from zookeeper.fabric.errors import BlockMissing
from zookeeper.fabric.settings import NetworkSettings
from zookeeper.fabric.waiting import tell_waiting

LARGE = bytes(range(256)) * 20_000
HOST = b"Host: a\r\n"


class Site:
    """A server with these limits; its answers tell what was asked. `gate` holds back /wait, and
    /outage, for which so many were `waiting`."""

    def __init__(self, **limits: object) -> None:
        self.gate = threading.Event()
        self.waiting = 0
        self.bodies: List[bytes] = []
        network = replace(NetworkSettings(), **limits)  # type: ignore[arg-type]
        self._leaks = Leaks()
        self.server = HttpServer("test", "127.0.0.1", 0, self.answering, network)
        self._clients: List[RawClient] = []

    def __enter__(self) -> "Site":
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        for client in self._clients:
            client.close()
        self.server.stop()
        self._leaks.await_none()

    @contextmanager
    def answering(self, head: Head, body: Body) -> Iterator[Answer]:
        """By the target: what the tests need."""
        target = head.target.decode("ascii")
        if target == "/wait":
            self.gate.wait(PATIENCE_SECONDS)
        if target == "/outage":
            tell_waiting(True)
            self.waiting += 1
            while not self.gate.wait(0.01):
                tell_waiting(True)
            tell_waiting(False)
        if target == "/read":
            self.bodies.append(b"".join(body.pieces()))
        if target in ("/large", "/broken"):
            length: Optional[int] = len(LARGE)
            yield Answer(200, pieces=self._pieces(target == "/broken"), length=length)
        elif target == "/empty":
            yield Answer(200, pieces=(piece for piece in ()), length=0)
        elif target == "/listing":
            yield Answer(200, pieces=self._pieces(False))
        else:
            yield Answer(200, f"{head.method} {target}".encode("ascii"))

    def _pieces(self, broken: bool) -> Pieces:
        for start in range(0, len(LARGE), 1 << 17):
            if broken and start:
                raise BlockMissing("lost")
            yield memoryview(LARGE)[start : start + (1 << 17)]

    def client(self, *sent: bytes) -> RawClient:
        """Somebody who has sent this."""
        client = RawClient(self.server.address)
        self._clients.append(client)
        for data in sent:
            client.send(data)
        return client


def get(target: bytes, *headers: bytes, method: bytes = b"GET") -> bytes:
    """A request without a body."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: a", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def head_from(client: RawClient) -> bytes:
    """The head of the next response."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += client.receive(1)
    return data


def body_from(client: RawClient) -> bytes:
    """The body of the next response, which has a length."""
    for line in head_from(client).split(b"\r\n"):
        if line.startswith(b"Content-Length: "):
            return client.receive(int(line.partition(b": ")[2]))
    raise AssertionError("it has none")


def test_requests_on_one_connection_are_answered_in_order() -> None:
    with Site() as site:
        client = site.client(get(b"/1") + get(b"/2"), get(b"/3"))
        assert [body_from(client) for _ in range(3)] == [b"GET /1", b"GET /2", b"GET /3"]
        client.send(get(b"/4", b"Connection: close"))
        assert body_from(client) == b"GET /4" and client.await_end() == b""


@pytest.mark.parametrize("sent, body", [
    (b"Content-Length: 5\r\n\r\nhello", b"hello"), (b"\r\n", b""),
    (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello"),
])  # fmt: skip
@pytest.mark.parametrize("target", [b"/read", b"/unread"])
def test_a_body_is_never_taken_for_a_request(sent: bytes, body: bytes, target: bytes) -> None:
    with Site() as site:
        client = site.client(b"PUT " + target + b" HTTP/1.1\r\n" + HOST + sent + get(b"/next"))
        assert body_from(client) == b"PUT " + target
        assert body_from(client) == b"GET /next"
        assert site.bodies == ([body] if target == b"/read" else [])


def test_who_sends_much_that_nobody_reads_hears_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_server, "DROP_BYTES_MAX", 1000)
    with Site() as site:
        head = b"PUT /unread HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(LARGE)
        client = site.client(head)
        sender = threading.Thread(target=client.send, args=(LARGE,), daemon=True)
        sender.start()
        assert body_from(client) == b"PUT /unread"
        assert client.await_end() == b"", "and the connection ends"
        sender.join(PATIENCE_SECONDS)


EXPECTS = HOST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"


def test_who_may_say_no_more_for_an_hour_has_no_large_buffer_meanwhile(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: List[bool] = []
    monkeypatch.setattr(Inbox, "rest", lambda inbox: rests.append(inbox.empty))
    with Site() as site:
        upload = get(b"/read", b"Content-Length: 400000", method=b"PUT")
        client = site.client(upload, LARGE[:400_000])
        assert body_from(client) == b"PUT /read"
        wait_until(lambda: rests == [True], what="its rest")


def test_a_body_is_invited_when_it_is_wanted_and_not_before() -> None:
    with Site() as site:
        client = site.client(b"PUT /read HTTP/1.1\r\n" + EXPECTS)
        assert head_from(client) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"hello" + get(b"/next"))
        assert body_from(client) == b"PUT /read" and body_from(client) == b"GET /next"
        refused = site.client(b"PUT /unread HTTP/1.1\r\n" + EXPECTS)
        assert b"Connection: close" in refused.await_end(), "it may send the body or not"


def test_what_has_no_length_comes_in_chunks() -> None:
    with Site() as site:
        client = site.client(get(b"/listing"))
        assert b"\r\nTransfer-Encoding: chunked\r\n" in head_from(client)
        data = b""
        while True:
            size = b""
            while not size.endswith(b"\r\n"):
                size += client.receive(1)
            data += client.receive(int(size, 16))
            client.receive(2)
            if size == b"0\r\n":
                break
        assert data == LARGE
        client.send(get(b"/next"))
        assert body_from(client) == b"GET /next"
        old = site.client(b"GET /listing HTTP/1.0\r\n\r\n")
        assert old.await_end().partition(b"\r\n\r\n")[2] == LARGE


def test_a_large_answer_is_whole_and_one_that_breaks_is_seen_to_break() -> None:
    with Site() as site:
        client = site.client(get(b"/large") + get(b"/empty") + get(b"/next"))
        assert body_from(client) == LARGE and body_from(client) == b""
        assert body_from(client) == b"GET /next"
        broken = site.client(get(b"/broken") + get(b"/next")).await_end()
        head, _, body = broken.partition(b"\r\n\r\n")
        assert b"Content-Length: %d\r\n" % len(LARGE) in head + b"\r\n"
        assert len(body) < len(LARGE) and b"/next" not in body


def test_a_head_without_a_body() -> None:
    with Site() as site:
        client = site.client(get(b"/large", method=b"HEAD") + get(b"/next"))
        assert b"Content-Length: %d\r\n" % len(LARGE) in head_from(client)
        assert body_from(client) == b"GET /next"


@pytest.mark.parametrize("sent, status", [
    (b"\x16\x03\x01\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\n\r\n", b"400"),
    (b"GET /" + b"x" * (1 << 17), b"431"), (get(b"/" + b"x" * (1 << 16)), b"414"),
    (get(b"/", b"Transfer-Encoding: gzip"), b"501"),
])  # fmt: skip
def test_what_is_no_request_is_answered_in_json_and_ended(sent: bytes, status: bytes) -> None:
    with Site() as site:
        reply = site.client(sent + get(b"/hidden")).await_end()
        assert reply.startswith(b"HTTP/1.1 " + status) and b'{"RemoteException"' in reply
        assert reply.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("sent", [
    b"GET / HT", b"PUT /read HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhel",
    b"PUT /unread HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
])  # fmt: skip
def test_who_goes_on_too_slowly_is_waited_for_no_more(sent: bytes) -> None:
    """Each byte comes before a pause would be too long, and yet there is an end."""
    with Site(stall_timeout_seconds=0.4) as site:
        client = site.client(sent)
        ended = threading.Event()
        listener = threading.Thread(target=lambda: (client.await_end(), ended.set()), daemon=True)
        listener.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not ended.wait(0.1):
            client.send(b"x")
            assert time.monotonic() < deadline
        listener.join(PATIENCE_SECONDS)
        assert body_from(site.client(get(b"/next"))) == b"GET /next"


def test_who_reads_too_slowly_is_waited_for_no_more() -> None:
    with Site(stall_timeout_seconds=0.3) as site:
        clients = [site.client(get(b"/large") * 3) for _ in range(5)]
        wait_until(lambda: "0 connections" in repr(site.server), what="the end of those who sleep")
        assert body_from(site.client(get(b"/next"))) == b"GET /next"
        assert len(clients) == 5


def test_a_crowd_of_the_silent_keeps_nobody_out() -> None:
    with Site(max_connections=8, max_connections_per_host=8) as site:
        for number in range(40):
            site.client(b"GET / HTTP/1.1\r\nHos" if number % 2 else b"")
        for _ in range(3):
            assert body_from(site.client(get(b"/next"))) == b"GET /next"


def test_who_waits_for_the_cluster_keeps_nobody_out() -> None:
    with Site(max_connections=4, max_connections_per_host=4) as site:
        waiting = []
        for number in range(4):
            waiting.append(site.client(get(b"/outage")))
            wait_until(lambda: site.waiting == number + 1)
        assert body_from(site.client(get(b"/next"))) == b"GET /next"
        assert waiting.pop(0).await_end() == b""
        site.gate.set()
        assert [body_from(client) for client in waiting] == [b"GET /outage"] * 3


def test_nobody_waits_for_the_cluster_for_one_who_left() -> None:
    with Site() as site:
        site.client(get(b"/outage")).close()
        wait_until(lambda: "0 connections" in repr(site.server))
        assert not site.gate.is_set()


def test_a_stop_lets_what_runs_come_to_its_end() -> None:
    with Site() as site:
        busy, idle = site.client(get(b"/wait")), site.client(get(b"/1"))
        assert body_from(idle) == b"GET /1"
        wait_until(lambda: "1 busy" in repr(site.server))
        stopping = threading.Thread(target=site.server.stop, args=(PATIENCE_SECONDS,), daemon=True)
        stopping.start()
        assert idle.await_end() == b""
        site.gate.set()
        assert body_from(busy) == b"GET /wait"
        stopping.join(PATIENCE_SECONDS)
        assert not stopping.is_alive()


@pytest.mark.parametrize("seed", range(3))
def test_odd_requests_leave_nothing_behind(seed: int) -> None:
    chance = random.Random(seed)
    good = [get(b"/1") * 2, b"PUT /read HTTP/1.1\r\n" + EXPECTS + b"hello" + get(b"/2"),
            b"PUT /read HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
            b"5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n" + get(b"/large")]
    with Site(stall_timeout_seconds=0.5) as site:
        for _ in range(60):
            client = site.client(mutate(chance.choice(good), chance))
            if chance.random() < 0.5:
                client.hang_up()
                client.await_end()
            client.close()
            assert body_from(site.client(get(b"/next", b"Connection: close"))) == b"GET /next"
