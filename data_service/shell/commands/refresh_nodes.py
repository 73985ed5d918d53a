"""refreshNodes: whose keys are void, read again."""

from typing import List

from data_service.shell.arguments.options import parse
from data_service.shell.session import Session


def refresh_nodes(session: Session, words: List[str]) -> None:
    """Have the namenode read again whose keys are void."""
    parse(words, most=0)
    session.filesystem.refresh_nodes()
    session.out.line("Refresh nodes successful")
