"""The handshake over real sockets: who is let in, who is not, and who gives up waiting."""

import dataclasses
import socket
import threading
import time
from typing import Any, Callable, Iterator, List, Optional, Tuple

import pytest

from tests.support.links.loopback import KEY, ROLE, Loopback, RawClient, call, credentials_as
from tests.support.clusters.waiting import PATIENCE_SECONDS
from zookeeper.fabric import auth
from zookeeper.fabric.auth import SECRET, SIMPLE, Credentials, Hello
from zookeeper.fabric.errors import AuthenticationFailed, DeadlineExceeded, Unavailable
from zookeeper.fabric.handshake import welcome
from zookeeper.fabric.identity import ANONYMOUS
from zookeeper.fabric.keys import caller_key, key_id, server_key
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address

HELLO = Hello(SECRET, b"n" * 32, "user:mallory", key_id(KEY), 1764265200)
OWN_KEY = caller_key(server_key(KEY, ROLE), HELLO.principal, HELLO.issued)


@pytest.fixture
def secret() -> Iterator[Loopback]:
    """A server that lets nobody in without the key."""
    with Loopback(SECRET, handshake_timeout_seconds=1.0) as loopback:
        yield loopback


@pytest.fixture
def simple() -> Iterator[Loopback]:
    """A server that believes names."""
    with Loopback(SIMPLE, handshake_timeout_seconds=1.0) as loopback:
        yield loopback


def connect(loopback: Loopback, credentials: Credentials, role: str = ROLE) -> Remote:
    """A connection with other credentials, or with another server in mind."""
    return loopback.keep(Remote.connect(role, loopback.address, credentials, loopback.network))


def challenge(raw: RawClient) -> Tuple[bytes, str]:
    """The server's nonce and name; raises AuthenticationFailed on a refusal."""
    head = raw.receive(auth.CHALLENGE_HEAD.size)
    return auth.decode_challenge(head, raw.receive(auth.challenge_tail_bytes(head)))


def refusal(raw: RawClient) -> str:
    """The server's reason for letting nobody in; it hangs up after that."""
    with pytest.raises(AuthenticationFailed) as caught:
        challenge(raw)
    assert raw.await_end() == b""
    return caught.value.message


def test_the_key_lets_in_under_the_name_that_was_given(secret: Loopback) -> None:
    remote = connect(secret, credentials_as(SECRET, "user:josé"))
    assert remote.call("principal", timeout=PATIENCE_SECONDS) == ("user:josé", "127.0.0.1")


def test_a_name_is_believed_in_mode_simple(simple: Loopback) -> None:
    remote = connect(simple, credentials_as(SIMPLE, "user:alice"))
    assert remote.call("principal", timeout=PATIENCE_SECONDS) == ("user:alice", "127.0.0.1")


def test_a_wrong_key_is_refused(secret: Loopback) -> None:
    with pytest.raises(AuthenticationFailed, match="does not hold a valid key of this cluster"):
        connect(secret, credentials_as(SECRET, "user:alice", b"x" * 32))


@pytest.mark.parametrize("name", ["", "x" * 300, "a\nb", "\udcff\n"])
def test_a_name_that_cannot_be_sent_leaves_nothing_open(secret: Loopback, name: str) -> None:
    with pytest.raises(AuthenticationFailed):
        connect(secret, credentials_as(SECRET, name))


def test_a_client_without_the_key_is_told_the_mode(secret: Loopback) -> None:
    with pytest.raises(AuthenticationFailed, match="in mode secret, the client in mode simple"):
        connect(secret, credentials_as(SIMPLE, "user:alice"))


def test_a_client_with_a_key_is_not_talked_into_mode_simple(simple: Loopback) -> None:
    with pytest.raises(AuthenticationFailed, match="in mode simple, the client in mode secret"):
        connect(simple, credentials_as(SECRET, "user:alice"))


@pytest.mark.parametrize("mode", [SIMPLE, SECRET])
def test_a_server_of_another_role_is_refused(mode: str) -> None:
    with Loopback(mode) as loopback:
        with pytest.raises(AuthenticationFailed, match=f"says that it is {ROLE}@"):
            connect(loopback, loopback.credentials, role="name_node")


def test_another_address_is_refused_even_if_it_leads_to_the_same_server(secret: Loopback) -> None:
    localhost = Address("localhost", secret.address.port)
    with pytest.raises(AuthenticationFailed, match="says that it is"):
        Remote.connect(ROLE, localhost, secret.credentials, secret.network)


def test_a_stock_client_is_anonymous_in_mode_simple(simple: Loopback) -> None:
    raw = simple.raw()
    raw.frame(call("principal"))
    assert raw.answer()[1][1][0] == str(ANONYMOUS)


def test_a_stock_client_is_not_let_in_by_key(secret: Loopback) -> None:
    raw = secret.raw()
    raw.frame(call("principal"))
    assert raw.await_end() == b""


