"""What a datanode's directory looks like: names of files, a replica's checksums, VERSION.

    VERSION                              whose directory this is, and in which layout
    epoch                                the newest namenode epoch that was obeyed
    scan_position                        the block that the scanner looked at last
    lock                                 held by the process that uses it
    tmp/                                 replicas being written; emptied at start
    finalized/<2 hex>/blk_<id>_<gen>     a complete replica, never changed again
    finalized/<2 hex>/blk_<id>_<gen>.meta    the checksums of one that layout 2 wrote
    trash/<name>.<seconds>               a replica that nobody claims, kept for a while
    uptime                               how many seconds the directory has been in use

A replica is one file: its data, from the first byte on, and behind that a trailer, which is one
CRC32 for each chunk and, last, a label. The label names the block and its length, so that a file
which was truncated, extended, or ends with another block's checksums is recognised: whatever is
added or missing, the end of the file is no label then, or one that does not fit its size. A file
that is missing, short or different in any way means a corrupt replica, never "no checksum"
(HDFS-14706). The trailer stands at the end because a block's length is known only then, and because
data that begins at offset 0 is read and sent like any file. One file takes one fsync and one
rename, where two took two of each and could be parted.

Layout 2 kept label and checksums, in this order, in a file beside the data. Such replicas are read
for ever, and never rewritten. What tells the two forms apart is whether there is a `.meta` file: a
replica that has lost its own does not end with a label, and so is corrupt.

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

LAYOUT_VERSION = 3
"""Layout 1 had checksums of 128 KiB each, layout 2 a file of checksums for each replica."""
META_LAYOUT = 2
"""The layout of replicas with a `.meta` file. A directory of it is brought forward as it is."""
META_SUFFIX = ".meta"
TMP, FINALIZED, TRASH = "tmp", "finalized", "trash"
VERSION, EPOCH, SCAN_POSITION, UPTIME = "VERSION", "epoch", "scan_position", "uptime"
SHARDS = tuple(f"{number:02x}" for number in range(256))

_LABEL = struct.Struct("!4sHHIQQQ")
_MAGIC = b"PyDM"
_CRC32_TYPE = 1
_NUMBER = re.compile(rb"[0-9]{1,19}\n")
_TRASHED = re.compile(r"blk_[0-9]+_[0-9]+(?:\.meta)?\.([0-9]{1,19})")

LABEL_BYTES = _LABEL.size + 4
"""What names a replica's block and length, with its own CRC32."""


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
    if layout not in (META_LAYOUT, LAYOUT_VERSION):
        raise CorruptData(
            f"its layout is {layout}, and this software knows {META_LAYOUT} and {LAYOUT_VERSION}: "
            "serve it with the version that wrote it, or copy its files into a new cluster"
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
    """Where a finalized replica is; if it has a `.meta` file, that is there plus META_SUFFIX."""
    name = Block(block_id, generation, 0).name
    return "/".join((root, FINALIZED, shard_of(block_id), name))


def trash_name(name: str, uptime_seconds: float) -> str:
    """What the file `name` is called in the trash when it comes there after so much use."""
    return f"{name}.{math.ceil(uptime_seconds)}"


def trashed_at(name: str) -> Optional[int]:
    """The second of use at which a file came into the trash; None for a file of somebody else."""
    match = _TRASHED.fullmatch(name)
    return int(match.group(1)) if match else None


def encode_trailer(block: Block, checksums: Sequence[int]) -> bytes:
    """What stands behind a replica's data: a CRC32 a chunk, the label, the label's own CRC32."""
    assert len(checksums) == chunk_count(block.length), "one checksum a chunk"
    label = _LABEL.pack(_MAGIC, LAYOUT_VERSION, _CRC32_TYPE, CHUNK_BYTES, *block)
    return struct.pack(f"!{len(checksums)}I", *checksums) + label + struct.pack("!I", crc32(label))


def trailer_bytes(length: int) -> int:
    """Bytes of checksums and label of a block of `length` bytes, also in a `.meta` file."""
    return LABEL_BYTES + checksum_bytes(length)


def checksum_bytes(length: int) -> int:
    """Bytes of the checksums of a block of `length` bytes."""
    return 4 * chunk_count(length)


def decode_label(data: bytes, block_id: int, generation: int, layout: int) -> Block:
    """The block that a label, of a replica of this layout, names; CorruptData for another one."""
    name = Block(block_id, generation, 0).name
    if len(data) != LABEL_BYTES:
        raise CorruptData(f"the checksums of {name} are cut short")
    magic, own_layout, kind, chunk_bytes, *identity = _LABEL.unpack_from(data)
    block = Block(*identity)
    expected = (_MAGIC, layout, _CRC32_TYPE, CHUNK_BYTES)
    own_checksum = struct.unpack_from("!I", data, _LABEL.size)[0]
    is_whole = own_checksum == crc32(data[: _LABEL.size])
    if not is_whole or (magic, own_layout, kind, chunk_bytes) != expected:
        raise CorruptData(f"the label of {name} is damaged, or not where it should be")
    if block[:2] != (block_id, generation):
        raise CorruptData(f"{name} has the checksums of {block.name}")
    return block


def decode_checksums(data: bytes, block: Block) -> Tuple[int, ...]:
    """The checksums of a block; raises CorruptData when they are not as many as it has chunks."""
    if len(data) != checksum_bytes(block.length):
        raise CorruptData(f"{block.name} has the wrong number of checksums")
    return struct.unpack(f"!{chunk_count(block.length)}I", data)
