"""Where a daemon listens: what mode simple allows, and names that are not known (yet)."""

from typing import List, Tuple

import pytest

from tests.support.links.loopback import Recorder
from zookeeper.fabric import daemon
from zookeeper.fabric.auth import SECRET, SIMPLE
from zookeeper.fabric.errors import StartRefused, Unavailable
from zookeeper.fabric.settings import Address, NetworkSettings, SecuritySettings, Settings


def settings(
    mode: str = SIMPLE, bind_host: str = "", allow_insecure: bool = False, tls: bool = False
) -> Settings:
    """Settings that differ from the defaults in what decides where to listen."""
    return Settings(
        security=SecuritySettings(mode=mode, allow_insecure=allow_insecure, tls=tls),
        network=NetworkSettings(bind_host=bind_host),
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.77"])
def test_loopback_is_open_to_mode_simple(host: str) -> None:
    assert daemon.bind_host(settings(), Address(host, 1)) == host


@pytest.mark.parametrize(
    "bind_host, advertised",
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        # A public address in front of this machine (one of those that documents may use).
        ("", "203.0.113.7"),
    ],
)
def test_more_than_loopback_needs_a_key_or_an_explicit_word(
    bind_host: str, advertised: str
) -> None:
    address = Address(advertised, 1)
    with pytest.raises(StartRefused, match="would be open to everybody"):
        daemon.bind_host(settings(bind_host=bind_host), address)
    expected = bind_host or "0.0.0.0"
    assert daemon.bind_host(settings(SECRET, bind_host), address) == expected
    with Recorder() as log:
        assert daemon.bind_host(settings(SIMPLE, bind_host, True), address) == expected
    assert len(log.lines) == 1 and f"address.insecure host={expected}" in log.lines[0]


def test_passwords_are_not_heard_on_a_network_without_tls() -> None:
    address, everywhere = Address("127.0.0.1", 1), "0.0.0.0"
    with pytest.raises(StartRefused, match="would hear passwords that everybody on the way"):
        daemon.bind_host(settings(SECRET, everywhere), address, hears_passwords=True)
    with Recorder() as log:
        daemon.bind_host(settings(SECRET, everywhere, True), address, hears_passwords=True)
    assert len(log.lines) == 1 and "passwords go over the network" in log.lines[0]
    for good in (settings(SECRET, everywhere, tls=True), settings(SECRET)):
        with Recorder() as log:
            daemon.bind_host(good, address, hears_passwords=True)
        assert not log.lines
    with pytest.raises(StartRefused, match="would be open to everybody"):
        daemon.bind_host(settings(SIMPLE, everywhere), address, hears_passwords=True)


@pytest.mark.parametrize("numbers", [
    ("127.0.0.1", "10.0.0.5"), ("10.0.0.5", "::1"), ("::ffff:10.0.0.5",), ("::1", "fe80::1"),
])  # fmt: skip
def test_one_address_beyond_loopback_is_one_too_many(
    monkeypatch: pytest.MonkeyPatch, numbers: Tuple[str, ...]
) -> None:
    monkeypatch.setattr(daemon, "own_numbers", lambda host: numbers)
    with pytest.raises(StartRefused, match="would be open to everybody"):
        daemon.bind_host(settings(), Address("both", 1))


def test_a_bind_host_that_is_not_ours_is_refused() -> None:
    with pytest.raises(StartRefused, match="no address of this machine"):
        daemon.bind_host(settings(SECRET, "203.0.113.7"), Address("127.0.0.1", 1))


@pytest.mark.parametrize("mode", [SIMPLE, SECRET])
@pytest.mark.parametrize("bind_host, advertised", [("", "a..b"), ("a..b", "127.0.0.1")])
def test_a_name_that_cannot_be_resolved_does_not_open_every_interface(
    mode: str, bind_host: str, advertised: str
) -> None:
    with pytest.raises(StartRefused, match=r"the host a\.\.b cannot be resolved"):
        daemon.bind_host(settings(mode, bind_host), Address(advertised, 1))


def test_a_name_service_that_is_not_up_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: List[object] = [Unavailable("the host x cannot be resolved: later")] * 3
    answers.append(("127.0.0.1",))

    def own_numbers(_host: str) -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(daemon, "own_numbers", own_numbers)
    monkeypatch.setattr(daemon, "NAME_PAUSE_SECONDS", 0.0)
    assert daemon.bind_host(settings(), Address("x", 1)) == "x"
    answers += [Unavailable("the host x cannot be resolved: later")]
    monkeypatch.setattr(daemon, "NAME_SECONDS", 0.0)
    with pytest.raises(StartRefused, match="x cannot be resolved: later; start again"):
        daemon.bind_host(settings(), Address("x", 1))


def test_a_name_that_only_this_machine_can_reach_is_told(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian writes the machine's own name into /etc/hosts with 127.0.1.1."""
    monkeypatch.setattr(daemon, "own_numbers", lambda host: ("127.0.1.1",))
    with Recorder() as log:
        assert daemon.bind_host(settings(), Address("mymachine", 1)) == "mymachine"
        assert daemon.bind_host(settings(), Address("localhost", 1)) == "localhost"
        assert daemon.bind_host(settings(), Address("127.0.1.1", 1)) == "127.0.1.1"
    assert len(log.lines) == 1 and "address.loopback_only host=mymachine" in log.lines[0]
