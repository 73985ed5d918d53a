"""Many at a gateway who mean no good, in the ways that HTTP has for it; who means well is served.

What they took is free again when they are gone: memory, threads and descriptors of the gateway, and
of the daemons that it asked in their names.
"""

import http.client
import socket
import struct
from contextlib import closing, suppress
from typing import Any, Callable, Dict, Iterator

import pytest

from tests.support.clusters.cluster import Cluster
from tests.support.clusters.crowd import Crowd
from tests.support.clusters.footprint import Footprint
from tests.support.clusters.honest import Honest
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric.pools import IDLE_MAX

GATEWAY = "gateway_0"
DAEMONS = (GATEWAY, "name_node", "data_node_0")
PLACES = 48
MANY = 200
"""More than PLACES, and than a user may have streams at a datanode."""

KEPT = 3 * IDLE_MAX
"""A user's idle connections: to the namenode, to datanodes, and to those on the same machine."""

TRIES = 5
LARGE = bytes(range(256)) * (1 << 15)
ROOT = "/webhdfs/v1"

Flood = Callable[[Cluster, Crowd], None]


def said(method: str, path: str, query: str, *headers: str) -> bytes:
    """A request of the bad one, without a body."""
    target = f"{method} {ROOT}{path}?user.name=mallory&{query} HTTP/1.1"
    return "\r\n".join([target, "Host: localhost", *headers, "", ""]).encode("ascii")


def heads_without_an_end(cluster: Cluster, crowd: Crowd) -> None:
    """Half a head, a long one, or nothing at all."""
    head = said("GET", "/", "op=LISTSTATUS")[:-2]
    for number in range(MANY):
        more = b"X: " + b"y" * 60_000 if number % 3 == 0 else b""
        crowd.stranger(GATEWAY, says=(head + more)[: number % 2 * 70_000])


def bodies_without_an_end(cluster: Cluster, crowd: Crowd) -> None:
    """Uploads of which only the beginning comes."""
    for number in range(MANY):
        length = "Transfer-Encoding: chunked" if number % 2 else f"Content-Length: {1 << 30}"
        head = said("PUT", f"/mallory/{number}", "op=CREATE&data=true", length)
        crowd.stranger(GATEWAY, says=head + b"ffff\r\n" + bytes(1 << 15))


def answers_that_nobody_reads(cluster: Cluster, crowd: Crowd) -> None:
    """Downloads, and more requests behind each."""
    for _ in range(MANY):
        crowd.stranger(GATEWAY, says=said("GET", "/large", "op=OPEN&data=true") * 5)


def requests_on_end(cluster: Cluster, crowd: Crowd) -> None:
    """As many on each connection as are taken, before any answer is read."""
    for _ in range(20):
        crowd.stranger(GATEWAY, says=said("GET", "/", "op=GETFILESTATUS") * 500)


def chunks_of_one_byte(cluster: Cluster, crowd: Crowd) -> None:
    """A body that costs more to read than to send."""
    head = said("PUT", "/mallory/crumbs", "op=CREATE&data=true&overwrite=true",
                "Transfer-Encoding: chunked")  # fmt: skip
    for _ in range(20):
        crowd.stranger(GATEWAY, says=head + b"1\r\nx\r\n" * 20_000)


def what_is_no_request(cluster: Cluster, crowd: Crowd) -> None:
    """Words of other protocols, and requests that could be taken for two."""
    odd = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b"SSH-2.0-x\r\n\r\n",
        said("PUT", "/mallory/a", "op=CREATE", "Content-Length: 5", "Transfer-Encoding: chunked"),
        said("PUT", "/mallory/a", "op=CREATE", "Content-Length: -1"), b"\r\n" * 10_000,
        b"GET /%00%ff/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", bytes(100_000),
        said("GET", "/", "op=LISTSTATUS", "A:" + " " * 90_000 + "\0"),
        said("PUT", "/mallory/a", "op=CREATE&data=true", "Transfer-Encoding: chunked") + b"0\r\n\n",
    ]  # fmt: skip
    for number in range(MANY):
        crowd.stranger(GATEWAY, says=odd[number % len(odd)])


