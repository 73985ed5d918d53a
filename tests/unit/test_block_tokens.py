"""Block tokens as bytes: what they grant, and that nobody else makes them or changes them."""

from typing import Callable, Optional

import pytest

from data_service.protocol.block_tokens import (
    COPY,
    MAC_BYTES,
    READ,
    TOKEN_BYTES_MAX,
    WRITE,
    Grant,
    behind,
    presenter,
    seal,
    unseal,
)
from data_service.protocol.blocks import Block
from zookeeper.fabric import keys
from zookeeper.fabric.errors import InvalidArgument, PermissionDenied, TokenExpired
from zookeeper.fabric.kinds import INTEGER_MAX

CLUSTER, OTHER_CLUSTER = b"k" * 32, b"K" * 32
A, B, C = TARGETS = ("a.example:1801", "b.example:1801", "10.0.0.3:1802")
GRANT = Grant(WRITE, "user:alice", Block(7, 3, 1 << 27), TARGETS, 1_764_265_200_000)
SEALED = GRANT._replace(key_id=keys.key_id(CLUSTER))
KEY_ID = range(1, 1 + keys.KEY_ID_BYTES)
"""Where a token says under which key it was made."""


def held_by(target: str, cluster: bytes = CLUSTER) -> Callable[[bytes], Optional[bytes]]:
    """What a datanode of this cluster holds: its own key, and no other."""
    own = {keys.key_id(cluster): keys.server_key(cluster, f"data_node:{target}")}
    return own.get


@pytest.mark.parametrize(
    "grant",
    [
        GRANT,
        GRANT._replace(mode=READ, targets=(B,)),
        GRANT._replace(mode=COPY, bearer=f"data_node:{A}", targets=(B, C), digest=bytes(16)),
        GRANT._replace(bearer="user:José", block=Block(*[INTEGER_MAX] * 3)),
        GRANT._replace(bearer="gateway:web", acted_for="user:José"),
    ],
)
def test_each_datanode_of_a_token_finds_in_it_what_was_granted(grant: Grant) -> None:
    token = seal(grant, CLUSTER)
    for target in grant.targets:
        found = unseal(token, target, held_by(target))
        assert found == grant._replace(key_id=keys.key_id(CLUSTER))


def test_a_changed_byte_is_noticed_by_whom_it_concerns() -> None:
    token = seal(GRANT, CLUSTER)
    macs = len(token) - MAC_BYTES * len(TARGETS)
    for place in range(len(token)):
        for bit in (1, 0x80):
            changed = token[:place] + bytes([token[place] ^ bit]) + token[place + 1 :]
            for number, target in enumerate(TARGETS):
                own = range(macs + MAC_BYTES * number, macs + MAC_BYTES * (number + 1))
                if place < macs or place in own:
                    with pytest.raises(TokenExpired if place in KEY_ID else PermissionDenied):
                        unseal(changed, target, held_by(target))
                else:
                    assert unseal(changed, target, held_by(target)) == SEALED


def test_what_is_cut_or_longer_is_no_token() -> None:
    token = seal(GRANT, CLUSTER)
    for size in range(len(token)):
        with pytest.raises(PermissionDenied):
            unseal(token[:size], A, held_by(A))
    with pytest.raises(PermissionDenied, match="no token"):
        unseal(token + b"\0", A, held_by(A))
    with pytest.raises(PermissionDenied, match="needed"):
        unseal(b"", A, held_by(A))


def test_a_datanode_makes_nothing_that_another_one_believes() -> None:
    token = bytearray(seal(GRANT, CLUSTER))
    # The first datanode gives its own MAC out as that of the second.
    own, other = len(token) - 3 * MAC_BYTES, len(token) - 2 * MAC_BYTES
    token[other : other + MAC_BYTES] = token[own : own + MAC_BYTES]
    with pytest.raises(PermissionDenied):
        unseal(bytes(token), B, held_by(B))


def test_a_token_is_for_the_datanodes_that_stand_in_it_and_for_no_others() -> None:
    token = seal(GRANT._replace(targets=(A, B)), CLUSTER)
    with pytest.raises(PermissionDenied, match="not for this datanode"):
        unseal(token, C, held_by(C))
    with pytest.raises(PermissionDenied):
        unseal(token, A, held_by(B))


def test_another_cluster_s_token_is_worth_nothing() -> None:
    # It may be of a key that was replaced just now: who has a right to another one asks for it.
    with pytest.raises(TokenExpired, match="key .* is not valid here"):
        unseal(seal(GRANT, OTHER_CLUSTER), A, held_by(A))
    forged = seal(GRANT, OTHER_CLUSTER).replace(keys.key_id(OTHER_CLUSTER), keys.key_id(CLUSTER))
    with pytest.raises(PermissionDenied, match="not made by"):
        unseal(forged, A, held_by(A))


def test_a_pipeline_s_token_comes_from_the_bearer_and_goes_from_one_to_the_next() -> None:
    assert [presenter(GRANT, target) for target in TARGETS] == [
        "user:alice", f"data_node:{A}", f"data_node:{B}"]
    assert [tuple(behind(GRANT, target)) for target in TARGETS] == [(B, C), (C,), ()]


def test_a_reader_s_token_is_his_at_every_holder() -> None:
    reading = GRANT._replace(mode=READ)
    assert {presenter(reading, target) for target in TARGETS} == {"user:alice"}


@pytest.mark.parametrize(
    "name", ["user:al\nice", "\n", "user:alice\nb.example:1801", "user:alice\tuser:bob"]
)
def test_no_name_is_taken_for_two(name: str) -> None:
    with pytest.raises(InvalidArgument):
        seal(GRANT._replace(bearer=name), CLUSTER)
    with pytest.raises(InvalidArgument):
        seal(GRANT._replace(acted_for=name), CLUSTER)
    with pytest.raises(InvalidArgument):
        seal(GRANT._replace(targets=(f"a{name}\nb",)), CLUSTER)


def test_the_longest_token_that_there_can_be_fits() -> None:
    targets = tuple(f"{number:03}{'n' * 250}:65535" for number in range(512))
    assert len(seal(GRANT._replace(targets=targets), CLUSTER)) <= TOKEN_BYTES_MAX
