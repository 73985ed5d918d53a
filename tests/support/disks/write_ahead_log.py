"""Where the transactions are in SQLite's write-ahead log, for tests that damage it."""

import struct
from typing import List

PAGE_BYTES = 4096
HEADER_BYTES = 32
FRAME_BYTES = 24 + PAGE_BYTES


def transaction_ends(log: bytes) -> List[int]:
    """The offset behind each transaction of this log, whose file may have older leftovers."""
    salts = log[16:24]
    ends = []
    for start in range(HEADER_BYTES, len(log) - FRAME_BYTES + 1, FRAME_BYTES):
        commit = struct.unpack_from(">I", log, start + 4)[0]
        if log[start + 8 : start + 16] == salts and commit:
            ends.append(start + FRAME_BYTES)
    return ends
