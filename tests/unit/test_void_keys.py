"""Keys that become void while their holders are connected: revoked ones, and replaced ones."""

import math
import threading
from typing import Iterator, Optional

import pytest

from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links.key_holder import KeyHolder
from tests.support.links.loopback import (
    KEY,
    ROLE,
    Loopback,
    busy_caller,
    credentials_as,
    works,
)
from zookeeper.fabric.auth import SECRET, Credentials, Keyring
from zookeeper.fabric.errors import AuthenticationFailed, Unavailable
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.key_file import ClusterKey
from zookeeper.fabric.remote import Remote


@pytest.fixture
def secret() -> Iterator[Loopback]:
    """A server that lets nobody in without the key."""
    with Loopback(SECRET) as loopback:
        yield loopback


def connect(loopback: Loopback, credentials: Credentials) -> Remote:
    """A connection of somebody."""
    return loopback.keep(Remote.connect(ROLE, loopback.address, credentials, loopback.network))


def server_of(loopback: Loopback) -> KeyHolder:
    """What the server holds."""
    assert isinstance(loopback.own_credentials, KeyHolder)
    return loopback.own_credentials


def test_a_connection_ends_when_its_principal_is_revoked(secret: Loopback) -> None:
    alice = connect(secret, credentials_as(SECRET, "user:alice"))
    bob = connect(secret, credentials_as(SECRET, "user:bob"))
    assert works(alice) and works(bob)
    server = server_of(secret)
    server.revoked["user:alice"] = math.inf
    server.renew()
    # Nobody has to say so: the server looks by itself.
    wait_until(lambda: alice.stale, what="the end of the connection")
    with pytest.raises(Unavailable):
        alice.call("echo", 1, timeout=PATIENCE_SECONDS)
    assert works(bob)
    with pytest.raises(AuthenticationFailed, match="does not hold a valid key of this cluster"):
        connect(secret, credentials_as(SECRET, "user:alice"))


def test_a_look_at_keys_that_fails_ends_no_server(
    secret: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, failed = server_of(secret), threading.Event()
    keyring = server.keyring

    def defective() -> Optional[Keyring]:
        if failed.is_set():
            return keyring()
        failed.set()
        raise RuntimeError("a defect")

    monkeypatch.setattr(server, "keyring", defective)
    assert failed.wait(PATIENCE_SECONDS)
    assert works(connect(secret, credentials_as(SECRET, "user:alice")))


def test_a_call_of_a_revoked_principal_ends_at_once(secret: Loopback) -> None:
    caller = busy_caller(secret)
    server = server_of(secret)
    server.revoked["user:tester"] = math.inf
    server.renew()
    assert isinstance(caller.outcome(), Unavailable)
    secret.stage.gate.set()


def test_a_key_that_was_replaced_is_good_until_the_end_of_the_call(secret: Loopback) -> None:
    idle, caller = secret.remote(), busy_caller(secret)
    server = server_of(secret)
    newer = ClusterKey(b"x" * 32)
    server.replace(ClusterKey(KEY), newer)
    both = connect(secret, KeyHolder(Principal("user", "tester"), newer))
    secret.server.look_at_keys()
    assert works(both) and works(idle)
    server.replace(newer)
    secret.server.look_at_keys()
    wait_until(lambda: idle.stale, what="the end of the connection")
    assert works(both)
    secret.stage.gate.set()
    assert caller.outcome() == "waited"
    wait_until(lambda: caller._remote.stale, what="the end of the connection")
    with pytest.raises(AuthenticationFailed):
        secret.remote()


def test_who_has_two_keys_tries_both(secret: Loopback) -> None:
    keys = ClusterKey(b"x" * 32), ClusterKey(KEY)
    assert works(connect(secret, KeyHolder(Principal("user", "a"), *keys)))
    with pytest.raises(AuthenticationFailed, match="has no key for the zookeeper"):
        connect(secret, KeyHolder(Principal("user", "a")))
