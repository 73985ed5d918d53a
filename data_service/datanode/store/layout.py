"""What a datanode's directory looks like: names of files, the `.meta` header, VERSION.

    VERSION                              whose directory this is, and in which layout
    epoch                                the newest namenode epoch that was obeyed
    scan_position                        the block that the scanner looked at last
    lock                                 held by the process that uses it
    tmp/                                 replicas being written; emptied at start
    finalized/<2 hex>/blk_<id>_<gen>     a complete replica, never changed again
    finalized/<2 hex>/blk_<id>_<gen>.meta    its checksums
    trash/<name>.<seconds>               a replica that nobody claims, kept for a while
    uptime                               how many seconds the directory has been in use

A `.meta` file names its block and length, so that data which was truncated, extended, or paired
with another block's checksums is recognised, and ends with one CRC32 for each chunk. A file that is
missing, short or different in any way means a corrupt replica, never "no checksum" (HDFS-14706).

The age of what is in the trash is counted in seconds of use, which only grow while a datanode
serves the directory: the name of each file there says at which second it came. No clock that a
person can set decides when it goes.
"""

import json
import math
import re
import struct
from typing import Dict, NamedTuple, Optional, Sequence, Tuple
from zlib import crc32

from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES, chunk_count
from zookeeper.fabric.errors import CorruptData

LAYOUT_VERSION = 2
"""Layout 1 had checksums of 128 KiB each."""
META_SUFFIX = ".meta"
TMP, FINALIZED, TRASH = "tmp", "finalized", "trash"
VERSION, EPOCH, SCAN_POSITION, UPTIME = "VERSION", "epoch", "scan_position", "uptime"
SHARDS = tuple(f"{number:02x}" for number in range(256))

_HEADER = struct.Struct("!4sHHIQQQ")
_MAGIC = b"PyDM"
_CRC32_TYPE = 1
_NUMBER = re.compile(rb"[0-9]{1,19}\n")
_TRASHED = re.compile(r"blk_[0-9]+_[0-9]+(?:\.meta)?\.([0-9]{1,19})")

HEADER_BYTES = _HEADER.size + 4
"""The header of a `.meta` file with its own CRC32."""


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
            line.split("=", 1) for line in data.decode("utf-8").splitlines()
        )
        layout = int(pairs["layout"])
        version = Version(pairs["cluster_id"], pairs["node_id"], pairs["storage_id"], layout)
    except (ValueError, KeyError):
        raise CorruptData(f"its VERSION file is damaged: {json.dumps(repr(data[:80]))}") from None
    if layout != LAYOUT_VERSION:
        raise CorruptData(
            f"its layout is {layout}, and this software knows {LAYOUT_VERSION}: serve it with the "
            "version that wrote it, or copy its files into a new cluster"
        )
    if not version.node_id or not version.storage_id:
        raise CorruptData("its VERSION file has no node_id or storage_id")
    return version


def decode_number(name: str, data: Optional[bytes]) -> int:
    """The number in a file such as `epoch`, 0 when there is none yet; raises CorruptData."""
    if data is None:
        return 0
    if not _NUMBER.fullmatch(data):
        raise CorruptData(f"its file {name} is damaged")
    return int(data)


def encode_number(number: int) -> bytes:
    """The reverse of `decode_number`."""
    return b"%d\n" % number


def shard_of(block_id: int) -> str:
    """The folder below `finalized` that a block's replica is in."""
    return SHARDS[block_id % len(SHARDS)]


def replica_path(root: str, block_id: int, generation: int) -> str:
    """Where a finalized replica's data is; its checksums are there plus META_SUFFIX."""
    name = Block(block_id, generation, 0).name
    return "/".join((root, FINALIZED, shard_of(block_id), name))


def trash_name(name: str, uptime_seconds: float) -> str:
    """What the file `name` is called in the trash when it comes there after so much use."""
    return f"{name}.{math.ceil(uptime_seconds)}"


def trashed_at(name: str) -> Optional[int]:
    """The second of use at which a file came into the trash; None for a file of somebody else."""
    match = _TRASHED.fullmatch(name)
    return int(match.group(1)) if match else None


def encode_meta(block: Block, checksums: Sequence[int]) -> bytes:
    """A `.meta` file: the header, the header's own CRC32, a CRC32 a chunk."""
    assert len(checksums) == chunk_count(block.length), "one checksum a chunk"
    header = _HEADER.pack(_MAGIC, LAYOUT_VERSION, _CRC32_TYPE, CHUNK_BYTES, *block)
    return header + struct.pack(f"!I{len(checksums)}I", crc32(header), *checksums)


def decode_meta(data: bytes, block_id: int, generation: int) -> Tuple[Block, Tuple[int, ...]]:
    """(the block with its length, its checksums); raises CorruptData on anything unexpected."""
    block = decode_header(data[:HEADER_BYTES], block_id, generation)
    if len(data) != meta_bytes(block.length):
        raise CorruptData(f"{block.name} has the wrong number of checksums")
    return block, struct.unpack_from(f"!{chunk_count(block.length)}I", data, HEADER_BYTES)


def decode_header(data: bytes, block_id: int, generation: int) -> Block:
    """The block that a `.meta` file's first HEADER_BYTES name; CorruptData for another one."""
    name = Block(block_id, generation, 0).name
    if len(data) < HEADER_BYTES:
        raise CorruptData(f"the checksums of {name} are cut short")
    magic, layout, kind, chunk_bytes, *identity = _HEADER.unpack_from(data)
    block = Block(*identity)
    expected = (_MAGIC, LAYOUT_VERSION, _CRC32_TYPE, CHUNK_BYTES)
    own_checksum = struct.unpack_from("!I", data, _HEADER.size)[0]
    is_whole = own_checksum == crc32(data[: _HEADER.size])
    if not is_whole or (magic, layout, kind, chunk_bytes) != expected:
        raise CorruptData(f"the checksum header of {name} is damaged")
    if block[:2] != (block_id, generation):
        raise CorruptData(f"{name} has the checksums of {block.name}")
    return block


def meta_bytes(length: int) -> int:
    """The size of the `.meta` file of a block of `length` bytes."""
    return HEADER_BYTES + 4 * chunk_count(length)
