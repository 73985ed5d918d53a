"""HTTPS on real sockets: browsers' handshakes, those who do not speak it, and new certificates."""

import ssl
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import Iterator

import pytest

from data_service.web.exchange.answers import Answer
from data_service.web.exchange.body import Body
from data_service.web.exchange.http_head import Head
from data_service.web.exchange.http_server import HttpServer
from tests.support.clusters.leaks import Leaks
from tests.support.clusters.waiting import PATIENCE_SECONDS
from tests.support.links import certificates
from tests.support.links.loopback import RawClient
from zookeeper.fabric.identity import DATA_NODE, GATEWAY
from zookeeper.fabric.settings import NetworkSettings
from zookeeper.fabric.tls import Tls


@contextmanager
def answering(head: Head, body: Body) -> Iterator[Answer]:
    """What the server takes its own scheme for, and the body that came."""
    yield Answer(200, head.scheme.encode("ascii") + b"".join(body.pieces()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the gateway's certificate lies, made by the documented command."""
    found = tmp_path_factory.mktemp("certificates")
    certificates.make(found, "web", GATEWAY, DATA_NODE, *certificates.OWN_HOSTS)
    return found


@pytest.fixture
def server(folder: Path) -> Iterator[HttpServer]:
    """One of HTTPS, impatient with handshakes."""
    network = NetworkSettings(handshake_timeout_seconds=0.5)
    tls = Tls(certificates.settings(folder, "web"), GATEWAY)
    leaks = Leaks()
    made = HttpServer("test", "127.0.0.1", 0, answering, network, tls)
    made.start()
    yield made
    made.stop()
    leaks.await_none()


def connected(server: HttpServer, folder: Path, host: str = "localhost") -> HTTPSConnection:
    """Somebody who trusts the authority in `folder`, is strict as browsers and new releases of
    Python are, and dials this name."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    made = HTTPSConnection(host, server.address.port, context=context, timeout=PATIENCE_SECONDS)
    made.connect()
    return made


def shown(server: HttpServer, folder: Path) -> bytes:
    """The certificate that whoever connects is shown now."""
    with closing(connected(server, folder)) as client:
        return client.sock.getpeercert(binary_form=True) or b""  # type: ignore[no-any-return]


@contextmanager
def plain(server: HttpServer, sent: bytes) -> Iterator[RawClient]:
    """Somebody who has sent this, without TLS."""
    with closing(RawClient(server.address)) as client:
        client.send(sent)
        yield client


@pytest.mark.parametrize("host", certificates.OWN_HOSTS)
def test_a_browser_is_answered_and_leads_others_to_https(
    server: HttpServer, folder: Path, host: str
) -> None:
    with closing(connected(server, folder, host)) as client:
        for body in (b"", b"x" * 100_000):
            client.request("PUT", "/", body=body)
            assert client.getresponse().read() == b"https" + body


def test_who_speaks_plain_http_is_told_what_to_do(server: HttpServer) -> None:
    with plain(server, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") as client:
        reply = client.await_end()
    assert reply.startswith(b"HTTP/1.1 400 Bad Request\r\n") and b"begins with https://" in reply


def test_no_visitor_is_asked_for_a_certificate(folder: Path) -> None:
    """A browser would have each one choose among those that he has."""
    for role, mode in ((GATEWAY, ssl.CERT_NONE), (DATA_NODE, ssl.CERT_OPTIONAL)):
        tls = Tls(certificates.settings(folder, "web"), role)
        answering_side = tls._current().answering
        assert answering_side is not None and answering_side.verify_mode == mode


@pytest.mark.parametrize("sent", [
    b"", b"\x16", b"\x16\x03\x01\x3e\x80\x01\x00\x3e\x7c\x03\x03" + bytes(500),
    b"\x15\x03\x03\x00\x02\x02\x28", b"\x16\x03\x01\xff\xff" + bytes(70000), b"GET / HTT",
], ids=range(6))  # fmt: skip
def test_who_does_not_go_on_is_sent_away_and_meanwhile_others_are_served(
    server: HttpServer, folder: Path, sent: bytes
) -> None:
    with ExitStack() as held:
        strangers = [held.enter_context(plain(server, sent)) for _ in range(10)]
        with closing(connected(server, folder)) as client:
            client.request("GET", "/")
            assert client.getresponse().read() == b"https"
        for stranger in strangers:
            stranger.await_end()


def test_a_new_certificate_is_shown_without_a_new_start(server: HttpServer, folder: Path) -> None:
    before = shown(server, folder)
    assert shown(server, folder) == before
    with closing(connected(server, folder)) as client:
        certificates.make(folder, "web", GATEWAY, DATA_NODE, *certificates.OWN_HOSTS)
        client.request("GET", "/")
        assert client.getresponse().read() == b"https", "who is connected goes on"
    assert shown(server, folder) != before
