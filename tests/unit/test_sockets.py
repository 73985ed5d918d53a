"""Hosts with several addresses, addresses that are silent, names that nobody knows."""

import errno
import os
import socket
import struct
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from tests.support.links.loopback import Loopback
from tests.support.clusters.waiting import PATIENCE_SECONDS
from zookeeper.fabric import sockets
from zookeeper.fabric.errors import StartRefused, Unavailable
from zookeeper.fabric.places import neighbourhood, plain_host
from zookeeper.fabric.settings import Address, NetworkSettings
from zookeeper.fabric.sockets import dial, listen, numeric_host, own_numbers

PATIENT = NetworkSettings(handshake_timeout_seconds=PATIENCE_SECONDS)


@pytest.fixture(name="loopback")
def _loopback() -> Iterator[Loopback]:
    with Loopback() as loopback:
        yield loopback


@pytest.fixture(name="names")
def _names(monkeypatch: pytest.MonkeyPatch) -> Dict[str, List[str]]:
    """A name service that a test fills: a name's addresses, in its order."""
    names: Dict[str, List[str]] = {}
    real = socket.getaddrinfo

    def look_up(host: bytes, *args: Any, **kwargs: Any) -> List[Tuple]:
        numbers = names.get(host.decode("ascii"), [host])
        found = [real(number, *args, **kwargs) for number in numbers]
        return [item for items in found for item in items]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(sockets, "_reached", {})
    return names


def silent(host: str, port: int) -> List[socket.socket]:
    """An address that answers nothing: its queue is full. The sockets that keep it so."""
    held = [socket.create_server((host, port), backlog=0)]
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        assert one.connect_ex((host, port)) in (0, errno.EINPROGRESS)
        held.append(one)
    return held


def test_a_silent_first_address_does_not_hide_the_second(names: Dict[str, List[str]]) -> None:
    names["two"] = ["127.0.0.5", "127.0.0.6"]
    with socket.create_server(("127.0.0.6", 0)) as listener:
        port = listener.getsockname()[1]
        held = silent("127.0.0.5", port)
        try:
            address = Address("two", port)
            dial(address, PATIENT, "peer").close()
            assert sockets._reached[address][0] == "127.0.0.6", "it is tried first the next time"
            dial(address, NetworkSettings(handshake_timeout_seconds=0.2), "peer").close()
        finally:
            for one in held:
                one.close()


@pytest.mark.parametrize("order", [1, -1])
def test_an_address_where_nobody_listens_is_passed_over(
    names: Dict[str, List[str]], order: int
) -> None:
    names["two"] = ["127.0.0.5", "127.0.0.6"][::order]
    with socket.create_server(("127.0.0.6", 0)) as listener:
        dial(Address("two", listener.getsockname()[1]), PATIENT, "peer").close()