@pytest.mark.parametrize(
    "hello",
    [
        b"PyHDFS\x00\x03" + bytes(34),
        # As releases without issued keys said it.
        b"PyHDFS\x00\x01" + b"\x01" + bytes(32) + b"\x05alice",
        b"PyHDFS\x00\x02" + b"\x00" + bytes(32) + b"\x05alice",
        b"PyHDFS\x00\x02" + b"\xff" + bytes(32) + b"\x05" + bytes(16) + b"alice",
        b"PyHDFS\x00\x02" + b"\x01" + bytes(32) + b"\xff" + bytes(16) + b"x" * 255,
        b"PyHDFS\x00\x02" + b"\x01" + bytes(32) + b"\x00" + bytes(16),
        b"PyHDFS\x00\x02" + b"\x01" + bytes(32) + b"\x02" + bytes(16) + b"\xff\xfe",
        b"PyHDFS\x00\x02" + b"\x01" + bytes(32) + b"\x03" + bytes(16) + b"a\nb",
        b"GET / HTTP/1.1\r\nHost: cluster\r\n\r\n" + b"x" * 100,
        b"P" * 500,
    ],
)
def test_a_malformed_hello_is_refused_with_a_reason(secret: Loopback, hello: bytes) -> None:
    raw = secret.raw()
    raw.send(hello)
    assert refusal(raw)
    assert secret.remote().call("echo", 1, timeout=PATIENCE_SECONDS) == 1


def test_a_proof_is_worth_nothing_a_second_time(secret: Loopback) -> None:
    said: List[bytes] = []
    for attempt in range(2):
        raw = secret.raw()
        raw.send(auth.encode_hello(HELLO))
        nonce, name = challenge(raw)
        if not attempt:
            said.append(auth.client_proof(OWN_KEY, HELLO, nonce, name))
        raw.send(said[0])
        if not attempt:
            proof, _ = challenge(raw)
            assert proof == auth.server_proof(OWN_KEY, HELLO, nonce, name)
        else:
            assert "does not hold" in refusal(raw)


@pytest.mark.parametrize(
    "answer",
    [
        lambda nonce, name: nonce,
        lambda nonce, name: HELLO.nonce,
        lambda nonce, name: bytes(32),
        # Made by the right key, but for the server's side, or for another server.
        lambda nonce, name: auth.server_proof(OWN_KEY, HELLO, nonce, name),
        lambda nonce, name: auth.client_proof(OWN_KEY, HELLO, nonce, "metadata" + name[9:]),
        lambda nonce, name: auth.client_proof(
            OWN_KEY, HELLO._replace(principal="user:bob"), nonce, name
        ),
    ],
)
def test_a_wrong_proof_is_refused(secret: Loopback, answer: Callable[[bytes, str], bytes]) -> None:
    raw = secret.raw()
    raw.send(auth.encode_hello(HELLO))
    raw.send(answer(*challenge(raw)))
    assert "does not hold" in refusal(raw)


class Relay:
    """A server without the key: it lets `answer` work on one connection, and keeps no secrets."""

    def __init__(self, answer: Callable[[socket.socket], Optional[bytes]]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE_SECONDS)
        self._answer = answer
        self.heard = b""
        self.address = Address(*self._listener.getsockname())
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for the one client to be done."""
        self._thread.join(PATIENCE_SECONDS)
        self._listener.close()

    def _serve(self) -> None:
        sock, _ = self._listener.accept()
        with sock:
            self.heard = self._answer(sock) or b""


def read_hello(sock: socket.socket) -> bytes:
    """A client's hello, as it came."""
    head = sock.recv(auth.HELLO_HEAD.size, socket.MSG_WAITALL)
    return head + sock.recv(auth.hello_tail_bytes(head), socket.MSG_WAITALL)


@pytest.mark.parametrize("renamed", [False, True])
def test_a_relayed_handshake_fails(secret: Loopback, renamed: bool) -> None:
    def relay(victim: socket.socket) -> bytes:
        server = secret.raw()
        server.send(read_hello(victim))
        nonce, name = challenge(server)
        shown = f"{ROLE}@{middle.address}" if renamed else name
        victim.sendall(auth.encode_challenge(nonce, shown))
        proof = victim.recv(auth.PROOF_BYTES, socket.MSG_WAITALL)
        if proof:
            server.send(proof)
            assert "does not hold" in refusal(server)
            victim.sendall(auth.encode_refusal("relayed"))
        return proof

    middle = Relay(relay)
    with pytest.raises(AuthenticationFailed):
        Remote.connect(ROLE, middle.address, secret.credentials, secret.network)
    middle.close()
    # A client that is shown the true name gives no proof away at all.
    assert bool(middle.heard) == renamed


