"""text: the bytes of files, compressed ones unpacked."""

import zlib
from typing import List

from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.session import Session
from data_service.shell.transfer.standard_output import write_out
from data_service.shell.transfer.unpacking import GZIP_MAGIC, unpacker_of
from zookeeper.fabric.errors import CorruptData, DfsError


def text(session: Session, words: List[str]) -> None:
    """Write files to standard output, compressed ones unpacked."""
    options = parse(words, "ignoreCrc", least=1)
    session.places.ignores_checksums = options.has("ignoreCrc")
    session.each(options.arguments, lambda item: _unpack(session, item))


def _unpack(session: Session, item: Item) -> None:
    item.check_file()
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