def test_an_address_of_a_network_that_is_not_there_is_passed_over(
    names: Dict[str, List[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names["two"] = ["127.0.0.5", "127.0.0.6"]
    begin = sockets._begin_to_connect

    def no_route(target: Any) -> Any:
        if target.place[0] == "127.0.0.5":
            sock = socket.socket()
            sock.close()
            return sock, OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        return begin(target)

    monkeypatch.setattr(sockets, "_begin_to_connect", no_route)
    with socket.create_server(("127.0.0.6", 0)) as listener:
        dial(Address("two", listener.getsockname()[1]), PATIENT, "peer").close()


def test_when_all_addresses_are_silent_the_time_ends(names: Dict[str, List[str]]) -> None:
    names["two"] = ["127.0.0.5", "127.0.0.6"]
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.4", 0))
        port = reserved.getsockname()[1]
    held = silent("127.0.0.5", port) + silent("127.0.0.6", port)
    try:
        with pytest.raises(Unavailable, match="timed out"):
            dial(
                Address("two", port), NetworkSettings(handshake_timeout_seconds=0.6), "peer"
            )
    finally:
        for one in held:
            one.close()


def test_a_server_listens_at_all_addresses_of_its_name_that_are_here(
    names: Dict[str, List[str]]
) -> None:
    names["some"] = ["127.0.0.5", "192.0.2.1", "127.0.0.6"]
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.4", 0))
        port = reserved.getsockname()[1]
    listeners = listen("some", port)
    try:
        assert [one.getsockname()[0] for one in listeners] == ["127.0.0.5", "127.0.0.6"]
        for number in ("127.0.0.5", "127.0.0.6"):
            dial(Address(number, port), PATIENT, "peer").close()
    finally:
        for one in listeners:
            one.close()
    assert own_numbers("some") == ("127.0.0.5", "127.0.0.6")


def test_a_name_of_which_one_address_is_taken_is_refused(names: Dict[str, List[str]]) -> None:
    names["two"] = ["127.0.0.5", "127.0.0.6"]
    with socket.create_server(("127.0.0.6", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartRefused, match="in use"):
            listen("two", port)
        # Nothing is left of the first.
        socket.create_server(("127.0.0.5", port)).close()


def test_an_address_that_changed_is_found_by_dialling_again(names: Dict[str, List[str]]) -> None:
    with socket.create_server(("127.0.0.6", 0)) as listener:
        address = Address("moves", listener.getsockname()[1])
        names["moves"] = ["127.0.0.5"]
        with pytest.raises(Unavailable):
            dial(address, PATIENT, "peer")
        names["moves"] = ["127.0.0.6"]
        dial(address, PATIENT, "peer").close()


def test_a_name_service_that_is_down_is_told_from_a_name_that_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures = {
        b"later": socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        b"never": socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    }

    def fail(host: bytes, *_: object, **__: object) -> None:
        raise failures[host]

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(Unavailable, match="later cannot be resolved: Temporary failure"):
        own_numbers("later")
    with pytest.raises(StartRefused, match="never cannot be resolved: Name or service"):
        own_numbers("never")


def test_idle_connections_are_kept_alive_more_often_than_gateways_forget_them(
    loopback: Loopback,
) -> None:
    stream = dial(loopback.address, loopback.network, "peer")
    with socket.socket(fileno=socket.dup(stream.fileno())) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert 0 < sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 120
    stream.close()


@pytest.mark.parametrize(
    "shown, host, shared",
    [
        ("10.1.2.3", "10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_machine_with_many_addresses_has_the_limits_of_one(
    shown: str, host: str, shared: str
) -> None:
    assert plain_host(shown) == host
    assert neighbourhood(host) == shared


def test_a_port_is_taken_once(loopback: Loopback) -> None:
    with pytest.raises(StartRefused, match="cannot listen.*stop what listens there, or name"):
        listen(*loopback.address)


def test_a_daemon_may_have_the_port_that_a_caller_was_given() -> None:
    """Who dialled one that was down, again and again, could keep its port for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = dial(Address(*server.getsockname()), NetworkSettings(), "server")
        accepted, place = server.accept()
    for end in (stream, accepted):
        for listener in listen(*place):
            listener.close()
        end.close()


@pytest.mark.parametrize("host", ["a..b", "x" * 70, "192.0.2.1"])
def test_a_host_that_is_not_ours_is_none(host: str) -> None:
    assert numeric_host(host) is None
    with pytest.raises(StartRefused):
        listen(host, 0)


def test_a_name_that_nobody_knows_is_an_error_of_the_family(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert numeric_host("unknown") is None
    with pytest.raises(StartRefused, match="Name or service not known"):
        listen("unknown", 0)
    with pytest.raises(Unavailable, match="Name or service not known"):
        dial(Address("unknown", 1), NetworkSettings(), "server")


def test_our_own_hosts_have_numbers() -> None:
    assert numeric_host("127.0.0.1") == "127.0.0.1"
    assert numeric_host("localhost") in ("127.0.0.1", "::1")


@pytest.mark.parametrize("host", ["a..b", "x" * 70])
def test_who_cannot_be_dialled_is_unavailable(host: str) -> None:
    with pytest.raises(Unavailable, match="cannot reach the server"):
        dial(Address(host, 1), NetworkSettings(), "server")


def test_where_nobody_listens_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(*listener.getsockname())
    with pytest.raises(Unavailable, match="cannot reach the server"):
        dial(address, NetworkSettings(), "server")


def test_connections_send_at_once_and_never_block_for_ever(loopback: Loopback) -> None:
    network = NetworkSettings(stall_timeout_seconds=1.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = dial(Address(*listener.getsockname()), network, "peer")
    with socket.socket(fileno=socket.dup(stream.fileno())) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            seconds, micros = struct.unpack("ll", sock.getsockopt(socket.SOL_SOCKET, option, 16))
            # The kernel counts in ticks of some milliseconds.
            assert seconds + micros / 1e6 == pytest.approx(1.5, abs=0.02)
    stream.close()
