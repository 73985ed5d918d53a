"""checksum: by what the bytes of files can be compared without reading them."""

from typing import List

from data_service.shell.arguments.items import Item
from data_service.shell.arguments.options import parse
from data_service.shell.session import Session


def checksum(session: Session, words: List[str]) -> None:
    """Show the checksums of files, with -v their block sizes, too."""
    options = parse(words, "v", least=1)

    def show(item: Item) -> None:
        item.check_file()
        found = item.store.checksum(item.path)
        if found is None:
            session.out.line(f"{item.text}\tNONE")
            return
        size = f"\tBlockSize={item.found.block_size}" if options.has("v") else ""
        session.out.line(f"{item.text}\t{found.algorithm}\t{found.value}{size}")

    session.each(options.arguments, show)
