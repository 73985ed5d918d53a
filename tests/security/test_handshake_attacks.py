"""Every port of real processes in mode secret: who has no key of his own for it does not get in."""

import os
import select
import socket
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import pytest

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links.loopback import RawClient, call
from tests.support.links.proxy import Proxy
from zookeeper.fabric import auth, keys
from zookeeper.fabric.auth import SECRET, SIMPLE, Hello, Introduction
from zookeeper.fabric.credentials import TICKET_SECONDS
from zookeeper.fabric.errors import AuthenticationFailed
from zookeeper.fabric.handshake import greet
from zookeeper.fabric.identity import Principal, server_at
from zookeeper.fabric.settings import Address, NetworkSettings
from zookeeper.fabric.sockets import dial

ROLES = ("zookeeper", "metadata", "name_node", "data_node_0")
ALICE = "user:alice"
ASKED = call("metrics")
"""What everybody may ask, once he is in."""

PACE_SECONDS = 0.1


class Port(NamedTuple):
    """One of a cluster's: who serves there, its address, and the cluster's key."""

    role: str
    address: Address
    cluster_key: bytes

    @property
    def server(self) -> str:
        """As whom keys know who serves."""
        return str(server_at(self.role, self.address))

    @property
    def name(self) -> str:
        """As whom the server introduces itself."""
        return f"{self.role}@{self.address}"

    def hello(self, principal: str = ALICE, age: float = 0) -> Hello:
        """What somebody says first whose key was issued so many seconds ago."""
        issued = int(time.time() - age)
        return Hello(SECRET, os.urandom(32), principal, keys.key_id(self.cluster_key), issued)

    def key(self, hello: Hello) -> bytes:
        """The key that proves it."""
        own = keys.server_key(self.cluster_key, self.server)
        return keys.caller_key(own, hello.principal, hello.issued)


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all of these attacks: in the end it serves as it did."""
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "revoked").write_text("user:gone\n")
    with Cluster(folder, data_nodes=1, security=SECRET) as started:
        yield started
        with started.file_system() as file_system:
            file_system.write_bytes("/after", b"all attacks")
            assert file_system.read_bytes("/after") == b"all attacks"


@pytest.fixture(name="port", params=ROLES)
def _port(cluster: Cluster, request: pytest.FixtureRequest) -> Port:
    return port_of(cluster, request.param)


def port_of(cluster: Cluster, role: str) -> Port:
    """The port of one daemon."""
    kind = "data_node" if role.startswith("data_node") else role
    key = (cluster.folder / "cluster.key").read_bytes()
    return Port(kind, Address(*cluster.address(role)), key)


class Heard(NamedTuple):
    """What a server said to somebody: how often before it hung up, and its last words."""

    messages: int
    words: str
    rest: bytes = b""


def message(raw: RawClient) -> Tuple[bytes, str]:
    """The server's next message of a handshake; AuthenticationFailed when it refuses."""
    head = raw.receive(auth.CHALLENGE_HEAD.size)
    return auth.decode_challenge(head, raw.receive(auth.challenge_tail_bytes(head)))


Prove = Callable[[Hello, bytes, str], bytes]


def knock(port: Port, hello: Hello, prove: Prove) -> Heard:
    """Say hello and prove it, ask for something, and hear what comes."""
    raw = RawClient(port.address)
    try:
        raw.send(auth.encode_hello(hello))
        nonce, name = message(raw)
        raw.send(prove(hello, nonce, name))
        raw.frame(ASKED)
        try:
            message(raw)
        except AuthenticationFailed as refusal:
            return Heard(2, refusal.message, raw.await_end())
        return Heard(2, "", raw.receive(1))
    except AuthenticationFailed as refusal:
        return Heard(1, refusal.message, raw.await_end())
    finally:
        raw.close()


def with_key(key: bytes) -> Prove:
    """A proof by this key."""
    return lambda hello, nonce, name: auth.client_proof(key, hello, nonce, name)


def refused(who: str) -> Heard:
    """How everybody is refused whose proof is not right."""
    return Heard(2, f"{who} does not hold a valid key of this cluster")


def test_who_has_a_key_is_served(port: Port) -> None:
    hello = port.hello()
    heard = knock(port, hello, with_key(port.key(hello)))
    assert heard.messages == 2 and not heard.words and heard.rest


# Keys.


def others_keys(port: Port, hello: Hello) -> Dict[str, bytes]:
    """What somebody may have who has no key for this port as this principal."""
    cluster, now = port.cluster_key, hello.issued
    servers = ["zookeeper", "metadata", "name_node", "data_node:127.0.0.1:1", port.server]
    found = {
        f"to {server} as {who} of {issued - now}": keys.caller_key(
            keys.server_key(cluster, server), who, issued
        )
        for server in servers
        for who in (ALICE, "user:bob", "name_node", port.server)
        for issued in (now, now - 1)
        if (server, who, issued) != (port.server, hello.principal, now)
    }
    own = keys.server_key(cluster, port.server)
    return {
        **found, "none": bytes(32), "random": os.urandom(32), "id": keys.key_id(cluster) * 4,
        "the port's own": own if hello.principal != port.server else bytes(32),
        "for tokens": keys.token_key(own), "another cluster's": keys.caller_key(
            keys.server_key(bytes(32), port.server), hello.principal, now),
    }  # fmt: skip


