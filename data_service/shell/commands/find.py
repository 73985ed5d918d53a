"""find: the paths of trees whose names match."""

from typing import Callable, List

from data_service.filesystem import globs
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.failures import UsageError
from data_service.shell.session import Session
from data_service.shell.streams import to_bytes
from data_service.shell.trees import walk
from zookeeper.fabric.errors import DfsError

_AND = ("-a", "-and")
Step = Callable[[Item], bool]


def find(session: Session, words: List[str]) -> None:
    """Print the paths of a tree whose names match."""
    options = parse(words, "L H", least=1, ignore_unknown=True)
    count = next(
        (place for place, word in enumerate(options.arguments) if word.startswith("-")),
        len(options.arguments),
    )
    tops, expression = options.arguments[:count], options.arguments[count:]
    steps = _steps(session, expression)

    def show(item: Item) -> None:
        for found in walk(session, item):
            all(step(found) for step in steps)

    session.each(tops or ["."], show)


def _steps(session: Session, expression: List[str]) -> List[Step]:
    """What is done to each path in turn, until one step says no; raises DfsError, UsageError."""
    steps: List[Step] = []
    acts = False
    words, before = iter(expression), "-a"
    for word in words:
        if word in _AND and before in _AND:
            raise UsageError(f"There is no expression before {word}")
        before = word
        if word in ("-print", "-print0"):
            acts = True
            steps.append(_printer(session, "\0" if word == "-print0" else "\n"))
        elif word in ("-name", "-iname"):
            pattern = next(words, None)
            if pattern is None:
                raise UsageError("Not enough arguments: expected 1 but got 0")
            steps.append(_matcher(pattern, word == "-iname"))
        elif word not in (*_AND, "(", ")"):
            raise DfsError(f"Unexpected argument: {word}")
    if expression and before in _AND:
        raise UsageError(f"There is no expression behind {before}")
    return steps if acts else steps + [_printer(session, "\n")]


def _printer(session: Session, end: str) -> Step:
    def show(item: Item) -> bool:
        # A program that reads NULs takes names as they are.
        text = item.text if end == "\0" else session.out.shown(item.text)
        session.out.write(to_bytes(text + end))
        return True

    return show


def _matcher(pattern: str, ignore_case: bool) -> Step:
    matcher = globs.NameMatcher(pattern, ignore_case)
    return lambda item: matcher.matches(item.name)
