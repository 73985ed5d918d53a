"""The modes that chmod understands: octal, or clauses such as `u+rw,go-x`."""

import re
from typing import List, NamedTuple, Optional

from data_service.shell.failures import UsageError

STICKY = 0o1000
EXECUTE_ALL = 0o111

_OCTAL = re.compile(r"\s*\+?([01]?)([0-7]{3})\s*", re.ASCII)
_CLAUSE = re.compile(r"\s*([ugoa]*)([+=-])([rwxXt]*)\s*", re.ASCII)
_SHIFTS = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1}


class Clause(NamedTuple):
    """One part of a symbolic mode: for whom, `+`, `-` or `=`, and the letters."""

    classes: str
    sign: str
    letters: str

    def apply(self, mode: int, directory: bool) -> int:
        """The mode that this makes of another one."""
        bits = sum(_BITS.get(letter, 0) for letter in set(self.letters))
        if "X" in self.letters and (directory or mode & EXECUTE_ALL):
            bits |= _BITS["x"]
        for letter in self.classes:
            shift = _SHIFTS[letter]
            mode = self._combine(mode, bits << shift, 7 << shift)
        if "t" in self.letters:
            mode = self._combine(mode, STICKY, STICKY)
        return mode

    def _combine(self, mode: int, bits: int, mask: int) -> int:
        if self.sign == "+":
            return mode | bits
        return mode & ~(bits if self.sign == "-" else mask) | (bits if self.sign == "=" else 0)


class ModeChange:
    """What a mode, as a person types it, makes of the mode that is there.

    Octal with three digits leaves the sticky bit alone. Clauses apply one after the other; without
    a class they are for all, whatever the umask.
    """

    def __init__(self, text: str) -> None:
        self._clauses: List[Clause] = []
        self._octal: Optional[int] = None
        self._kept = 0
        octal = _OCTAL.fullmatch(text)
        if octal is not None:
            self._octal = int(octal.group(1) + octal.group(2), 8)
            self._kept = 0 if octal.group(1) else STICKY
            return
        for part in text.split(","):
            found = _CLAUSE.fullmatch(part)
            if found is None:
                raise UsageError(f"chmod : mode '{text}' does not match the expected pattern.")
            classes, sign, letters = found.groups()
            if not classes or "a" in classes:
                classes = "ugo"
            self._clauses.append(Clause(classes, sign, letters))

    def __repr__(self) -> str:
        return f"<ModeChange {self._octal if self._octal is not None else self._clauses}>"

    def apply(self, mode: int, directory: bool) -> int:
        """The new mode of a file or directory that has `mode`."""
        if self._octal is not None:
            return self._octal | mode & self._kept
        for clause in self._clauses:
            mode = clause.apply(mode, directory)
        return mode
