"""fsck: whether the blocks of a tree are all there."""

import re
import time
from typing import List, NamedTuple

from data_service.filesystem.tree_health import HEALTHY, Racks, tree_rows
from data_service.protocol.health import FsckRow
from data_service.protocol.visible import visible
from data_service.shell.arguments.options import JSON, Options, parse
from data_service.shell.failures import UsageError
from data_service.shell.formats import calendar
from data_service.shell.records import document
from data_service.shell.reports.fsck_block import block_lines, block_record, block_status
from data_service.shell.reports.fsck_report import Cluster, Detail, Findings
from data_service.shell.session import Session
from zookeeper.fabric.errors import DfsError, PathNotFound

PLACES = ("replicaDetails", "racks", "locations")
FLAGS = (
    "files blocks locations racks replicaDetails openforwrite move delete list-corruptfileblocks "
    "includeSnapshots storagepolicies replicate showprogress maintenance upgradedomains " + JSON
)
BLOCK_ID = "-blockId"
LOST_AND_FOUND = "/lost+found"

LOST = 1
LISTED_ANY = 255
"""HDFS's exit status of -list-corruptfileblocks when it listed anything (DFSck.java)."""

_BLOCK_NAME = re.compile(r"blk_([0-9]{1,19})(?:_[0-9]{1,19})?")


class Request(NamedTuple):
    """The words of one fsck. `blocks` are what -blockId names."""

    options: Options
    path: str
    blocks: List[str]


def fsck(session: Session, words: List[str]) -> int:
    """Check the blocks of a tree; the exit status is 1 when bytes are lost."""
    request = _parse(words)
    if request.blocks:
        return _check_blocks(session, request)
    options, item = request.options, session.places.cluster_item(request.path)
    if not item.exists:
        session.out.line("FileSystem is inaccessible due to:")
        session.out.line(f"{PathNotFound.reason}: {item.path}")
        return 0
    start = time.monotonic()
    findings = Findings(_cluster(session), _detail(options))
    is_report = not options.has(JSON, "list-corruptfileblocks")
    if is_report:
        _begin(session, f"path {visible(item.path)} ")
    for row in tree_rows(session.filesystem, item.path):
        lines = findings.add(row)
        for line in lines if is_report else ():
            session.out.line(line)
    queued = _spread(session, findings) if options.has("replicate") else 0
    if options.has(JSON):
        document(session.out, findings.tree.record(item.path, queued))
    elif options.has("list-corruptfileblocks"):
        return _list_corrupt(session, findings, item.path)
    else:
        policies = findings.storage_policies() if options.has("storagepolicies") else []
        _summarise(session, findings, item.path, queued, policies, time.monotonic() - start)
    _mend(session, options, findings.tree.corrupt_files)
    return 0 if findings.tree.verdict == HEALTHY else LOST


def _parse(words: List[str]) -> Request:
    # Here, unlike in the other commands, options may follow the path.
    if not words:
        raise UsageError("Not enough arguments: expected 1 but got 0")
    flags: List[str] = []
    blocks: List[str] = []
    paths: List[str] = []
    to = paths
    for word in words:
        if word == BLOCK_ID:
            to = blocks
        elif word.startswith("-"):
            flags.append(word)
            to = paths
        else:
            # In HDFS's own command, too, one word may name several blocks.
            to += word.split() if to is blocks else [word]
    if BLOCK_ID in words and not blocks:
        raise UsageError(f"{BLOCK_ID} needs the name of a block, such as blk_1073741825")
    if len(paths) > 1:
        raise UsageError(f"can only operate on one path at a time '{paths[1]}'")
    return Request(parse(flags, FLAGS), paths[0] if paths else "/", blocks)


def _detail(options: Options) -> Detail:
    places = next((flag for flag in PLACES if options.has(flag)), "")
    blocks = options.has("blocks") or places != ""
    return Detail(
        options.has("files") or blocks, blocks, places, options.has("openforwrite")
    )


def _cluster(session: Session) -> Cluster:
    return Cluster(
        f"BP-{session.filesystem.cluster_status().cluster_id}",
        session.filesystem.settings.name_node.replication_factor,
        Racks.of(session.filesystem.datanode_rooms()),
    )


def _begin(session: Session, what: str) -> None:
    mode = session.filesystem.settings.security.mode.upper()
    session.out.line(
        f"FSCK started by {session.places.user} (auth:{mode}) for {what}at {calendar(time.time())}"
    )
    session.out.line()


def _list_corrupt(session: Session, findings: Findings, path: str) -> int:
    shown = visible(path)
    found = [pair for pairs in findings.tree.lost.values() for pair in pairs]
    if found:
        session.out.line(f"The list of corrupt files under path '{shown}' are:")
    for health, name in found:
        session.out.line(f"blk_{health.block.block_id}\t{visible(name)}")
    session.out.line(
        f"The filesystem under path '{shown}' has {len(findings.tree.corrupt_files)} CORRUPT files"
    )
    return LISTED_ANY if found else 0


def _summarise(
    session: Session,
    findings: Findings,
    path: str,
    queued: int,
    policies: List[str],
    seconds: float,
) -> None:
    session.out.line()
    for line in findings.summary(queued) + policies:
        session.out.line(line)
    session.out.line(
        f"FSCK ended at {calendar(time.time())} in {int(seconds * 1000)} milliseconds"
    )
    session.out.line()
    session.out.line()
    session.out.line(f"The filesystem under path '{visible(path)}' is {findings.tree.verdict}")


def _spread(session: Session, findings: Findings) -> int:
    """Have blocks copied that are on too few racks; how many copies were ordered."""
    queued: List[int] = [0]
    if findings.tree.misplaced:
        session.attempt(
            lambda: queued.append(session.filesystem.spread_blocks(findings.tree.misplaced))
        )
    return queued[-1]


def _mend(session: Session, options: Options, damaged: List[FsckRow]) -> None:
    """Do with the files of which bytes are lost what was asked for.

    As in HDFS, -move copies what can be read to /lost+found and leaves the files (HDFS-3044);
    with -delete they go afterwards, unless that copy failed.
    """
    for row in damaged:
        if row.writer:
            continue
        kept = not options.has("move") or session.attempt(lambda: _move(session, row), row.path)
        if kept and options.has("delete"):
            session.attempt(lambda: session.filesystem.delete(row.path), row.path)


def _move(session: Session, row: FsckRow) -> None:
    target = LOST_AND_FOUND + row.path
    if session.filesystem.exists(target):
        raise DfsError(
            f"can't copy the remains of {visible(row.path)} to {LOST_AND_FOUND}, "
            f"because {target} already exists."
        )
    session.filesystem.salvage(row.path, target)


def _check_blocks(session: Session, request: Request) -> int:
    """-blockId: what is known of single blocks."""
    as_json = request.options.has(JSON)
    if not as_json:
        _begin(session, "blockIds ")
    statuses = []
    records = []
    for name in request.blocks:
        match = _BLOCK_NAME.fullmatch(name)
        row = session.filesystem.block_row(int(match.group(1))) if match else None
        statuses.append(block_status(row))
        records.append(block_record(name, row))
        if not as_json:
            for line in block_lines(name, match is not None, row):
                session.out.line(line)
    if as_json:
        document(session.out, records)
    return max(statuses)
