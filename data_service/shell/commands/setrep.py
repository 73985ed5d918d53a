"""setrep: how many replicas files have."""

import re
import time
from typing import List, Optional

from data_service.protocol.health import FsckRow
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.failures import NO_SUCH_FILE, PathError, UsageError
from data_service.shell.session import Session
from data_service.shell.streams import to_bytes
from data_service.shell.trees import change_each

REPLICATION_LIMIT = 1 << 15
POLL_SECONDS = 0.25
DOT_SECONDS = 10.0
_NUMBER = re.compile(r"[-+]?[0-9]{1,10}", re.ASCII)


def setrep(session: Session, words: List[str]) -> None:
    """Set how many replicas files shall have; of a directory, all files in its tree."""
    options = parse(words, "R w", least=2)
    replication = _replication(session, options.arguments.pop(0))
    changed: List[Item] = []

    def act(item: Item) -> None:
        if item.is_directory:
            return
        item.store.set_replication(item.path, replication)
        session.out.line(f"Replication {replication} set: {item.text}")
        if options.has("w"):
            changed.append(item)

    change_each(session, options.arguments, act, recursive=True)
    for item in changed:
        session.attempt(lambda: _wait(session, item, replication), item.text)


def _replication(session: Session, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        session.warn("Illegal replication, a positive integer expected")
        raise UsageError(f'For input string: "{text}"')
    number = int(text)
    if not -REPLICATION_LIMIT <= number < REPLICATION_LIMIT:
        session.warn("Illegal replication, a positive integer expected")
        raise UsageError(f'Value out of range. Value:"{text}" Radix:10')
    if number < 1:
        raise UsageError("replication must be >= 1")
    return number


def _wait(session: Session, item: Item, replication: int) -> None:
    """Until every block has exactly so many good replicas and no surplus one is on its way out."""
    session.out.write(to_bytes(session.out.shown(f"Waiting for {item.text} ...")))
    session.out.flush()
    warned = False
    next_dot = time.monotonic() + DOT_SECONDS
    while not item.store.is_local:
        blocks = _row(session, item).blocks
        if all((b.health.live, b.health.leaving) == (replication, 0) for b in blocks):
            break
        if not warned and any(block.health.live > replication for block in blocks):
            session.out.line()
            session.out.line("WARNING: the waiting time may be long for DECREASING the number "
                             "of replications.")
            session.out.flush()
            warned = True
        if time.monotonic() >= next_dot:
            session.out.write(b".")
            session.out.flush()
            next_dot += DOT_SECONDS
        time.sleep(POLL_SECONDS)
    session.out.line(" done")


def _row(session: Session, item: Item) -> FsckRow:
    row: Optional[FsckRow] = next(iter(session.filesystem.fsck(item.path)), None)
    if row is None:
        raise PathError(item.text, NO_SUCH_FILE)
    return row
