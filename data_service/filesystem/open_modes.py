"""The modes of `FileSystem.open`, and text over files of bytes."""

import io
from typing import NamedTuple, Optional

ENCODING = "utf-8"
"""Of text, unless another is named: not that of the machine, since others read the file, too."""


class Mode(NamedTuple):
    """`deed` is r (read), w (write anew), a (append, or make) or x (make what is not there)."""

    deed: str
    text: bool


def parse_mode(mode: str) -> Mode:
    """What a mode such as `rb`, `w` or `at` asks for; raises ValueError.

    As for Python's own `open`, but that nothing is both read and written.
    """
    rest = mode
    for mark in "bt":
        rest = rest.replace(mark, "", 1)
    if rest not in ("r", "w", "a", "x") or ("b" in mode and "t" in mode):
        raise ValueError(
            f"mode {mode!r} is not possible: one of r, w, a, x, with b for bytes or t for text"
        )
    return Mode(rest, "b" not in mode)


class TextWriter(io.TextIOWrapper):
    """Text into a FileWriter; its with-block gives the file up when it fails."""

    def hflush(self) -> None:
        """Make all text so far durable and visible to new readers, as FileWriter does."""
        self.flush()
        self.buffer.hflush()  # type: ignore[attr-defined]

    def abandon(self) -> None:
        """Close without making the file appear."""
        self.buffer.abandon()  # type: ignore[attr-defined]

    def __exit__(self, kind: Optional[type], *rest: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()
