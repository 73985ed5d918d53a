"""One user against all: floods of every kind, and whoever means well is served meanwhile.

What a flood takes is free again when it is over: memory, threads and descriptors of each daemon.
"""

import struct
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple

import pytest
from rpyc.core import consts

from tests.support.clusters.callers import Caller, Callers
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.crowd import Crowd
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links.loopback import request
from zookeeper.fabric.errors import DfsError
from zookeeper.fabric.rpc import REQUEST_BYTES_MAX

ROUNDS = 5
"""So often the honest put, list and read while a flood goes on."""

ROUND_SECONDS = 20.0
"""A round takes tens of milliseconds; on a machine that others use too, and under a flood, more."""

SLOTS = 8
MEGABYTES = 1 << 20
DAEMONS = ("zookeeper", "metadata", "name_node", "data_node_0")


class Footprint(NamedTuple):
    """What a daemon holds; megabytes of memory."""

    memory: int
    threads: int
    descriptors: int

    @classmethod
    def of(cls, cluster: Cluster, role: str) -> "Footprint":
        """Of a daemon as of now."""
        process = Path(f"/proc/{cluster.daemons[role].pid}")
        lines = (line.partition(":") for line in process.joinpath("status").read_text().split("\n"))
        told = {key: value.split() for key, _, value in lines}
        descriptors = len(list(process.joinpath("fd").iterdir()))
        return cls(int(told["VmRSS"][0]) // 1024, int(told["Threads"][0]), descriptors)

    def is_back_at(self, before: "Footprint") -> bool:
        """Whether a flood has left nothing: a few connections of the honest come and go."""
        return (
            self.memory <= before.memory + 60
            and self.threads <= before.threads + 8
            and self.descriptors <= before.descriptors + 12
        )


class Honest:
    """A user who works all the time, in a thread."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.rounds = 0
        self.longest = 0.0
        self.failures: List[BaseException] = []

    def _work(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                # As a command, which has no connection yet.
                with self._cluster.file_system("alice") as fs:
                    fs.write_bytes("/alice/f", b"hers" * 1000)
                    assert fs.listdir("/alice") == ["f"]
                    assert fs.read_bytes("/alice/f") == b"hers" * 1000
            except (OSError, AssertionError) as error:
                self.failures.append(error)
                return
            self.longest = max(self.longest, time.monotonic() - began)
            self.rounds += 1

    def __enter__(self) -> "Honest":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(2 * PATIENCE_SECONDS)

    def work_on(self) -> None:
        """Wait until so many rounds are done from now on; none may fail."""
        wanted = self.rounds + ROUNDS
        wait_until(
            lambda: self.failures or self.rounds >= wanted, ROUNDS * ROUND_SECONDS, "honest work"
        )
        assert not self.failures, self.failures
        assert self.longest < ROUND_SECONDS


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


@pytest.mark.parametrize("name", sorted(FLOODS))
def test_whoever_means_well_is_served_and_nothing_stays(cluster: Cluster, name: str) -> None:
    with Callers(cluster) as callers, Honest(cluster) as honest:
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
