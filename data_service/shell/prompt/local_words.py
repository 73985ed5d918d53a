"""A line of the prompt as words, with the names of this machine that a shell would have put in.

On a command line it is the shell that makes names of `*.txt`, and no command here expects another
to do so. At the prompt there is no shell. As in one, what stands in quotes or behind a backslash
is meant as it is, a leading dot is matched by a dot alone, and what matches nothing stays.
"""

import glob
import shlex
from typing import Iterator, List, Sequence

from data_service.shell.table import TOOLS

STORING = ("put", "copyFromLocal", "moveFromLocal")
"""Without a second word these store into the working directory."""
UPLOADS = (*STORING, "appendToFile")
"""The commands of which all arguments but the last are names of this machine."""
WILD = "*?["


def split(line: str) -> List[str]:
    """The words of a line, names put in for the wildcards of local ones.

    Raises ValueError for a quote that is not closed.
    """
    words = shlex.split(line)
    patterns = shlex.split(_protected(line))
    start = 1 if len(words) > 1 and words[0].lstrip("-") in TOOLS else 0
    name = words[start].lstrip("-") if words else ""
    last = len(words) - 1
    first = next((at for at in range(start + 1, last + 1) if words[at][:1] != "-"), last + 1)
    if name not in UPLOADS or first > last:
        return words
    if first == last and name in STORING:
        found = list(_expanded(words[last:], patterns[last:]))
        # Of several names the last one would be taken for the place to store the others.
        return words[:last] + found + ["."] * (len(found) > 1)
    return words[:first] + list(_expanded(words[first:last], patterns[first:last])) + words[last:]


def _expanded(words: Sequence[str], patterns: Sequence[str]) -> Iterator[str]:
    for word, pattern in zip(words, patterns):
        is_plain = pattern == glob.escape(word) or "\0" in word
        found = [] if is_plain else sorted(glob.glob(pattern))
        yield from map(_plain_name, found) if found else [word]


def _plain_name(name: str) -> str:
    """A found name as a word that is taken for neither an option nor a URI."""
    return f"./{name}" if name.startswith("-") or ":" in name.partition("/")[0] else name


def _protected(line: str) -> str:
    """The line with `[*]` for each wildcard that is quoted, and so stands for itself."""
    made: List[str] = []
    quote, position = "", 0
    while position < len(line):
        character = line[position]
        following = line[position + 1 : position + 2]
        if character == "\\" and quote != "'" and following:
            # Between double quotes a backslash stays before whatever it does not protect.
            kept = "\\" if quote or following not in WILD else ""
            made.append(kept + (f"[{following}]" if following in WILD else following))
            position += 2
            continue
        if quote and character in WILD:
            made.append(f"[{character}]")
        else:
            made.append(character)
            if quote:
                quote = "" if character == quote else quote
            elif character in "'\"":
                quote = character
        position += 1
    return "".join(made)
