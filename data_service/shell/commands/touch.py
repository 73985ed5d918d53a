"""touch and touchz: times, and empty files."""

import re
import time
from typing import List

from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse, take_option
from data_service.shell.failures import NO_SUCH_FILE, PathError, UsageError
from data_service.shell.session import Session

TIME_FORMAT = "yyyyMMdd:HHmmss"
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d):(\d\d)(\d\d)(\d+)", re.ASCII)


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
        item.check_file()
        set_times(item)

    def make(item: Item) -> None:
        if not item.parent_exists():
            raise PathError(item.text, NO_SUCH_FILE, full=item.full)
        if not options.has("c"):
            make_empty(session, item)
            if time_ms is not None:
                set_times(item)

    session.each(options.arguments, existing, make)


def touchz(session: Session, words: List[str]) -> None:
    """Make empty files."""
    options = parse(words, least=1)

    def existing(item: Item) -> None:
        item.check_file()
        if item.found.length:
            raise PathError(item.text, "Not a zero-length file")
        make_empty(session, item)

    def make(item: Item) -> None:
        if not item.parent_exists():
            raise PathError(item.text, NO_SUCH_FILE, full=item.full)
        make_empty(session, item)

    session.each(options.arguments, existing, make)


def make_empty(session: Session, item: Item) -> None:
    """An empty file, with the replication and block size that -D defines.

    It replaces what was found empty, and nothing that came there since we looked.
    """
    with item.store.create(item.landing, session.definitions.creation(overwrite=item.exists)):
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
