"""test: a question about a path, answered by the exit status."""

from typing import List

from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.failures import UsageError
from data_service.shell.session import Session

TEST_FLAGS = "d e f s w r z"
_ACCESS = {"w": 2, "r": 4}


def test(session: Session, words: List[str]) -> int:
    """Answer a question about a path by the exit status: 0 yes, 1 no."""
    options = parse(words, TEST_FLAGS, least=1, most=1)
    flags = [flag for flag in TEST_FLAGS.split() if options.has(flag)]
    if not flags:
        raise UsageError("No test flag given")
    if len(flags) > 1:
        raise UsageError("Only one test flag is allowed")
    answers = []
    session.each(
        options.arguments,
        lambda item: answers.append(_answer(flags[0], item)),
        lambda item: answers.append(False),
    )
    return 0 if answers and all(answers) else 1


def _answer(flag: str, item: Item) -> bool:
    if flag in _ACCESS:
        # Only the namenode knows a user's groups, and who is the superuser.
        return item.store.access(item.path, _ACCESS[flag])
    status = item.found
    return {
        "d": status.is_directory,
        "e": True,
        "f": not status.is_directory,
        "s": status.length > 0,
        "z": status.length == 0,
    }[flag]
