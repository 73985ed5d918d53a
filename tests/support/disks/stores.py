"""Block stores with replicas in them."""

import os
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

from data_service.datanode.store import layout
from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.store.replica_writer import ReplicaWriter
from data_service.datanode.store.volume import Volume
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES, crc32
from tests.support.disks.faulty_disk import FaultyDisk
from zookeeper.fabric import disk

VOLUME_DATA = bytes(range(256)) * 2400
"""Two chunks and a part of a third."""


def chunks_of(data: bytes) -> Iterator[Tuple[memoryview, int]]:
    """The chunks of a block with their checksums, as they travel."""
    for start in range(0, len(data), CHUNK_BYTES):
        chunk = memoryview(data)[start : start + CHUNK_BYTES]
        yield chunk, crc32(chunk)


def fill(writer: ReplicaWriter, data: bytes) -> None:
    """Write all of `data`."""
    for chunk, checksum in chunks_of(data):
        writer.write(chunk, checksum)


def opened(*roots: Path, reserved: int = 0, system: disk.SystemCalls = disk.SYSTEM) -> BlockStore:
    """A store on these directories, ready for use; close it."""
    store = BlockStore([str(root) for root in roots], reserved, system=system)
    store.open()
    return store


def begin(volume: Volume) -> None:
    """Lock a directory, and learn whose it is; StartRefused."""
    volume.directory.claim()
    volume.identify()


def open_volume(root: Path, system: FaultyDisk, failures: List[str]) -> Volume:
    """An open volume, formatted if need be; why it failed comes into `failures`."""
    made = Volume(str(root), 0, lambda: failures.append(made.failed), system)
    begin(made)
    if not made.directory.version.node_id:
        made.directory.format("node-1")
    return made


def write_replica(volume: Volume, block_id: int = 7, data: bytes = VOLUME_DATA) -> Block:
    """One finished replica."""
    writer = ReplicaWriter(volume, block_id, 1, len(data))
    fill(writer, data)
    return writer.finish()


def put(store: BlockStore, block_id: int, data: bytes, generation: int = 1) -> Block:
    """Store one replica."""
    writer = store.create(block_id, generation, len(data))
    fill(writer, data)
    return store.finish(writer)


def get(store: BlockStore, block: Block) -> bytes:
    """All bytes of a replica, verified."""
    buffer = memoryview(bytearray(CHUNK_BYTES))
    with store.read(block.block_id, block.generation) as replica:
        chunks = replica.chunks(0, block.length)
        return b"".join(bytes(replica.verified(chunk, buffer)) for chunk in chunks)


def path_of(root: Path, block: Block) -> Path:
    """Where a replica is."""
    return Path(layout.replica_path(str(root), block.block_id, block.generation))


def names(root: Path, folders: Sequence[str] = ("tmp", "finalized", "trash")) -> List[str]:
    """The names of all files in these folders of a directory."""
    return sorted(name for folder in folders for _, _, files in os.walk(root / folder)
                  for name in files)
