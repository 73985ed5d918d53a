"""help and usage: how commands are called."""

from typing import Iterable, Iterator, List

from data_service.shell.failures import UsageError
from data_service.shell.guide import invocation, usage_line, whole_usage
from data_service.shell.manual import DETAILS
from data_service.shell.session import Session
from data_service.shell.table import COMMANDS


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
