"""A put in whose middle something dies, hangs or restarts: it succeeds whole, or leaves nothing.

Trouble comes out of the put itself, which tells of its progress between two packets of a block, so
that it always comes in the middle of a pipeline.
"""

import signal
from pathlib import Path
from typing import Any, Callable, Iterator, List, Tuple

import pytest

from data_service.filesystem import FileSystem
from data_service.protocol.datanode_calls import Holders
from data_service.protocol.nodes import Target
from data_service.stubs.datanode_client import DataNodeClient
from tests.support.clusters.cluster import Cluster
from tests.support.disks.replicas import (
    block_names,
    holders,
    noise,
    role_at,
    stored,
    unfinished,
    wait_replicas,
)
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.calls import Sending

MEGABYTE = 1 << 20
BLOCKS = 3
SIZE = BLOCKS * MEGABYTE + 12345
MIDDLE = MEGABYTE + MEGABYTE // 2
"""In the middle of the second block."""


@pytest.fixture(scope="module")
def four_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One datanode more than the largest replication, and one block sent at a time."""
    folder = tmp_path_factory.mktemp("four")
    with Cluster(folder, data_nodes=4, client={"parallel_blocks": 1}) as cluster:
        yield cluster


@pytest.fixture
def pipelines(monkeypatch: pytest.MonkeyPatch) -> List[Tuple[Target, ...]]:
    """The targets of each pipeline that a writer of this process opens, in order."""
    opened: List[Tuple[Target, ...]] = []

    write_block = DataNodeClient.write_block

    def recorded(*args: Any) -> Sending[Holders]:
        opened.append(args[-1])
        return write_block(*args)

    monkeypatch.setattr(DataNodeClient, "write_block", recorded)
    return opened


class Once:
    """A progress callback that does one thing when so many bytes have been sent."""

    def __init__(self, at: int, action: Callable[[], None]) -> None:
        self.at = at
        self.done = False
        self._action = action

    def __call__(self, sent: int, _total: int) -> None:
        if sent >= self.at and not self.done:
            self.done = True
            self._action()


def receiver(cluster: Cluster, pipelines: List[Tuple[Target, ...]], position: int) -> str:
    """The datanode at this place of the newest pipeline, once it receives the block."""
    role = role_at(cluster, pipelines[-1][position].port)
    wait_until(lambda: unfinished(cluster, role), what=f"a block on its way to {role}")
    return role


def source(tmp_path: Path, size: int = SIZE) -> Path:
    """A local file to put."""
    local = tmp_path / "source"
    local.write_bytes(noise(size, size))
    return local


def assert_whole(cluster: Cluster, file_system: FileSystem, path: str, replicas: int) -> None:
    """The file has the source's bytes, and every block is on `replicas` disks of live nodes."""
    with file_system.open(path) as reader:
        assert reader.read() == noise(SIZE, SIZE)
    names = block_names(file_system, path)
    assert len(names) == BLOCKS + 1
    for name in names:
        alive = [role for role in holders(cluster, name) if cluster.daemons[role].running]
        assert len(alive) >= replicas, f"{name} is on {alive}"


@pytest.mark.parametrize(
    "replication, position", [(r, p) for r in (1, 2, 3) for p in range(r)]
)
def test_a_datanode_killed_in_the_middle_of_a_pipeline_is_replaced(
    four_nodes: Cluster, pipelines: list, tmp_path: Path, replication: int, position: int
) -> None:
    cluster, path = four_nodes, f"/killed-{replication}-{position}"
    killed: List[str] = []

    def kill() -> None:
        killed.append(receiver(cluster, pipelines, position))
        cluster.kill(killed[0])

    with cluster.file_system() as file_system:
        trouble = Once(MIDDLE, kill)
        file_system.put(str(source(tmp_path)), path, replication=replication, progress=trouble)
        assert trouble.done and len(pipelines) > BLOCKS + 1
        second = file_system.block_locations(path).blocks[1]
        assert killed[0] not in [role_at(cluster, target.port) for target in second.targets]
        if replication > 1:
            with file_system.open(path) as reader:
                assert reader.read() == noise(SIZE, SIZE)
        cluster.start_daemon(killed[0])
        cluster.wait_live(4)
        assert_whole(cluster, file_system, path, replication)
    assert not unfinished(cluster, killed[0])


def test_a_datanode_that_hangs_in_the_middle_of_a_pipeline_is_replaced(
    four_nodes: Cluster, pipelines: list, tmp_path: Path
) -> None:
    hung: List[str] = []

    def hang() -> None:
        hung.append(receiver(four_nodes, pipelines, 1))
        four_nodes.pause(hung[0])

    with four_nodes.file_system() as file_system:
        trouble = Once(MIDDLE, hang)
        try:
            file_system.put(str(source(tmp_path)), "/hung", replication=3, progress=trouble)
        finally:
            four_nodes.resume(hung[0])
        four_nodes.wait_live(4)
        assert trouble.done
        assert_whole(four_nodes, file_system, "/hung", 3)
    four_nodes.wait_live(4)


