"""The text of a delegation token: only what this cluster's namenode made opens anything."""

import base64
from typing import Dict, Optional

import pytest

from data_service.protocol.delegation_tokens import (
    NAME_BYTES_MAX,
    TOKEN_CHARACTERS_MAX,
    Delegation,
    read,
    seal,
    unseal,
)
from zookeeper.fabric import keys
from zookeeper.fabric.errors import AuthenticationFailed

CLUSTER = b"k" * 32
KEY = keys.server_key(CLUSTER, "name_node")
ID = keys.key_id(CLUSTER)
HERS = Delegation(
    7, "alice", "etl", "", 1_764_265_200_000, 1_764_870_000_000, 1_764_260_000, ID.hex()
)
TEXT = seal(HERS, KEY)


def known(key_id: bytes) -> Optional[bytes]:
    """The namenode's key that comes from the cluster's, by that one's id."""
    ring: Dict[bytes, bytes] = {ID: KEY}
    return ring.get(key_id)


@pytest.mark.parametrize(
    "delegation",
    [HERS, HERS._replace(renewer="", proxy="user:hue"), HERS._replace(owner="é:@ \U0001f600"),
     HERS._replace(number=(1 << 64) - 1, issued_ms=0, max_ms=0, proved_at=0)],
)
def test_what_is_sealed_is_what_was_meant(delegation: Delegation) -> None:
    text = seal(delegation, KEY)
    assert unseal(text, known) == read(text) == delegation
    assert text.replace("-", "").replace("_", "").isalnum() and text.isascii()


def test_the_longest_one_fits_into_a_cookie() -> None:
    name = "é" * (NAME_BYTES_MAX // 2)
    text = seal(HERS._replace(owner=name, renewer=name, proxy=name), KEY)
    assert len(text) <= TOKEN_CHARACTERS_MAX < 4096 - 100
    assert unseal(text, known).proxy == name


def changed(text: str, place: int) -> str:
    """The text with another character there."""
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


@pytest.mark.parametrize("place", range(len(TEXT)))
def test_no_character_can_be_changed(place: int) -> None:
    with pytest.raises(AuthenticationFailed):
        unseal(changed(TEXT, place), known)


@pytest.mark.parametrize("length", range(len(TEXT)))
def test_none_can_be_cut(length: int) -> None:
    for part in (TEXT[:length], "d1" + TEXT[2 + length :]):
        if part != TEXT:
            with pytest.raises(AuthenticationFailed):
                unseal(part, known)


@pytest.mark.parametrize(
    "text",
    ["", "d1", "d2" + TEXT[2:], TEXT + "=", TEXT + "A", TEXT + "AAAA", TEXT + " ", TEXT + "\n",
     "d1" + "A" * 4 * TOKEN_CHARACTERS_MAX, "d1" + "é" * 80, "d1" + "\ud800" * 80,
     "d1" + "A" * 160],
    ids=lambda text: ascii(text[:12]) + str(len(text)),
)
def test_what_is_none_is_none(text: str) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        unseal(text, known)
    assert len(caught.value.message) < 150
    with pytest.raises(AuthenticationFailed):
        read(text) if len(text) != 162 else unseal(text, known)


def test_of_one_token_there_is_one_text() -> None:
    body = TEXT[2:]
    spare = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    texts = {
        "d1" + body[:-1] + last
        for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        if base64.urlsafe_b64decode(body[:-1] + last + "=" * (-len(body) % 4)) == spare
    }
    for text in texts - {TEXT}:
        with pytest.raises(AuthenticationFailed):
            read(text)


def test_another_key_seals_nothing() -> None:
    # Those of other servers of this cluster, of users, of block tokens, and of another cluster.
    others = [
        keys.server_key(CLUSTER, "data_node:h:1"),
        keys.server_key(CLUSTER, "metadata"),
        keys.caller_key(KEY, "user:alice", 0),
        keys.token_key(KEY),
        keys.server_key(b"K" * 32, "name_node"),
    ]
    for other in others:
        with pytest.raises(AuthenticationFailed, match="not made by this cluster's namenode"):
            unseal(seal(HERS, other), known)
    foreign = HERS._replace(key_id=keys.key_id(b"K" * 32).hex())
    with pytest.raises(AuthenticationFailed, match="under a key that is not valid here"):
        unseal(seal(foreign, others[-1]), known)


def test_names_cannot_run_into_each_other() -> None:
    first = seal(HERS._replace(owner="alice", renewer="bob"), KEY)
    second = seal(HERS._replace(owner="aliceb", renewer="ob"), KEY)
    assert first[-43:] != second[-43:]
    assert unseal(first, known).owner == "alice" and unseal(second, known).owner == "aliceb"
