"""The options of one command: whole words before the first argument, as HDFS reads them.

`-q -h` are two options and `-qh` is one. Parsing stops at the first word that does not begin with
a dash, at a lone `-` (standard input), and after `--`.
"""

from typing import Dict, List, Optional, Set, Tuple

from data_service.shell.failures import UsageError
from zookeeper.fabric.kinds import INTEGER_MAX

PREFIXES = "kmgtpe"
JSON = "-json"
"""The option `--json`, of the commands whose answer a program may want to read."""


class Options:
    """What a command was given: flags without their dash, values of options, arguments."""

    def __init__(self, flags: Set[str], values: Dict[str, str], arguments: List[str]) -> None:
        self.arguments = arguments
        self._flags = flags
        self._values = values

    def __repr__(self) -> str:
        return f"<Options {sorted(self._flags)} {self._values} {self.arguments}>"

    def has(self, *flags: str) -> bool:
        """Whether any of these flags was given."""
        return any(flag in self._flags for flag in flags)

    def value(self, option: str) -> Optional[str]:
        """The value of an option: empty when it was given without one, None when not given."""
        return self._values.get(option)

    def number(self, option: str, default: int) -> int:
        """The value of an option that is a number from 0; raises UsageError for any other."""
        text = self.value(option)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit()):
            raise UsageError(f'For input string: "{text}"')
        return int(text)


def parse(
    words: List[str],
    flags: str = "",
    valued: str = "",
    least: int = 0,
    most: Optional[int] = None,
    ignore_unknown: bool = False,
) -> Options:
    """Take a command's words apart; raises UsageError.

    `flags` and `valued` are the known options, separated by spaces; `least` and `most` bound the
    number of arguments. With `ignore_unknown` an unknown option counts as an argument.
    """
    known, known_valued = set(flags.split()), set(valued.split())
    rest, found, values = list(words), set(), {}
    position = 0
    while position < len(rest):
        word = rest[position]
        if not word.startswith("-") or word == "-":
            break
        if word == "--":
            del rest[position]
            break
        option = word[1:]
        if option in known:
            del rest[position]
            found.add(option)
        elif option in known_valued:
            del rest[position]
            values[option] = _take_value(rest, position, least)
        elif ignore_unknown:
            position += 1
        else:
            raise UsageError(f"Illegal option {word}")
    check_count(rest, least, most)
    return Options(found, values, rest)


def _take_value(rest: List[str], position: int, least: int) -> str:
    # A word that the arguments still need is not taken for an option's value.
    if position < len(rest) and len(rest) > least and not rest[position].startswith("-"):
        return rest.pop(position)
    return ""


def take_option(words: List[str], option: str) -> Tuple[List[str], Optional[str]]:
    """(the words without an option that may stand anywhere before `--`, its value or None).

    Raises UsageError when there is no word behind it.
    """
    if option not in words or "--" in words[: words.index(option)]:
        return words, None
    place = words.index(option)
    if place + 1 == len(words):
        raise UsageError(f"option {option} requires 1 argument.")
    return words[:place] + words[place + 2 :], words[place + 1]


def binary_number(text: str, refusal: str) -> int:
    """A number with or without a binary prefix, such as `10` or `5g`.

    Raises UsageError; `refusal` says that it is no number at all.
    """
    digits, scale = text.strip(), 1
    letter = digits[-1:].lower()
    if letter.isalpha():
        if letter not in PREFIXES:
            raise UsageError(
                f"Invalid size prefix '{digits[-1]}' in '{text}'. Allowed prefixes are "
                "k, m, g, t, p, e(case insensitive)"
            )
        digits, scale = digits[:-1], 1 << 10 * (PREFIXES.index(letter) + 1)
    if not (digits.isascii() and digits.isdigit()):
        raise UsageError(refusal)
    value = int(digits.lstrip("0")[:20] or "0") * scale
    if value > INTEGER_MAX:
        raise UsageError(f"{text} does not fit in a Long")
    return value


def check_count(arguments: List[str], least: int, most: Optional[int] = None) -> None:
    """Raise UsageError when there are too few or too many arguments."""
    count = len(arguments)
    if count < least:
        raise UsageError(f"Not enough arguments: expected {least} but got {count}")
    if most is not None and count > most:
        raise UsageError(f"Too many arguments: expected {most} but got {count}")
