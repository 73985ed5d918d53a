"""How values are written: sizes, dates, modes, percentages, aligned columns. Nothing here acts."""

import struct
import time
from typing import Any, Collection, Dict, List, Sequence

from data_service.protocol.files import FileStatus
from data_service.protocol.sizes import half_up, scaled

REPLICATED = "Replicated"
"""How every file is made redundant, in the words of `-e`: blocks are copied, not coded."""

_LETTERS = "rwxrwxrwx"
STICKY = 0o1000


def size(number: int, human: bool) -> str:
    """A size in bytes, or for people: `2.9 M`."""
    return scaled(number) if human else str(number)


def bytes_long(number: int) -> str:
    """A size the long way: `196608 (192 KB)`."""
    return f"{number} ({scaled(number, 'B', 2)})"


def percent(part: int, whole: int, decimals: int) -> str:
    """`12.34%`; nothing of nothing is `0%`."""
    return half_up(100 * part, whole or 1, decimals) + "%"


def single_precision(value: float) -> str:
    """A number as a 32-bit float is written: with the fewest digits that give it back."""
    exact = struct.unpack("f", struct.pack("f", value))[0]
    for digits in range(1, 10):
        text = f"{exact:.{digits}g}"
        if struct.pack("f", float(text)) == struct.pack("f", exact):
            break
    return str(float(text))


def minute(time_ms: int) -> str:
    """A time as `ls` shows it, local."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(time_ms // 1000))


def second_utc(time_ms: int) -> str:
    """A time as `stat` shows it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time_ms // 1000))


def calendar(seconds: float) -> str:
    """A time as reports show it: `Fri Nov 20 09:25:15 UTC 2026`."""
    return time.strftime("%a %b %d %H:%M:%S %Z %Y", time.localtime(seconds))


def permissions(mode: int) -> str:
    """The nine letters, the last one `t` or `T` when the sticky bit is set."""
    letters = [
        letter if mode & 1 << (8 - place) else "-" for place, letter in enumerate(_LETTERS)
    ]
    if mode & STICKY:
        letters[8] = "t" if mode & 1 else "T"
    return "".join(letters)


def printable(text: str) -> str:
    """The text with `?` for each character that a terminal could not show."""
    return "".join(character if character.isprintable() else "?" for character in text)


def columns(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> List[str]:
    """Lines of aligned columns, two spaces apart; those of `right` are aligned to the right."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths))
        ]
        # The last column, when it is aligned to the left, has no trailing spaces.
        cells[-1] = cells[-1] if len(row) - 1 in right else row[-1]
        lines.append("  ".join(cells))
    return lines


def status_record(status: FileStatus, text: str) -> Dict[str, Any]:
    """A file or directory for `--json`; sizes in bytes, times in milliseconds since 1970."""
    return {
        "path": text,
        "type": "directory" if status.is_directory else "file",
        "length": status.length,
        "replication": status.replication,
        "block_size": status.block_size,
        "owner": status.owner,
        "group": status.group,
        "mode": f"{status.mode:o}",
        "modified_ms": status.mtime_ms,
        "accessed_ms": status.atime_ms,
    }
