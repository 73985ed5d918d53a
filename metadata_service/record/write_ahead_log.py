"""Is a write-ahead log merely torn at its end, or damaged inside?

When SQLite opens a database it applies the log up to the first frame whose checksum is wrong, and
silently drops the rest. That is right for a torn tail: the last transaction was being written
when the power went, and nobody was told of it. It is wrong for a flipped bit in the middle:
transactions behind it had been acknowledged. Each transaction is synced before the next begins,
so a torn tail holds at most one commit mark; more of them behind a broken frame means damage.

What cannot be told: damage in the very last transaction looks like a torn tail.
The format is the one of https://sqlite.org/fileformat2.html#the_write_ahead_log.
"""

import struct
from typing import Iterator, NamedTuple, Optional, Tuple

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC_LITTLE, _MAGIC_BIG = 0x377F0682, 0x377F0683
_WORD = 0xFFFFFFFF


def dropped_commits(log: bytes) -> int:
    """How many commit marks of this log lie at and behind its first broken frame.

    0 or 1: whole, or torn at its end. More: acknowledged transactions would be dropped. Frames with
    other salts are left over from the log that filled the file before. A log whose own header is
    broken counts as 0, since then nothing in it can be told from such leftovers.
    """
    header = _header(log)
    if header is None:
        return 0
    offset = _HEADER.size
    for offset, _ in _whole_frames(log, header):
        pass
    commits = 0
    for start in range(offset, len(log) - header.step + 1, header.step):
        _, commit, salt_1, salt_2, _, _ = _FRAME.unpack_from(log, start)
        if commit and (salt_1, salt_2) == header.salts:
            commits += 1
    return commits


def has_commit(log: bytes) -> bool:
    """Whether SQLite finds anything in this log that the database beside it may not have."""
    header = _header(log)
    return header is not None and any(commit for _, commit in _whole_frames(log, header))


class _Header(NamedTuple):
    step: int
    order: str
    sums: Tuple[int, int]
    salts: Tuple[int, int]


def _header(log: bytes) -> Optional[_Header]:
    """The log's header, if it is whole."""
    if len(log) < _HEADER.size:
        return None
    magic, _, page_bytes, _, salt_1, salt_2, sum_1, sum_2 = _HEADER.unpack_from(log)
    order = {_MAGIC_LITTLE: "<", _MAGIC_BIG: ">"}.get(magic)
    if order is None or _add(log[:24], order, (0, 0)) != (sum_1, sum_2):
        return None
    return _Header(_FRAME.size + page_bytes, order, (sum_1, sum_2), (salt_1, salt_2))


def _whole_frames(log: bytes, header: _Header) -> Iterator[Tuple[int, int]]:
    """(where it ends, its commit mark or 0) of each frame that SQLite would apply."""
    offset, sums = _HEADER.size, header.sums
    while offset + header.step <= len(log):
        _, commit, salt_1, salt_2, *expected = _FRAME.unpack_from(log, offset)
        page = log[offset + _FRAME.size : offset + header.step]
        sums = _add(log[offset : offset + 8] + page, header.order, sums)
        if (salt_1, salt_2) != header.salts or sums != tuple(expected):
            return
        offset += header.step
        yield offset, commit


def _add(data: bytes, order: str, sums: Tuple[int, int]) -> Tuple[int, int]:
    """SQLite's checksum: two running sums over 32-bit words, each sum feeding the other."""
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for even, odd in zip(words, words):
        first = (first + even + second) & _WORD
        second = (second + odd + first) & _WORD
    return first, second
