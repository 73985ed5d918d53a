"""The interactive prompt: commands line by line, from a person or from a script in a pipe.

A command that fails does not end it. Besides the commands of the table there are `cd`, `pwd`,
`lcd`, `lpwd` (the last two for this machine), `list` for `ls`, and `quit`.
"""

import os
import shlex
import sys
from typing import Callable, Dict, Iterator, List

from data_service.shell.dispatch import FAILURE, SUCCESS, run as run_command
from data_service.shell.failures import NOT_A_DIRECTORY, PathError, UsageError, describe
from data_service.shell.session import Session, Surroundings
from data_service.shell.streams import complain
from zookeeper.fabric.errors import DfsError

TEXT = "pyhdfs> "
QUIT = ("quit", "exit", "bye")
ALIASES = {"list": "ls", "dir": "ls"}


def run(surroundings: Surroundings) -> int:
    """Read and run lines until `quit` or the end of input.

    The exit status is 0 at a terminal; that of a script is 1 when any command of it failed.
    """
    terminal = sys.stdin is not None and sys.stdin.isatty()
    prompt = _Prompt(surroundings)
    for line in _terminal_lines() if terminal else _script_lines():
        if not prompt.do(line):
            break
    return FAILURE if prompt.failed and not terminal else SUCCESS


class _Prompt:
    """Where the person is, and whether anything failed."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.failed = False
        self._surroundings = surroundings._replace(directory="")
        self._own: Dict[str, Callable[[List[str]], None]] = {
            "cd": self._cd,
            "pwd": self._pwd,
            "lcd": self._lcd,
            "lpwd": self._lpwd,
        }

    def do(self, line: str) -> bool:
        """Run one line; False when it ends the prompt."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            complain(f"{error}: {line.strip()}")
            self.failed = True
            return True
        # A name may hold a #, so only a line that begins with one is a comment.
        if not words or words[0].startswith("#"):
            return True
        name = words[0].lstrip("-")
        if name in QUIT:
            return False
        if name in self._own:
            self._do_own(name, words[1:])
        else:
            words[0] = ALIASES.get(name, words[0])
            status = run_command(words, self._surroundings)
            self.failed = self.failed or status != SUCCESS
        return True

    def _do_own(self, name: str, words: List[str]) -> None:
        try:
            self._own[name](words)
        except UsageError as error:
            self._complain(name, error.message)
        except DfsError as error:
            self._complain(name, describe(error, words[0] if words else ""))
        except OSError as error:
            self._complain(name, f"`{words[0] if words else '.'}': {error.strerror}")
        except KeyboardInterrupt:
            self._complain(name, "Interrupted")

    def _complain(self, name: str, message: str) -> None:
        self.failed = True
        complain(f"{name}: {message}")

    def _session(self, name: str) -> Session:
        return Session(name, self._surroundings)

    def _cd(self, words: List[str]) -> None:
        if not words:
            self._surroundings = self._surroundings._replace(directory="")
            return
        item = self._session("cd").item(words[0])
        if item.store.is_local or not item.found.is_directory:
            raise PathError(words[0], NOT_A_DIRECTORY)
        self._surroundings = self._surroundings._replace(directory=item.path)

    def _pwd(self, words: List[str]) -> None:
        session = self._session("pwd")
        session.out.line(session.cluster.directory)
        session.out.flush()

    def _lcd(self, words: List[str]) -> None:
        os.chdir(os.path.expanduser(words[0] if words else "~"))

    def _lpwd(self, words: List[str]) -> None:
        session = self._session("lpwd")
        session.out.line(os.getcwd())
        session.out.flush()


def _script_lines() -> Iterator[str]:
    return iter(sys.stdin.readline, "") if sys.stdin is not None else iter(())


def _terminal_lines() -> Iterator[str]:
    try:
        import readline  # noqa: F401  (input() edits lines with it)
    except ImportError:
        pass  # Lines cannot be edited then.
    while True:
        try:
            yield input(TEXT)
        except KeyboardInterrupt:
            complain("")
        except EOFError:
            complain("")
            return
