"""Globs: `?` `*` `[abc]` `[a-z]` `[^a]` `[!a]` `{a,b}` `\\c`, on paths, component by component.

`*` and `?` match leading dots too, and never a slash. A `{a,b}` that holds a slash is expanded
before the path is cut into components; any other is part of the pattern of one name, which is never
empty: `/d/{a,}` does not name `/d`.

Whatever the pattern, a name is matched in a time that grows with the product of their lengths, and
no more than ALTERNATIVES_MAX are made of one: a path may come from somebody else.
"""

import re
from typing import List, Pattern, Set, Tuple

from zookeeper.fabric.errors import DfsError

ALTERNATIVES_MAX = 10_000
GROUPS_MAX = 100
"""Groups `{a,b}` in one path, nested ones counted."""

_WILD = r"\\.|([*?\[{])"


class TooManyAlternatives(DfsError):
    """A pattern that stands for more names than anybody means."""

    def __init__(self, pattern: str) -> None:
        super().__init__(
            f"Illegal file pattern: more than {ALTERNATIVES_MAX} alternatives or {GROUPS_MAX} "
            f"groups in braces: `{pattern:.80}'"
        )


class IllegalPattern(DfsError):
    """A glob with an unclosed class or group, or a backslash at its end."""

    def __init__(self, fault: str, pattern: str) -> None:
        super().__init__(
            "Illegal file pattern: error parsing regexp: "
            f"{fault} at pos {len(pattern)}: `{pattern}`"
        )


def is_glob(text: str) -> bool:
    """Whether a path has anything to expand; an escaped character is no wildcard."""
    # Of most paths this is all that is asked.
    if not any(character in text for character in "*?[{"):
        return False
    return any(match.group(1) for match in re.finditer(_WILD, text, re.DOTALL))


def unescape(text: str) -> str:
    """A path without wildcards as it is meant: `\\c` is c."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def escape(name: str) -> str:
    """The glob that matches this name alone: the reverse of `unescape`."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", name)


def expand_braces(pattern: str, only_slashed: bool = False) -> List[str]:
    """Every alternative of every `{a,b}`, nested ones too.

    With `only_slashed` a group without a slash in it stays as it is. Raises IllegalPattern, and
    TooManyAlternatives before so many are made.
    """
    if pattern.count("{") > GROUPS_MAX:
        raise TooManyAlternatives(pattern)
    start = _first_unescaped(pattern, "{")
    if start < 0:
        return [pattern]
    alternatives, end = _group(pattern, start)
    tails = expand_braces(pattern[end:], only_slashed)
    if only_slashed and not any("/" in alternative for alternative in alternatives):
        return [pattern[:end] + tail for tail in tails]
    heads: List[str] = []
    for alternative in alternatives:
        heads += expand_braces(alternative, only_slashed)
        if len(heads) * len(tails) > ALTERNATIVES_MAX:
            raise TooManyAlternatives(pattern)
    return [pattern[:start] + head + tail for head in heads for tail in tails]


def compile_component(pattern: str, ignore_case: bool = False) -> Pattern[str]:
    """The matcher (with `fullmatch`) of one component; raises IllegalPattern.

    Between two stars the first place that fits is as good as any, so it is taken for good: without
    that a regular expression tries all places for all stars.
    """
    pieces: List[str] = [""]
    position = 0
    while position < len(pattern):
        if pattern[position] == "*":
            pieces.append("")
            position += 1
        else:
            piece, position = _translate(pattern, position)
            pieces[-1] += piece
    first, *between = pieces
    last = f".*{between.pop()}" if between else ""
    source = first + "".join(
        # A lookahead is never tried again; what it found is then passed over.
        f"(?=(?P<g{number}>.*?{piece}))(?P=g{number})"
        for number, piece in enumerate(filter(None, between))
    )
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    try:
        return re.compile(source + last, flags)
    except re.error as error:
        raise IllegalPattern(str(error), pattern) from None


class NameMatcher:
    """Matches whole names with a pattern in which `{a,b}` may stand."""

    def __init__(self, pattern: str, ignore_case: bool = False) -> None:
        self._names: Set[str] = set()
        self._patterns: List[Pattern[str]] = []
        for one in expand_braces(pattern):
            if is_glob(one) or ignore_case or one.endswith("\\"):
                self._patterns.append(compile_component(one, ignore_case))
            else:
                self._names.add(unescape(one))

    def matches(self, name: str) -> bool:
        """Whether the name is one that the pattern stands for."""
        return name in self._names or any(one.fullmatch(name) for one in self._patterns)


def _translate(pattern: str, position: int) -> Tuple[str, int]:
    """The regular expression of the piece at `position`, and where the next one starts."""
    character = pattern[position]
    if character == "\\":
        if position + 1 == len(pattern):
            raise IllegalPattern("Missing escaped character", pattern)
        return re.escape(pattern[position + 1]), position + 2
    if character == "?":
        return ".", position + 1
    if character == "[":
        return _character_class(pattern, position)
    return re.escape(character), position + 1


def _character_class(pattern: str, start: int) -> Tuple[str, int]:
    position = start + 1
    negated = pattern[position : position + 1] in ("^", "!")
    position += negated
    first = position
    content: List[str] = []
    while position < len(pattern):
        character = pattern[position]
        if character == "]" and position > first:
            return f"[{'^' if negated else ''}{''.join(content)}]", position + 1
        if character == "\\" and position + 1 < len(pattern):
            position += 1
            content.append(re.escape(pattern[position]))
        else:
            # A dash makes a range; every other character of a class stands for itself.
            content.append(character if character == "-" else re.escape(character))
        position += 1
    raise IllegalPattern("Unclosed character class", pattern)


def _first_unescaped(pattern: str, wanted: str) -> int:
    position = 0
    while position < len(pattern):
        if pattern[position] == "\\":
            position += 1
        elif pattern[position] == wanted:
            return position
        position += 1
    return -1


def _group(pattern: str, start: int) -> Tuple[List[str], int]:
    """The alternatives of the group that opens at `start`, and the position behind it."""
    alternatives, depth, begin, position = [], 0, start + 1, start
    while position < len(pattern):
        character = pattern[position]
        if character == "\\":
            position += 1
        elif character == "{":
            depth += 1
        elif character == "," and depth == 1:
            alternatives.append(pattern[begin:position])
            begin = position + 1
        elif character == "}":
            depth -= 1
            if not depth:
                return alternatives + [pattern[begin:position]], position + 1
        position += 1
    # A message names the component, not the whole path.
    raise IllegalPattern("Unclosed group", pattern.rpartition("/")[2])
