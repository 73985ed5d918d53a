"""One user against all: floods of every kind, and whoever means well is served meanwhile.

What a flood takes is free again when it is over: memory, threads and descriptors of each daemon.
"""

import struct
from contextlib import suppress
from typing import Any, Callable, Dict, Iterator, NamedTuple

import pytest
from rpyc.core import consts

from tests.support.clusters.callers import Caller, Callers
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.crowd import Crowd
from tests.support.clusters.footprint import Footprint
from tests.support.clusters.honest import Honest
from tests.support.clusters.waiting import wait_until
from tests.support.links.loopback import request
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.rpc import REQUEST_BYTES_MAX

SLOTS = 8
MEGABYTES = 1 << 20
DAEMONS = ("zookeeper", "metadata", "name_node", "data_node_0")


class Flood(NamedTuple):
    """What an attacker has: his crowd, and himself at each daemon."""

    crowd: Crowd
    at: Callable[[str], Caller]


def strangers(flood: Flood) -> None:
    """Those who connect to every port and say nothing, or half a word."""
    for number in range(200):
        for role in DAEMONS:
            flood.crowd.stranger(role, says=b"PyHDFS\x00"[: number % 8])


def half_messages(flood: Flood) -> None:
    """The beginning of a large message, forty times to each port."""
    half = struct.pack("!LB", REQUEST_BYTES_MAX, 0) + bytes(REQUEST_BYTES_MAX // 2)
    for _ in range(40):
        for role in DAEMONS:
            flood.crowd.send(flood.at(role), half)


def answers_that_nobody_reads(flood: Flood) -> None:
    """Large echoes, which stay at the server."""
    message = request(consts.HANDLE_PING, (consts.LABEL_VALUE, (bytes(3 * MEGABYTES),)))
    frame = struct.pack("!LB", len(message), 0) + message + b"\n"
    for _ in range(40):
        for role in DAEMONS:
            flood.crowd.send(flood.at(role), frame)


def calls_that_wait(flood: Flood) -> None:
    """The end of a file is waited for, of which no datanode has a block: 300 times at once."""
    he = flood.at("name_node")
    opened = he.call("create", "/mallory/open", True, 1, 4096, 0o644)
    block = he.send("add_block", he.client_id, opened[0], 0, ())[0]
    told = ((block[0], block[1], 1),)
    for _ in range(300):
        flood.crowd.begin(he, "complete", *he.arguments("complete", opened[0], told))


def writers_that_stop(flood: Flood) -> None:
    """Blocks of which no byte is ever sent: more than the datanode takes at a time."""
    he, datanode = flood.at("name_node"), flood.at("data_node_0")
    opened = he.call("create", "/mallory/many", True, 1, 1 << 30, 0o644)
    for position in range(3 * SLOTS):
        located = he.send("add_block", he.client_id, opened[0], position, ())
        (block_id, generation, _), _, _, _, token = located[:5]
        flood.crowd.begin(datanode, "write_block", block_id, generation, 1 << 30, token, ())


def room_that_is_promised(flood: Flood) -> None:
    """Blocks as large as what is free, and nothing written."""
    he = flood.at("name_node")
    free = he.call("cluster_status")[2]
    for number in range(20):
        opened = he.call("create", f"/mallory/large{number}", True, 1, free * 9 // 10, 0o644)
        he.send("add_block", he.client_id, opened[0], 0, ())


def long_paths(flood: Flood) -> None:
    """Megabytes of a path that is none, eight at a time."""
    he = flood.at("name_node")
    for path in ("x" * (3 * MEGABYTES), "/" + "y/" * MEGABYTES, "/" + "\x1b" * MEGABYTES):
        for _ in range(8):
            flood.crowd.begin(he, "stat", path)


def names_of_clients(flood: Flood) -> None:
    """Changes without effect, each by another client."""
    he = flood.at("name_node")
    for number in range(2000):
        he.send("mkdir", (f"client{number}", 1, 0), "/mallory", True, 0o755)


def sessions(flood: Flood) -> None:
    """As many sessions at the zookeeper as there can be; for a user, none."""
    he = flood.at("zookeeper")
    for number in range(600):
        with suppress(DfsError):
            he.send("open_session", f"session{number}")
            raise AssertionError("a user has a session")


FLOODS: Dict[str, Callable[[Flood], None]] = {
    flood.__name__: flood
    for flood in (
        strangers, half_messages, answers_that_nobody_reads, calls_that_wait, writers_that_stop,
        room_that_is_promised, long_paths, names_of_clients, sessions,
    )
}  # fmt: skip


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    overrides: Any = {
        "data_node": {"max_streams": SLOTS},
        # Nothing but the limits ends a flood before it is over by itself.
        "network": {
            "max_connections": 128, "max_connections_per_host": 64, "stall_timeout_seconds": 120,
            "handshake_timeout_seconds": 60,
        },
        "name_node": {"complete_timeout_seconds": 120},
    }
    folder = tmp_path_factory.mktemp("floods")
    with Cluster(folder, data_nodes=1, security="secret", **overrides) as started:
        with started.file_system() as fs:
            for user in ("alice", "mallory"):
                fs.mkdir(f"/{user}")
                fs.set_owner(f"/{user}", user)
        yield started


def put_list_and_read(cluster: Cluster) -> None:
    """An honest user's round, as of a command, which has no connection yet."""
    with cluster.file_system("alice") as fs:
        fs.write_bytes("/alice/f", b"hers" * 1000)
        assert fs.listdir("/alice") == ["f"]
        assert fs.read_bytes("/alice/f") == b"hers" * 1000


@pytest.mark.parametrize("name", sorted(FLOODS))
def test_whoever_means_well_is_served_and_nothing_stays(cluster: Cluster, name: str) -> None:
    with Callers(cluster) as callers, Honest(lambda: put_list_and_read(cluster)) as honest:
        honest.work_on()
        before = {role: Footprint.of(cluster, role) for role in DAEMONS}
        with Crowd(cluster) as crowd:
            FLOODS[name](Flood(crowd, lambda role: callers.of("user:mallory", role)))
            honest.work_on()
        for role in DAEMONS:
            wait_until(
                lambda: Footprint.of(cluster, role).is_back_at(before[role]),
                what=f"{role} as before: {before[role]}, not {Footprint.of(cluster, role)}",
            )
        honest.work_on()


def test_a_repeated_call_has_its_answer_whatever_others_call(cluster: Cluster) -> None:
    with Callers(cluster) as callers, Crowd(cluster) as crowd:
        alice = callers.of("user:alice", "name_node")
        arguments = alice.arguments("mkdir", "/alice/once", False, 0o755)
        alice.send("mkdir", *arguments)
        names_of_clients(Flood(crowd, lambda role: callers.of("user:mallory", role)))
        alice.send("mkdir", *arguments)
        alice.call("delete", "/alice/once", True)
