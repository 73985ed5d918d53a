"""The handshake's bytes: what they bind together, and which bytes are refused."""

import math
from typing import Callable, List

import pytest

from zookeeper.fabric import auth
from zookeeper.fabric.auth import SECRET, SIMPLE, Hello, Keyring
from zookeeper.fabric.errors import AuthenticationFailed
from zookeeper.fabric.keys import caller_key, key_id, server_key

KEY, OTHER_KEY = b"k" * 32, b"K" * 32
HELLO = Hello(SECRET, b"c" * 32, "user:alice", b"key id 8", 1764265200)
NONCE = b"s" * 32
SERVER = "name_node@127.0.0.1:1800"


@pytest.mark.parametrize("mode", [SIMPLE, SECRET])
@pytest.mark.parametrize("principal", ["a", "user:José", "x" * auth.NAME_BYTES_MAX])
def test_a_hello_is_read_as_it_was_written(mode: str, principal: str) -> None:
    hello = Hello(mode, bytes(range(32)), principal)
    if mode == SECRET:
        hello = hello._replace(key_id=b"12345678", issued=(1 << 64) - 1)
    data = auth.encode_hello(hello)
    head, tail = data[: auth.HELLO_HEAD.size], data[auth.HELLO_HEAD.size :]
    assert auth.hello_tail_bytes(head) == len(tail)
    assert auth.decode_hello(head, tail) == hello


def test_a_hello_of_the_longest_name_costs_few_bytes() -> None:
    longest = Hello(SECRET, bytes(32), "x" * auth.NAME_BYTES_MAX)
    assert len(auth.encode_hello(longest)) <= 300
    assert len(auth.encode_challenge(bytes(32), "x" * auth.NAME_BYTES_MAX)) <= 256


@pytest.mark.parametrize(
    "name", ["", "x" * 201, "é" * 101, "a\nb", "a\x00b", "a\x1b[2J", "a\u202eb", "\udcff\n"]
)
def test_a_name_that_is_empty_long_or_invisible_is_refused(name: str) -> None:
    with pytest.raises(AuthenticationFailed):
        auth.encode_hello(HELLO._replace(principal=name))
    head = auth.encode_hello(HELLO)[: auth.HELLO_HEAD.size]
    with pytest.raises(AuthenticationFailed):
        auth.decode_hello(head, bytes(16) + name.encode("utf-8", "surrogateescape"))


def test_a_name_that_is_not_utf8_is_refused() -> None:
    head = auth.encode_hello(HELLO)[: auth.HELLO_HEAD.size]
    with pytest.raises(AuthenticationFailed, match="UTF-8"):
        auth.decode_hello(head, bytes(16) + b"\xff\xfe")


@pytest.mark.parametrize(
    "position, byte",
    [(0, 0), (7, 1), (7, 3), (8, 0), (8, 2), (8, 255), (41, 201), (41, 255)],
)
def test_the_head_of_a_foreign_hello_is_refused(position: int, byte: int) -> None:
    head = bytearray(auth.encode_hello(HELLO)[: auth.HELLO_HEAD.size])
    head[position] = byte
    with pytest.raises(AuthenticationFailed):
        auth.hello_tail_bytes(bytes(head))


def test_a_challenge_is_read_as_it_was_written() -> None:
    data = auth.encode_challenge(NONCE, SERVER)
    head, tail = data[: auth.CHALLENGE_HEAD.size], data[auth.CHALLENGE_HEAD.size :]
    assert auth.challenge_tail_bytes(head) == len(tail)
    assert auth.decode_challenge(head, tail) == (NONCE, SERVER)


def test_a_challenge_with_too_long_a_name_is_refused() -> None:
    head = auth.CHALLENGE_HEAD.pack(0, NONCE, 201)
    with pytest.raises(AuthenticationFailed):
        auth.challenge_tail_bytes(head)


@pytest.mark.parametrize("reason", ["no", "no" * 500, "ungültig" * 50, "\udcff"])
def test_a_refusal_is_bounded_and_raises_its_reason(reason: str) -> None:
    data = auth.encode_refusal(reason)
    head, tail = data[: auth.CHALLENGE_HEAD.size], data[auth.CHALLENGE_HEAD.size :]
    assert auth.challenge_tail_bytes(head) == len(tail) <= auth.NAME_BYTES_MAX
    with pytest.raises(AuthenticationFailed) as caught:
        auth.decode_challenge(head, tail)
    assert caught.value.message[:100] == reason[:100].replace("\udcff", "?")


def test_a_refusal_cannot_steer_a_terminal() -> None:
    data = auth.encode_refusal("\x1b[2J\x9b31m\u202eyes")
    with pytest.raises(AuthenticationFailed) as caught:
        auth.decode_challenge(data[: auth.CHALLENGE_HEAD.size], data[auth.CHALLENGE_HEAD.size :])
    assert caught.value.message == "?[2J?31m?yes"


