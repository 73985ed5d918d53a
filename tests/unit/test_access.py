"""What a datanode lets callers do: that for which they present a token, and nothing beside it."""

from typing import List, Optional

import pytest

from data_service.datanode.access import Access
from data_service.protocol.block_tokens import COPY, READ, SKEW, WRITE, Grant, seal
from data_service.protocol.blocks import Block
from data_service.protocol.nodes import Target, Targets
from zookeeper.fabric import keys
from zookeeper.fabric.auth import Keyring
from zookeeper.fabric.errors import PermissionDenied, TokenExpired
from zookeeper.fabric.identity import DATA_NODE, GATEWAY, NAME_NODE, USER, Principal
from zookeeper.fabric.settings import Address

CLUSTER = b"k" * 32
A, B, C = ADDRESSES = tuple(Address(host, 1801) for host in ("a", "b", "c"))
ALICE, MALLORY = Principal(USER, "alice"), Principal(USER, "mallory")
BLOCK = Block(7, 3, 1000)
SECONDS, NOW = 600.0, 1e9
GRANT = Grant(WRITE, str(ALICE), BLOCK, tuple(map(str, ADDRESSES)), int((NOW + SECONDS) * 1000))
READING = GRANT._replace(mode=READ)
COPYING = GRANT._replace(mode=COPY, bearer=f"data_node:{A}", targets=(str(B), str(C)))


def node(address: Address) -> Principal:
    """The datanode at an address."""
    return Principal(DATA_NODE, str(address))


def at(address: Address, now: float = NOW) -> Access:
    """The checks of this datanode, at this time of day."""
    own = {keys.key_id(CLUSTER): keys.server_key(CLUSTER, f"data_node:{address}")}
    return Access(address, lambda: Keyring(own, {}, bytes(32)), SECONDS, lambda: now)


def targets_of(*addresses: Address) -> Targets:
    """As a caller names them."""
    return tuple([Target(f"id-{host}", host, port) for host, port in addresses])


def read(
    grant: Optional[Grant], caller: Principal = ALICE, at_node: Address = A, now: float = NOW
) -> None:
    """Ask for BLOCK with a token of this grant, or none."""
    token = b"" if grant is None else seal(grant, CLUSTER)
    at(at_node, now).check_read(token, caller, *BLOCK[:2])


def write(
    grant: Optional[Grant],
    caller: Principal = ALICE,
    at_node: Address = A,
    block: Block = BLOCK,
    rest: Optional[List[Address]] = None,
    now: float = NOW,
) -> None:
    """Write `block` with a token of this grant, to those behind the datanode or to this `rest`."""
    token = b"" if grant is None else seal(grant, CLUSTER)
    behind = ADDRESSES[ADDRESSES.index(at_node) + 1 :] if rest is None else rest
    at(at_node, now).check_write(token, caller, block, targets_of(*behind))


@pytest.mark.parametrize("holder", ADDRESSES)
def test_a_reader_reads_his_block_at_each_holder(holder: Address) -> None:
    read(READING, at_node=holder)


def test_whose_share_is_taken_is_who_is_acted_for() -> None:
    """Else a few of a gateway's visitors would keep all others of them out."""
    web = Principal(GATEWAY, "web")
    for grant, user in ((READING, "user:alice"),
                        (READING._replace(bearer=str(web), acted_for="user:bob"), "user:bob")):
        caller = Principal.parse(grant.bearer)
        assert at(A).check_read(seal(grant, CLUSTER), caller, *BLOCK[:2]) == user
        written = seal(grant._replace(mode=WRITE, targets=(str(A),)), CLUSTER)
        assert at(A).check_write(written, caller, BLOCK, ()).user == user


def test_a_block_goes_down_its_pipeline() -> None:
    write(GRANT)
    write(GRANT, node(A), B)
    write(GRANT, node(B), C)
    write(GRANT, block=BLOCK._replace(length=1))


def test_an_ordered_copy_goes_down_its_pipeline() -> None:
    write(COPYING, node(A), B)
    write(COPYING, node(B), C)


@pytest.mark.parametrize("caller", [MALLORY, node(A), node(B), Principal(NAME_NODE),
                                    Principal(USER, ""), Principal("alice")])
def test_a_stolen_token_is_worth_nothing(caller: Principal) -> None:
    with pytest.raises(PermissionDenied, match="not given to"):
        read(READING, caller)
    with pytest.raises(PermissionDenied, match="not given to"):
        write(GRANT, caller)


@pytest.mark.parametrize("caller, to", [(ALICE, B), (ALICE, C), (node(A), C), (node(C), B),
                                        (node(A), A), (MALLORY, C)])
def test_a_pipeline_is_entered_at_its_first_datanode_only(caller: Principal, to: Address) -> None:
    with pytest.raises(PermissionDenied, match="not given to"):
        write(GRANT, caller, to)


@pytest.mark.parametrize("rest", [[], [B], [C], [C, B], [B, C, A], [B, Address("c", 1802)],
                                  [B, Address("metadata", 1801)]])
def test_a_block_goes_on_to_the_datanodes_of_its_token_only(rest: List[Address]) -> None:
    with pytest.raises(PermissionDenied, match="other datanodes"):
        write(GRANT, rest=rest)


def test_a_token_is_for_one_block_of_one_generation() -> None:
    for other in (BLOCK._replace(block_id=8), BLOCK._replace(generation=4),
                  BLOCK._replace(generation=2), BLOCK._replace(block_id=3, generation=7)):
        with pytest.raises(PermissionDenied, match="another block"):
            read(READING._replace(block=other))
        with pytest.raises(PermissionDenied, match="another block"):
            write(GRANT, block=other)


def test_no_more_bytes_are_written_than_were_granted() -> None:
    with pytest.raises(PermissionDenied, match="for 1000 bytes, not for 1001"):
        write(GRANT, block=BLOCK._replace(length=1001))


def test_a_token_is_for_one_deed() -> None:
    for mode in (WRITE, COPY, "x", "\0"):
        with pytest.raises(PermissionDenied, match="another deed"):
            read(READING._replace(mode=mode))
    with pytest.raises(PermissionDenied, match="another deed"):
        write(READING)


def test_an_expired_token_is_told_apart_and_only_if_it_was_right() -> None:
    late = NOW + SECONDS * (1 + SKEW)
    read(READING, now=late)
    write(GRANT, now=late)
    with pytest.raises(TokenExpired):
        read(READING, now=late + 1)
    with pytest.raises(TokenExpired):
        write(GRANT, now=late + 1)
    forged = seal(READING, b"K" * 32).replace(keys.key_id(b"K" * 32), keys.key_id(CLUSTER))
    with pytest.raises(PermissionDenied):
        at(A, late + 1).check_read(forged, ALICE, *BLOCK[:2])


def test_without_a_token_nothing_is_let_in() -> None:
    with pytest.raises(PermissionDenied, match="needed"):
        read(None)
    with pytest.raises(PermissionDenied, match="needed"):
        write(None)


def test_in_mode_simple_nobody_looks_at_tokens() -> None:
    access = Access(A, lambda: None, SECONDS)
    access.check_read(b"", MALLORY, 7, 3)
    access.check_write(b"?", MALLORY, BLOCK, targets_of(C))
