"""What a line at the prompt may become: commands, options, and paths of both sides.

All of it is a function of the line and of four questions (`Sources`). Whole lines come and go, not
words, because a name may hold spaces: only here is known how it must be quoted.
"""

from itertools import islice
from typing import Callable, Iterable, Iterator, List, NamedTuple, Sequence, Tuple

from data_service.filesystem.globs import escape, unescape
from data_service.protocol.visible import visible
from data_service.shell.prompt.local_words import UPLOADS, WILD

ENTRIES_MAX = 10_000
"""Names of one directory that are looked at: who has more does not want a list of them."""

DOWNLOADS = ("get", "copyToLocal", "moveToLocal", "getmerge")
LOCAL = ("lcd",)
ABOUT_COMMANDS = ("help", "usage")
CHOICES = {"safemode": ("enter", "leave", "get", "wait", "forceExit")}

_WHITESPACE = " \t\r\n"
"""What separates words for `shlex`, which reads the line; Python's `isspace` knows more."""

_SPECIAL = _WHITESPACE + "'\"\\"
_SPECIAL_IN_DOUBLE_QUOTES = '"\\'

Entries = Callable[[str], Iterable[Tuple[str, bool]]]
"""Directory, as a person types it (empty: the working directory) -> names, and which are
directories. Nothing for one that cannot be read: a completion must not complain."""


class Sources(NamedTuple):
    """Where words come from. `flags` gives the options of a command, with their dashes."""

    commands: Sequence[str]
    flags: Callable[[str], Sequence[str]]
    remote: Entries
    local: Entries


class Cut(NamedTuple):
    """A line up to the cursor: `head` is all before the last word, as it was typed.

    `words` are the words of `head` and `word` the last one, without their quotes; `quote` is the
    one that is still open in it, or empty.
    """

    head: str
    words: List[str]
    word: str
    quote: str


def complete(line: str, sources: Sources) -> List[str]:
    """All lines that `line` may become, sorted; one that is finished ends with a space."""
    cut = cut_line(line)
    found = dict.fromkeys(_matches(cut, sources))
    # There, a bare wildcard stands for other names, too.
    special = _SPECIAL + (WILD if cut.words and cut.words[0].lstrip("-") in UPLOADS else "")
    return sorted(
        cut.head + _quoted(word, is_whole, cut.quote, special) for word, is_whole in found
    )


def label(line: str) -> str:
    """How a completed line is shown in a list of several: its last word's last component."""
    word = cut_line(line.rstrip(" ")).word
    return visible(word.rstrip("/").rpartition("/")[2]) + ("/" if word.endswith("/") else "")


def cut_line(line: str) -> Cut:
    """Find the last word of an unfinished line, by the rules of the shell."""
    words: List[str] = []
    word, quote, start, in_word = "", "", 0, False
    position = 0
    while position < len(line):
        character = line[position]
        if character == "\\" and quote != "'" and position + 1 < len(line):
            position += 1
            keeps = quote == '"' and line[position] not in _SPECIAL_IN_DOUBLE_QUOTES
            word += ("\\" if keeps else "") + line[position]
            in_word = True
        elif quote:
            if character == quote:
                quote = ""
            else:
                word += character
        elif character in "'\"":
            quote, in_word = character, True
        elif character in _WHITESPACE:
            if in_word:
                words.append(word)
            word, in_word, start = "", False, position + 1
        else:
            word, in_word = word + character, True
        position += 1
    return Cut(line[:start], words, word, quote)


def _quoted(word: str, is_whole: bool, quote: str, special: str) -> str:
    """A word as it must be typed; a finished one is closed, and followed by a space."""
    end = " " if is_whole else ""
    if quote == "'" and "'" not in word:
        return f"'{word}'{end}" if is_whole else f"'{word}"
    if quote:
        escaped = "".join("\\" + c if c in _SPECIAL_IN_DOUBLE_QUOTES else c for c in word)
        return f'"{escaped}"{end}' if is_whole else f'"{escaped}'
    return "".join("\\" + c if c in special else c for c in word) + end


def _matches(cut: Cut, sources: Sources) -> Iterator[Tuple[str, bool]]:
    """(word, whether it is finished) for all that the last word may become."""
    if not cut.words:
        dash = "-" if cut.word.startswith("-") else ""
        yield from _beginning(cut.word, [dash + name for name in sources.commands])
        return
    name = cut.words[0].lstrip("-")
    if cut.word.startswith("-"):
        yield from _beginning(cut.word, sources.flags(name))
    elif name in ABOUT_COMMANDS:
        yield from _beginning(cut.word, sources.commands)
    elif name in CHOICES:
        yield from _beginning(cut.word, CHOICES[name])
    else:
        arguments = [word for word in cut.words[1:] if not word.startswith("-") or word == "-"]
        sides = _sides(name, not arguments)
        for is_local in sides:
            found = list(_paths(cut.word, sources.local if is_local else sources.remote, is_local))
            yield from found
            if found:
                return


def _sides(name: str, is_first: bool) -> Tuple[bool, ...]:
    """Whose path is wanted (True: this machine's), and whose when that side has none.

    Behind the first argument of a transfer may stand another source or the destination.
    """
    if name in LOCAL:
        return (True,)
    if name in UPLOADS:
        return (True,) if is_first else (False, True)
    if name in DOWNLOADS:
        return (False,) if is_first else (True, False)
    return (False,)


def _beginning(start: str, names: Iterable[str]) -> Iterator[Tuple[str, bool]]:
    return ((name, True) for name in names if name.startswith(start))


def _paths(word: str, entries: Entries, is_local: bool) -> Iterator[Tuple[str, bool]]:
    """Names below the directory that the word names, which begin with the rest of it."""
    directory, slash, start = word.rpartition("/")
    directory += slash
    # Names of the cluster are read as globs, those of this machine as they are.
    prefix = start if is_local else unescape(start)
    for name, is_directory in islice(entries(directory), ENTRIES_MAX):
        if name.startswith(prefix) and (prefix or not name.startswith(".")):
            shown = name if is_local else escape(name)
            # A name that looks like an option is none behind `./`.
            before = "./" if not directory and shown.startswith("-") else directory
            yield before + shown + ("/" if is_directory else ""), not is_directory
