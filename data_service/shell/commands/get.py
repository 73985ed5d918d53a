"""get: files of the cluster that are fetched, and moveToLocal, which HDFS never made."""

import os
import struct
import zlib
from typing import List

from data_service.filesystem.paths import parent
from data_service.shell.arguments import local_targets
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.arguments.stores import Creation
from data_service.shell.arguments.targets import Destination
from data_service.shell.session import Session
from data_service.shell.transfer.attributes import preserve
from data_service.shell.transfer.copier import THREAD_OPTIONS, Copier, CopyOptions, threads_of
from data_service.shell.transfer.standard_output import write_out
from zookeeper.fabric.errors import DfsError

CHECKSUM_MAGIC = b"crc\0"
CHECKSUM_CHUNK = 512


def get(session: Session, words: List[str]) -> None:
    """Fetch files; without a local name, write their bytes to standard output."""
    options = parse(words, "f p crc ignoreCrc", THREAD_OPTIONS, least=1)
    session.places.ignores_checksums = options.has("ignoreCrc")
    arguments = options.arguments
    if len(arguments) == 1 and session.name == "get" and not session.interactive:
        session.each(arguments, lambda item: write_out(session, item))
        return
    local = arguments.pop() if len(arguments) > 1 else "."
    destination = Destination(session.places.local_item(local))
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

    copying = CopyOptions(Creation(options.has("f")), threads_of(options), after=after)
    with Copier(session, copying) as copier:
        copier.copy_all(sources, destination)


def _write_checksums(target: Item) -> None:
    """`.name.crc` beside a local file: a header, then the CRC32 of every 512 bytes."""
    path = os.path.join(parent(target.path), f".{target.name}.crc")
    with target.store.open(target.path) as file, target.store.create(path) as sums:
        sums.write(CHECKSUM_MAGIC + struct.pack(">I", CHECKSUM_CHUNK))
        for chunk in iter(lambda: file.read(CHECKSUM_CHUNK), b""):
            sums.write(struct.pack(">I", zlib.crc32(chunk)))


def move_to_local(session: Session, words: List[str]) -> None:
    """What HDFS never made either."""
    raise DfsError("Option '-moveToLocal' is not implemented yet.")