@pytest.mark.parametrize("role", ["name_node", "metadata", "zookeeper"])
def test_a_put_goes_on_when_a_daemon_is_killed_and_restarted_in_its_middle(
    four_nodes: Cluster, tmp_path: Path, role: str
) -> None:
    path = f"/restarted-{role}"

    def restart() -> None:
        four_nodes.kill(role)
        four_nodes.daemons[role].start()

    with four_nodes.file_system() as file_system:
        trouble = Once(MIDDLE, restart)
        file_system.put(str(source(tmp_path)), path, replication=3, progress=trouble)
        assert trouble.done
        four_nodes.daemons[role].wait_ready()
        assert_whole(four_nodes, file_system, path, 3)
    four_nodes.wait_live(4)


def test_a_put_goes_on_when_every_daemon_is_killed_and_restarted_in_its_middle(
    four_nodes: Cluster, tmp_path: Path
) -> None:
    def restart() -> None:
        for role in four_nodes.roles:
            four_nodes.kill(role)
        for role in reversed(four_nodes.roles):
            four_nodes.daemons[role].start()
        for role in four_nodes.roles:
            four_nodes.daemons[role].wait_ready()

    with four_nodes.file_system() as file_system:
        trouble = Once(MIDDLE, restart)
        file_system.put(str(source(tmp_path)), "/power", replication=3, progress=trouble)
        assert trouble.done
        assert_whole(four_nodes, file_system, "/power", 3)
    four_nodes.wait_live(4)


def test_files_are_put_and_read_while_the_zookeeper_is_dead(
    four_nodes: Cluster, tmp_path: Path
) -> None:
    four_nodes.kill("zookeeper")
    with four_nodes.file_system() as file_system:
        file_system.put(str(source(tmp_path)), "/alone", replication=3)
        assert_whole(four_nodes, file_system, "/alone", 3)
        assert file_system.delete("/alone")
    four_nodes.start_daemon("zookeeper")
    four_nodes.wait_live(4)


@pytest.mark.parametrize("role", ["name_node", "metadata", "zookeeper"])
def test_a_daemon_that_is_told_to_stop_in_the_middle_of_a_put_stops_with_status_0(
    four_nodes: Cluster, tmp_path: Path, role: str
) -> None:
    path = f"/stopped-{role}"

    def restart() -> None:
        four_nodes.terminate(role)
        four_nodes.daemons[role].start()

    with four_nodes.file_system() as file_system:
        trouble = Once(MIDDLE, restart)
        file_system.put(str(source(tmp_path)), path, replication=3, progress=trouble)
        assert trouble.done
        four_nodes.daemons[role].wait_ready()
        assert_whole(four_nodes, file_system, path, 3)
    four_nodes.wait_live(4)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_datanode_that_is_told_to_stop_finishes_the_block_that_it_receives(
    four_nodes: Cluster, pipelines: list, tmp_path: Path, position: int
) -> None:
    path, stopped = f"/drained-{position}", []

    def stop() -> None:
        stopped.append(receiver(four_nodes, pipelines, position))
        four_nodes.daemons[stopped[0]].send_signal(signal.SIGTERM)

    with four_nodes.file_system() as file_system:
        trouble = Once(MIDDLE, stop)
        file_system.put(str(source(tmp_path)), path, replication=3, progress=trouble)
        daemon = four_nodes.daemons[stopped[0]]
        assert daemon.wait() == 0, daemon.tail()
        second = block_names(file_system, path)[1]
        assert stopped[0] in holders(four_nodes, second)
        four_nodes.start_daemon(stopped[0])
        four_nodes.wait_live(4)
        assert_whole(four_nodes, file_system, path, 3)


def test_a_datanode_that_dies_for_good_long_before_the_end_of_a_put_is_made_up_for(
    four_nodes: Cluster, pipelines: list, tmp_path: Path
) -> None:
    with four_nodes.file_system() as file_system:
        with file_system.open("/long", "wb", replication=2) as file:
            file.write(noise(SIZE, SIZE)[:MIDDLE])
            victim = wait_until(
                lambda: finished_by(four_nodes, pipelines), what="the first block"
            )
            four_nodes.kill(victim)
            port = four_nodes.address(victim)[1]
            wait_until(
                lambda: {node.port: node.state for node in file_system.datanodes()}[port] == "dead"
            )
            file.write(noise(SIZE, SIZE)[MIDDLE:])
        wait_replicas(four_nodes, "/long", 2, without=[victim])
        assert_whole(four_nodes, file_system, "/long", 2)
    four_nodes.start_daemon(victim)
    four_nodes.wait_live(4)


def finished_by(cluster: Cluster, pipelines: List[Tuple[Target, ...]]) -> str:
    """The first datanode of the first pipeline, once it has made its replica durable."""
    if not pipelines:
        return ""
    role = role_at(cluster, pipelines[0][0].port)
    newest = max(stored(cluster, role), key=lambda name: int(name.split("_")[1]), default="")
    return role if newest and not unfinished(cluster, role) else ""
