"""The checksum of a file, as HDFS defines it: computed by the datanodes, composed here.

HDFS's MD5-MD5-CRC32 (its FileChecksumHelper and MD5MD5CRC32FileChecksum): each block gives the MD5
of the CRC32s of every 512 of its bytes, and the file the MD5 of these. Files with the same bytes in
blocks of the same sizes have the same checksum, on whichever cluster they are. A file that was
appended to has another one than its copy: here an append begins a new block, where HDFS fills the
last one. The count in its name is then that of its first block, as HDFS's of a concatenated file.
"""

import hashlib
from functools import partial
from typing import Dict, NamedTuple, Sequence

from data_service.filesystem.parallel import run_all
from data_service.filesystem.reading.block_reader import BlockReader
from data_service.protocol.checksums import BYTES_PER_CRC, BlockChecksum
from data_service.protocol.files import Locations

PADDED_BYTES_MIN = 32
"""The first size of the buffer from which HDFS takes the MD5 of the blocks' MD5s."""


class FileChecksum(NamedTuple):
    """`crcs_per_block` is 0 for a file of one block, `bytes_per_crc` for one without any."""

    bytes_per_crc: int
    crcs_per_block: int
    md5: bytes

    @property
    def algorithm(self) -> str:
        """How it was computed; checksums of different algorithms cannot be compared."""
        return f"MD5-of-{self.crcs_per_block}MD5-of-{self.bytes_per_crc}CRC32"

    @property
    def value(self) -> str:
        """What HDFS shows: the two numbers and the MD5, in hexadecimal digits."""
        return f"{self.bytes_per_crc:08x}{self.crcs_per_block:016x}{self.md5.hex()}"


def compose(blocks: Sequence[BlockChecksum]) -> FileChecksum:
    """The checksum of the file that consists of these blocks, in order."""
    joined = b"".join(block.md5 for block in blocks)
    # HDFS takes the MD5 of a buffer that doubles as it fills, with the zeros behind its content.
    size = PADDED_BYTES_MIN
    while size < len(joined):
        size *= 2
    md5 = hashlib.md5(joined.ljust(size, b"\0"), usedforsecurity=False).digest()
    per_block = blocks[0].crc_count if len(blocks) > 1 else 0
    return FileChecksum(BYTES_PER_CRC if blocks else 0, per_block, md5)


def checksum_file(locations: Locations, reader: BlockReader, parallel: int) -> FileChecksum:
    """Have datanodes compute the checksum of a file, `parallel` blocks at a time.

    Raises BlockMissing when a block has no good replica.
    """
    found: Dict[int, BlockChecksum] = {}

    def ask(place: int) -> None:
        found[place] = reader.checksum(locations.blocks[place])

    places = range(len(locations.blocks))
    # Tasks that did not begin never do after a failure; those that run end by their deadlines.
    run_all([partial(ask, place) for place in places], parallel, reader.stop)
    return compose([found[place] for place in places])
