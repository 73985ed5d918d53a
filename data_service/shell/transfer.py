"""put, get, cp, moveFromLocal: files between this machine and the cluster, and within it."""

import os
import struct
import zlib
from typing import List

from data_service.shell import paths
from data_service.shell.copying import Copier, CopyOptions
from data_service.shell.failures import FILE_EXISTS, IS_A_DIRECTORY, PathError, UsageError
from data_service.shell.items import Item
from data_service.shell.options import Options, parse
from data_service.shell.session import Session
from data_service.shell.stores import ClusterStore
from data_service.shell.streams import Input
from data_service.shell.targets import Destination
from zookeeper.fabric.errors import DfsError, LocalFileError

STANDARD_INPUT = "-"
THREADS_MAX = 64
CHECKSUM_MAGIC = b"crc\0"
CHECKSUM_CHUNK = 512


def put(session: Session, words: List[str]) -> None:
    """Store local files in the cluster."""
    options = parse(words, "f p l d", "t q", least=1)
    _put(session, options, _creation(session, options))


def move_from_local(session: Session, words: List[str]) -> None:
    """Store local files in the cluster, and delete them here."""
    options = parse(words, "f p l d", "t q", least=1)
    creation = _creation(session, options)
    _put(session, options, creation._replace(merge=False, after=_remove_source))


def _creation(session: Session, options: Options) -> CopyOptions:
    _refuse_preserving(options)
    lazy = options.has("l")
    return CopyOptions(
        overwrite=options.has("f"),
        replication=1 if lazy else session.definition("dfs.replication"),
        block_size=session.definition("dfs.blocksize"),
        threads=_threads(options),
    )


def _threads(options: Options) -> int:
    options.number("q", 0)
    return max(1, min(options.number("t", 1), THREADS_MAX))


def _refuse_preserving(options: Options) -> None:
    # Better no copy than one that silently lost what it was told to keep.
    if options.has("p"):
        raise DfsError("Option '-p' is not implemented yet.")


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
    stream = Input()
    progress = session.progress("standard input")
    if not isinstance(target.store, ClusterStore):
        with target.store.create(target.path) as sink:
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


def _remove_source(source: Item, target: Item) -> None:
    if not source.store.delete(source.path):
        raise PathError(source.text, "Input/output error", deed="remove")


def get(session: Session, words: List[str]) -> None:
    """Fetch files; without a local name, write their bytes to standard output."""
    options = parse(words, "f p crc ignoreCrc", "t q", least=1)
    arguments = options.arguments
    if len(arguments) == 1 and not session.interactive:
        session.each(arguments, lambda item: write_out(session, item))
        return
    local = arguments.pop() if len(arguments) > 1 else "."
    destination = Destination(session.local_item(local))
    sources = session.expand_all(arguments)
    if not sources:
        return
    destination.check(len(sources), options.has("f"))

    def after(source: Item, target: Item) -> None:
        if options.has("p"):
            _preserve_locally(source, target)
        if options.has("crc") and not source.is_directory:
            _write_checksums(target)

    copy_options = CopyOptions(
        overwrite=options.has("f"), threads=_threads(options), after=after
    )
    with Copier(session, copy_options) as copier:
        copier.copy_all(sources, destination)


def write_out(session: Session, item: Item) -> None:
    """The verified bytes of a file to standard output."""
    if item.is_directory:
        raise PathError(item.text, IS_A_DIRECTORY)
    progress = None if session.out.is_terminal else session.progress(item.text)
    item.store.cat(item.path, session.out.write, progress)
    session.out.flush()
    if progress is not None:
        progress.clear()


def _preserve_locally(source: Item, target: Item) -> None:
    status = source.found
    try:
        _give_away(target.path, status.owner, status.group)
        os.chmod(target.path, status.mode)
        os.utime(target.path, ns=(status.atime_ms * 1_000_000, status.mtime_ms * 1_000_000))
    except OSError as error:
        raise LocalFileError(f"{target.text}: {error.strerror}") from error


def _give_away(path: str, owner: str, group: str) -> None:
    """As its owner's, where this user may do that and this machine knows the names."""
    import grp
    import pwd

    try:
        os.chown(path, pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid)
    except (KeyError, PermissionError):
        pass  # HDFS's users need not exist here, and only root may give files away.


def _write_checksums(target: Item) -> None:
    """`.name.crc` beside a local file: a header, then the CRC32 of every 512 bytes."""
    path = os.path.join(paths.parent(target.path), f".{target.name}.crc")
    try:
        with open(target.path, "rb") as file, open(path, "wb") as sums:
            sums.write(CHECKSUM_MAGIC + struct.pack(">I", CHECKSUM_CHUNK))
            for chunk in iter(lambda: file.read(CHECKSUM_CHUNK), b""):
                sums.write(struct.pack(">I", zlib.crc32(chunk)))
    except OSError as error:
        raise LocalFileError(f"{path}: {error.strerror}") from error


def cp(session: Session, words: List[str]) -> None:
    """Copy files and trees within the cluster, or from and to file:/// paths."""
    for word in words:
        if word == "--":
            break
        if word.startswith("-p"):
            check_attributes(word[2:])
            raise DfsError("Option '-p' is not implemented yet.")
    options = parse(words, "f d", "t q", least=2)
    destination = Destination.of(session, options.arguments.pop())
    sources = session.expand_all(options.arguments)
    if not sources:
        return
    destination.check(len(sources), options.has("f"))
    copy_options = CopyOptions(
        overwrite=options.has("f"),
        replication=session.definition("dfs.replication"),
        block_size=session.definition("dfs.blocksize"),
        threads=_threads(options),
    )
    with Copier(session, copy_options) as copier:
        copier.copy_all(sources, destination)


def check_attributes(letters: str) -> None:
    """Raise UsageError for a letter of `-p` that names no attribute."""
    for letter in letters:
        if letter not in "topax":
            raise UsageError(f"No attribute for {letter}")


def move_to_local(session: Session, words: List[str]) -> None:
    """What HDFS never made either."""
    raise DfsError("Option '-moveToLocal' is not implemented yet.")
