"""The interactive prompt: commands line by line, from a person or from a script in a pipe.

A command that fails does not end it. Besides the commands of the table there are `cd`, `pwd`,
`lcd`, `lpwd` (the last two for this machine), `list` for `ls`, and `quit`. Names of this machine
may be given by wildcards, as in a shell. A person gets a prompt, completion with Tab and a history;
a script gets neither, and its status tells of failures.
"""

import os
import re
import sys
from typing import Callable, Dict, Iterable, Iterator, List, Tuple

from data_service.protocol.visible import visible
from data_service.shell.arguments.places import Surroundings
from data_service.shell.dispatch import FAILURE, SUCCESS, run as run_command
from data_service.shell.endings import Terminated
from data_service.shell.failures import NOT_A_DIRECTORY, PathError, UsageError, describe
from data_service.shell.prompt.local_words import split
from data_service.shell.session import Session
from data_service.shell.streams import complain
from data_service.shell.table import COMMANDS, TOOLS
from zookeeper.fabric.errors import DfsError

NAME, TEXT = "pyhdfs ", "> "
WELCOME = "help explains the commands, quit ends."
QUIT = ("quit", "exit", "bye")
ALIASES = {"list": "ls", "dir": "ls"}
OWN_HELP = """\
Only at the prompt:
  cd [<path>]   go to a directory of the cluster, without a path home
  pwd           show that directory
  lcd [<path>]  go to a directory of this machine
  lpwd          show that directory
  quit          end the prompt, as do exit, bye and Ctrl+D\
"""


def run(surroundings: Surroundings) -> int:
    """Read and run lines until `quit` or the end of input.

    The exit status is 0 at a terminal; that of a script is 1 when any command of it failed.
    """
    terminal = sys.stdin is not None and sys.stdin.isatty()
    prompt = _Prompt(surroundings)
    for line in _terminal_lines(prompt) if terminal else _script_lines():
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
        self._explained = {*self._own, *QUIT}

    def do(self, line: str) -> bool:
        """Run one line; False when it ends the prompt."""
        try:
            words = split(line)
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
        if name in TOOLS and len(words) > 1:
            del words[0]
            name = words[0].lstrip("-")
        if name in self._own:
            self._do_own(name, words[1:])
        elif name == "help" and len(words) == 2 and words[1] in self._explained:
            self._help()
        else:
            words[0] = ALIASES.get(name, words[0])
            status = run_command(words, self._surroundings)
            self.failed = self.failed or status != SUCCESS
            if name == "help" and len(words) == 1:
                self._help()
        return True

    def text(self) -> str:
        """What stands before a line: where relative paths start, `~` for the home directory."""
        return f"{NAME}{visible(self._surroundings.directory or '~')}{TEXT}"

    def complete(self, line: str) -> List[str]:
        """What an unfinished line may become."""
        from data_service.shell.prompt.completion import Sources, complete

        names = sorted({*COMMANDS, *ALIASES, *self._own, *QUIT})
        return complete(line, Sources(names, _flags, self._entries, _local_entries))

    def _entries(self, directory: str) -> Iterable[Tuple[str, bool]]:
        """What is in a directory of the cluster; what can be had, without a word of complaint."""
        try:
            for child in self._session("ls").places.item(directory or ".").children():
                yield child.name, child.is_directory
        except (DfsError, UsageError, OSError):
            return

    def _do_own(self, name: str, words: List[str]) -> None:
        try:
            self._own[name](words)
        except UsageError as error:
            self._complain(name, error.message)
        except DfsError as error:
            self._complain(name, describe(error, words[0] if words else ""))
        except OSError as error:
            self._complain(name, f"`{words[0] if words else '.'}': {error.strerror}")
        except Terminated:
            raise
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
        item = self._session("cd").places.item(words[0])
        if item.store.is_local or not item.found.is_directory:
            raise PathError(words[0], NOT_A_DIRECTORY)
        self._surroundings = self._surroundings._replace(directory=item.path)

    def _pwd(self, words: List[str]) -> None:
        session = self._session("pwd")
        session.out.line(session.places.cluster.directory)
        session.out.flush()

    def _help(self) -> None:
        session = self._session("help")
        for line in OWN_HELP.splitlines():
            session.out.line(line)
        session.out.flush()

    def _lcd(self, words: List[str]) -> None:
        os.chdir(os.path.expanduser(words[0] if words else "~"))

    def _lpwd(self, words: List[str]) -> None:
        session = self._session("lpwd")
        session.out.line(os.getcwd())
        session.out.flush()


def _script_lines() -> Iterator[str]:
    return iter(sys.stdin.readline, "") if sys.stdin is not None else iter(())


def _terminal_lines(prompt: "_Prompt") -> Iterator[str]:
    from data_service.shell.prompt import terminal

    complain(WELCOME)
    return terminal.lines(prompt.text, prompt.complete)


def _flags(name: str) -> List[str]:
    """The options that the usage of a command shows."""
    command = COMMANDS.get(ALIASES.get(name, name))
    usage = command.usage if command is not None else ""
    return sorted(set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", usage)))


def _local_entries(directory: str) -> List[Tuple[str, bool]]:
    try:
        with os.scandir(directory or ".") as entries:
            return [(entry.name, entry.is_dir()) for entry in entries]
    except OSError:
        return []
