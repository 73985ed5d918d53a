"""Replicas that are damaged on disk: never served, noticed, replaced from a good one, removed."""

from pathlib import Path
from typing import Iterator

import pytest

from data_service.protocol.checksums import CHUNK_BYTES
from tests.support.clusters.cluster import Cluster
from tests.support.disks.damage import DAMAGES, DAMAGES_OF_TWO, Damage, flip_in, split_and
from tests.support.disks.replicas import (
    block_names,
    holders,
    noise,
    role_at,
    stored,
    wait_replicas,
)
from tests.support.disks.two_files import data_of
from tests.support.clusters.waiting import wait_until

SIZE = 2 * CHUNK_BYTES + 777
CONTENT = noise(SIZE, 7)


@pytest.fixture(scope="module")
def three_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three datanodes whose scanners are too slow to find anything first."""
    folder = tmp_path_factory.mktemp("damage")
    with Cluster(folder, name_node={"replication_factor": 2}) as cluster:
        yield cluster


def first_read(cluster: Cluster, path: str) -> Path:
    """The data file of the replica that a reader asks first."""
    with cluster.file_system() as file_system:
        located = file_system.block_locations(path).blocks[0]
    role = role_at(cluster, located.targets[0].port)
    return stored(cluster, role)[located.block.name]


def put(cluster: Cluster, path: str, content: bytes = CONTENT, replication: int = 2) -> None:
    """Store a file by the library."""
    with cluster.file_system() as file_system:
        with file_system.open(path, "wb", replication=replication) as file:
            file.write(content)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_get_of_a_damaged_replica_gives_the_right_bytes_and_has_it_replaced(
    three_nodes: Cluster, tmp_path: Path, damage: str
) -> None:
    path = f"/{damage}"
    put(three_nodes, path)
    victim = first_read(three_nodes, path)
    DAMAGES[damage](victim)
    back = tmp_path / "back"
    got = three_nodes.client("get", path, str(back))
    assert got.status == 0 and back.read_bytes() == CONTENT
    wait_good_replicas(three_nodes, path, CONTENT)
    assert three_nodes.client("rm", path).status == 0


def wait_good_replicas(cluster: Cluster, path: str, content: bytes, count: int = 2) -> None:
    """Wait until all replicas on disks are good, and as many as there should be."""
    with cluster.file_system() as file_system:
        names = block_names(file_system, path)

        def is_so() -> bool:
            row = next(file_system.fsck(path))
            if any(block.health.live != count or block.health.corrupt for block in row.blocks):
                return False
            for which in range(count):
                paths = [[stored(cluster, role).get(name) for role in holders(cluster, name)]
                         for name in names]
                if any(len(found) != count for found in paths):
                    return False
                if b"".join(data_of(found[which]) for found in paths if found) != content:
                    return False
            return True

        wait_until(is_so, what=f"{count} good replicas of {path}")


def test_checksums_of_two_blocks_that_changed_places_are_seen(three_nodes: Cluster) -> None:
    other = noise(SIZE, 8)
    put(three_nodes, "/one", CONTENT, 3)
    put(three_nodes, "/two", other, 3)
    one = first_read(three_nodes, "/one")
    root = one.parents[2]
    with three_nodes.file_system() as file_system:
        name = block_names(file_system, "/two")[0]
    two = next(root.glob(f"finalized/*/{name}"))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(first[:SIZE] + second[SIZE:])
    two.write_bytes(second[:SIZE] + first[SIZE:])
    for path, content in (("/one", CONTENT), ("/two", other)):
        assert three_nodes.client("cat", path).out == content
    wait_good_replicas(three_nodes, "/one", CONTENT, 3)
    with three_nodes.file_system() as file_system:
        with file_system.open("/two") as file:
            assert file.read() == other


def test_a_get_without_any_good_replica_fails_and_leaves_no_file(
    three_nodes: Cluster, tmp_path: Path
) -> None:
    put(three_nodes, "/lost")
    with three_nodes.file_system() as file_system:
        name = block_names(file_system, "/lost")[0]
    for role in holders(three_nodes, name):
        flip_in(stored(three_nodes, role)[name], CHUNK_BYTES + 5)
    got = three_nodes.client("get", "/lost", str(tmp_path / "back"))
    assert got.status == 1 and len(got.err.splitlines()) == 1 and "/lost" in got.err
    assert list(tmp_path.glob("*back*")) == [] and list(tmp_path.glob(".*back*")) == []
    assert three_nodes.client("cat", "/lost").status == 1

    def fsck_names_it() -> bool:
        report = three_nodes.client("fsck", "/")
        return report.status == 1 and "/lost" in report.text and "CORRUPT" in report.text

    wait_until(fsck_names_it)
    # The bytes are all that is left: they stay where they are, for a person to save.
    assert len(holders(three_nodes, name)) == 2
    damaged = bytearray(CONTENT)
    damaged[CHUNK_BYTES + 5] ^= 1
    for command in ("cat", "text"):
        assert three_nodes.client(command, "-ignoreCrc", "/lost").out == damaged
    back = tmp_path / "back"
    assert three_nodes.client("get", "-ignoreCrc", "/lost", str(back)).status == 0
    assert back.read_bytes() == damaged
    assert three_nodes.client("rm", "/lost").status == 0
    wait_until(lambda: three_nodes.client("fsck", "/").status == 0)


def test_damage_that_nobody_reads_is_found_by_the_scanner(tmp_path: Path) -> None:
    options = {"name_node": {"replication_factor": 2}, "data_node": {"scan_period_seconds": 0.2}}
    with Cluster(tmp_path, **options) as cluster:
        put(cluster, "/unread")
        flip_in(first_read(cluster, "/unread"), CHUNK_BYTES + 1)
        wait_good_replicas(cluster, "/unread", CONTENT)


OF_ONE = ["first-bit", "truncated", "gone", "label-gone"]
OF_TWO = ["first-bit", "truncated", "gone", "meta-gone", "both-gone"]


@pytest.mark.parametrize("damage, do", [(name, DAMAGES[name]) for name in OF_ONE] + [
    (f"two-{name}", split_and(DAMAGES_OF_TWO[name])) for name in OF_TWO])
def test_damage_done_while_the_datanode_was_down_is_healed(
    three_nodes: Cluster, damage: str, do: Damage
) -> None:
    path = f"/asleep-{damage}"
    put(three_nodes, path)
    victim = first_read(three_nodes, path)
    role = next(r for r in three_nodes.data_nodes if three_nodes.directory(r) in victim.parents)
    three_nodes.kill(role)
    do(victim)
    three_nodes.start_daemon(role)
    three_nodes.wait_live(3)
    assert three_nodes.client("cat", path).out == CONTENT
    wait_good_replicas(three_nodes, path, CONTENT)
    wait_replicas(three_nodes, path, 2)
