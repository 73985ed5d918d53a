"""help and usage: what the table of commands says to people."""

import os
import sys
from typing import Iterable, Iterator, List

from data_service.shell.failures import UsageError
from data_service.shell.manual import DETAILS, GENERIC_OPTIONS
from data_service.shell.session import Session
from data_service.shell.table import COMMANDS, Command

FILE_SYSTEM = "Usage: hadoop fs [generic options]"
_DFSADMIN = "Usage: hdfs dfsadmin"


def help_command(session: Session, words: List[str]) -> None:
    """Explain commands, all if none are named."""
    names = _names(words)
    _write(session, _explained(names) if names else _whole_help())


def usage_command(session: Session, words: List[str]) -> None:
    """Show how commands are called, all if none are named."""
    names = _names(words)
    _write(session, map(usage_line, names) if names else whole_usage())


def _names(words: List[str]) -> List[str]:
    names = [word.lstrip("-") for word in words]
    for name in names:
        if name not in COMMANDS:
            raise UsageError(f"`{name}': Unknown command")
    return names


def _write(session: Session, lines: Iterable[str]) -> None:
    for line in lines:
        session.out.line(line)


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


def _whole_help() -> Iterator[str]:
    yield from whole_usage()
    for name in sorted(COMMANDS):
        yield ""
        yield from _explained([name])


def _explained(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield f"{invocation(name)} :"
        summary = COMMANDS[name].summary
        yield f"  {summary[0].upper()}{summary[1:]}."
        for line in DETAILS.get(name, "").strip().splitlines():
            yield f"  {line}".rstrip()


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
