"""Runs one command: finds it, calls it, and turns whatever happens into an exit status."""

import importlib
from typing import Callable, List, Optional

from data_service.shell.arguments.places import Surroundings
from data_service.shell.endings import Terminated
from data_service.shell.failures import UsageError, describe, one_line
from data_service.shell.session import Session
from data_service.shell.streams import OutputClosed, OutputFailed, complain
from data_service.shell.table import COMMANDS, DEPRECATED
from zookeeper.fabric.errors import DfsError, SettingsError

SUCCESS, FAILURE, MISUSE = 0, 1, 255
INTERRUPTED = 130
NOBODY_READS = 141
"""What a shell shows of a program that a closed pipe ended."""

CHECK = "fsck"
ADMINISTRATION = "dfsadmin"
STRICT = (ADMINISTRATION, "getconf", "haadmin")
"""Programs of HDFS in which any error is exit status 255."""


def run(words: List[str], surroundings: Surroundings) -> int:
    """Run a command given as words; its exit status."""
    typed = name = words[0][1:] if words[0].startswith("-") else words[0]
    rest = words[1:]
    if name in DEPRECATED:
        complain(f"{name}: DEPRECATED: Please use '{DEPRECATED[name]}' instead.")
        name, option = DEPRECATED[name].lstrip("-").split()
        rest.insert(0, option)
    if name not in COMMANDS:
        complain(f"{words[0]}: Unknown command")
        if surroundings.directory is None:
            # At the prompt a person asks for help when it is wanted.
            from data_service.shell.guide import nearest

            complain(nearest(name))
        return MISUSE
    if _asks_for_help(name, rest):
        name, rest = "help", [name]
    session = Session(typed, surroundings)
    try:
        status = _call(name, session, rest)
        session.out.finish()
    except Terminated:
        session.out.discard()
        raise
    except KeyboardInterrupt:
        session.out.discard()
        session.warn("Interrupted")
        return INTERRUPTED
    except OutputClosed:
        return NOBODY_READS
    except OutputFailed as error:
        session.warn(error.message)
        return FAILURE
    return status


def _asks_for_help(name: str, words: List[str]) -> bool:
    """Whether `COMMAND --help` was typed, or `COMMAND -h` where that is no option of its own."""
    if words == ["-help"] and COMMANDS[name].tool in (ADMINISTRATION, "haadmin"):
        return True
    return words == ["--help"] or (words == ["-h"] and "[-h]" not in COMMANDS[name].usage)


def _call(name: str, session: Session, words: List[str]) -> int:
    command = COMMANDS[name]
    function: Callable[[Session, List[str]], Optional[int]] = getattr(
        importlib.import_module(command.module), command.function
    )
    try:
        session.places.check(words, needs_cluster=command.tool in (ADMINISTRATION, CHECK))
        status = function(session, words)
    except UsageError as error:
        _explain_usage(name, session, error)
        return MISUSE
    except OutputFailed:
        raise
    except DfsError as error:
        session.complain(describe(error))
        if isinstance(error, SettingsError):
            return error.exit_status
    except OSError as error:
        session.complain(one_line(error.strerror or str(error)))
    if session.failures:
        session.explain_home()
        return MISUSE if command.tool in STRICT else FAILURE
    return status or SUCCESS


def _explain_usage(name: str, session: Session, error: UsageError) -> None:
    # HDFS shows how all commands are called, and the message has left the screen by then.
    from data_service.shell.guide import usage_line

    session.out.flush()
    dash = "" if COMMANDS[name].tool == ADMINISTRATION else "-"
    complain(f"{dash}{session.name}: {error.message}")
    complain(usage_line(name))
