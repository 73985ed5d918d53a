"""The operations that tell something, without the bytes of a file."""

import json
from itertools import islice
from stat import S_IFDIR, filemode
from typing import Dict, Iterator, List, Tuple

from data_service.filesystem.namenode_client import LIST_ROWS
from data_service.filesystem.names import READ_WHOLE
from data_service.filesystem.trash import root_of
from data_service.protocol.files import QUOTA_RESET, Entry, Locations
from data_service.web.exchange.answers import EMPTY, JSON, Answer, Pieces, answer_json
from data_service.web.exchange.parameters import invalid
from data_service.web.exchange.remote_exceptions import ACCESS_CONTROL, RemoteException
from data_service.web.webhdfs import forms
from data_service.web.webhdfs.calls import Call

PAGE_ROWS = LIST_ROWS - 1
"""Of a listing in pages: with one row more, which tells that there are more, it is one page of the
namenode's."""

_ACTIONS = {"r": 4, "w": 2, "x": 1}
_ACCESS_NAMES = (
    "NONE", "EXECUTE", "WRITE", "WRITE_EXECUTE", "READ", "READ_EXECUTE", "READ_WRITE", "ALL",
)  # fmt: skip


def get_file_status(call: Call) -> Answer:
    """What is at a path."""
    return answer_json({"FileStatus": forms.file_status(call.fs.entry(call.path), "")})


def list_status(call: Call) -> Answer:
    """A whole directory, as it is fetched; or a file, whose name is empty here."""
    rows = call.fs.entries(call.path)
    first = list(islice(rows, LIST_ROWS))
    if _is_file_itself(call, first):
        return answer_json(forms.listed_file(first[0]))
    if len(first) < LIST_ROWS:
        return answer_json(forms.file_statuses(first))
    return Answer(200, content_type=JSON, pieces=_streamed(first, rows))


def list_status_batch(call: Call) -> Answer:
    """A page of a directory, behind the name that the last one ended with."""
    rows = list(islice(call.fs.entries(call.path, call.parameters.text("startAfter")), LIST_ROWS))
    itself = _is_file_itself(call, rows)
    listing = forms.listed_file(rows[0]) if itself else forms.file_statuses(rows[:PAGE_ROWS])
    left = len(rows[PAGE_ROWS:])
    return answer_json({"DirectoryListing": {"partialListing": listing, "remainingEntries": left}})


def get_content_summary(call: Call) -> Answer:
    """How much a tree holds."""
    summary = call.fs.content_summary(call.path)
    return answer_json(forms.content_summary(summary, call.fs.quota_usage(call.path)))


def get_quota_usage(call: Call) -> Answer:
    """The quotas of a directory, and what counts for them, which is also told without one."""
    usage = call.fs.quota_usage(call.path)
    if usage.name_quota == usage.space_quota == QUOTA_RESET:
        tree = call.fs.content_summary(call.path)
        usage = usage._replace(names=tree.directories + tree.files, space=tree.space)
    return answer_json(forms.quota_usage(usage))


def get_home_directory(call: Call) -> Answer:
    """Where the user is at home."""
    return answer_json({"Path": call.fs.home})


def get_trash_root(call: Call) -> Answer:
    """Where the user's trash is."""
    return answer_json({"Path": root_of(call.fs.home)})


def check_access(call: Call) -> Answer:
    """Nothing, if the user may; else that he may not."""
    wanted = call.parameters.required("fsaction")
    if len(wanted) != 3 or any(one not in (letter, "-") for one, letter in zip(wanted, "rwx")):
        invalid("fsaction", f'Invalid parameter value: fsaction = "{wanted}" does not belong to '
                            "the domain [r-][w-][x-]")  # fmt: skip
    bits = sum(_ACTIONS.get(letter, 0) for letter in wanted)
    if not call.fs.access(call.path, bits):
        status = call.fs.stat(call.path)
        mode = filemode(status.mode | (S_IFDIR if status.is_directory else 0))
        raise RemoteException(
            ACCESS_CONTROL,
            f"Permission denied: user={call.fs.user}, access={_ACCESS_NAMES[bits]}, "
            f'inode="{call.path}":{status.owner}:{status.group}:{mode}',
        )
    return EMPTY


def get_file_block_locations(call: Call) -> Answer:
    """Who holds the blocks of a range of a file."""
    return answer_json(forms.block_locations(*_located(call)))


def get_located_blocks(call: Call) -> Answer:
    """The same in HDFS's older, private words."""
    cluster = call.fs.cluster_status().cluster_id
    return answer_json(forms.located_blocks(*_located(call), cluster))


def _located(call: Call) -> Tuple[Locations, Dict[str, str]]:
    """The blocks of the range that is asked for, and the racks of datanodes by their ids."""
    offset, length = call.parameters.long("offset"), call.parameters.long("length", READ_WHOLE)
    locations = call.fs.block_locations(call.path, offset, length)
    return locations, {node.node_id: node.rack for node in call.fs.datanode_rooms() if node.node_id}


def get_server_defaults(call: Call) -> Answer:
    """What a new file gets."""
    own = call.fs.settings
    return answer_json(
        forms.server_defaults(
            own.name_node.block_size, own.name_node.replication_factor, own.client.trash_minutes
        )
    )


def get_status(call: Call) -> Answer:
    """The room that there is."""
    return answer_json(forms.cluster_status(call.fs.cluster_status()))


def get_acl_status(call: Call) -> Answer:
    """Owner, group and mode: there is no more than these."""
    return answer_json(forms.acl_status(call.fs.stat(call.path)))


def _is_file_itself(call: Call, rows: List[Entry]) -> bool:
    """Whether this listing is that of a file. It may also be of a directory that holds one file,
    with its own name."""
    name = call.path.rpartition("/")[2]
    alone = [row.status for row in rows] if len(rows) == 1 else []
    like = any(status.name == name and not status.is_directory for status in alone)
    return like and not call.fs.stat(call.path).is_directory


def _streamed(first: List[Entry], rest: Iterator[Entry]) -> Pieces:
    begin, rows = '{"FileStatuses":{"FileStatus":[', first
    while rows:
        told = (json.dumps(forms.listed(row)) for row in rows)
        yield (begin + ",\n".join(told)).encode("ascii")
        begin, rows = ",\n", list(islice(rest, LIST_ROWS))
    yield b"]}}"
