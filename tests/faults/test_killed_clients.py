"""Clients that are killed: no file appears, no old content is lost, the name can be used again."""

import signal
from typing import Iterator, List

import pytest

from tests.support.clusters.cluster import Cluster
from tests.support.disks.replicas import noise, stored, unfinished
from tests.support.clusters.waiting import wait_until

BLOCK = 64 * 1024
OLD, NEW = noise(2 * BLOCK, 1), noise(20 * BLOCK, 2)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster in which a dead writer's lease ends after a second."""
    options = {"block_size": BLOCK, "lease_soft_seconds": 0.5, "lease_hard_seconds": 1}
    with Cluster(tmp_path_factory.mktemp("clients"), name_node=options) as cluster:
        yield cluster


def blocks_on_disks(cluster: Cluster) -> int:
    """How many finalized replicas there are in all."""
    return sum(len(stored(cluster, role)) for role in cluster.data_nodes)


@pytest.mark.parametrize("overwrite", [False, True], ids=["new", "overwrite"])
@pytest.mark.parametrize(
    "sent, number",
    [(sent, signal.SIGKILL) for sent in (0, 2, 6, 20)] + [(6, signal.SIGTERM), (6, signal.SIGINT)],
)
def test_a_client_that_ends_in_the_middle_of_a_put_leaves_nothing_and_takes_nothing(
    nodes: Cluster, sent: int, overwrite: bool, number: int
) -> None:
    path = "/target"
    if overwrite:
        assert nodes.client("put", "-f", "-", path, stdin=OLD).status == 0
    before = blocks_on_disks(nodes)
    client = nodes.start_client("put", *(["-f"] if overwrite else []), "-", path)
    assert client.stdin is not None
    if sent:
        client.stdin.write(NEW[: sent * BLOCK])
        client.stdin.flush()
        wait_until(lambda: blocks_on_disks(nodes) > before, what="the first block on a disk")
    client.send_signal(number)
    assert client.wait() != 0
    with nodes.file_system() as file_system:
        if overwrite:
            assert file_system.open(path).read() == OLD
            assert file_system.delete(path)
        assert list(file_system.list("/")) == []
        wait_until(lambda: blocks_on_disks(nodes) == 0, what="the end of the unfinished blocks")
        wait_until(lambda: not any(unfinished(nodes, role) for role in nodes.data_nodes))
        with file_system.open(path, "wb", overwrite=False) as file:
            file.write(NEW)
        assert file_system.open(path).read() == NEW
        assert file_system.delete(path)
    wait_until(lambda: blocks_on_disks(nodes) == 0)


def test_a_second_writer_is_told_that_the_path_is_taken_while_the_first_one_lives(
    nodes: Cluster,
) -> None:
    client = nodes.start_client("put", "-", "/taken")
    assert client.stdin is not None
    client.stdin.write(NEW[: 4 * BLOCK])
    client.stdin.flush()
    wait_until(lambda: blocks_on_disks(nodes) > 0)
    refused = nodes.client("put", "-", "/taken", stdin=OLD)
    assert refused.status == 1 and len(refused.err.splitlines()) == 1
    assert "/taken" in refused.err
    _, err = client.communicate(NEW[4 * BLOCK :])
    assert (client.returncode, err) == (0, b"")
    assert nodes.client("cat", "/taken").out == NEW
    assert nodes.client("rm", "/taken").status == 0


def test_a_writer_that_was_paused_until_its_lease_ended_can_not_make_its_file_appear(
    nodes: Cluster,
) -> None:
    client = nodes.start_client("put", "-", "/late")
    assert client.stdin is not None
    client.stdin.write(NEW[: 4 * BLOCK])
    client.stdin.flush()
    wait_until(lambda: blocks_on_disks(nodes) > 0)
    client.send_signal(signal.SIGSTOP)
    wait_until(lambda: blocks_on_disks(nodes) == 0, what="the end of the lease")
    assert nodes.client("put", "-", "/late", stdin=OLD).status == 0
    client.send_signal(signal.SIGCONT)
    _, err = client.communicate(NEW[4 * BLOCK :])
    assert client.returncode == 1 and len(err.splitlines()) == 1, err
    assert nodes.client("cat", "/late").out == OLD
    assert nodes.client("rm", "/late").status == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_put_that_is_told_to_end_lets_the_next_one_in_at_once(
    nodes: Cluster, number: signal.Signals
) -> None:
    client = nodes.start_client("put", "-f", "-", "/asked")
    assert client.stdin is not None
    client.stdin.write(NEW[: 4 * BLOCK])
    client.stdin.flush()
    wait_until(lambda: blocks_on_disks(nodes) > 0)
    client.send_signal(number)
    _, err = client.communicate()
    assert (client.returncode, len(err.splitlines())) == (128 + number, 1), err
    assert "/asked" not in nodes.client("listOpenFiles").text
    assert nodes.client("put", "-f", "-", "/asked", stdin=OLD).status == 0
    assert nodes.client("rm", "/asked").status == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", [["get", "-f", "/big"], ["getmerge", "/big"]])
def test_a_download_that_is_told_to_end_leaves_nothing(
    nodes: Cluster, words: List[str], number: signal.Signals
) -> None:
    assert nodes.client("put", "-f", "-", "/big", stdin=NEW).status == 0
    folder = nodes.folder / "told"
    folder.mkdir()
    for role in nodes.data_nodes:
        nodes.pause(role)
    try:
        client = nodes.start_client(*words, str(folder / "local"))
        wait_until(lambda: list(folder.glob(".*.part")), what="the temporary file")
        client.send_signal(number)
    finally:
        for role in nodes.data_nodes:
            nodes.resume(role)
    client.communicate()
    assert client.returncode == 128 + number
    assert list(folder.iterdir()) == []
    folder.rmdir()
    nodes.wait_live(3)
    assert nodes.client("rm", "/big").status == 0


def test_a_get_that_is_killed_leaves_the_old_local_file(nodes: Cluster) -> None:
    assert nodes.client("put", "-", "/big", stdin=NEW).status == 0
    local = nodes.folder / "local"
    local.write_bytes(OLD)
    for role in nodes.data_nodes:
        nodes.pause(role)
    try:
        client = nodes.start_client("get", "-f", "/big", str(local))
        wait_until(lambda: list(nodes.folder.glob(".*.part")), what="the temporary file")
        client.kill()
        client.wait()
    finally:
        for role in nodes.data_nodes:
            nodes.resume(role)
    assert local.read_bytes() == OLD
    nodes.wait_live(3)
    assert nodes.client("get", "-f", "/big", str(local)).status == 0
    assert local.read_bytes() == NEW


def test_the_path_of_a_writer_that_was_killed_is_free_at_once(shared_cluster: Cluster) -> None:
    """Its lease would last for a minute."""
    assert shared_cluster.client("mkdir", "-p", "/killed").status == 0
    client = shared_cluster.start_client("put", "-", "/killed/f")
    assert client.stdin is not None
    client.stdin.write(NEW)
    client.stdin.flush()

    def is_open() -> bool:
        with shared_cluster.file_system() as file_system:
            return any(row.path == "/killed/f" for row in file_system.open_files("/killed"))

    wait_until(is_open, what="the lease")
    client.kill()
    client.wait()
    again = shared_cluster.client("put", "-", "/killed/f", stdin=OLD)
    assert (again.status, again.err) == (0, "")
    assert shared_cluster.client("cat", "/killed/f").out == OLD
    assert shared_cluster.client("rm", "-r", "/killed").status == 0