@pytest.mark.parametrize("who", [ALICE, "user:root", "name_node", "data_node:127.0.0.1:1"])
def test_only_the_key_for_this_port_and_this_name_opens_it(port: Port, who: str) -> None:
    hello = port.hello(who)
    for whose, key in others_keys(port, hello).items():
        assert knock(port, hello, with_key(key)) == refused(who), whose


def test_strangers_hear_the_same_as_the_known(port: Port) -> None:
    """So nobody learns who there is, or whose key was revoked, from what is said, or how often."""
    cases = [port.hello(), port.hello("user:gone"), port.hello("user:nobody")]
    cases += [port.hello()._replace(key_id=bytes(8)), port.hello()._replace(issued=0)]
    cases += [port.hello()._replace(issued=2**64 - 1)]
    for hello in cases:
        assert knock(port, hello, with_key(bytes(32))) == refused(hello.principal)


def test_who_was_revoked_is_nobody(port: Port) -> None:
    hello = port.hello("user:gone")
    assert knock(port, hello, with_key(port.key(hello))) == refused("user:gone")


@pytest.mark.parametrize("age", [TICKET_SECONDS + keys.CLOCK_SKEW_SECONDS + 60, -3600])
def test_a_datanode_takes_no_ticket_of_another_time(cluster: Cluster, age: float) -> None:
    port = port_of(cluster, "data_node_0")
    hello = port.hello(age=age)
    assert knock(port, hello, with_key(port.key(hello))) == refused(ALICE)


# What was heard on the wire.


def test_what_somebody_said_is_worth_nothing_when_it_is_said_again(port: Port) -> None:
    said: List[bytes] = []

    def prove_and_note(hello: Hello, nonce: bytes, name: str) -> bytes:
        said.append(auth.client_proof(port.key(hello), hello, nonce, name))
        return said[-1]

    hello = port.hello()
    assert not knock(port, hello, prove_and_note).words
    for _ in range(3):
        assert knock(port, hello, lambda *_: said[0]) == refused(ALICE)


REFLECTED: Dict[str, Prove] = {
    "the server's nonce": lambda hello, nonce, name: nonce,
    "one's own nonce": lambda hello, nonce, name: hello.nonce,
    "nothing but zeros": lambda hello, nonce, name: bytes(32),
    "the nonces mixed": lambda hello, nonce, name: bytes(a ^ b for a, b in zip(hello.nonce, nonce)),
}


@pytest.mark.parametrize("prove", REFLECTED.values(), ids=REFLECTED)
def test_what_the_server_said_proves_nothing(port: Port, prove: Prove) -> None:
    assert knock(port, port.hello(), prove) == refused(ALICE)


def test_what_a_server_proves_is_no_clients_proof(port: Port) -> None:
    def prove(hello: Hello, nonce: bytes, name: str) -> bytes:
        return auth.server_proof(port.key(hello), hello, nonce, name)

    assert knock(port, port.hello(), prove) == refused(ALICE)


def test_a_proof_for_another_server_of_the_role_is_not_good_here(port: Port) -> None:
    """Somebody between them passes all on, under the name that the client wants to hear."""
    elsewhere = f"{port.role}@127.0.0.1:1"

    def prove(hello: Hello, nonce: bytes, name: str) -> bytes:
        return auth.client_proof(port.key(hello), hello, nonce, elsewhere)

    assert knock(port, port.hello(), prove) == refused(ALICE)


def test_a_client_proves_nothing_to_who_only_passes_it_on(port: Port) -> None:
    proxy = Proxy(port.address)
    try:
        address = Address(*proxy.address)
        hello = port.hello()
        mine = Introduction(SECRET, Principal.parse(ALICE), port.key(hello), *hello[3:])
        stream = dial(address, NetworkSettings(), "relay")
        with pytest.raises(AuthenticationFailed, match="says that it is"):
            greet(stream, mine, f"{port.role}@{address}", time.monotonic() + PATIENCE_SECONDS)
        assert stream.closed
    finally:
        proxy.close()


# Without a key.


@pytest.mark.parametrize("principal", [ALICE, "name_node", "data_node:127.0.0.1:1"])
def test_nobody_is_let_in_by_his_word(port: Port, principal: str) -> None:
    hello = Hello(SIMPLE, bytes(32), principal)
    heard = knock(port, hello, lambda *_: b"")
    assert heard.messages == 1 and "runs in mode secret" in heard.words and not heard.rest


