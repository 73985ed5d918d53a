"""README.md taken apart: its tables, and its console blocks with the commands in them."""

import re
from typing import Dict, List, NamedTuple, Optional, Tuple

_FENCE = re.compile(r"^```(\w*)\s*$")
_MARK = re.compile(r"^<!-- (run|tested by (?P<test>\S+)) -->$")


class Block(NamedTuple):
    """A fenced block. `mark` is the comment in the line before it, or empty."""

    line: int
    language: str
    mark: str
    lines: Tuple[str, ...]

    @property
    def is_run(self) -> bool:
        """Whether the README's own test runs it."""
        return self.mark == "<!-- run -->"

    @property
    def tested_by(self) -> Optional[str]:
        """The test file that runs these commands in its own way, if the mark names one."""
        match = _MARK.match(self.mark)
        return match.group("test") if match else None

    @property
    def steps(self) -> List[Tuple[str, List[str]]]:
        """Each command (a line that begins with `$ `) with the output that is shown for it.

        A block of Python is one command.
        """
        if self.language == "python":
            return [("\n".join(["python3 - <<'END'", *self.lines, "END"]), [])]
        found: List[Tuple[str, List[str]]] = []
        for line in self.lines:
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found:
                found[-1][1].append(line)
        return found


def blocks(text: str) -> List[Block]:
    """Every fenced block, in order."""
    found = []
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        if fence:
            end = next(n for n in range(number + 1, len(lines)) if lines[n].startswith("```"))
            mark = lines[number - 1].strip() if number else ""
            body = tuple(lines[number + 1 : end])
            found.append(Block(number + 1, fence.group(1), mark, body))
            number = end
        number += 1
    return found


def tables(text: str) -> Dict[str, List[str]]:
    """Head of the first column (lower case) -> the cells below it, over all tables of that head."""
    found: Dict[str, List[str]] = {}
    head = ""
    for line in text.splitlines():
        if not line.startswith("|"):
            head = ""
            continue
        cell = line.strip("|").split("|")[0].strip()
        if not head:
            head = cell.lower()
            found.setdefault(head, [])
        elif set(cell) - set("-: "):
            found[head].append(cell)
    return found


def code(cell: str) -> List[str]:
    """What stands in back-quotes in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def output_matches(shown: List[str], real: str) -> bool:
    """Whether a command's real output is what is shown; `…` stands for anything."""
    pattern = ".*".join(map(re.escape, "\n".join(shown).strip().split("…")))
    return re.fullmatch(pattern, real.strip(), re.DOTALL) is not None
