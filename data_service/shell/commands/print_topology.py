"""printTopology: racks, and the datanodes in them."""

from typing import List

from data_service.shell.arguments.options import parse
from data_service.shell.reports import cluster_report
from data_service.shell.session import Session


def print_topology(session: Session, words: List[str]) -> None:
    """Show the racks and the datanodes in them."""
    parse(words, most=0)
    for line in cluster_report.topology_lines(session.filesystem.datanodes()):
        session.out.line(line)
