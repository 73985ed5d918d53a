"""Lines from a person: edited, completed with Tab, and remembered for the next time."""

import os
import sys
from typing import Any, Callable, Iterator, List, Sequence

from data_service.protocol.visible import visible
from data_service.shell.endings import Terminated
from data_service.shell.prompt.completion import label
from data_service.shell.streams import complain

HISTORY_NAME = ".pyhdfs_history"
HISTORY_LINES_MAX = 1000
SHOWN_MAX = 100
"""Possibilities that Tab lists: more of them would push the line from the screen."""

Complete = Callable[[str], List[str]]


def lines(text: Callable[[], str], complete: Complete) -> Iterator[str]:
    """What a person types after each prompt, which `text` gives, up to the end of input.

    Where the library `readline` is missing, lines are neither edited, completed nor remembered.
    """
    readline = _readline()
    if readline is None:
        yield from _typed(text)
        return
    path = os.path.join(os.path.expanduser("~"), HISTORY_NAME)
    _harmlessly(lambda: readline.read_history_file(path))
    readline.set_history_length(HISTORY_LINES_MAX)
    former = readline.get_completer(), readline.get_completer_delims()
    readline.set_completer(_Completer(complete))
    # The whole line is completed: only the completion knows where a quoted word begins.
    readline.set_completer_delims("")
    readline.parse_and_bind("tab: complete")
    if hasattr(readline, "set_completion_display_matches_hook"):
        readline.set_completion_display_matches_hook(_Display(text, readline))
    try:
        yield from _typed(text)
    finally:
        readline.set_completer(former[0])
        readline.set_completer_delims(former[1])
        if hasattr(readline, "set_completion_display_matches_hook"):
            readline.set_completion_display_matches_hook(None)
        _harmlessly(lambda: readline.write_history_file(path))


def _readline() -> Any:
    try:
        import readline
    except ImportError:
        return None
    return readline


def _typed(text: Callable[[], str]) -> Iterator[str]:
    while True:
        try:
            yield input(text())
        except Terminated:
            raise
        except KeyboardInterrupt:
            complain("")
        except EOFError:
            complain("")
            return


def _harmlessly(deed: Callable[[], object]) -> None:
    """A history that cannot be read or kept is no reason to bother anybody."""
    try:
        deed()
    except OSError:
        pass


class _Completer:
    """readline asks for one possibility after the other; they are found when the first is."""

    def __init__(self, complete: Complete) -> None:
        self._complete = complete
        self._found: List[str] = []

    def __call__(self, line: str, number: int) -> Any:
        if number == 0:
            self._found = self._complete(line)
        return self._found[number] if number < len(self._found) else None


class _Display:
    """Shows several possibilities by their last components, and the line again below them."""

    def __init__(self, text: Callable[[], str], readline: Any) -> None:
        self._text = text
        self._readline = readline

    def __call__(self, _common: str, matches: Sequence[str], _longest: int) -> None:
        shown = "  ".join(label(match) for match in matches[:SHOWN_MAX])
        if len(matches) > SHOWN_MAX:
            shown += f"  … and {len(matches) - SHOWN_MAX} more"
        sys.stdout.write(f"\n{shown}\n{self._text()}{visible(self._readline.get_line_buffer())}")
        sys.stdout.flush()
