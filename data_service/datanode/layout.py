"""What a datanode's directory looks like: names of files, the `.meta` header, VERSION.

    VERSION                              whose directory this is, and in which layout
    epoch                                the newest namenode epoch that was obeyed
    scan_position                        the block that the scanner looked at last
    lock                                 held by the process that uses it
    tmp/                                 replicas being written; emptied at start
    finalized/<2 hex>/blk_<id>_<gen>     a complete replica, never changed again
    finalized/<2 hex>/blk_<id>_<gen>.meta    its checksums
    trash/                               replicas that nobody claims, kept for a while

A `.meta` file names its block and length, so that data which was truncated, extended, or paired
with another block's checksums is recognised, and ends with one CRC32 for each chunk. A file that is
missing, short or different in any way means a corrupt replica, never "no checksum" (HDFS-14706).
"""

import json
import os.path
import struct
from typing import Dict, NamedTuple, Optional, Sequence, Tuple
from zlib import crc32

from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES, chunk_count
from zookeeper.fabric.errors import CorruptData

LAYOUT_VERSION = 1
META_SUFFIX = ".meta"
TMP, FINALIZED, TRASH = "tmp", "finalized", "trash"
EPOCH, SCAN_POSITION = "epoch", "scan_position"
SHARDS = tuple(f"{number:02x}" for number in range(256))

_HEADER = struct.Struct("!4sHHIQQQ")
_MAGIC = b"PyDM"
_CRC32_TYPE = 1


class Version(NamedTuple):
    """VERSION: the cluster (empty until the first registration), the datanode, the directory."""

    cluster_id: str
    node_id: str
    storage_id: str
    layout: int


def encode_version(version: Version) -> bytes:
    """VERSION as text, a `key=value` a line."""
    return "".join(f"{key}={value}\n" for key, value in version._asdict().items()).encode("utf-8")


def decode_version(data: bytes) -> Version:
    """The reverse of `encode_version`; raises CorruptData on anything else."""
    try:
        pairs: Dict[str, str] = dict(
            line.split("=", 1) for line in data.decode("utf-8").splitlines()  # type: ignore[misc]
        )
        layout = int(pairs["layout"])
        version = Version(pairs["cluster_id"], pairs["node_id"], pairs["storage_id"], layout)
    except (ValueError, KeyError):
        raise CorruptData(f"its VERSION file is damaged: {json.dumps(repr(data[:80]))}") from None
    if layout != LAYOUT_VERSION:
        raise CorruptData(f"its layout is {layout}; this software knows {LAYOUT_VERSION}")
    if not version.node_id or not version.storage_id:
        raise CorruptData("its VERSION file has no node_id or storage_id")
    return version


def decode_number(name: str, data: Optional[bytes]) -> int:
    """The number in a file such as `epoch`, 0 when there is none yet; raises CorruptData."""
    try:
        return int(data) if data is not None else 0
    except ValueError:
        raise CorruptData(f"its file {name} is damaged") from None


def replica_path(root: str, block_id: int, generation: int) -> str:
    """Where a finalized replica's data is; its checksums are there plus META_SUFFIX."""
    name = Block(block_id, generation, 0).name
    return os.path.join(root, FINALIZED, SHARDS[block_id % len(SHARDS)], name)


def encode_meta(block: Block, checksums: Sequence[int]) -> bytes:
    """A `.meta` file: the header, the header's own CRC32, a CRC32 a chunk."""
    assert len(checksums) == chunk_count(block.length), "one checksum a chunk"
    header = _HEADER.pack(_MAGIC, LAYOUT_VERSION, _CRC32_TYPE, CHUNK_BYTES, *block)
    return header + struct.pack(f"!I{len(checksums)}I", crc32(header), *checksums)


def decode_meta(data: bytes, block_id: int, generation: int) -> Tuple[Block, Tuple[int, ...]]:
    """(the block with its length, its checksums); raises CorruptData on anything unexpected."""
    size = _HEADER.size
    if len(data) < size + 4:
        raise CorruptData(f"the checksums of blk_{block_id}_{generation} are cut short")
    magic, layout, kind, chunk_bytes, *identity = _HEADER.unpack_from(data)
    block = Block(*identity)
    expected = (_MAGIC, LAYOUT_VERSION, _CRC32_TYPE, CHUNK_BYTES)
    header_is_right = struct.unpack_from("!I", data, size)[0] == crc32(data[:size])
    if not header_is_right or (magic, layout, kind, chunk_bytes) != expected:
        raise CorruptData(f"the checksum header of blk_{block_id}_{generation} is damaged")
    if block[:2] != (block_id, generation):
        raise CorruptData(f"blk_{block_id}_{generation} has the checksums of {block.name}")
    count = chunk_count(block.length)
    if len(data) != meta_bytes(block.length):
        raise CorruptData(f"{block.name} has the wrong number of checksums")
    return block, struct.unpack_from(f"!{count}I", data, size + 4)


def meta_bytes(length: int) -> int:
    """The size of the `.meta` file of a block of `length` bytes."""
    return _HEADER.size + 4 + 4 * chunk_count(length)
