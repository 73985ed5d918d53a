"""du: the sizes of files and trees."""

from typing import List, Sequence, Tuple

from data_service.protocol.redundancy import replicated
from data_service.shell import formats
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import JSON, Options, parse
from data_service.shell.records import Records
from data_service.shell.session import Session

HEADER = ("SIZE", "DISK_SPACE_CONSUMED_WITH_ALL_REPLICAS", "FULL_PATH_NAME")
GROUP_LINES = 1000
"""Lines that are aligned to each other: those of a directory of very many files are not all
kept."""


def du(session: Session, words: List[str]) -> None:
    """Show the sizes of files and trees, alone and with all replicas."""
    options = parse(words, f"s h v x {JSON}")
    table = _Table(session, options)

    def measure(item: Item) -> None:
        length, space = _size(item)
        table.add(length, space, item.text)

    def argument(item: Item) -> None:
        if item.is_directory and not options.has("s"):
            for child in item.children():
                session.attempt(lambda: measure(child), child.text)
        else:
            measure(item)

    session.each(options.arguments or ["."], argument)
    table.end()


def _size(item: Item) -> Tuple[int, int]:
    if not item.is_directory:
        length = item.found.length
        return length, replicated(item.found.replication).space(length)
    summary = item.store.content_summary(item.path)
    return summary.length, summary.space


class _Table:
    """What `du` writes, in the form that was asked for."""

    def __init__(self, session: Session, options: Options) -> None:
        self._out = session.out
        self._human = options.has("h")
        self._records = Records(session.out) if options.has(JSON) else None
        self._header: List[Sequence[str]] = [HEADER] if options.has("v") else []
        self._rows: List[Sequence[str]] = []

    def add(self, length: int, space: int, path: str) -> None:
        """A file or a tree."""
        if self._records is not None:
            self._records.add({"length": length, "space": space, "path": path})
            return
        sizes = (formats.size(number, self._human) for number in (length, space))
        self._rows.append((*sizes, path))
        if len(self._rows) == GROUP_LINES:
            self._write_rows()

    def end(self) -> None:
        """Write what is left."""
        if self._records is not None:
            self._records.end()
        else:
            self._write_rows()

    def _write_rows(self) -> None:
        rows, self._rows = self._rows, []
        if not rows:
            return
        for line in formats.columns(self._header + rows):
            self._out.line(line)
        self._header = []
