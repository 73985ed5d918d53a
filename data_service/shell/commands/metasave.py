"""metasave: what the namenode has still to do, in a file of its own."""

from typing import List

from data_service.shell.arguments.options import parse
from data_service.shell.session import Session


def metasave(session: Session, words: List[str]) -> None:
    """Have the namenode write what it has still to do into a file in its own directory."""
    name = parse(words, least=1, most=1).arguments[0]
    session.filesystem.metasave(name)
    namenode = session.places.cluster.uri
    session.out.line(f"Created metasave file {name} in the log directory of namenode {namenode}")
