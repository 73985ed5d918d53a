"""Every replica on a datanode's disks, read and verified past everything that the cluster says."""

import hashlib
from pathlib import Path
from typing import Dict, NamedTuple, Tuple

from data_service.datanode.store import layout
from data_service.protocol.blocks import Block, parse_name
from data_service.protocol.checksums import CHUNK_BYTES, crc32
from tests.support.clusters.cluster import Cluster
from tests.support.disks.two_files import meta_of
from zookeeper.fabric.errors import CorruptData


class Replica(NamedTuple):
    """A finalized replica; `problem` is empty when its checksums are there and fit."""

    path: Path
    length: int
    sha256: str
    problem: str


def replicas_on(cluster: Cluster, role: str) -> Dict[str, Replica]:
    """Block name -> replica. Checksums without data count as a replica with a problem.

    A block may lie in two directories, one of which failed for a while: the better one counts.
    """
    found: Dict[str, Replica] = {}
    for root in cluster.directories(role):
        for path in sorted(root.glob("finalized/*/blk_*")):
            if path.suffix == layout.META_SUFFIX:
                path = path.with_suffix("")
                if path.name in found and found[path.name].path == path:
                    continue
            replica = read_replica(path)
            if path.name not in found or found[path.name].problem:
                found[path.name] = replica
    return found


def read_replica(path: Path) -> Replica:
    """Read and verify one replica; what has gone is a replica with a problem."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Replica(path, 0, "", "its data is gone")
    identity = parse_name(path.name)
    assert identity is not None, f"{path} is no replica's name"
    try:
        data, block, checksums = _decode(content, meta_of(path), *identity)
    except CorruptData as error:
        sha = hashlib.sha256(content).hexdigest()
        return Replica(path, len(content), sha, error.message)
    sha = hashlib.sha256(data).hexdigest()
    computed = tuple(crc32(data[at : at + CHUNK_BYTES]) for at in range(0, len(data), CHUNK_BYTES))
    fits = len(data) == block.length and computed == checksums
    return Replica(path, len(data), sha, "" if fits else "its checksums do not match")


def _decode(
    content: bytes, meta: Path, block_id: int, generation: int
) -> Tuple[bytes, Block, Tuple[int, ...]]:
    """(data, block, checksums) of a replica whose file has this content."""
    size = layout.LABEL_BYTES
    try:
        sums = meta.read_bytes()
    except FileNotFoundError:
        block = layout.decode_label(content[-size:], block_id, generation, layout.LAYOUT_VERSION)
        sums = content[block.length : -size]
        return content[: block.length], block, layout.decode_checksums(sums, block)
    block = layout.decode_label(sums[:size], block_id, generation, layout.META_LAYOUT)
    return content, block, layout.decode_checksums(sums[size:], block)
