"""appendToFile: files that get longer."""

from typing import Any, List

from data_service.shell.arguments.items import Item
from data_service.shell.arguments.local_store import LocalStore
from data_service.shell.arguments.options import parse
from data_service.shell.arguments.targets import Destination
from data_service.shell.failures import PathError
from data_service.shell.session import Session
from data_service.shell.streams import STANDARD_INPUT
from zookeeper.fabric.errors import DfsError, PathExists


def append_to_file(session: Session, words: List[str]) -> None:
    """Write local files, or standard input, behind the end of a file; make it if it is missing."""
    if len(words) < 2:
        raise DfsError("missing destination argument")
    # What is appended begins a new block here in any case, as -n wants it.
    arguments = parse(words, "n", least=2).arguments
    target = Destination.of(session.places, arguments.pop()).item
    if STANDARD_INPUT in arguments and len(arguments) > 1:
        raise DfsError("stdin (-) must be the sole input argument when present")
    from_input = arguments == [STANDARD_INPUT]
    # All or nothing: what is wrong with a source is found before the first byte is appended.
    sources = [] if from_input else [_source(session, text) for text in arguments]
    for source in sources:
        if _is_one_local_file(source, target):
            raise PathError(source.text, "It is what is appended to, and would have no end")
    stream = session.input() if from_input else None
    with _open(session, target) as sink:
        if stream is not None:
            for chunk in stream.chunks():
                sink.write(chunk)
        for source in sources:
            source.store.cat(source.path, sink.write)


def _is_one_local_file(source: Item, target: Item) -> bool:
    both = source.store is target.store and target.exists
    return both and isinstance(source.store, LocalStore) and source.store.is_same(
        source.path, target.path
    )


def _source(session: Session, text: str) -> Item:
    source = session.places.local_item(text)
    source.check_file()
    return source


def _open(session: Session, target: Item) -> Any:
    if target.is_directory:
        raise DfsError(
            f"Cannot append to directory {target.path}; already exists as a directory."
        )
    if target.exists:
        return target.store.append(target.path)
    try:
        return target.store.create(target.landing, session.definitions.creation(overwrite=False))
    except PathExists:
        # Somebody else made it after we had looked: it is not ours to replace.
        return target.store.append(target.path)
