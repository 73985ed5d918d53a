"""tail: the last kilobyte of a file, and what is added to it."""

from typing import List

from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.session import Session

END_BYTES = 1024
FOLLOW_MILLISECONDS = 5000
"""How long it waits before it looks again."""

CHUNK_BYTES = 1 << 20


def tail(session: Session, words: List[str]) -> None:
    """Write the last kilobyte of a file, with -f also what is added to it."""
    options = parse(words, "f", "s", least=1, most=1)
    pause = options.number("s", FOLLOW_MILLISECONDS) / 1000 if options.has("f") else 0.0
    item = session.places.file(options.arguments[0])
    position = max(0, item.found.length - END_BYTES)
    while True:
        position = _write_rest(session, item, position)
        if not options.has("f"):
            return
        session.out.wait_while_read(pause)
        length = item.refresh().found.length
        # A file that was replaced by a shorter one is followed from its end.
        position = min(position, length)


def _write_rest(session: Session, item: Item, position: int) -> int:
    """Write what a file has now behind a position; the position where that ends."""
    # Also an empty file is opened: the namenode says whether it may be read.
    with item.store.open(item.path) as file:
        file.seek(position)
        for chunk in iter(lambda: file.read(CHUNK_BYTES), b""):
            session.out.write(chunk)
            position += len(chunk)
    return position
