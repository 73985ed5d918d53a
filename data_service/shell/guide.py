"""What the table of commands says to people: how each is called, and all at a glance."""

import os
import sys
from typing import Iterator

from data_service.shell.manual import GENERIC_OPTIONS
from data_service.shell.table import COMMANDS, Command

FILE_SYSTEM = "Usage: hadoop fs [generic options]"
_DFSADMIN = "Usage: hdfs dfsadmin"


def invocation(name: str) -> str:
    """A command with its options and arguments."""
    return f"-{name} {COMMANDS[name].usage}".rstrip()


def usage_line(name: str) -> str:
    """How one command is called."""
    command: Command = COMMANDS[name]
    if command.tool == "fs":
        return f"{FILE_SYSTEM} {invocation(name)}"
    if command.tool == "dfsadmin":
        return f"{_DFSADMIN} [{invocation(name)}]"
    return f"Usage: hdfs {name} {command.usage}"


def nearest(name: str) -> str:
    """What a person may have meant by a command that there is not, and where all are listed."""
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, n=1)
    guess = f"Did you mean {close[0]}? " if close else ""
    return f"{guess}--help lists all commands."


def whole_usage(tool: str = "") -> Iterator[str]:
    """How every command is called, or those of dfsadmin, and the options that go before them."""
    of_admin = tool in ("dfsadmin", "admin")
    yield _DFSADMIN if of_admin else FILE_SYSTEM
    for name in sorted(COMMANDS):
        if not of_admin or COMMANDS[name].tool == "dfsadmin":
            yield f"\t[{invocation(name)}]"
    yield ""
    yield from GENERIC_OPTIONS


def overview() -> Iterator[str]:
    """What `--help` shows: a line for every command."""
    name = os.path.basename(sys.argv[0])
    yield f"usage: {name} [--config FILE] [-D name=value] [COMMAND [options] [arguments]]"
    yield ""
    yield "Commands, with or without a dash; without any, an interactive prompt:"
    width = max(map(len, COMMANDS))
    for name, command in COMMANDS.items():
        yield f"  {name:{width}}  {command.summary}"
    yield ""
    yield from GENERIC_OPTIONS
    yield "You are $PYHDFS_USER, or else $HADOOP_USER_NAME, or else the user of the system."
    yield ""
    yield "`help COMMAND`, or `COMMAND --help`, explains one."
