"""put, get, cp, moveFromLocal: files between this machine and the cluster, and within it."""

import os
import struct
import zlib
from typing import List, Tuple

from data_service.protocol.visible import visible
from data_service.shell.arguments import local_targets, paths
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import Options, parse
from data_service.shell.arguments.stores import ClusterStore
from data_service.shell.arguments.targets import Destination
from data_service.shell.attributes import preserve
from data_service.shell.copying import Copier, CopyOptions
from data_service.shell.failures import FILE_EXISTS, IS_A_DIRECTORY, PathError, UsageError
from data_service.shell.moved_sources import MovedSources
from data_service.shell.session import Session
from data_service.shell.streams import Bytes
from zookeeper.fabric.errors import DfsError

STANDARD_INPUT = "-"
THREADS_MAX = 64
CHECKSUM_MAGIC = b"crc\0"
CHECKSUM_CHUNK = 512
HEAD_BYTES = 1024
"""How much of a file is looked at to tell whether it is text."""


def put(session: Session, words: List[str]) -> None:
    """Store local files in the cluster."""
    options = parse(words, "f p l d", "t q", least=1)
    _put(session, options, _creation(session, options))


def move_from_local(session: Session, words: List[str]) -> None:
    """Store local files in the cluster, and delete them here."""
    options = parse(words, "f p l d", "t q", least=1)
    creation = _creation(session, options)
    moved = MovedSources()

    def after(source: Item, target: Item) -> None:
        if creation.after is not None:
            creation.after(source, target)
        moved.remove(source, target)

    _put(session, options, creation._replace(merge=False, before=moved.note, after=after))


def _creation(session: Session, options: Options) -> CopyOptions:
    lazy = options.has("l")
    return CopyOptions(
        overwrite=options.has("f"),
        replication=1 if lazy else session.replication,
        block_size=session.block_size,
        threads=_threads(options),
        after=preserve if options.has("p") else None,
    )


def _threads(options: Options) -> int:
    options.number("q", 0)
    return max(1, min(options.number("t", 1), THREADS_MAX))


def _put(session: Session, options: Options, creation: CopyOptions) -> None:
    arguments = options.arguments
    text = arguments.pop() if len(arguments) > 1 else "."
    destination = Destination.of(session, text)
    if arguments == [STANDARD_INPUT]:
        _put_standard_input(session, destination, creation)
        return
    sources: List[Item] = []
    for argument in arguments:
        session.attempt(lambda: sources.append(session.local_item(argument)), argument)
    destination.check(len(arguments), creation.overwrite, make_parents=True)
    with Copier(session, creation) as copier:
        copier.copy_all(sources, destination)


def _put_standard_input(
    session: Session, destination: Destination, creation: CopyOptions
) -> None:
    target = destination.item
    if destination.item.is_directory or destination.item.names_directory:
        target = destination.child(STANDARD_INPUT)
    if target.exists and (target.is_directory or not creation.overwrite):
        raise PathError(target.text, FILE_EXISTS)
    stream = session.input()
    progress = session.progress("standard input")
    if not isinstance(target.store, ClusterStore):
        with target.store.create(target.landing, overwrite=creation.overwrite) as sink:
            for chunk in iter(lambda: stream.read(1 << 20), b""):
                sink.write(chunk)
        return
    target.store.filesystem.put_stream(
        stream,
        target.path,
        overwrite=creation.overwrite,
        replication=creation.replication,
        block_size=creation.block_size,
        progress=progress,
    )
    if progress is not None:
        progress.clear()


def get(session: Session, words: List[str]) -> None:
    """Fetch files; without a local name, write their bytes to standard output."""
    options = parse(words, "f p crc ignoreCrc", "t q", least=1)
    session.ignores_checksums = options.has("ignoreCrc")
    arguments = options.arguments
    if len(arguments) == 1 and session.name == "get" and not session.interactive:
        session.each(arguments, lambda item: write_out(session, item))
        return
    local = arguments.pop() if len(arguments) > 1 else "."
    destination = Destination(session.local_item(local))
    sources = session.expand_all(arguments)
    if not sources:
        return
    destination.check(len(sources), options.has("f"))

    def after(source: Item, target: Item) -> None:
        if target.store.is_local and local_targets.is_stream(target.landing):
            return  # The mode of a device is not that of what was written into it.
        if options.has("p"):
            preserve(source, target)
        if options.has("crc") and not source.is_directory:
            _write_checksums(target)

    copy_options = CopyOptions(
        overwrite=options.has("f"), threads=_threads(options), after=after
    )
    with Copier(session, copy_options) as copier:
        copier.copy_all(sources, destination)