def who_hangs_up_amid_it(cluster: Cluster, crowd: Crowd) -> None:
    """Uploads and downloads that break off, some without a farewell."""
    beginnings = [
        said("GET", "/large", "op=OPEN&data=true"),
        said("PUT", "/mallory/broken", "op=CREATE&data=true&overwrite=true",
             "Content-Length: 1000000") + bytes(100_000),
    ]  # fmt: skip
    for number in range(MANY):
        with suppress(OSError), closing(connection(cluster)) as made:
            made.sendall(beginnings[number % 2])
            made.recv(1 if number % 2 == 0 else 0)
            if number % 4 < 2:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def connection(cluster: Cluster) -> socket.socket:
    """One to the gateway."""
    return socket.create_connection(cluster.address(GATEWAY), PATIENCE_SECONDS)


FLOODS: Dict[str, Flood] = {
    flood.__name__: flood
    for flood in (
        heads_without_an_end, bodies_without_an_end, answers_that_nobody_reads, requests_on_end,
        chunks_of_one_byte, what_is_no_request, who_hangs_up_amid_it,
    )
}  # fmt: skip


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    # Nothing but the limits ends a flood before it is over by itself.
    limits: Any = {
        "network": {"max_connections": PLACES, "stall_timeout_seconds": 120},
        # Whose farewell is lost in a crowd at the namenode loses his file soon all the same.
        "name_node": {
            "replication_factor": 1, "lease_soft_seconds": 4, "lease_hard_seconds": 8,
        },
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("web_crowds")
    with Cluster(folder, data_nodes=1, gateways=1, security="simple", **limits) as started:
        with started.file_system() as fs:
            fs.write_bytes("/large", LARGE)
            for user in ("alice", "mallory"):
                fs.mkdir(f"/{user}")
                fs.set_owner(f"/{user}", user)
        yield started


def ask(cluster: Cluster, method: str, path: str, query: str, body: bytes = b"") -> bytes:
    """The answer to a request of the honest one. Who is turned away while everybody is busy comes
    again at once, a few times, as programs do."""
    for _ in range(TRIES - 1):
        with suppress(ConnectionError):
            return ask_once(cluster, method, path, query, body)
    return ask_once(cluster, method, path, query, body)


def ask_once(cluster: Cluster, method: str, path: str, query: str, body: bytes) -> bytes:
    """The answer on a connection of its own."""
    web = http.client.HTTPConnection(*cluster.address(GATEWAY), timeout=PATIENCE_SECONDS)
    with closing(web):
        web.request(method, f"{ROOT}{path}?user.name=alice&{query}", body)
        answer = web.getresponse()
        data = answer.read()
        assert answer.status in (200, 201), data
        return data


def put_list_and_read(cluster: Cluster) -> None:
    """An honest user's round."""
    ask(cluster, "PUT", "/alice/f", "op=CREATE&data=true&overwrite=true", b"hers" * 1000)
    assert b'"f"' in ask(cluster, "GET", "/alice", "op=LISTSTATUS")
    assert ask(cluster, "GET", "/alice/f", "op=OPEN&data=true") == b"hers" * 1000


@pytest.mark.parametrize("name", sorted(FLOODS))
def test_whoever_means_well_is_served_and_nothing_stays(cluster: Cluster, name: str) -> None:
    with Honest(lambda: put_list_and_read(cluster)) as honest:
        honest.work_on()
        before = {role: Footprint.of(cluster, role) for role in DAEMONS}
        with Crowd(cluster) as crowd:
            FLOODS[name](cluster, crowd)
            honest.work_on()
        for role in DAEMONS:
            wait_until(
                lambda: Footprint.of(cluster, role).is_back_at(before[role], KEPT),
                what=f"{role} as before: {before[role]}, not {Footprint.of(cluster, role)}",
            )
        honest.work_on()
    with cluster.file_system() as fs:
        wait_until(lambda: not [*fs.open_files(everywhere=True)], what="the end of all writers")
        assert fs.listdir("/mallory") == []
