"""report: the cluster's capacity and health, and every datanode."""

import time
from typing import List

from data_service.protocol.health import DEAD, LIVE, STALE
from data_service.shell.arguments.options import JSON, parse
from data_service.shell.records import document
from data_service.shell.reports import cluster_report
from data_service.shell.session import Session

SECTIONS = {
    "live": ("Live", (LIVE, STALE)),
    "dead": ("Dead", (DEAD,)),
    "decommissioning": ("Decommissioning", ()),
    "enteringmaintenance": ("Entering maintenance", ()),
    "inmaintenance": ("In maintenance", ()),
}


def report(session: Session, words: List[str]) -> None:
    """Show the cluster's capacity and health, and every datanode."""
    options = parse(words, " ".join(SECTIONS) + f" slownodes {JSON}", most=0)
    status = session.filesystem.cluster_status()
    ailing = session.filesystem.ailing_members()
    if not options.has(JSON):
        # As HDFS: this is for everybody, and what follows for administrators.
        for line in cluster_report.head_lines(status, ailing):
            session.out.line(line)
    nodes = sorted(session.filesystem.datanodes(), key=lambda node: (node.host, node.port))
    if options.has(JSON):
        document(session.out, cluster_report.record(status, ailing, nodes))
        return
    lines: List[str] = []
    listed = [flag for flag in SECTIONS if options.has(flag)]
    now = time.time()
    for flag in listed or SECTIONS:
        title, states = SECTIONS[flag]
        chosen = [node for node in nodes if node.state in states]
        if chosen or listed:
            lines += cluster_report.section_lines(title, chosen, now)
    for line in lines:
        session.out.line(line)
