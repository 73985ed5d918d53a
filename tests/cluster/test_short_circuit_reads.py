"""Reads on the machine of the datanodes: real processes hand files over, and send no bytes."""

from pathlib import Path
from typing import Dict

import pytest

from scripts.supervision.call_table import metrics_of
from tests.support.clusters.cluster import Cluster
from tests.support.disks.replicas import noise
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import USER, Principal
from zookeeper.fabric.settings import Address, load

CONTENT = noise((5 << 20) + 777, 11)


def made(cluster: Cluster) -> Dict[str, int]:
    """How often each call was made of all datanodes together."""
    settings = load(str(cluster.config))
    found = {"read_block": 0, "open_replica": 0}
    for role in cluster.data_nodes:
        address = Address(*cluster.address(role))
        credentials = credentials_of(settings, Principal(USER, "counter"))
        for row in metrics_of("data_node", address, credentials, settings):
            found[row.name] = found.get(row.name, 0) + row.made
    return found


@pytest.fixture(name="path")
def _path(shared_cluster: Cluster) -> str:
    with shared_cluster.file_system() as files:
        with files.open("/short-circuit", "wb", block_size=2 << 20) as file:
            file.write(CONTENT)
    return "/short-circuit"


def test_cat_get_and_open_take_no_byte_from_a_port(
    shared_cluster: Cluster, path: str, tmp_path: Path
) -> None:
    before = made(shared_cluster)
    back = tmp_path / "back"
    assert shared_cluster.client("get", path, str(back)).status == 0
    assert back.read_bytes() == CONTENT
    assert shared_cluster.client("cat", path).out == CONTENT
    with shared_cluster.file_system() as files, files.open(path) as file:
        assert file.read() == CONTENT
        file.seek(3 << 20)
        assert file.read(1000) == CONTENT[3 << 20 :][:1000]
    after = made(shared_cluster)
    assert after["read_block"] == before["read_block"]
    # Three blocks each time; the library may open one more than once.
    assert after["open_replica"] >= before["open_replica"] + 10


def test_without_it_the_ports_send_everything(
    shared_cluster: Cluster, path: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.ini"
    text = shared_cluster.config.read_text("utf-8")
    assert "[client]\n" in text
    config.write_text(text.replace("[client]\n", "[client]\nshort_circuit = no\n"), "utf-8")
    before = made(shared_cluster)
    done = shared_cluster.client("--config", str(config), "cat", path)
    assert done.out == CONTENT
    after = made(shared_cluster)
    assert after["open_replica"] == before["open_replica"]
    assert after["read_block"] == before["read_block"] + 3
