"""A hot standby takes over from a leader that is killed: writers go on, calls have one effect."""

import threading
from pathlib import Path
from typing import Iterator, List

import pytest

from data_service.filesystem import FileSystem
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import wait_until
from tests.support.disks.replicas import noise, wait_replicas
from zookeeper.fabric.errors import DfsError

CONTENT = noise(300_000, 5)
WRITERS = 4


@pytest.fixture(name="pair")
def _pair(tmp_path: Path) -> Iterator[Cluster]:
    """Two namenodes, of which the first leads, and two datanodes."""
    options = {"network": {"call_timeout_seconds": 3}}
    with Cluster(tmp_path, data_nodes=2, name_nodes=2, **options) as cluster:
        yield cluster


class Writers:
    """Threads that make directories, one after the other, until they are stopped."""

    def __init__(self, file_system: FileSystem) -> None:
        self._file_system = file_system
        self._stopped = threading.Event()
        self.made: List[str] = []
        self.errors: List[DfsError] = []
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(WRITERS)]
        for thread in self._threads:
            thread.start()

    def _write(self, number: int) -> None:
        count = 0
        try:
            while not self._stopped.is_set():
                path = f"/made/{number}-{count}"
                # Without `exist_ok`: a call that is repeated, and done twice, would be refused.
                self._file_system.makedirs(path, exist_ok=False)
                self.made.append(path)
                count += 1
        except DfsError as error:
            self.errors.append(error)

    def stop(self) -> None:
        """Let them finish what they do."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()


def loads(cluster: Cluster, role: str) -> int:
    """How often a namenode has loaded the image."""
    return cluster.daemons[role].output().count("image.loaded")


def test_writers_go_on_when_the_leader_is_killed_and_nothing_is_done_twice(pair: Cluster) -> None:
    """The next leader loaded the image, and heard what datanodes have, only when it was elected."""
    with pair.file_system() as file_system:
        file_system.makedirs("/made")
        writers = Writers(file_system)
        try:
            wait_until(lambda: len(writers.made) > 50)
            with file_system.open("/through", "wb", block_size=65536) as file:
                file.write(CONTENT[:100_000])
                pair.kill("name_node")
                before = len(writers.made)
                file.write(CONTENT[100_000:])
            wait_until(lambda: len(writers.made) > before + 50)
        finally:
            writers.stop()
        assert writers.errors == []
        assert {f"/made/{one.name}" for one in file_system.list("/made")} == set(writers.made)
        with file_system.open("/through") as file:
            assert file.read() == CONTENT
        wait_replicas(pair, "/through", 2)
    assert loads(pair, "name_node_1") == 1, "it was loaded before"


def test_a_leader_that_hands_over_follows_with_what_it_has(pair: Cluster) -> None:
    """It loaded the image anew, which takes a namenode of a million files 20 seconds."""
    with pair.file_system() as file_system:
        file_system.makedirs("/made")
        writers = Writers(file_system)
        try:
            for leader, heir in (("nn0", "nn1"), ("nn1", "nn0"), ("nn0", "nn1")):
                before = len(writers.made)
                wait_until(lambda before=before: len(writers.made) > before + 20)
                done = pair.client("haadmin", "-failover", leader, heir)
                assert done.status == 0, done
        finally:
            writers.stop()
        assert writers.errors == []
        assert {f"/made/{one.name}" for one in file_system.list("/made")} == set(writers.made)
    assert [loads(pair, role) for role in ("name_node", "name_node_1")] == [1, 1]
