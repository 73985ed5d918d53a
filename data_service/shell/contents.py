"""cat, text, head, tail, getmerge: the bytes of files."""

import zlib
from typing import List

from data_service.shell.arguments import paths
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.failures import IS_A_DIRECTORY, PathError
from data_service.shell.session import Session
from data_service.shell.transfer import write_out
from data_service.shell.unpacking import GZIP_MAGIC, unpacker_of
from zookeeper.fabric.errors import CorruptData, DfsError

END_BYTES = 1024
FOLLOW_MILLISECONDS = 5000
CHUNK_BYTES = 1 << 20


def cat(session: Session, words: List[str]) -> None:
    """Write files to standard output."""
    options = parse(words, "ignoreCrc", least=1)
    session.ignores_checksums = options.has("ignoreCrc")
    session.each(options.arguments, lambda item: write_out(session, item))


def text(session: Session, words: List[str]) -> None:
    """Write files to standard output, compressed ones unpacked."""
    options = parse(words, "ignoreCrc", least=1)
    session.ignores_checksums = options.has("ignoreCrc")
    session.each(options.arguments, lambda item: _unpack(session, item))


def _unpack(session: Session, item: Item) -> None:
    if item.is_directory:
        raise PathError(item.text, IS_A_DIRECTORY)
    with item.store.open(item.path) as file:
        unpack = unpacker_of(item.name, file.read(len(GZIP_MAGIC)))
        if unpack is None:
            write_out(session, item)
            return
        file.seek(0)
        try:
            unpack(file, session.out.write)
        except DfsError:
            raise
        except (EOFError, OSError, zlib.error) as error:
            raise CorruptData(f"`{item.text}': {error}") from error
    session.out.flush()


def checksum(session: Session, words: List[str]) -> None:
    """Show the checksums of files, with -v their block sizes, too."""
    options = parse(words, "v", least=1)

    def show(item: Item) -> None:
        if item.is_directory:
            raise PathError(item.text, IS_A_DIRECTORY)
        found = item.store.checksum(item.path)
        if found is None:
            session.out.line(f"{item.text}\tNONE")
            return
        size = f"\tBlockSize={item.found.block_size}" if options.has("v") else ""
        session.out.line(f"{item.text}\t{found.algorithm}\t{found.value}{size}")

    session.each(options.arguments, show)


def head(session: Session, words: List[str]) -> None:
    """Write the first kilobyte of a file."""
    options = parse(words, least=1, most=1)
    item = _file(session, options.arguments[0])
    with item.store.open(item.path) as file:
        session.out.write(file.read(END_BYTES))


def tail(session: Session, words: List[str]) -> None:
    """Write the last kilobyte of a file, with -f also what is added to it."""
    options = parse(words, "f", "s", least=1, most=1)
    pause = options.number("s", FOLLOW_MILLISECONDS) / 1000 if options.has("f") else 0.0
    item = _file(session, options.arguments[0])
    position = max(0, item.found.length - END_BYTES)
    while True:
        position = _write_rest(session, item, position)
        if not options.has("f"):
            return
        session.out.wait_while_read(pause)
        length = item.refresh().found.length
        # A file that was replaced by a shorter one is followed from its end.
        position = min(position, length)


def _file(session: Session, text_: str) -> Item:
    item = session.item(text_)
    if item.found.is_directory:
        raise PathError(item.text, IS_A_DIRECTORY)
    return item


def _write_rest(session: Session, item: Item, position: int) -> int:
    """Write what a file has now behind a position; the position where that ends."""
    # Also an empty file is opened: the namenode says whether it may be read.
    with item.store.open(item.path) as file:
        file.seek(position)
        for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
            session.out.write(chunk)
            position += len(chunk)
    return position


def getmerge(session: Session, words: List[str]) -> None:
    """Fetch all files of directories, in the order of names, into one local file."""
    options = parse(words, "nl skip-empty-file", least=2)
    target = session.local_item(options.arguments.pop())
    if target.is_directory:
        raise PathError(target.text, IS_A_DIRECTORY)
    files: List[Item] = []

    def collect(item: Item) -> None:
        if item.is_directory:
            files.extend(child for child in item.children() if not child.is_directory)
        else:
            files.append(item)

    session.each(options.arguments, collect)
    if session.failures:
        return
    if target.store.is_local:
        target.store.mkdir(paths.parent(target.path), parents=True)
    with target.store.create(target.landing) as sink:
        for item in files:
            item.store.cat(item.path, sink.write)
            if options.has("nl") and (item.found.length or not options.has("skip-empty-file")):
                sink.write(b"\n")
