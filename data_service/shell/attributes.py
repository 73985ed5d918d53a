"""chmod, chown, chgrp, touch, setrep: what is known of a path besides its name and its bytes."""

import re
import time
from typing import Callable, List, Optional

from data_service.protocol.health import FsckRow
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.modes import ModeChange
from data_service.shell.arguments.options import parse, take_option
from data_service.shell.failures import (
    IS_A_DIRECTORY,
    NO_SUCH_FILE,
    PathError,
    UsageError,
    describe,
)
from data_service.shell.session import FATAL, Session
from data_service.shell.streams import to_bytes
from zookeeper.fabric.errors import DfsError

REPLICATION_LIMIT = 1 << 15
TIME_FORMAT = "yyyyMMdd:HHmmss"
POLL_SECONDS = 0.25
DOT_SECONDS = 10.0

_NUMBER = re.compile(r"[-+]?[0-9]{1,10}", re.ASCII)
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d):(\d\d)(\d\d)(\d+)", re.ASCII)
_NAME = "[-_./@a-zA-Z0-9]"
_OWNER_AND_GROUP = re.compile(rf"\s*({_NAME}+)?(?::({_NAME}*))?\s*", re.ASCII)
_GROUP = re.compile(rf"\s*({_NAME}+)\s*", re.ASCII)


def chmod(session: Session, words: List[str]) -> None:
    """Change permission bits."""
    # A mode may begin with a dash, too: what is no option counts as an argument.
    options = parse(words, "R", least=2, ignore_unknown=True)
    change = ModeChange(options.arguments.pop(0))

    def act(item: Item) -> None:
        mode = change.apply(item.found.mode, item.is_directory)
        if mode != item.found.mode:
            _try(f"changing permissions of '{item.text}'",
                 lambda: item.store.set_mode(item.path, mode))

    _each(session, options.arguments, act, options.has("R"))


def chown(session: Session, words: List[str]) -> None:
    """Change owner, group, or both."""
    options = parse(words, "R", least=2)
    text = options.arguments.pop(0)
    found = _OWNER_AND_GROUP.fullmatch(text)
    if found is None:
        raise UsageError(f"'{text}' does not match expected pattern for [owner][:group].")
    owner, group = found.group(1) or "", found.group(2) or ""
    if not owner and not group:
        raise UsageError(f"'{text}' does not specify owner or group.")
    _give(session, options.arguments, owner, group, options.has("R"))


def chgrp(session: Session, words: List[str]) -> None:
    """Change the group."""
    options = parse(words, "R", least=2)
    text = options.arguments.pop(0)
    found = _GROUP.fullmatch(text)
    if found is None:
        raise UsageError(f"'{text}' does not match expected pattern for group")
    _give(session, options.arguments, "", found.group(1), options.has("R"))


def _give(
    session: Session, arguments: List[str], owner: str, group: str, recursive: bool
) -> None:
    def act(item: Item) -> None:
        new_owner = "" if owner == item.found.owner else owner
        new_group = "" if group == item.found.group else group
        if new_owner or new_group:
            _try(f"changing ownership of '{item.text}'",
                 lambda: item.store.set_owner(item.path, new_owner, new_group))

    _each(session, arguments, act, recursive)


def touch(session: Session, words: List[str]) -> None:
    """Set times, and make the files that are missing."""
    words, given = take_option(words, "-t")
    options = parse(words, "a m c", least=1)
    time_ms = None if given is None else _time_ms(given)
    only_one = options.has("a") != options.has("m")

    def set_times(item: Item) -> None:
        moment = time.time_ns() // 1_000_000 if time_ms is None else time_ms
        mtime_ms = -1 if only_one and options.has("a") else moment
        atime_ms = -1 if only_one and options.has("m") else moment
        item.store.set_times(item.path, mtime_ms, atime_ms)

    def existing(item: Item) -> None:
        if item.is_directory:
            raise PathError(item.text, IS_A_DIRECTORY)
        set_times(item)

    def make(item: Item) -> None:
        if not item.parent_exists():
            raise PathError(item.text, NO_SUCH_FILE, full=item.full)
        if not options.has("c"):
            make_empty(session, item)
            if time_ms is not None:
                set_times(item)

    session.each(options.arguments, existing, make)


def make_empty(session: Session, item: Item) -> None:
    """An empty file, with the replication and block size that -D defines.

    It replaces what was found empty, and nothing that came there since we looked.
    """
    with item.store.create(
        item.landing, session.replication, session.block_size, overwrite=item.exists
    ):
        pass


def _time_ms(text: str) -> int:
    """Milliseconds since 1970; a month 13 is the next January, as in HDFS."""
    found = _TIME.match(text)
    try:
        if found is not None:
            moment = time.struct_time((*map(int, found.groups()), 0, 0, -1))
            return int(time.mktime(moment) * 1000)
    except (ValueError, OverflowError):
        pass  # A year or a number of seconds that no clock of this machine counts to.
    raise UsageError(
        f"Unable to parse the specified timestamp {text}. The expected format is {TIME_FORMAT}"
    )


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
        changed.append(item)

    _each(session, options.arguments, act, recursive=True)
    for item in changed if options.has("w") else ():
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


def preserve(source: Item, target: Item, letters: str = "top") -> None:
    """Give the target the source's t(imes), o(wner and group) and p(ermissions)."""
    status, store, path = source.found, target.store, target.path
    # Times come first: a mode without w would forbid them, and so would another owner.
    if "t" in letters:
        # The cluster knows no time before 1970: what is older gets the oldest there is.
        store.set_times(path, max(0, status.mtime_ms), max(0, status.atime_ms))
    if "o" in letters:
        store.set_owner(path, status.owner, status.group)
    if "p" in letters:
        store.set_mode(path, status.mode)


def _try(deed: str, act: Callable[[], object]) -> None:
    """Do something; an error says what was tried."""
    try:
        act()
    except FATAL:
        raise
    except DfsError as error:
        raise DfsError(f"{deed}: {describe(error)}") from error


def _each(
    session: Session, arguments: List[str], act: Callable[[Item], object], recursive: bool
) -> None:
    """Do `act` to what the arguments stand for, and to what is in a directory after it."""

    def visit(top: Item) -> None:
        act(top)
        stack = [iter(session.children(top) if recursive and top.is_directory else ())]
        while stack:
            item = next(stack[-1], None)
            if item is None:
                stack.pop()
            elif item.is_met_link:
                continue  # What is behind it belongs to another tree, if not to another person.
            elif session.attempt(lambda: act(item), item.text) and item.is_directory:
                stack.append(iter(session.children(item)))

    session.each(arguments, visit)
