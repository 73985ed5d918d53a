"""The keys of a cluster: each from one, none from another."""

import hashlib
import hmac
from itertools import combinations

import pytest

from zookeeper.fabric.keys import caller_key, key_id, server_key, token_key

CLUSTER = bytes(range(32))
SERVER = server_key(CLUSTER, "name_node")


def test_keys_are_what_other_releases_derive_too() -> None:
    """Changed, these would lock everybody out who holds a key file."""
    expected = hmac.new(CLUSTER, b"\0\0\0\2id", hashlib.sha256).digest()
    assert key_id(CLUSTER) == expected[:8]
    expected = hmac.new(CLUSTER, b"\0\0\0\6serves\0\0\0\x09name_node", hashlib.sha256).digest()
    assert SERVER == expected
    fields = b"\0\0\0\5calls\0\0\0\6user:a\0\0\0\x08\0\0\0\0\0\0\0\7"
    assert caller_key(SERVER, "user:a", 7) == hmac.new(SERVER, fields, hashlib.sha256).digest()
    expected = hmac.new(SERVER, b"\0\0\0\x0cblock tokens", hashlib.sha256).digest()
    assert token_key(SERVER) == expected


def test_no_two_keys_are_alike() -> None:
    keys = [
        CLUSTER,
        SERVER,
        server_key(CLUSTER, "zookeeper"),
        server_key(CLUSTER, "data_node:a:1"),
        server_key(CLUSTER, "data_node:a:11"),
        server_key(b"\1" * 32, "name_node"),
        token_key(SERVER),
        caller_key(SERVER, "user:a", 1),
        caller_key(SERVER, "user:a", 2),
        caller_key(SERVER, "user:b", 1),
        caller_key(server_key(CLUSTER, "zookeeper"), "user:a", 1),
    ]
    assert all(one != other for one, other in combinations(keys, 2))
    assert all(len(key) == 32 for key in keys)
    assert key_id(CLUSTER) not in CLUSTER and len(key_id(CLUSTER)) == 8


@pytest.mark.parametrize("issued", [0, 1 << 63, (1 << 64) - 1])
def test_a_key_is_issued_at_any_second(issued: int) -> None:
    assert len(caller_key(SERVER, "user:José", issued)) == 32
