"""mv: other names for files and directories."""

from typing import List

from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.arguments.targets import Destination, check_not_into_itself
from data_service.shell.failures import FILE_EXISTS, PathError
from data_service.shell.session import Session


def mv(session: Session, words: List[str]) -> None:
    """Rename, or move into a directory; never overwrites."""
    options = parse(words, least=2)
    destination = Destination.of(session.places, options.arguments.pop())
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
