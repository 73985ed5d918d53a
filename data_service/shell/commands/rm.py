"""rm: files and trees that go, or go to the trash."""

import sys
from typing import List

from data_service.shell.arguments.definitions import DELETE_LIMIT
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.failures import INPUT_OUTPUT, IS_A_DIRECTORY, NO_SUCH_FILE, PathError
from data_service.shell.session import Session
from data_service.shell.streams import complain
from data_service.shell.trash import take

DELETE_LIMIT_FILES = 100


def rm(session: Session, words: List[str]) -> None:
    """Delete files, with -r trees."""
    options = parse(words, "f r R skipTrash safely", least=1)
    recursive, force = options.has("r", "R"), options.has("f")
    to_trash = not options.has("skipTrash")

    def remove(item: Item) -> None:
        if item.is_directory and not recursive:
            raise PathError(item.text, IS_A_DIRECTORY)
        if item.path == "/":
            raise PathError(item.text, INPUT_OUTPUT)
        if to_trash and take(session, item):
            return
        if options.has("safely") and item.is_directory and not _may_delete(session, item):
            return
        if item.store.delete(item.path, recursive=recursive):
            session.out.line(f"Deleted {item.text}")
        elif not force:
            raise PathError(item.text, NO_SUCH_FILE)

    session.each(options.arguments, remove, forgiving=force)


def _may_delete(session: Session, item: Item) -> bool:
    """Ask before a tree of very many files goes."""
    limit = session.definitions.number(DELETE_LIMIT, DELETE_LIMIT_FILES)
    count = item.store.content_summary(item.path).files
    if count < limit:
        return True
    session.out.flush()
    sys.stderr.write(f"Proceed deleting {count} files? (Y or N) ")
    sys.stderr.flush()
    while True:
        answer = sys.stdin.readline() if sys.stdin is not None else ""
        word = answer.strip().lower()
        if word in ("y", "yes"):
            return True
        if word in ("n", "no") or not answer:
            complain("Delete aborted at user request.")
            return False
        complain(f"Invalid input: {answer.strip()}")
