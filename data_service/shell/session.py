"""One run of one command: its output, its arguments, its errors.

Errors are collected: a failing argument is reported, the other arguments are still done, and the
exit status says that something failed. What ends the whole command (no namenode, no standard
output) is raised on.
"""

import sys
from contextlib import contextmanager
from typing import Any, Callable, Iterable, Iterator, List, Optional

from data_service.shell.arguments.definitions import Definitions
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.places import Places, Surroundings
from data_service.shell.failures import FATAL, NO_SUCH_FILE, PathError, describe
from data_service.shell.streams import Input, Output, complain
from zookeeper.fabric.errors import DfsError, LocalFileError


class Session:
    """What a command's function gets: see the module. `places` knows what its paths stand for,
    `definitions` what -D says."""

    def __init__(self, name: str, surroundings: Surroundings) -> None:
        self.name = name
        self.out = Output()
        self.failures = 0
        self.interactive = surroundings.directory is not None
        self.places = Places(surroundings)
        self.definitions = Definitions(surroundings.definitions)
        self._bar: Any = None

    def __repr__(self) -> str:
        return f"<Session {self.name} {self.failures} failures>"

    @property
    def filesystem(self) -> Any:
        """The cluster's FileSystem."""
        return self.places.filesystem

    # What is told to people.

    def complain(self, message: str) -> None:
        """A line on standard error that makes the exit status 1."""
        self.failures += 1
        self.warn(message)

    def warn(self, message: str) -> None:
        """A line on standard error."""
        self.out.flush()
        complain(f"{self.name}: {message}")

    def progress(self, label: str) -> Any:
        """A progress bar for the next transfer, or None when nobody would see it."""
        if sys.stderr is None or not sys.stderr.isatty():
            return None
        if self._bar is None:
            from data_service.shell.progress import ProgressBar

            self._bar = ProgressBar(label, sys.stderr)
        else:
            self._bar.go_on(label)
        return self._bar

    def clear_progress(self) -> None:
        """Leave an empty line in the place of the bar."""
        if self._bar is not None:
            self._bar.clear()

    def explain_home(self) -> None:
        """Say so when a relative path failed because nobody made its home directory yet."""
        home = self.places.missing_home()
        if home:
            self.warn(
                f"relative paths start in {home}, which does not exist: mkdir -p {home} makes "
                "it, where only the superuser may do so"
            )

    def input(self) -> Input:
        """Standard input, for a command that stores it; raises LocalFileError."""
        if self.interactive and not (sys.stdin is not None and sys.stdin.isatty()):
            raise LocalFileError("standard input: the commands are read from it")
        return Input()

    # What is done to each argument.

    def expand_all(self, arguments: Iterable[str], forgiving: bool = False) -> List[Item]:
        """What all arguments stand for; those that fail are reported and left out."""
        found: List[Item] = []
        expand = self.places.matches if forgiving else self.places.expand
        for text in arguments:
            self.attempt(lambda: found.extend(expand(text)), text)
        return found

    def each(
        self,
        arguments: Iterable[str],
        act: Callable[[Item], object],
        missing: Optional[Callable[[Item], object]] = None,
        forgiving: bool = False,
    ) -> None:
        """Do `act` to all that the arguments stand for, and `missing` to what is not there.

        Without `missing` it is an error that something is not there, unless `forgiving`.
        """

        def nothing(item: Item) -> None:
            if not forgiving:
                raise PathError(item.text, NO_SUCH_FILE)

        for item in self.expand_all(arguments, forgiving):
            deed = act if item.exists else missing or nothing
            self.attempt(lambda: deed(item), item.text)

    def attempt(self, deed: Callable[[], object], text: str = "") -> bool:
        """Do something to the path `text`, and report its error; whether it went well."""
        with self.reporting(text):
            deed()
            return True
        return False

    @contextmanager
    def reporting(self, text: str) -> Iterator[None]:
        """An error of the block, which is about the path `text`, is reported and ends the block."""
        try:
            yield
        except FATAL:
            raise
        except DfsError as error:
            self.complain(describe(error, text))
