"""report, safemode and what else is said to the cluster itself. Any error is exit status 255."""

import json
import time
from typing import List

from data_service.protocol.visible import visible
from data_service.shell import cluster_report
from data_service.shell.arguments.options import JSON, parse
from data_service.shell.failures import UsageError
from data_service.shell.session import Session
from zookeeper.fabric.errors import InvalidArgument, SettingsError
from zookeeper.fabric.settings import Address, parse_address

WAIT_SECONDS = 1.0
"""Pause between the questions of `safemode wait`."""

OPEN_FILES = "{:<20}\t{:<20}\t{}"

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
        session.out.document(json.dumps(cluster_report.record(status, nodes), indent=1))
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
    reason = session.filesystem.cluster_status().safe_mode_reason if action == "get" else ""
    if is_on and reason:
        # HDFS leaves it at the first line; but one lost block keeps it on for ever.
        session.out.line(reason)


def save_namespace(session: Session, words: List[str]) -> None:
    """Have the record of the namespace made compact; only in safe mode."""
    # With -beforeShutdown HDFS skips what was saved lately. Here it costs next to nothing.
    parse(words, "beforeShutdown", most=0)
    session.filesystem.save_namespace()
    session.out.line("Save namespace successful")


def refresh_nodes(session: Session, words: List[str]) -> None:
    """Have the namenode read again which datanodes belong to the cluster."""
    parse(words, most=0)
    session.filesystem.refresh_nodes()
    session.out.line("Refresh nodes successful")


def metasave(session: Session, words: List[str]) -> None:
    """Have the namenode write what it has still to do into a file in its own directory."""
    name = parse(words, least=1, most=1).arguments[0]
    session.filesystem.metasave(name)
    session.out.line(
        f"Created metasave file {name} in the log directory of namenode {session.cluster.uri}"
    )


def list_open_files(session: Session, words: List[str]) -> None:
    """Show the files that are being written, and who writes them."""
    options = parse(words, "blockingDecommission", "path", most=0)
    path = options.value("path")
    top = "/" if path is None else session.cluster_item(path).path
    # All of them, before anything is written: who may not ask gets an error and no table.
    rows = list(session.filesystem.open_files(top, everywhere=True))
    session.out.line(OPEN_FILES.format("Client Host", "Client Name", "Open File Path"))
    if not options.has("blockingDecommission"):
        for row in rows:
            host = visible(row.host) or "-"
            session.out.line(OPEN_FILES.format(host, visible(row.writer), visible(row.path)))


def trigger_block_report(session: Session, words: List[str]) -> None:
    """Have a datanode report all its blocks, or what changed, which it does at once anyway."""
    options = parse(words, "incremental", least=1, most=1)
    address = _address(options.arguments[0])
    session.filesystem.trigger_block_report(address.host, address.port)
    kind = "an incremental" if options.has("incremental") else "a full"
    session.out.line(f"Triggering {kind} block report on {address}.")


def get_datanode_info(session: Session, words: List[str]) -> None:
    """Show for how long a datanode runs, and which release: what it told the namenode."""
    address = _address(parse(words, least=1, most=1).arguments[0])
    for node in session.filesystem.datanodes():
        if (node.host, node.port) == address and node.state != cluster_report.DEAD:
            session.out.line(cluster_report.software_line(node))
            return
    raise InvalidArgument("Datanode unreachable.")


def print_topology(session: Session, words: List[str]) -> None:
    """Show the racks and the datanodes in them."""
    parse(words, most=0)
    for line in cluster_report.topology_lines(session.filesystem.datanodes()):
        session.out.line(line)


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except SettingsError as error:
        # This one came from the command line, not from config.ini.
        raise InvalidArgument(error.message) from None
