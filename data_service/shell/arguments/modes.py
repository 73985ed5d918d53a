"""The modes that chmod understands: octal, or clauses such as `u+rw,go-x`."""

import re
from typing import Dict, NamedTuple

from data_service.shell.failures import UsageError

EXECUTE_ALL = 0o111
STICKY_SHIFT = 9

_OCTAL = re.compile(r"\s*\+?([01]?)([0-7]{3})\s*", re.ASCII)
_CLAUSE = re.compile(r"\s*([ugoa]*)[-+=]*([-+=])([rwxXt]+)([,\s]*)", re.ASCII)
_SHIFTS = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 4, "w": 2, "x": 1, "X": 1}


class Change(NamedTuple):
    """What a clause does to the bits of one class: `+`, `-` or `=`, and the letters."""

    sign: str
    letters: str

    def apply(self, bits: int, executable: bool) -> int:
        """The three new bits; `X` gives no execution to what nobody could execute."""
        named = 0
        for letter in self.letters:
            named |= _BITS.get(letter, 0)
        new = {"+": bits | named, "-": bits & ~named, "=": named}[self.sign]
        may_execute = executable or bits & _BITS["x"] or "X" not in self.letters
        return new if may_execute else new & ~_BITS["x"]

    def apply_sticky(self, bit: int) -> int:
        """The new sticky bit."""
        named = int("t" in self.letters)
        return {"+": bit | named, "-": bit & ~named, "=": named}[self.sign]


class ModeChange:
    """What a mode, as a person types it, makes of the mode that is there.

    Clauses without a class are for all, whatever the umask. Of several clauses for a class only
    the last one counts, and the sticky bit goes with the class of all others: so in HDFS.
    """

    def __init__(self, text: str) -> None:
        self._octal = -1
        self._changes: Dict[str, Change] = {}
        octal = _OCTAL.fullmatch(text)
        if octal is not None:
            self._octal = int(octal.group(1) + octal.group(2), 8)
            return
        position, separator = 0, ","
        while position < len(text) or not self._changes:
            found = _CLAUSE.match(text, position)
            if found is None or "," not in separator:
                raise UsageError(f"chmod : mode '{text}' does not match the expected pattern.")
            classes, sign, letters, separator = found.groups()
            for letter in set(classes) - {"a"} or _SHIFTS:
                self._changes[letter] = Change(sign, letters)
            position = found.end()

    def __repr__(self) -> str:
        return f"<ModeChange {oct(self._octal) if self._octal >= 0 else self._changes}>"

    def apply(self, mode: int, directory: bool) -> int:
        """The new mode of a file or directory that has `mode`."""
        if self._octal >= 0:
            return self._octal
        executable = directory or bool(mode & EXECUTE_ALL)
        sticky = mode >> STICKY_SHIFT & 1
        if "o" in self._changes:
            sticky = self._changes["o"].apply_sticky(sticky)
        new = sticky << STICKY_SHIFT
        for letter, shift in _SHIFTS.items():
            bits = mode >> shift & 7
            change = self._changes.get(letter)
            new |= (change.apply(bits, executable) if change else bits) << shift
        return new
