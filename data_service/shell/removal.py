"""rm, rmdir, expunge: what goes away."""

import sys
from typing import List

from data_service.shell.arguments.definitions import DELETE_LIMIT
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.failures import (
    INPUT_OUTPUT,
    IS_A_DIRECTORY,
    NO_SUCH_FILE,
    NOT_A_DIRECTORY,
    NOT_EMPTY,
    PathError,
)
from data_service.shell.session import Session
from data_service.shell.streams import complain
from data_service.shell.trash import Trash, minutes_of
from zookeeper.fabric.errors import DirectoryNotEmpty

DELETE_LIMIT_FILES = 100


def rm(session: Session, words: List[str]) -> None:
    """Delete files, with -r trees."""
    options = parse(words, "f r R skipTrash safely", least=1)
    recursive, force = options.has("r", "R"), options.has("f")
    trash = None if options.has("skipTrash") else Trash.of(session)

    def remove(item: Item) -> None:
        if item.is_directory and not recursive:
            raise PathError(item.text, IS_A_DIRECTORY)
        if item.path == "/":
            raise PathError(item.text, INPUT_OUTPUT)
        if trash is not None and trash.take(item):
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
    limit = session.definition(DELETE_LIMIT, DELETE_LIMIT_FILES)
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


def expunge(session: Session, words: List[str]) -> None:
    """Close the current trash as a checkpoint, and delete old checkpoints, or all."""
    options = parse(words, "immediate", "fs")
    session.cluster_item(options.value("fs") or ".")
    trash = Trash(session, minutes_of(session))
    if options.has("immediate"):
        trash.checkpoint()
        trash.delete_checkpoints(of_any_age=True)
    else:
        trash.delete_checkpoints()
        trash.checkpoint()


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
