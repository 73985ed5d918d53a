"""What lies on the disks of a test cluster's datanodes, past everything that the cluster says."""

import hashlib
from itertools import chain
from pathlib import Path
from random import Random
from typing import Dict, List, Sequence

from data_service.datanode.store.layout import META_SUFFIX
from data_service.filesystem import FileSystem
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until


def noise(size: int, seed: int = 0) -> bytes:
    """`size` bytes that no two seeds have in common."""
    return Random(seed).randbytes(size)


def digest(path: Path) -> str:
    """The SHA-256 of a local file of any size."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            sha.update(piece)
    return sha.hexdigest()


def stored(cluster: Cluster, role: str) -> Dict[str, Path]:
    """Block name -> data file, of every finalized replica on one datanode's disk."""
    found = [root.glob("finalized/*/blk_*") for root in cluster.directories(role)]
    return {path.name: path for path in chain(*found) if path.suffix != META_SUFFIX}


def unfinished(cluster: Cluster, role: str) -> List[Path]:
    """What one datanode is writing just now, or has left of a write."""
    return sorted(chain(*(root.glob("tmp/*") for root in cluster.directories(role))))


def data_node_roles(cluster: Cluster) -> List[str]:
    """Every datanode of config.ini, running or not."""
    return [role for role in cluster.roles if role.startswith("data_node_")]


def holders(cluster: Cluster, block_name: str) -> List[str]:
    """The datanodes with a finalized replica of this block on disk."""
    roles = data_node_roles(cluster)
    return [role for role in roles if block_name in stored(cluster, role)]


def block_names(file_system: FileSystem, path: str) -> List[str]:
    """The blocks of a file, in order."""
    return [located.block.name for located in file_system.block_locations(path).blocks]


def role_at(cluster: Cluster, port: int) -> str:
    """The daemon that listens on this port."""
    return next(role for role in cluster.roles if cluster.address(role)[1] == port)


def wait_replicas(
    cluster: Cluster,
    path: str,
    count: int,
    timeout: float = PATIENCE_SECONDS,
    without: Sequence[str] = (),
) -> None:
    """Wait until each block of a file is on exactly `count` disks, and the namenode says so.

    The disks of the datanodes `without` do not count.
    """
    with cluster.file_system() as file_system:
        names = block_names(file_system, path)
        assert names, f"{path} has no blocks to wait for"

        def is_so() -> bool:
            located = file_system.block_locations(path).blocks
            return all(len(block.targets) == count for block in located) and all(
                len(set(holders(cluster, name)) - set(without)) == count for name in names
            )

        wait_until(is_so, timeout, f"{count} replicas of {path}")


def wait_gone(cluster: Cluster, names: List[str], timeout: float = PATIENCE_SECONDS) -> None:
    """Wait until no disk holds any of these blocks."""
    wait_until(
        lambda: not any(holders(cluster, name) for name in names),
        timeout,
        f"the end of {len(names)} blocks on every disk",
    )
