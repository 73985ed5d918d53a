"""refreshNodes: which datanodes belong to the cluster, read again."""

from typing import List

from data_service.shell.arguments.options import parse
from data_service.shell.session import Session


def refresh_nodes(session: Session, words: List[str]) -> None:
    """Have the namenode read again which datanodes belong to the cluster."""
    parse(words, most=0)
    session.filesystem.refresh_nodes()
    session.out.line("Refresh nodes successful")
