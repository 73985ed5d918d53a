"""Checks of trees, told while they go on: a client that leaves ends them."""

import json
from itertools import islice
from typing import Any, Dict, Iterator, List

from data_service.filesystem.file_system import FileSystem
from data_service.filesystem.tree_health import MISPLACED, Racks, TreeHealth, tree_rows
from data_service.protocol.health import FsckRow
from data_service.web.exchange.answers import Answer, Pieces, answer_json
from data_service.web.exchange.remote_exceptions import translated
from data_service.web.exchange.request import Request
from data_service.web.files import health_forms
from zookeeper.fabric.errors import DfsError, IsADirectory

JSON_LINES = "application/x-ndjson"

STEP_ROWS = 500
"""After so many files and directories a check tells how far it is."""

TOLD_MAX = 1000
"""So many faulty files are told of; all are counted."""

ROWS_MAX = 200
SCAN_ROWS_MAX = 5000
"""A page of under-replicated files ends after so many that were found, or looked at."""


def blocks(request: Request, fs: FileSystem) -> Answer:
    """The blocks of the file `path` from that with the number `offset`, and who holds them."""
    path = fs.absolute(request.parameters.path("path"))
    if fs.stat(path).is_directory:
        raise IsADirectory(f"{path} is a directory: it has no blocks")
    row = next(tree_rows(fs, path))
    return answer_json(health_forms.block_page(row, request.parameters.long("offset")))


def fsck(request: Request, fs: FileSystem) -> Answer:
    """A check of the tree at `path`: lines of JSON, each `file` (one that is faulty), `progress`
    or, as the last, `summary` or `error`."""
    path = fs.absolute(request.parameters.path("path"))
    tree = TreeHealth(Racks.of(fs.datanode_rooms()), remembers=False)
    rows = tree_rows(fs, path)
    first = list(islice(rows, 1))  # What fails at once is answered as an error.
    return Answer(200, content_type=JSON_LINES, pieces=_checked(tree, path, first, rows))


def _checked(
    tree: TreeHealth, path: str, step: List[FsckRow], rows: Iterator[FsckRow]
) -> Pieces:
    found = 0
    try:
        while step:
            lines: List[Dict[str, Any]] = []
            for row in step:
                faults = tree.add(row)
                found += bool(faults)
                if faults and found <= TOLD_MAX:
                    lines.append({"file": health_forms.faulty_file(row, faults)})
            yield _lines([*lines, health_forms.progress(tree, step[-1].path)])
            step = list(islice(rows, STEP_ROWS))
    except DfsError as error:
        # The status is sent already, but a person must not take a part for the whole.
        yield _lines([{"error": json.loads(translated(error, "", path).body)["RemoteException"]}])
        return
    yield _lines([health_forms.summary(tree, path, max(0, found - TOLD_MAX))])


def _lines(values: List[Dict[str, Any]]) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode("ascii")


def under_replicated(request: Request, fs: FileSystem) -> Answer:
    """A page of the files below `path`, behind the path `after`, of which some block has fewer
    good replicas than it should."""
    parameters = request.parameters
    path = fs.absolute(parameters.path("path"))
    tree = TreeHealth(Racks.of(fs.datanode_rooms()), remembers=False)
    found: List[Dict[str, Any]] = []
    scanned, after = 0, parameters.text("after")
    for row in fs.fsck(path, after):
        if len(found) >= ROWS_MAX or scanned >= SCAN_ROWS_MAX:
            return answer_json(health_forms.page(found, after, True, scanned))
        scanned, after = scanned + 1, row.path
        faults = [fault for fault in tree.add(row) if fault.kind != MISPLACED]
        if faults:
            found.append(health_forms.faulty_file(row, faults))
    return answer_json(health_forms.page(found, after, False, scanned))


def open_files(request: Request, fs: FileSystem) -> Answer:
    """A page of the files below `path` that are being written, behind the number `after`."""
    parameters = request.parameters
    path, after = fs.absolute(parameters.path("path")), parameters.long("after")
    rows = list(islice(fs.open_files(path, after=after), ROWS_MAX + 1))
    told = rows[:ROWS_MAX]
    last = told[-1].status.inode_id if told else after
    forms = [health_forms.open_file(row) for row in told]
    return answer_json(health_forms.page(forms, last, len(rows) > len(told)))
