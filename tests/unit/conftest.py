"""What the tests of more than one module of a part stand on."""

from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.store.volume import Volume
from data_service.filesystem import FileSystem
from data_service.protocol.nodes import Command
from tests.support.clusters.inner_cluster import InnerCluster
from tests.support.disks.faulty_disk import FaultyDisk
from tests.support.disks.stores import open_volume, opened
from tests.support.links import certificates
from tests.support.links.ends import pair
from tests.support.links.impostor import Impostor
from tests.support.links.loopback import Loopback
from tests.support.links.played_namenode import NameNode
from zookeeper.fabric.identity import DATA_NODE, NAME_NODE, ZOOKEEPER
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.stream import Stream


@pytest.fixture(scope="module")
def loopback() -> Iterator[Loopback]:
    """One server for all tests of a file: none of them may hurt it."""
    with Loopback() as served:
        yield served


@pytest.fixture(params=["plain", "tls"])
def streams(request: pytest.FixtureRequest, certified: Path) -> Iterator[Tuple[Stream, Stream]]:
    """Both ends of a connection as streams."""
    ends = pair(certified if request.param == "tls" else None)
    yield ends
    for stream in ends:
        stream.close()


@pytest.fixture
def impostor() -> Iterator[Impostor]:
    """A server that means no good."""
    made = Impostor()
    yield made
    made.remote.close()
    made.socket.close()


@pytest.fixture
def remote(loopback: Loopback) -> Iterator[Remote]:
    """A connection of our own client."""
    connection = loopback.remote()
    yield connection
    connection.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[InnerCluster]:
    """Two datanodes and a played namenode, which leave nothing unfinished."""
    with InnerCluster(tmp_path / "cluster", 2) as started:
        yield started
        started.wait_clean()


@pytest.fixture
def fs(cluster: InnerCluster) -> Iterator[FileSystem]:
    """Their client."""
    with cluster.file_system() as made:
        yield made


@pytest.fixture
def system() -> FaultyDisk:
    """The disk of `volume`."""
    return FaultyDisk()


@pytest.fixture
def failures() -> List[str]:
    """What `volume` told of its failures."""
    return []


@pytest.fixture
def volume(tmp_path: Path, system: FaultyDisk, failures: List[str]) -> Iterator[Volume]:
    """A directory of a datanode, on a disk that a test lets fail."""
    made = open_volume(tmp_path / "v", system, failures)
    yield made
    made.directory.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlockStore]:
    """A datanode's store, which has nothing."""
    made = opened(tmp_path)
    yield made
    made.close()


@pytest.fixture
def namenode() -> NameNode:
    """What a datanode's actor reports to."""
    return NameNode()


@pytest.fixture
def obeyed() -> List[Command]:
    """The commands that the actor passed on."""
    return []


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for each role on this machine, for all tests together."""
    folder = tmp_path_factory.mktemp("certificates")
    for role in (ZOOKEEPER, NAME_NODE, DATA_NODE):
        certificates.make(folder, role, role, *certificates.OWN_HOSTS)
    return folder