CHANGES: List[Callable[[], bytes]] = [
    lambda: auth.client_proof(OTHER_KEY, HELLO, NONCE, SERVER),
    lambda: auth.client_proof(KEY, HELLO._replace(mode=SIMPLE), NONCE, SERVER),
    lambda: auth.client_proof(KEY, HELLO._replace(key_id=b"key id 9"), NONCE, SERVER),
    lambda: auth.client_proof(KEY, HELLO._replace(issued=1764265201), NONCE, SERVER),
    lambda: auth.client_proof(KEY, HELLO, NONCE, SERVER, b"certificate"),
    lambda: auth.client_proof(KEY, HELLO._replace(nonce=b"d" * 32), NONCE, SERVER),
    lambda: auth.client_proof(KEY, HELLO._replace(principal="user:bob"), NONCE, SERVER),
    lambda: auth.client_proof(KEY, HELLO, b"t" * 32, SERVER),
    lambda: auth.client_proof(KEY, HELLO, NONCE, "name_node@127.0.0.1:1801"),
    lambda: auth.client_proof(KEY, HELLO, NONCE, "metadata@127.0.0.1:1800"),
    lambda: auth.client_proof(KEY, HELLO._replace(nonce=NONCE), HELLO.nonce, SERVER),
    # What one name loses at its end, the other wins at its beginning: still another transcript.
    lambda: auth.client_proof(
        KEY, HELLO._replace(principal="0" + HELLO.principal), NONCE, SERVER[:-1]
    ),
    lambda: auth.server_proof(KEY, HELLO, NONCE, SERVER),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_proof_is_of_everything_that_was_said(change: Callable[[], bytes]) -> None:
    proof = auth.client_proof(KEY, HELLO, NONCE, SERVER)
    assert proof == auth.client_proof(KEY, HELLO, NONCE, SERVER)
    assert len(proof) == auth.PROOF_BYTES
    auth.check_proof(proof, proof, "alice")
    with pytest.raises(AuthenticationFailed):
        auth.check_proof(proof, change(), "alice")


def test_every_byte_of_a_proof_is_compared() -> None:
    proof = auth.client_proof(KEY, HELLO, NONCE, SERVER)
    for position in range(len(proof)):
        wrong = bytearray(proof)
        wrong[position] ^= 1
        with pytest.raises(AuthenticationFailed):
            auth.check_proof(proof, bytes(wrong), "alice")
    with pytest.raises(AuthenticationFailed):
        auth.check_proof(proof, proof[:-1], "alice")


NOW = 1764265200.0
NOBODY = b"nobody"


def keyring(seconds: float = math.inf, **revoked: float) -> Keyring:
    """That of a namenode; the names of `revoked` are users'."""
    keys = {key_id(KEY): server_key(KEY, "name_node")}
    void = {f"user:{user}": before for user, before in revoked.items()}
    return Keyring(keys, void, NOBODY, seconds)


def hello(user: str = "alice", issued: float = NOW, cluster: bytes = KEY) -> Hello:
    """What a user says, whose key comes from this cluster key."""
    return Hello(SECRET, b"c" * 32, f"user:{user}", key_id(cluster), int(issued))


def is_let_in(checking: Keyring, said: Hello) -> bool:
    """Whether a key that was issued so proves the hello; else no key does that anybody has."""
    found = checking.key_of(said, NOW)
    issued = caller_key(server_key(KEY, "name_node"), said.principal, said.issued)
    assert found in (issued, caller_key(NOBODY, said.principal, said.issued))
    return found == issued


def test_who_has_a_key_of_this_cluster_is_let_in() -> None:
    assert is_let_in(keyring(), hello())
    assert is_let_in(keyring(), hello(issued=0)) and is_let_in(keyring(), hello(issued=NOW + 9e9))
    assert not is_let_in(keyring(), hello(cluster=OTHER_KEY))


@pytest.mark.parametrize(
    "before, issued, let_in",
    [(math.inf, NOW, False), (NOW, NOW - 1, False), (NOW, NOW, True), (NOW, NOW + 1, True)],
)
def test_a_revoked_key_is_nobodys(before: float, issued: float, let_in: bool) -> None:
    checking = keyring(alice=before)
    assert is_let_in(checking, hello(issued=issued)) == let_in
    assert checking.revokes("user:alice", int(issued)) != let_in
    assert is_let_in(checking, hello("alice2")) and not checking.revokes("user:alice2", 0)


@pytest.mark.parametrize(
    "age, let_in", [(0, True), (900, True), (901, False), (-300, True), (-301, False)]
)
def test_a_ticket_is_good_for_a_while(age: int, let_in: bool) -> None:
    assert is_let_in(keyring(600.0), hello(issued=NOW - age)) == let_in


def test_strangers_cost_as_much_as_friends(monkeypatch: pytest.MonkeyPatch) -> None:
    """One derivation, whoever it is: by time nobody learns who exists or was revoked."""
    made: List[str] = []

    def derive(key: bytes, principal: str, issued: int) -> bytes:
        made.append(principal)
        return caller_key(key, principal, issued)

    monkeypatch.setattr(auth, "caller_key", derive)
    checking = keyring(600.0, bob=math.inf)
    for said in (hello(), hello("bob"), hello(issued=0), hello(cluster=OTHER_KEY)):
        checking.key_of(said, NOW)
    assert len(made) == 4