OPENINGS = {
    "stock RPyC": b"", "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * 200,
    "TLS": b"\x16\x03\x01\x02\x00" + bytes(600), "a later version": b"PyHDFS\0\x09" + bytes(200),
    "an older one": b"PyHDFS\0\x01\x01" + bytes(32) + b"\x05alice", "zeros": bytes(500),
}  # fmt: skip


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=OPENINGS)
def test_who_speaks_another_language_hears_no_answer(port: Port, opening: bytes) -> None:
    raw = RawClient(port.address)
    raw.send(opening)
    for _ in range(3):
        raw.frame(ASKED)
    said = raw.await_end()
    raw.close()
    assert len(said) <= 300 and b"metrics" not in said


def test_a_false_server_learns_nothing_and_is_not_believed(port: Port) -> None:
    """It is at the right address, and says that it is of mode simple, or that all is well."""
    hello = port.hello()
    mine = Introduction(SECRET, Principal.parse(ALICE), port.key(hello), *hello[3:])
    for answers in (
        [auth.encode_refusal("runs in mode simple, set [security] mode = simple")],
        [auth.encode_challenge(bytes(32), port.name), auth.encode_challenge(bytes(32), port.name)],
    ):
        listener = socket.create_server(("127.0.0.1", 0))
        stream = dial(Address(*listener.getsockname()[:2]), NetworkSettings(), "false server")
        accepted, _ = listener.accept()
        for answer in answers:
            accepted.sendall(answer)
        with pytest.raises(AuthenticationFailed):
            greet(stream, mine, port.name, time.monotonic() + PATIENCE_SECONDS)
        assert mine.key not in accepted.recv(4096)
        accepted.close()
        listener.close()


# Time.


def test_who_says_little_or_nothing_is_sent_away(cluster: Cluster) -> None:
    hello = auth.encode_hello(port_of(cluster, "zookeeper").hello())
    beginnings = [b"", hello[:1], hello[:20], hello[: auth.HELLO_HEAD.size], hello[:-1], hello]
    raws = []
    for role in ROLES:
        for beginning in beginnings:
            raws.append(RawClient(port_of(cluster, role).address))
            raws[-1].send(beginning)
    for raw in raws:
        assert b"metrics" not in raw.await_end()
        raw.close()


def test_who_drips_is_sent_away_before_he_is_done(cluster: Cluster) -> None:
    """A deadline for each byte would let him stay for as long as he likes."""
    hello = auth.encode_hello(port_of(cluster, "zookeeper").hello("user:" + "x" * 190))
    raws = [RawClient(port_of(cluster, role).address) for role in ROLES]
    for place in range(len(hello) - 1):
        for raw in raws:
            raw.send(hello[place : place + 1])
        if all(has_ended(raw) for raw in raws):
            break
        time.sleep(PACE_SECONDS)
    else:
        raise AssertionError("he was listened to for as long as he liked")
    for raw in raws:
        raw.close()


def has_ended(raw: RawClient) -> bool:
    """Whether the server hung up, or has said something, which it does only before that."""
    poll = select.poll()
    poll.register(raw.socket, select.POLLIN)
    return bool(poll.poll(0))


# Afterwards.


def test_who_failed_is_named_in_the_log_of_who_refused_him(port: Port, cluster: Cluster) -> None:
    role = "data_node_0" if port.role == "data_node" else port.role
    words = "user:eve does not hold a valid key of this cluster"

    def named() -> Optional[str]:
        """Of many refusals at once only some are told."""
        knock(port, port.hello("user:eve"), with_key(bytes(32)))
        told = cluster.daemons[role].output().splitlines()
        return next((line for line in told if words in line), None)

    line = wait_until(named, what=f"a line of {role}")
    assert "connection.failed" in line and "host=127.0.0.1" in line


def test_no_key_is_written_anywhere(cluster: Cluster) -> None:
    ports = [port_of(cluster, role) for role in ROLES]
    secrets = [ports[0].cluster_key]
    for port in ports:
        secrets.append(keys.server_key(port.cluster_key, port.server))
        secrets.append(keys.token_key(secrets[-1]))
    for path in _files(cluster.folder):
        data = path.read_bytes()
        assert not any(secret in data or secret.hex().encode() in data for secret in secrets), path


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "cluster.key":
            yield path


def test_nothing_is_left_of_who_was_sent_away(cluster: Cluster) -> None:
    def connected() -> int:
        return sum(
            len(os.listdir(f"/proc/{cluster.daemons[role].pid}/task")) for role in ROLES
        )

    before = connected()
    raws = [RawClient(port_of(cluster, role).address) for role in ROLES for _ in range(40)]
    wait_until(lambda: connected() >= before + len(raws) // 2, what="their threads")
    wait_until(lambda: connected() <= before + 8, what="the end of their threads")
    for raw in raws:
        raw.close()
