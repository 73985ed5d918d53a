"""cat: the bytes of files."""

from typing import List

from data_service.shell.arguments.options import parse
from data_service.shell.session import Session
from data_service.shell.transfer.standard_output import write_out


def cat(session: Session, words: List[str]) -> None:
    """Write files to standard output."""
    options = parse(words, "ignoreCrc", least=1)
    session.places.ignores_checksums = options.has("ignoreCrc")
    session.each(options.arguments, lambda item: write_out(session, item))
