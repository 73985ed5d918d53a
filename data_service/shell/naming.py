"""mkdir, touchz, mv, test: names, and what stands behind them."""

from typing import List

from data_service.filesystem.matching import look
from data_service.shell.arguments import paths
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.arguments.targets import Destination, check_not_into_itself
from data_service.shell.attributes import make_empty
from data_service.shell.failures import (
    FILE_EXISTS,
    IS_A_DIRECTORY,
    NO_SUCH_FILE,
    NOT_A_DIRECTORY,
    PathError,
    UsageError,
)
from data_service.shell.session import Session

TEST_FLAGS = "d e f s w r z"
_ACCESS = {"w": 2, "r": 4}


def mkdir(session: Session, words: List[str]) -> None:
    """Make directories."""
    options = parse(words, "p", least=1)

    def existing(item: Item) -> None:
        if not item.is_directory:
            raise PathError(item.text, NOT_A_DIRECTORY)
        if not options.has("p"):
            raise PathError(item.text, FILE_EXISTS)

    def make(item: Item) -> None:
        above = paths.parent(item.path)
        if not options.has("p") and look(item.store, above) is None:
            raise PathError(item.store.uri + above, NO_SUCH_FILE)
        item.store.mkdir(item.path, parents=options.has("p"))

    session.each(options.arguments, existing, make)


def touchz(session: Session, words: List[str]) -> None:
    """Make empty files."""
    options = parse(words, least=1)

    def existing(item: Item) -> None:
        if item.is_directory:
            raise PathError(item.text, IS_A_DIRECTORY)
        if item.found.length:
            raise PathError(item.text, "Not a zero-length file")
        make_empty(session, item)

    def make(item: Item) -> None:
        if not item.parent_exists():
            raise PathError(item.text, NO_SUCH_FILE, full=item.full)
        make_empty(session, item)

    session.each(options.arguments, existing, make)


def mv(session: Session, words: List[str]) -> None:
    """Rename, or move into a directory; never overwrites."""
    options = parse(words, least=2)
    destination = Destination.of(session, options.arguments.pop())
    sources = session.expand_all(options.arguments)
    if not sources:
        return
    destination.check(len(sources))
    for source in sources:
        session.attempt(lambda: _move(source, destination), source.text)


def _move(source: Item, destination: Destination) -> None:
    status = source.found
    target = destination.target(source)
    if status.is_directory and source.store is target.store:
        check_not_into_itself(source, target)
    if source.store is not target.store:
        raise PathError(source.text, "Does not match target filesystem")
    if target.exists:
        raise PathError(target.text, FILE_EXISTS)
    source.store.rename(source.path, target.path)


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
