"""What a client must not believe of a listing, or of a file's blocks, whoever sent it."""

from data_service.protocol.files import Locations
from zookeeper.fabric.errors import ProtocolViolation


def check_name(name: str) -> None:
    """Raise ProtocolViolation for what is no name of a file: a local copy would lie elsewhere."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise ProtocolViolation(f"the namenode lists a file by what is no name: {ascii(name)}")


def check_covered(path: str, locations: Locations, offset: int, length: int) -> None:
    """Raise ProtocolViolation unless the blocks are `length` bytes from `offset`, without a gap.

    Or all up to the end of the file, and nothing behind it. What is missing would not be missed
    by who reads block after block (promise 5: the exact bytes, or an error).
    """
    size = locations.status.length
    end = min(offset + length, size)
    blocks = locations.blocks
    position = blocks[0].offset if blocks else min(offset, end)
    covered = position <= offset or not blocks
    for located in blocks:
        covered = covered and located.offset == position and located.block.length > 0
        position += located.block.length
    if not (covered and end <= position <= size):
        raise ProtocolViolation(
            f"{path}: the namenode tells of blocks that are not the bytes {offset} to {end} "
            f"of its {size}"
        )
