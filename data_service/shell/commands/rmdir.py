"""rmdir: empty directories that go."""

from typing import List

from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.failures import (
    INPUT_OUTPUT,
    NO_SUCH_FILE,
    NOT_A_DIRECTORY,
    NOT_EMPTY,
    PathError,
)
from data_service.shell.session import Session
from zookeeper.fabric.errors import DirectoryNotEmpty


def rmdir(session: Session, words: List[str]) -> None:
    """Delete empty directories."""
    options = parse(words, "-ignore-fail-on-non-empty", least=1)

    def refuse(item: Item) -> None:
        if not options.has("-ignore-fail-on-non-empty"):
            raise PathError(item.text, NOT_EMPTY)

    def delete(item: Item) -> None:
        try:
            if not item.store.delete(item.path):
                raise PathError(item.text, NO_SUCH_FILE)
        except DirectoryNotEmpty:
            refuse(item)  # It was empty a moment ago.

    def remove(item: Item) -> None:
        if not item.is_directory:
            raise PathError(item.text, NOT_A_DIRECTORY)
        if any(item.children()):
            refuse(item)
        elif item.path == "/":
            raise PathError(item.text, INPUT_OUTPUT)
        else:
            delete(item)

    session.each(options.arguments, remove)
