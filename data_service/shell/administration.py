"""report, safemode, printTopology: the cluster itself."""

import json
import time
from typing import List

from data_service.shell import cluster_report
from data_service.shell.failures import UsageError
from data_service.shell.options import JSON, parse
from data_service.shell.session import Session

WAIT_SECONDS = 1.0
"""Pause between the questions of `safemode wait`."""

SECTIONS = {
    "live": ("Live", (cluster_report.LIVE, cluster_report.STALE)),
    "dead": ("Dead", (cluster_report.DEAD,)),
    "decommissioning": ("Decommissioning", ()),
    "enteringmaintenance": ("Entering maintenance", ()),
    "inmaintenance": ("In maintenance", ()),
}


def report(session: Session, words: List[str]) -> None:
    """Show the cluster's capacity and health, and every datanode."""
    options = parse(words, " ".join(SECTIONS) + f" slownodes {JSON}", most=0)
    status = session.filesystem.cluster_status()
    nodes = sorted(session.filesystem.datanodes(), key=lambda node: (node.host, node.port))
    if options.has(JSON):
        session.out.line(json.dumps(cluster_report.record(status, nodes), indent=1))
        return
    lines = cluster_report.head_lines(status)
    listed = [flag for flag in SECTIONS if options.has(flag)]
    now = time.time()
    for flag in listed or SECTIONS:
        title, states = SECTIONS[flag]
        chosen = [node for node in nodes if node.state in states]
        if chosen or listed:
            lines += cluster_report.section_lines(title, chosen, now)
    for line in lines:
        session.out.line(line)


def safemode(session: Session, words: List[str]) -> None:
    """Ask whether changes are refused, and switch that."""
    options = parse(words, least=1, most=1)
    action = options.arguments[0]
    if action not in ("enter", "leave", "get", "wait", "forceExit"):
        raise UsageError(f"Unknown action {action}")
    if action == "wait":
        while session.filesystem.safe_mode("get"):
            time.sleep(WAIT_SECONDS)
        is_on = False
    else:
        is_on = session.filesystem.safe_mode("leave" if action == "forceExit" else action)
    session.out.line(f"Safe mode is {'ON' if is_on else 'OFF'}")


def print_topology(session: Session, words: List[str]) -> None:
    """Show the racks and the datanodes in them."""
    parse(words, most=0)
    for line in cluster_report.topology_lines(session.filesystem.datanodes()):
        session.out.line(line)
