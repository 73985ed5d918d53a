"""The modes of `FileSystem.open`, and text over files of bytes."""

import codecs
import io
from typing import Any, NamedTuple, Optional

ENCODING = "utf-8"
"""Of text, unless another is named: not that of the machine, since others read the file, too."""


_MARKED = ("utf-16", "utf-32")


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

    # Text in UTF-16 begins with a mark that says which one it is. Python writes none into what it
    # cannot seek in, as if it were the middle of a text.
    _mark = b""

    def __init__(
        self,
        buffer: Any,
        encoding: str,
        errors: Optional[str] = None,
        newline: Optional[str] = None,
    ) -> None:
        super().__init__(buffer, encoding, errors, newline)
        if codecs.lookup(encoding).name in _MARKED and not buffer.tell():
            self._mark = "".encode(encoding)

    def write(self, text: str) -> int:
        """Write text; how many characters."""
        mark, self._mark = self._mark, b""
        if mark:
            self.buffer.write(mark)
        return super().write(text)

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
