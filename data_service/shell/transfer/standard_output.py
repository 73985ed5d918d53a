"""The bytes of files to standard output."""

from data_service.protocol.visible import visible
from data_service.shell.arguments.items import Item
from data_service.shell.session import Session
from data_service.shell.streams import Bytes

HEAD_BYTES = 1024
"""How much of a file is looked at to tell whether it is text."""


def write_out(session: Session, item: Item) -> None:
    """The bytes of a file to standard output."""
    item.check_file()
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
