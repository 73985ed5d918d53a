"""What a datanode that lies can do to the files of others: to its own replicas what it likes."""

from pathlib import Path
from typing import Dict, List

import pytest

from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block
from tests.support.clusters import false_data_node
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.false_data_node import CHANGES, CLAIMS
from tests.support.clusters.waiting import wait_until
from tests.support.disks.replicas import noise, stored, wait_replicas
from tests.support.disks.stores import chunks_of

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

BLOCK = 1 << 20
TEXT = b"pay 100 EUR\n"
LARGE = b"pay" + noise(2 * BLOCK + 777, 1)
PUTS_MAX = 60


def make_false(cluster: Cluster, role: str, lie: str) -> None:
    """From its next start on this datanode lies."""
    daemon = cluster.daemons[role]
    at = next(place for place, word in enumerate(daemon.command) if word.endswith("data_node.py"))
    daemon.command[at : at + 1] = [str(Path(false_data_node.__file__)), lie]


def test_what_a_datanode_changes_on_its_way_is_in_no_file(tmp_path: Path) -> None:
    overrides = {"replication_factor": 2, "block_size": "1M"}
    cluster = Cluster(tmp_path, data_nodes=3, security="secret", name_node=overrides)
    make_false(cluster, "data_node_0", CHANGES)
    (tmp_path / "large").write_bytes(LARGE)
    with cluster:
        refused = 0
        for number in range(PUTS_MAX):
            small = cluster.client("put", "-", f"/small{number}", stdin=TEXT)
            if small.status == 0:
                assert cluster.client("cat", f"/small{number}").out == TEXT
            else:
                assert "something else" in small.err
                refused += 1
            if refused:
                break
        assert refused, "the false datanode was never the first of a pipeline"
        large = cluster.client("put", str(tmp_path / "large"), "/large")
        if large.status == 0:
            assert cluster.client("cat", "/large").out == LARGE


def test_what_was_put_in_the_place_of_a_replica_is_never_taken_for_it(tmp_path: Path) -> None:
    """The datanode was honest when it took the block in: who has its disk changes it later."""
    overrides = {"replication_factor": 2, "block_size": "1M"}
    with Cluster(
        tmp_path, data_nodes=2, security="secret", name_node=overrides
    ) as cluster:
        assert cluster.client("put", "-", "/f", stdin=LARGE).status == 0
        cluster.terminate("data_node_0")
        forge(cluster, "data_node_0")
        cluster.start_daemon("data_node_0")
        cluster.wait_live(2)
        for _ in range(3):
            assert cluster.client("cat", "/f").out == LARGE
        with cluster.file_system() as fs, fs.open("/f") as file:
            file.seek(BLOCK - 5)
            assert file.read(10) == LARGE[BLOCK - 5 : BLOCK + 5]
        # What is there is made good again by itself.
        wait_until(lambda: all(path.read_bytes()[:3] != b"999" for path in
                               stored(cluster, "data_node_0").values()), what="the forged to go")
        wait_replicas(cluster, "/f", 2)


def forge(cluster: Cluster, role: str) -> None:
    """Write other data into each replica of a datanode, with the checksums that fit."""
    roots = [str(root) for root in cluster.directories(role)]
    store = BlockStore(roots, 0)
    store.open()
    changed: Dict[Block, bytes] = {}
    for path in stored(cluster, role).values():
        name = path.name.split("_")
        block = store.replicas.find(int(name[1]), int(name[2])).block
        changed[block] = b"999" + path.read_bytes()[3 : block.length]
    for block, data in changed.items():
        store.remove(block)
        writer = store.create(*block)
        for chunk, checksum in chunks_of(data):
            writer.write(chunk, checksum)
        store.finish(writer)
    store.close()


def test_who_claims_every_block_has_none_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMS", str(tmp_path / "claims"))
    overrides = {"replication_factor": 2, "replication_interval_seconds": 0.2}
    cluster = Cluster(
        tmp_path, data_nodes=2, spare_data_nodes=2, security="secret", name_node=overrides
    )
    with cluster:
        contents = {f"/f{number}": noise(1000, number) for number in range(5)}
        for path, data in contents.items():
            assert cluster.client("put", "-", path, stdin=data).status == 0
        with cluster.file_system() as fs:
            blocks = [found.block for row in fs.fsck("/") for found in row.blocks]
        (tmp_path / "claims").write_text("".join(f"{b[0]} {b[1]} {b[2]}\n" for b in blocks))
        before = [set(stored(cluster, role)) for role in cluster.data_nodes]
        for role in ("data_node_2", "data_node_3"):
            make_false(cluster, role, CLAIMS)
            cluster.start_daemon(role)
        cluster.wait_live(4)
        # Each false replica is found out, and nobody takes it for a reason to remove a true one.
        namenode = cluster.daemons["name_node"]
        for block in blocks:
            namenode.wait_for_log(f"replica.corrupt block={block.name}")
        assert [set(stored(cluster, role)) for role in cluster.data_nodes] == before
        for path, data in contents.items():
            assert cluster.client("cat", path).out == data


def test_nor_who_knows_the_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of the files may have told them; and each claims to have more room than others."""
    monkeypatch.setenv("CLAIMS", str(tmp_path / "claims"))
    overrides = {"replication_factor": 2, "replication_interval_seconds": 0.2}
    cluster = Cluster(
        tmp_path, data_nodes=2, spare_data_nodes=2, security="secret", name_node=overrides
    )
    with cluster, cluster.file_system() as fs:
        contents = {f"/f{number}": noise(1000, number) for number in range(5)}
        claims = []
        for path, data in contents.items():
            fs.write_bytes(path, data)
            (found,) = fs.block_locations(path).blocks
            claims.append("{} {} {} {}\n".format(*found.block, found.digest.hex()))
        (tmp_path / "claims").write_text("".join(claims))
        for role in ("data_node_2", "data_node_3"):
            make_false(cluster, role, CLAIMS)
            cluster.start_daemon(role)
        cluster.wait_live(4)
        cluster.daemons["name_node"].wait_for_log("deletion.planned")
        # In the end there are as many as there shall be: the true ones.
        wait_until(lambda: all(len(block.holders) == 2 for row in fs.fsck("/")
                               for block in row.blocks))
        for role in cluster.data_nodes:
            assert len(stored(cluster, role)) == len(contents)
        for path, data in contents.items():
            assert fs.read_bytes(path) == data


def test_what_a_new_namenode_deletes_is_set_aside(tmp_path: Path) -> None:
    """It may be none that should lead at all: see case who_j."""
    overrides = {"replication_factor": 2}
    with Cluster(tmp_path, data_nodes=2, name_node=overrides) as cluster:
        assert cluster.client("put", "-", "/f", stdin=TEXT).status == 0
        cluster.restart("name_node")
        cluster.wait_live(2)
        assert cluster.client("rm", "-skipTrash", "/f").status == 0
        trashed: List[Path] = []
        for role in cluster.data_nodes:
            wait_until(lambda role=role: not stored(cluster, role))  # type: ignore[misc]
            trashed += [path for root in cluster.directories(role) for path in root.glob("trash/*")]
        assert len(trashed) == 2 and all(path.read_bytes().startswith(TEXT) for path in trashed)