@pytest.mark.parametrize("kind", ["reflected", "made up", "of the client's own making"])
def test_a_server_without_the_key_is_refused(kind: str) -> None:
    def answer(victim: socket.socket) -> None:
        hello = read_hello(victim)
        nonce = hello[9:41] if kind == "reflected" else bytes(32)
        victim.sendall(auth.encode_challenge(nonce, f"{ROLE}@{middle.address}"))
        proof = victim.recv(auth.PROOF_BYTES, socket.MSG_WAITALL)
        victim.sendall(auth.encode_challenge(bytes(32) if kind == "made up" else proof, "x"))
        victim.recv(1)

    middle = Relay(answer)
    credentials = credentials_as(SECRET, "user:alice")
    with Loopback() as loopback, pytest.raises(AuthenticationFailed, match="does not hold"):
        Remote.connect(ROLE, middle.address, credentials, loopback.network)
    middle.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 300,
        bytes(auth.CHALLENGE_HEAD.size),
        b"\x07" + bytes(32) + b"\x01x",
        b"\x00" + bytes(32) + b"\xff",
        b"\x00" + bytes(32) + b"\x01\xff",
    ],
)
def test_what_is_no_server_of_ours_is_refused(answer: bytes) -> None:
    def say(victim: socket.socket) -> None:
        victim.sendall(answer)
        victim.recv(1000)

    middle = Relay(say)
    with Loopback() as loopback, pytest.raises(AuthenticationFailed):
        Remote.connect(ROLE, middle.address, loopback.credentials, loopback.network)
    middle.close()


@pytest.mark.parametrize("sent", [b"", b"P", auth.encode_hello(HELLO)[:-1]])
def test_a_silent_stranger_is_cut(secret: Loopback, sent: bytes) -> None:
    raw = secret.raw()
    started = time.monotonic()
    raw.send(sent)
    raw.await_end()
    assert time.monotonic() - started > 0.9


def test_a_stranger_that_sends_no_proof_is_cut(secret: Loopback) -> None:
    raw = secret.raw()
    raw.send(auth.encode_hello(HELLO))
    challenge(raw)
    assert raw.await_end() == b""


class Watch:
    """In the place of a stream: notes which deadline each wait has."""

    def __init__(self) -> None:
        self.deadlines: List[float] = []

    def peek(self, deadline: float) -> bytes:
        """The first byte of a hello."""
        self.deadlines.append(deadline)
        return auth.MAGIC[SIMPLE][:1]

    def read_by(self, _count: int, deadline: float) -> bytes:
        """Nothing more comes."""
        self.deadlines.append(deadline)
        raise DeadlineExceeded("silence")


def test_a_late_first_byte_buys_no_time() -> None:
    watch: Any = Watch()
    with pytest.raises(DeadlineExceeded):
        welcome(watch, credentials_as(SECRET, ROLE).keyring(), ROLE, 3.0, 3600.0)
    assert len(set(watch.deadlines)) == 1
    assert watch.deadlines[0] <= time.monotonic() + 3.0


def test_a_first_byte_ends_the_patience_of_mode_simple() -> None:
    watch: Any = Watch()
    with pytest.raises(DeadlineExceeded):
        welcome(watch, None, ROLE, 3.0, 3600.0)
    assert watch.deadlines[0] > time.monotonic() + 3000
    assert watch.deadlines[1] <= time.monotonic() + 3.0


def test_a_dripping_stranger_is_cut(secret: Loopback) -> None:
    raw = secret.raw()
    raw.socket.settimeout(0.05)
    started = time.monotonic()
    for index in range(auth.HELLO_HEAD.size):
        raw.send(auth.encode_hello(HELLO)[index : index + 1])
        try:
            if not raw.socket.recv(1):
                break
        except socket.timeout:
            continue
        except ConnectionResetError:
            break
    else:
        pytest.fail("a dripping client was listened to until the end")
    assert time.monotonic() - started > 0.9


@pytest.mark.parametrize("mode", [SIMPLE, SECRET])
def test_a_client_does_not_wait_for_a_silent_server(mode: str) -> None:
    middle = Relay(lambda victim: victim.recv(1000) and victim.recv(1000))
    with Loopback(mode) as loopback:
        network = dataclasses.replace(loopback.network, handshake_timeout_seconds=0.3)
        with pytest.raises(DeadlineExceeded):
            Remote.connect(ROLE, middle.address, loopback.credentials, network)
    middle.close()


def test_a_server_that_hangs_up_is_unavailable() -> None:
    middle = Relay(lambda victim: victim.recv(1000))
    with Loopback() as loopback, pytest.raises(Unavailable):
        Remote.connect(ROLE, middle.address, loopback.credentials, loopback.network)
    middle.close()


def test_a_person_at_a_prompt_may_be_silent_in_mode_simple(simple: Loopback) -> None:
    raw = simple.raw()
    # Longer than a handshake may take; what is waited for here is that nothing happens.
    raw.socket.settimeout(1.5)
    with pytest.raises(socket.timeout):
        raw.socket.recv(1)
    raw.frame(call("echo", 5))
    assert raw.answer() == (2, (1, 5))
