"""The command line's entry: generic options, then one command, or the prompt.

It may be called again and again in one process, which keeps its connections; nothing else of a
call is left for the next one. Several threads may call it, each for itself: what they write to
`sys.stdout` and `sys.stderr`, which are those of the moment of the call, comes mixed.
"""

import gc
import os
import sys
from typing import Dict, Iterable, List, NamedTuple, Optional

from data_service.shell.arguments.clusters import default_uri
from data_service.shell.arguments.definitions import DEFAULT_FILE_SYSTEM, Definitions, check
from data_service.shell.arguments.places import Surroundings
from data_service.shell.connections import connect
from data_service.shell.dispatch import ADMINISTRATION, FAILURE, MISUSE, SUCCESS, run
from data_service.shell.endings import Terminated, heeding_signals
from data_service.shell.failures import UsageError
from data_service.shell.streams import Output, OutputFailed, complain
from data_service.shell.table import TOOLS
from zookeeper.fabric.standard_streams import occupy

OBJECTS_A_COLLECTION = 50_000
"""How many are made before Python looks for garbage among them. It would do so from 700 on, and so
walk again and again through every module that a command imports: a fortieth of the time of `ls`."""

_CONFIG = ("--config", "-conf")
_VERSION = "--version"
_ABOUT = ("--help", "-h", _VERSION)
_IGNORED = ("-jt", "-files", "-libjars", "-archives")


class Generic(NamedTuple):
    """What stood before the command. `tool` is one of TOOLS, or empty."""

    words: List[str]
    config: Optional[str]
    definitions: Dict[str, str]
    default_uri: str
    tool: str


def main(argv: Optional[List[str]] = None) -> int:
    """Run the command line `argv` (without the program's name); the exit status."""
    occupy()
    if argv is None:  # The process is ours, and short as a rule.
        gc.set_threshold(OBJECTS_A_COLLECTION)
    try:
        with heeding_signals():
            return _run(argv)
    except Terminated as end:
        complain(str(end))
        return end.status


def _run(argv: Optional[List[str]]) -> int:
    try:
        generic = parse_generic(list(sys.argv[1:] if argv is None else argv))
        umask = Definitions(generic.definitions).umask
    except UsageError as error:
        complain(error.message)
        return MISUSE
    if umask is None:
        return _do(generic)
    # It holds for what is fetched to this machine, too.
    former = os.umask(umask)
    try:
        return _do(generic)
    finally:
        os.umask(former)


def _do(generic: Generic) -> int:
    words, tool = generic.words, generic.tool
    if _is_of_administration(generic) or (words[0] in _ABOUT if words else tool):
        return _explain(generic)
    surroundings = Surroundings(
        lambda: connect(generic.config), generic.default_uri, generic.definitions, None
    )
    if words:
        return run(words, surroundings)
    from data_service.shell.prompt import prompt

    return prompt.run(surroundings)


def _is_of_administration(generic: Generic) -> bool:
    """Whether `dfsadmin -help` was typed, which tells of its own commands only."""
    return generic.tool == ADMINISTRATION and generic.words in (["-help"], ["help"], ["--help"])


def _explain(generic: Generic) -> int:
    """Say what commands there are, or which release this is."""
    # A command does not wait for these.
    from data_service.shell.guide import overview, whole_usage
    from zookeeper.fabric.release import release

    if not generic.words:
        complain("\n".join(whole_usage(generic.tool)))
        return MISUSE
    if _is_of_administration(generic):
        return _show(whole_usage(generic.tool))
    return _show([release()] if generic.words[0] == _VERSION else overview())


def parse_generic(words: List[str]) -> Generic:
    """Take the generic options off the front of a command line; raises UsageError."""
    config: Optional[str] = None
    definitions: Dict[str, str] = {}
    given = tool = ""
    rest = list(words)
    while rest:
        word, _, attached = rest[0].partition("=")
        if word in _CONFIG:
            config = attached or _value(rest)
        elif word == "-fs":
            given = _value(rest)
        elif word.startswith("-D"):
            name, _, value = (rest[0][2:] or _value(rest)).partition("=")
            definitions[name] = value
        elif word in _IGNORED:
            _value(rest)
        elif word in TOOLS and not tool:
            tool = word
        else:
            break
        rest.pop(0)
    config = _take_late_config(rest) or config
    # As in HDFS the definition of the key wins over the option that is short for it.
    definitions = check(definitions)
    given = definitions.pop(DEFAULT_FILE_SYSTEM, given)
    return Generic(rest, config, definitions, default_uri(given), tool)


def _take_late_config(rest: List[str]) -> str:
    """The value of a `--config` behind the command, where many people write it; it goes."""
    for place, word in enumerate(rest):
        option, _, attached = word.partition("=")
        if word == "--":
            break
        if option == _CONFIG[0]:
            tail = rest[place:]
            value = attached or _value(tail)
            rest[place:] = tail[1:]
            return value
    return ""


def _value(rest: List[str]) -> str:
    """The word behind the first one, which goes."""
    option = rest.pop(0)
    if not rest:
        raise UsageError(f"Missing argument for option: {option}")
    return rest[0]


def _show(lines: Iterable[str]) -> int:
    try:
        out = Output()
        for line in lines:
            out.line(line)
        out.flush()
    except OutputFailed as error:
        complain(error.message)
        return FAILURE
    return SUCCESS
