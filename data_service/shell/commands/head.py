"""head: the first kilobyte of a file."""

from typing import List

from data_service.shell.arguments.options import parse
from data_service.shell.session import Session

START_BYTES = 1024


def head(session: Session, words: List[str]) -> None:
    """Write the first kilobyte of a file."""
    item = session.places.file(parse(words, least=1, most=1).arguments[0])
    with item.store.open(item.path) as file:
        session.out.write(file.read(START_BYTES))
