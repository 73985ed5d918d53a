"""Ways in which a replica on a disk goes bad; each is a function of the path of its file."""

from pathlib import Path
from typing import Callable, Dict

from tests.support.disks.two_files import data_of, meta_of, split

LABEL_BYTES = 40
"""The end of a replica's file: what block it is, how long, and a CRC32 of that."""

Damage = Callable[[Path], None]


def flip_in(path: Path, offset: int) -> None:
    """Turn one bit of a file around; a negative offset counts from the end."""
    with path.open("r+b") as file:
        place = file.seek(offset, 2 if offset < 0 else 0)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))


def extend(path: Path) -> None:
    """Append what the writer never wrote."""
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.write(b"more")


def shorten(path: Path, count: int) -> None:
    """Cut the last bytes of a file off."""
    with path.open("r+b") as file:
        file.truncate(max(0, path.stat().st_size - count))


def empty(path: Path) -> None:
    """Leave a file without bytes."""
    with path.open("r+b") as file:
        file.truncate(0)


def zero(path: Path) -> None:
    """Put zeros in the place of every byte, as some file systems do after a power cut."""
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))


def cut(path: Path, *, at: int) -> None:
    """Leave a file's first bytes only."""
    with path.open("r+b") as file:
        file.truncate(at)


def split_and(damage: Damage) -> Damage:
    """Put two files in the place of a replica, and damage these."""

    def both(path: Path) -> None:
        split(path)
        damage(path)

    return both


DAMAGES: Dict[str, Damage] = {
    "first-bit": lambda path: flip_in(path, 0),
    "last-bit": lambda path: flip_in(path, len(data_of(path)) - 1),
    "truncated": lambda path: shorten(path, 1),
    "half": lambda path: cut(path, at=len(data_of(path)) // 2),
    "extended": extend,
    "emptied": empty,
    "zeroed": zero,
    "gone": lambda path: path.unlink(),
    "checksum-bit": lambda path: flip_in(path, len(data_of(path))),
    "label-bit": lambda path: flip_in(path, 20 - LABEL_BYTES),
    "length-bit": lambda path: flip_in(path, -5),
    "label-checksum-bit": lambda path: flip_in(path, -1),
    "label-gone": lambda path: shorten(path, LABEL_BYTES),
    "trailer-gone": lambda path: cut(path, at=len(data_of(path))),
}
"""Every one of them is to be noticed, reported, and made up for from a good replica."""

DAMAGES_OF_TWO: Dict[str, Damage] = {
    "first-bit": lambda path: flip_in(path, 0),
    "last-bit": lambda path: flip_in(path, -1),
    "truncated": lambda path: shorten(path, 1),
    "extended": extend,
    "emptied": empty,
    "zeroed": zero,
    "gone": lambda path: path.unlink(),
    "meta-bit": lambda path: flip_in(meta_of(path), 20),
    "checksum-bit": lambda path: flip_in(meta_of(path), -1),
    "meta-extended": lambda path: extend(meta_of(path)),
    "meta-truncated": lambda path: shorten(meta_of(path), 4),
    "meta-emptied": lambda path: empty(meta_of(path)),
    "meta-gone": lambda path: meta_of(path).unlink(),
    "both-gone": lambda path: (path.unlink(), meta_of(path).unlink())[0],
}
"""The same of a replica that is two files, as the software of layout 2 left it."""

UNSEEN_BY_A_SCAN = ("first-bit", "last-bit", "checksum-bit")
"""Only who reads the data notices these, and zeros in the place of data that is a file alone."""
