"""Ways in which a replica on a disk goes bad; each is a function of the path of its data file."""

from pathlib import Path
from typing import Callable, Dict

from data_service.datanode.store.layout import META_SUFFIX

Damage = Callable[[Path], None]


def flip_in(path: Path, offset: int) -> None:
    """Turn one bit of a file around; a negative offset counts from the end."""
    with path.open("r+b") as file:
        place = file.seek(offset, 2 if offset < 0 else 0)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))


def meta_of(path: Path) -> Path:
    """The checksums of a replica."""
    return path.with_name(path.name + META_SUFFIX)


def extend(path: Path) -> None:
    """Append what the writer never wrote."""
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.write(b"more")


def shorten(path: Path, count: int) -> None:
    """Cut the last bytes off."""
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


DAMAGES: Dict[str, Damage] = {
    "first-bit": lambda path: flip_in(path, 0),
    "last-bit": lambda path: flip_in(path, -1),
    "truncated": lambda path: shorten(path, 1),
    "extended": extend,
    "emptied": empty,
    "zeroed": zero,
    "gone": lambda path: path.unlink(),
    "meta-bit": lambda path: flip_in(meta_of(path), 20),
    "checksum-bit": lambda path: flip_in(meta_of(path), -1),
    "meta-truncated": lambda path: shorten(meta_of(path), 4),
    "meta-emptied": lambda path: empty(meta_of(path)),
    "meta-gone": lambda path: meta_of(path).unlink(),
    "both-gone": lambda path: (path.unlink(), meta_of(path).unlink())[0],
}
"""Every one of them is to be noticed, reported, and made up for from a good replica."""
