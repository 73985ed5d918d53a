"""mkdir: new directories."""

from typing import List

from data_service.filesystem.matching import look
from data_service.filesystem.paths import parent
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.failures import FILE_EXISTS, NO_SUCH_FILE, NOT_A_DIRECTORY, PathError
from data_service.shell.session import Session


def mkdir(session: Session, words: List[str]) -> None:
    """Make directories."""
    options = parse(words, "p", least=1)

    def existing(item: Item) -> None:
        if not item.is_directory:
            raise PathError(item.text, NOT_A_DIRECTORY)
        if not options.has("p"):
            raise PathError(item.text, FILE_EXISTS)

    def make(item: Item) -> None:
        above = parent(item.path)
        if not options.has("p") and look(item.store, above) is None:
            raise PathError(item.store.uri + above, NO_SUCH_FILE)
        item.store.mkdir(item.path, parents=options.has("p"))

    session.each(options.arguments, existing, make)
