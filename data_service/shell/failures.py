"""What the shell says when something fails: usage faults, path faults, everybody else's errors."""

from contextlib import contextmanager
from typing import Iterator

from data_service.protocol.visible import visible
from data_service.shell.streams import OutputFailed
from zookeeper.fabric.errors import (
    AuthenticationFailed,
    DfsError,
    DirectoryNotEmpty,
    IsADirectory,
    PathExists,
    PathNotFound,
    ProtocolViolation,
    SettingsError,
    Unavailable,
)

FATAL = (Unavailable, AuthenticationFailed, ProtocolViolation, SettingsError, OutputFailed)
"""Errors that would meet every further argument, too."""

NO_SUCH_FILE = PathNotFound.reason
FILE_EXISTS = PathExists.reason
IS_A_DIRECTORY = IsADirectory.reason
NOT_A_DIRECTORY = "Is not a directory"
NOT_EMPTY = DirectoryNotEmpty.reason
INPUT_OUTPUT = "Input/output error"

# The namenode's wording of these names its own absolute path; a person typed another one.
_NAMED_BY_PATH = (PathNotFound, PathExists, IsADirectory, DirectoryNotEmpty)


class UsageError(Exception):
    """The words of a command are wrong: the message, the usage, exit status 255."""

    @property
    def message(self) -> str:
        """The sentence for a person."""
        return str(self.args[0])


class PathError(DfsError):
    """Something is wrong with a path, which is named as the person typed it.

    `to` is the other path of a command with two, `full` the URI that a message ends with, and
    `deed` what was tried, when that is not plain from the command.
    """

    def __init__(
        self, text: str, reason: str, to: str = "", full: str = "", deed: str = ""
    ) -> None:
        sentence = f"{deed} `{visible(text)}'".lstrip()
        if to:
            sentence += f" to `{visible(to)}'"
        sentence += f": {reason}"
        if full and full != text.rstrip("/"):
            sentence += f": `{visible(full)}'"
        super().__init__(sentence)


def describe(error: DfsError, text: str = "") -> str:
    """One line about an error that `text`, a path as it was typed, ran into."""
    if text and isinstance(error, _NAMED_BY_PATH) and not isinstance(error, PathError):
        return f"`{visible(text)}': {error.reason}"
    return one_line(error.message)


@contextmanager
def trying(deed: str) -> Iterator[None]:
    """Errors of the block that do not end the command say what was tried."""
    try:
        yield
    except FATAL:
        raise
    except DfsError as error:
        raise DfsError(f"{deed}: {describe(error)}") from error


def one_line(message: str) -> str:
    """A whole message in one line: its line breaks are those of a name that it tells of.

    HDFS shows the first line alone, because a stack trace follows there; here none does, and what
    is wrong stands behind the name.
    """
    return message.strip("\n").replace("\n", visible("\n"))
