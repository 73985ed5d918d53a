"""fsck: whether the blocks of a tree are all there."""

import json
import time
from typing import List, Tuple

from data_service.shell import cluster_report
from data_service.shell.formats import calendar
from data_service.shell.fsck_report import HEALTHY, Cluster, Detail, Findings
from data_service.shell.options import JSON, Options, check_count, parse
from data_service.shell.session import Session
from zookeeper.fabric.errors import DfsError, PathNotFound

FLAGS = (
    "files blocks locations racks replicaDetails openforwrite delete list-corruptfileblocks "
    "includeSnapshots storagepolicies " + JSON
)
NOT_YET = ("move", "blockId", "replicate")


def fsck(session: Session, words: List[str]) -> int:
    """Check the blocks of a tree; the exit status is 1 when bytes are lost."""
    options, path = _parse(words)
    item = session.item(path)
    if not item.exists:
        _say_inaccessible(session, item.path)
        return 0
    findings = Findings(_cluster(session), _detail(options))
    start = time.monotonic()
    report = not options.has(JSON, "list-corruptfileblocks")
    if report:
        session.out.line(
            f"FSCK started by {session.user} (auth:{_mode(session)}) "
            f"for path {item.path} at {calendar(time.time())}"
        )
        session.out.line()
    for row in session.filesystem.fsck(item.path):
        lines = findings.add(row)
        if report:
            for line in lines:
                session.out.line(line)
    if options.has(JSON):
        session.out.line(json.dumps(findings.record(item.path), indent=1))
    elif options.has("list-corruptfileblocks"):
        _list_corrupt(session, findings, item.path)
    else:
        _summarise(session, findings, item.path, time.monotonic() - start)
    if options.has("delete"):
        _delete(session, findings.corrupt_files)
    return 0 if findings.verdict == HEALTHY else 1


def _parse(words: List[str]) -> Tuple[Options, str]:
    # Here, unlike in the other commands, options may follow the path.
    flags = [word for word in words if word.startswith("-")]
    for word in flags:
        if word[1:] in NOT_YET:
            raise DfsError(f"Option '{word}' is not implemented yet.")
    options = parse(flags, FLAGS)
    arguments = [word for word in words if not word.startswith("-")]
    check_count(arguments, 1, 1)
    return options, arguments[0]


def _detail(options: Options) -> Detail:
    locations = options.has("locations", "replicaDetails")
    racks = options.has("racks")
    blocks = options.has("blocks") or locations or racks
    return Detail(options.has("files") or blocks, blocks, locations, racks)


def _cluster(session: Session) -> Cluster:
    nodes = session.filesystem.datanodes()
    usable = [node for node in nodes if node.state != cluster_report.DEAD]
    return Cluster(
        f"BP-{session.filesystem.cluster_status().cluster_id}",
        session.filesystem.settings.name_node.replication_factor,
        len(usable),
        {node.node_id: node.rack for node in usable},
        {node.node_id: cluster_report.address(node) for node in nodes},
    )


def _mode(session: Session) -> str:
    return session.filesystem.settings.security.mode.upper()


def _say_inaccessible(session: Session, path: str) -> None:
    session.out.line("FileSystem is inaccessible due to:")
    session.out.line(f"{PathNotFound.reason}: {path}")


def _list_corrupt(session: Session, findings: Findings, path: str) -> None:
    found = findings.missing_blocks + findings.corrupt_blocks
    if found:
        session.out.line(f"The list of corrupt files under path '{path}' are:")
    for health, name in found:
        session.out.line(f"blk_{health.block.block_id}\t{name}")
    session.out.line(
        f"The filesystem under path '{path}' has {len(findings.corrupt_files)} CORRUPT files"
    )


def _summarise(session: Session, findings: Findings, path: str, seconds: float) -> None:
    session.out.line()
    for line in findings.summary():
        session.out.line(line)
    session.out.line(
        f"FSCK ended at {calendar(time.time())} in {int(seconds * 1000)} milliseconds"
    )
    session.out.line()
    session.out.line()
    session.out.line(f"The filesystem under path '{path}' is {findings.verdict}")


def _delete(session: Session, corrupt_files: List[str]) -> None:
    for path in corrupt_files:
        session.attempt(lambda: session.filesystem.delete(path), path)
