"""df: the room in the file system."""

from typing import List, Sequence

from data_service.shell import formats
from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import JSON, parse
from data_service.shell.records import document
from data_service.shell.session import Session

DF_HEADER = ("Filesystem", "Size", "Used", "Available", "Use%")


def df(session: Session, words: List[str]) -> None:
    """Show the room in the file system."""
    options = parse(words, f"h {JSON}")
    found = []

    def measure(item: Item) -> None:
        label = item.store.uri + "/" * item.store.is_local
        found.append((label, *item.store.space()))

    session.each(options.arguments or ["/"], measure)
    if options.has(JSON):
        names = ("filesystem", "capacity", "used", "remaining")
        document(session.out, [dict(zip(names, row)) for row in found])
        return
    rows: List[Sequence[str]] = [DF_HEADER] if found else []
    for uri, capacity, used, remaining in found:
        sizes = [formats.size(size, options.has("h")) for size in (capacity, used, remaining)]
        rows.append((uri, *sizes, formats.percent(used, capacity, 0)))
    for line in formats.columns(rows, right=(1, 2, 3, 4)):
        session.out.line(line)
