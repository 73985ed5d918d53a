"""Opening a replica: its one file, or the two that layout 2 wrote. `layout.py` tells the forms."""

import os
from typing import NamedTuple, Tuple

from data_service.datanode.store import layout
from data_service.datanode.store.layout import LABEL_BYTES, LAYOUT_VERSION, META_LAYOUT, META_SUFFIX
from data_service.protocol.blocks import Block
from zookeeper.fabric.errors import CorruptData

_READ = os.O_RDONLY | os.O_CLOEXEC


class ReplicaFile(NamedTuple):
    """A replica that has its right length: `descriptor`, which its owner closes, has the data from
    offset 0 on, in either form; `checksums` are those of its chunks, which nobody verified yet."""

    descriptor: int
    block: Block
    checksums: Tuple[int, ...]


def open_replica(root: str, block_id: int, generation: int, has_meta: bool) -> ReplicaFile:
    """Open a replica; raises CorruptData for anything that its writer did not leave so, OSError."""
    path = layout.replica_path(root, block_id, generation)
    descriptor = os.open(path, _READ)
    try:
        size = os.fstat(descriptor).st_size
        if has_meta:
            block, checksums = _read_meta(path + META_SUFFIX, block_id, generation)
            expected = block.length
        else:
            block, checksums = _read_trailer(descriptor, size, block_id, generation)
            expected = block.length + layout.trailer_bytes(block.length)
        if size != expected:
            raise CorruptData(f"{block.name}: {size} bytes on disk, {expected} written")
    except BaseException:
        os.close(descriptor)
        raise
    return ReplicaFile(descriptor, block, checksums)


def _read_trailer(
    descriptor: int, size: int, block_id: int, generation: int
) -> Tuple[Block, Tuple[int, ...]]:
    label = os.pread(descriptor, LABEL_BYTES, max(0, size - LABEL_BYTES))
    block = layout.decode_label(label, block_id, generation, LAYOUT_VERSION)
    data = os.pread(descriptor, layout.checksum_bytes(block.length), block.length)
    return block, layout.decode_checksums(data, block)


def _read_meta(path: str, block_id: int, generation: int) -> Tuple[Block, Tuple[int, ...]]:
    with open(path, "rb") as file:
        block = layout.decode_label(file.read(LABEL_BYTES), block_id, generation, META_LAYOUT)
        # One byte more than there should be: a file that is too long is damaged, too.
        data = file.read(layout.checksum_bytes(block.length) + 1)
    return block, layout.decode_checksums(data, block)
