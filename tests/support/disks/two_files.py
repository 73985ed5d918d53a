"""Replicas in two files, as the software of layout 2 left them: its format, told once more here."""

import struct
from pathlib import Path
from zlib import crc32

CHUNK_BYTES = 256 * 1024


def meta_of(path: Path) -> Path:
    """Where the checksums of a replica are that has them in a file of their own."""
    return path.with_name(path.name + ".meta")


def data_of(path: Path) -> bytes:
    """The data of a replica in either form, by what the end of its file says of its length."""
    content = path.read_bytes()
    if meta_of(path).exists():
        return content
    return content[: int.from_bytes(content[-12:-4], "big")]


def split(path: Path) -> None:
    """Put two files, of the same data, in the place of a replica that is one."""
    data = data_of(path)
    block_id, generation = (int(word) for word in path.name.split("_")[1:])
    fields = (b"PyDM", 2, 1, CHUNK_BYTES, block_id, generation, len(data))
    header = struct.pack("!4sHHIQQQ", *fields)
    checksums = [crc32(data[start : start + CHUNK_BYTES])
                 for start in range(0, len(data), CHUNK_BYTES)]
    meta = header + struct.pack(f"!I{len(checksums)}I", crc32(header), *checksums)
    path.write_bytes(data)
    meta_of(path).write_bytes(meta)
    meta_of(path).chmod(0o600)


def make_older(root: Path) -> None:
    """Turn a datanode's directory, which nobody serves now, into one of layout 2."""
    for path in list(root.glob("finalized/*/blk_*")):
        split(path)
    version = root / "VERSION"
    version.write_text(version.read_text().replace("layout=3\n", "layout=2\n"))
