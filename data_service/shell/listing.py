"""ls, stat, find: what is there."""

import json
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple

from data_service.filesystem import globs
from data_service.protocol.files import FileStatus
from data_service.protocol.sizes import scaled
from data_service.shell import formats
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import JSON, Options, check_count, parse
from data_service.shell.failures import UsageError
from data_service.shell.session import Session
from data_service.shell.streams import to_bytes
from zookeeper.fabric.errors import DfsError

REPLICAS_WIDTH, LENGTH_WIDTH = 3, 10
ERASURE_CODING = "Replicated"
"""What `-e` shows for every file: blocks are copied, not coded."""


def ls(session: Session, words: List[str]) -> None:
    """List files, and the contents of directories."""
    options = parse(words, f"C d e h q R r S t u {JSON}")
    listing = _Listing(session, options)
    session.each(options.arguments or ["."], listing.show)
    if options.has(JSON):
        session.out.document(json.dumps(listing.records, indent=1))


class Widths(NamedTuple):
    """How wide the columns are."""

    replicas: int
    owner: int
    group: int
    length: int


class _Listing:
    """The lines of one `ls`."""

    def __init__(self, session: Session, options: Options) -> None:
        self.records: List[Dict[str, Any]] = []
        self._session = session
        self._options = options
        self._recursive = options.has("R") and not options.has("d")
        # They fit what came so far: columns become wider from group to group, never narrower.
        self._widths = Widths(REPLICAS_WIDTH, 0, 0, LENGTH_WIDTH)

    def show(self, item: Item) -> None:
        """An argument: the item itself, or what is in it."""
        if not item.is_directory or self._options.has("d"):
            self._lines([item])
        elif self._recursive:
            self._show_tree(item)
        else:
            children = self._sorted(item.children())
            if children and not self._options.has("C", JSON):
                self._session.out.line(f"Found {len(children)} items")
            self._lines(children)

    def _show_tree(self, top: Item) -> None:
        """All below a directory; as in HDFS, a tree knows no order but that of names."""
        groups = [self._group(list(top.children()))]
        while groups:
            found = next(groups[-1], None)
            if found is None:
                groups.pop()
                continue
            self._line(found)
            if found.is_directory:
                groups.append(self._group(self._session.children(found)))

    def _group(self, items: List[Item]) -> Iterator[Item]:
        """The items of one directory, with room made for them."""
        self._widths = wider(self._widths, [item.found for item in items])
        return iter(items)

    def _lines(self, items: List[Item]) -> None:
        for item in self._group(items):
            self._line(item)

    def _line(self, item: Item) -> None:
        if self._options.has(JSON):
            self.records.append(formats.status_record(item.found, item.text))
            return
        text = formats.printable(item.text) if self._options.has("q") else item.text
        if not self._options.has("C"):
            text = self._columns(item.found, self._widths) + text
        self._session.out.line(text)

    def _columns(self, status: FileStatus, widths: Widths) -> str:
        size = scaled(status.length) if self._options.has("h") else str(status.length)
        time_ms = status.atime_ms if self._options.has("u") else status.mtime_ms
        coding = ""
        if self._options.has("e"):
            coding = f"{'' if status.is_directory else ERASURE_CODING:{len(ERASURE_CODING)}} "
        return (
            f"{'d' if status.is_directory else '-'}{formats.permissions(status.mode)} "
            f"{'-' if status.is_directory else status.replication:>{widths.replicas}} "
            f"{status.owner:{widths.owner}} {status.group:{widths.group}} {coding}"
            f"{size:>{widths.length}} {formats.minute(time_ms)} "
        )

    def _sorted(self, items: Iterable[Item]) -> List[Item]:
        ordered, backwards = list(items), self._options.has("r")
        # What is equal stays in the order of names, also backwards.
        if self._options.has("t"):
            ordered.sort(key=lambda item: self._time(item.found), reverse=not backwards)
        elif self._options.has("S"):
            ordered.sort(key=lambda item: item.found.length, reverse=not backwards)
        elif backwards:
            ordered.reverse()
        return ordered

    def _time(self, status: FileStatus) -> int:
        return status.atime_ms if self._options.has("u") else status.mtime_ms


def wider(widths: Widths, group: List[FileStatus]) -> Widths:
    """The widths that fit a further group of lines, too."""
    return Widths(
        max([widths.replicas] + [len(str(status.replication)) for status in group]),
        max([widths.owner] + [len(status.owner) for status in group]),
        max([widths.group] + [len(status.group) for status in group]),
        max([widths.length] + [len(str(status.length)) for status in group]),
    )


def stat(session: Session, words: List[str]) -> None:
    """Show chosen facts about files and directories."""
    options = parse(words, f"R {JSON}", least=1)
    pattern = "%y"
    if "%" in options.arguments[0]:
        pattern = options.arguments.pop(0)
        check_count(options.arguments, 1)
    records: List[Dict[str, Any]] = []

    def show(item: Item) -> None:
        for found in session.walk(item) if options.has("R") else [item]:
            if options.has(JSON):
                records.append(formats.status_record(found.found, found.text))
            else:
                session.out.line(formats.status_format(pattern, found.found, found.name))

    session.each(options.arguments, show)
    if options.has(JSON):
        session.out.document(json.dumps(records, indent=1))


def find(session: Session, words: List[str]) -> None:
    """Print the paths of a tree whose names match."""
    options = parse(words, "L H", least=1, ignore_unknown=True)
    count = next(
        (place for place, word in enumerate(options.arguments) if word.startswith("-")),
        len(options.arguments),
    )
    tops, expression = options.arguments[:count], options.arguments[count:]
    steps = _steps(session, expression)

    def show(item: Item) -> None:
        for found in session.walk(item):
            all(step(found) for step in steps)

    session.each(tops or ["."], show)


Step = Callable[[Item], bool]
_AND = ("-a", "-and")


def _steps(session: Session, expression: List[str]) -> List[Step]:
    """What is done to each path in turn, until one step says no; raises DfsError, UsageError."""
    steps: List[Step] = []
    acts = False
    words, before = iter(expression), "-a"
    for word in words:
        if word in _AND and before in _AND:
            raise UsageError(f"There is no expression before {word}")
        before = word
        if word in ("-print", "-print0"):
            acts = True
            steps.append(_printer(session, "\0" if word == "-print0" else "\n"))
        elif word in ("-name", "-iname"):
            pattern = next(words, None)
            if pattern is None:
                raise UsageError("Not enough arguments: expected 1 but got 0")
            steps.append(_matcher(pattern, word == "-iname"))
        elif word not in (*_AND, "(", ")"):
            raise DfsError(f"Unexpected argument: {word}")
    if expression and before in _AND:
        raise UsageError(f"There is no expression behind {before}")
    return steps if acts else steps + [_printer(session, "\n")]


def _printer(session: Session, end: str) -> Step:
    def show(item: Item) -> bool:
        # A program that reads NULs takes names as they are.
        text = item.text if end == "\0" else session.out.shown(item.text)
        session.out.write(to_bytes(text + end))
        return True

    return show


def _matcher(pattern: str, ignore_case: bool) -> Step:
    matcher = globs.NameMatcher(pattern, ignore_case)
    return lambda item: matcher.matches(item.name)