def write_out(session: Session, item: Item) -> None:
    """The bytes of a file to standard output."""
    if item.is_directory:
        raise PathError(item.text, IS_A_DIRECTORY)
    if session.out.is_terminal and session.name == "get":
        _show_on_terminal(session, item)
        return
    progress = None if session.out.is_terminal else session.progress(item.text)
    item.store.cat(item.path, session.out.write, progress)
    session.out.flush()
    if progress is not None:
        progress.clear()


def _show_on_terminal(session: Session, item: Item) -> None:
    """The bytes of a file, and a word on how to fetch it when they are no text.

    In HDFS `get` with one path makes a file, so a person may not have meant to see them.
    """
    head = bytearray()

    def write(data: Bytes) -> None:
        if len(head) < HEAD_BYTES:
            head.extend(data[: HEAD_BYTES - len(head)])
        session.out.write(data)

    try:
        item.store.cat(item.path, write, None)
        session.out.flush()
    finally:
        # Last, for what stood before the bytes is out of sight; also when they were interrupted.
        if b"\0" in head:
            session.warn(f"these were no text; `get {visible(item.text)} .' makes a file of them")


def _write_checksums(target: Item) -> None:
    """`.name.crc` beside a local file: a header, then the CRC32 of every 512 bytes."""
    path = os.path.join(paths.parent(target.path), f".{target.name}.crc")
    with target.store.open(target.path) as file, target.store.create(path) as sums:
        sums.write(CHECKSUM_MAGIC + struct.pack(">I", CHECKSUM_CHUNK))
        for chunk in iter(lambda: file.read(CHECKSUM_CHUNK), b""):
            sums.write(struct.pack(">I", zlib.crc32(chunk)))


def cp(session: Session, words: List[str]) -> None:
    """Copy files and trees within the cluster, or from and to file:/// paths."""
    words, kept = take_attributes(words)
    options = parse(words, "f d", "t q", least=2)
    destination = Destination.of(session, options.arguments.pop())
    sources = session.expand_all(options.arguments)
    if not sources:
        return
    destination.check(len(sources), options.has("f"))
    copy_options = CopyOptions(
        overwrite=options.has("f"),
        replication=session.replication,
        block_size=session.block_size,
        threads=_threads(options),
        after=(lambda source, target: preserve(source, target, kept)) if kept else None,
    )
    with Copier(session, copy_options) as copier:
        copier.copy_all(sources, destination)


def take_attributes(words: List[str]) -> Tuple[List[str], str]:
    """The words without `-p…`, and the letters of what it keeps; raises UsageError.

    A plain `-p` keeps times, owner and permissions; letters choose among these and a(cl),
    x(attr), of which there are none here yet.
    """
    kept = ""
    rest: List[str] = []
    for word in words[: _count_options(words)]:
        if not word.startswith("-p"):
            rest.append(word)
            continue
        for letter in word[2:]:
            if letter not in "topax":
                raise UsageError(f"No attribute for {letter}")
        kept += word[2:] or "top"
    return rest + words[_count_options(words) :], kept


def _count_options(words: List[str]) -> int:
    """How many words stand before the first argument of `cp`."""
    before = ""
    for place, word in enumerate(words):
        is_value = before in ("-t", "-q") and word.isdigit()
        if word in ("-", "--") or not (word.startswith("-") or is_value):
            return place
        before = word
    return len(words)


def move_to_local(session: Session, words: List[str]) -> None:
    """What HDFS never made either."""
    raise DfsError("Option '-moveToLocal' is not implemented yet.")
