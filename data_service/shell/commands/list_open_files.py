"""listOpenFiles: the files that are being written."""

from typing import List

from data_service.protocol.visible import visible
from data_service.shell.arguments.options import parse
from data_service.shell.session import Session

OPEN_FILES = "{:<20}\t{:<20}\t{}"


def list_open_files(session: Session, words: List[str]) -> None:
    """Show the files that are being written, and who writes them."""
    options = parse(words, "blockingDecommission", "path", most=0)
    path = options.value("path")
    top = "/" if path is None else session.places.cluster_item(path).path
    # All of them, before anything is written: who may not ask gets an error and no table.
    rows = list(session.filesystem.open_files(top, everywhere=True))
    session.out.line(OPEN_FILES.format("Client Host", "Client Name", "Open File Path"))
    if not options.has("blockingDecommission"):
        for row in rows:
            host = visible(row.host) or "-"
            session.out.line(OPEN_FILES.format(host, visible(row.writer), visible(row.path)))
