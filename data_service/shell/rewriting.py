"""appendToFile, truncate, concat: files that exist get longer or shorter."""

from typing import Any, List

from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.arguments.stores import LocalStore
from data_service.shell.arguments.targets import Destination
from data_service.shell.failures import IS_A_DIRECTORY, PathError, UsageError
from data_service.shell.session import Session
from data_service.shell.table import COMMANDS
from zookeeper.fabric.errors import DfsError, PathExists

STANDARD_INPUT = "-"
CHUNK_BYTES = 1 << 20


def append_to_file(session: Session, words: List[str]) -> None:
    """Write local files, or standard input, behind the end of a file; make it if it is missing."""
    if len(words) < 2:
        raise DfsError("missing destination argument")
    # What is appended begins a new block here in any case, as -n wants it.
    arguments = parse(words, "n", least=2).arguments
    target = Destination.of(session, arguments.pop()).item
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
            for chunk in iter(lambda: stream.read(CHUNK_BYTES), b""):
                sink.write(chunk)
        for source in sources:
            source.store.cat(source.path, sink.write)


def _is_one_local_file(source: Item, target: Item) -> bool:
    both = source.store is target.store and target.exists
    return both and isinstance(source.store, LocalStore) and source.store.is_same(
        source.path, target.path
    )


def _source(session: Session, text: str) -> Item:
    source = session.local_item(text)
    if source.found.is_directory:
        raise PathError(source.text, IS_A_DIRECTORY)
    return source


def _open(session: Session, target: Item) -> Any:
    if target.is_directory:
        raise DfsError(
            f"Cannot append to directory {target.path}; already exists as a directory."
        )
    if target.exists:
        return target.store.append(target.path)
    try:
        return target.store.create(
            target.landing, session.replication, session.block_size, overwrite=False
        )
    except PathExists:
        # Somebody else made it after we had looked: it is not ours to replace.
        return target.store.append(target.path)


def truncate(session: Session, words: List[str]) -> None:
    """Cut files off at a length."""
    # It is done when the call returns, so there is nothing to wait for with -w.
    arguments = parse(words, "w", least=2).arguments
    length = _length(session, arguments.pop(0))

    def act(item: Item) -> None:
        if item.is_directory:
            raise PathError(item.text, IS_A_DIRECTORY)
        if length > item.found.length:
            raise UsageError(
                "Cannot truncate to a larger file size. "
                f"Current size: {item.found.length}, truncate size: {length}."
            )
        item.store.truncate(item.path, length)
        session.out.line(f"Truncated {item.text} to length: {length}")

    session.each(arguments, act)


def _length(session: Session, text: str) -> int:
    digits = text[1:] if text[:1] in ("+", "-") else text
    # As Java reads a long: more digits than it has are no number either.
    number = digits.isascii() and digits.isdigit() and len(digits.lstrip("0")) < 20
    if not number or int(digits) >= 1 << 63:
        session.warn("Illegal length, a non-negative integer expected")
        raise UsageError(f'For input string: "{text}"')
    if text.startswith("-") and int(digits):
        raise UsageError("length must be >= 0")
    return int(digits)


def concat(session: Session, words: List[str]) -> None:
    """Move the blocks of files to the end of another one in the same directory."""
    arguments = session.expand_all(parse(words).arguments)
    usage = COMMANDS["concat"].usage
    if not arguments:
        raise DfsError(f"Target path not specified. {usage}")
    if len(arguments) < 3:
        raise DfsError(f"The number of source paths is less than 2. {usage}")
    target, sources = arguments[0], arguments[1:]
    if not _is_file(target):
        raise DfsError(f"Target path {target.full} does not exist or is not file.")
    for source in sources:
        if not _is_file(source):
            raise DfsError(f"{source.full} does not exist or is not file.")
        if source.store is not target.store:
            raise PathError(source.text, "Does not match target filesystem")
    target.store.concat(target.path, *(source.path for source in sources))


def _is_file(item: Item) -> bool:
    return item.exists and not item.is_directory
