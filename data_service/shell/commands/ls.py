"""ls: what is in directories."""

from itertools import islice
from typing import Iterable, Iterator, List, NamedTuple

from data_service.protocol.files import FileStatus
from data_service.shell import formats
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import JSON, Options, parse
from data_service.shell.records import Records
from data_service.shell.session import Session
from data_service.shell.trees import children, depth_first

REPLICAS_WIDTH, LENGTH_WIDTH = 3, 10
GROUP_LINES = 1000
"""Lines of a directory that are aligned to each other: to align more of them, all of a directory
of very many files would be kept. HDFS aligns a hundred."""


def ls(session: Session, words: List[str]) -> None:
    """List files, and the contents of directories."""
    options = parse(words, f"C d e h q R r S t u {JSON}")
    listing = _Listing(session, options)
    session.each(options.arguments or ["."], listing.show)
    if options.has(JSON):
        listing.records.end()


class Widths(NamedTuple):
    """How wide the columns are."""

    replicas: int
    owner: int
    group: int
    length: int


class _Listing:
    """The lines of one `ls`."""

    def __init__(self, session: Session, options: Options) -> None:
        self.records = Records(session.out)
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
            found = self._sorted(item.children())
            if found and not self._options.has("C", JSON):
                self._session.out.line(f"Found {len(found)} items")
            self._lines(found)

    def _show_tree(self, top: Item) -> None:
        """All below a directory; as in HDFS, a tree knows no order but that of names."""
        tree = depth_first(top, self._below)
        for item in islice(tree, 1, None):
            self._line(item)

    def _below(self, item: Item) -> Iterable[Item]:
        return self._aligned(children(self._session, item)) if item.is_directory else ()

    def _aligned(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items of one directory, with room made for each group of them before its lines."""
        rest = iter(items)
        for group in iter(lambda: list(islice(rest, GROUP_LINES)), []):
            self._widths = wider(self._widths, [item.found for item in group])
            yield from group

    def _lines(self, items: List[Item]) -> None:
        for item in self._aligned(items):
            self._line(item)

    def _line(self, item: Item) -> None:
        if self._options.has(JSON):
            self.records.add(formats.status_record(item.found, item.text))
            return
        text = formats.printable(item.text) if self._options.has("q") else item.text
        if not self._options.has("C"):
            text = self._columns(item.found, self._widths) + text
        self._session.out.line(text)

    def _columns(self, status: FileStatus, widths: Widths) -> str:
        size = formats.size(status.length, self._options.has("h"))
        time_ms = status.atime_ms if self._options.has("u") else status.mtime_ms
        coding = ""
        if self._options.has("e"):
            blank = " " * len(formats.REPLICATED)
            coding = f"{blank if status.is_directory else formats.REPLICATED} "
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
