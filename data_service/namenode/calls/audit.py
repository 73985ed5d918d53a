"""The audit log: one line for each operation that was done or not allowed, as in HDFS.

`… INFO FSNamesystem.audit: allowed=true  ugi=alice  ip=/10.0.0.7  cmd=rename  src=/a  dst=/b
perm=null  proto=rpc`, with tabs between the fields and HDFS's names of the commands, so that what
reads HDFS's audit log reads this one. Which arguments are a command's source and its destination
comes from the description of the call. A call that failed for another reason than who asked is no
line: nothing was done, and nobody was kept from anything.
"""

import functools
import threading
from typing import Any, NamedTuple, Optional, Sequence

from data_service.namenode.dates import stamp
from zookeeper.fabric import logs
from zookeeper.fabric.calls import Call
from zookeeper.fabric.log_file import LogFile

log = logs.get("namenode")

_COMMANDS = {
    "access": "checkAccess",
    "block_locations": "open",
    "cancel_delegation_token": "cancelDelegationToken",
    "content_summary": "contentSummary",
    "datanode_reports": "datanodeReport",
    "get_delegation_token": "getDelegationToken",
    "list": "listStatus",
    "list_open_files": "listOpenFiles",
    "metasave": "metaSave",
    "mkdir": "mkdirs",
    "open_files": "listOpenFiles",
    "quota_usage": "quotaUsage",
    "refresh_nodes": "refreshNodes",
    "renew_delegation_token": "renewDelegationToken",
    "safe_mode": "safemode_",
    "save_namespace": "saveNamespace",
    "set_mode": "setPermission",
    "set_owner": "setOwner",
    "set_quota": "setQuota",
    "set_replication": "setReplication",
    "set_times": "setTimes",
    "stat": "getfileinfo",
}
"""How HDFS calls what has another name here; an entry that ends in `_` goes on with what is asked.
Besides these, every call about a path is an operation, and every one that is for administrators."""

_SHOWN_CHARACTERS = 8000
"""No path is longer. What is denied before anybody looked at it may be."""

_LIST_CHARACTERS = 64_000
"""Of several paths together: the sources of a concat may have megabytes."""

_NOTHING = "null"


class _Form(NamedTuple):
    """Which arguments of a call are the source and the destination of which command."""

    command: str
    source: Optional[int]
    target: Optional[int]


@functools.lru_cache(maxsize=None)
def _form(call: Call) -> Optional[_Form]:
    """None for a call that is no operation."""
    places = {parameter.name: place for place, parameter in enumerate(call.parameters)}
    command = _COMMANDS.get(call.name, call.name)
    if "sources" in places:
        return _Form(command, places["sources"], places["path"])
    source = places.get("path", places.get("source"))
    if source is None and not call.superuser and call.name not in _COMMANDS:
        return None
    return _Form(command, source, places.get("destination"))


def audit_line(call: Call, values: Sequence[Any], user: str, host: str, allowed: bool) -> str:
    """What is told of a call with these arguments, checked or not; empty of no operation."""
    form = _form(call)
    if form is None:
        return ""
    command = form.command + (_shown(values, 0) if form.command.endswith("_") else "")
    return (
        f"allowed={'true' if allowed else 'false'}\tugi={_word(user)}\tip=/{host}\tcmd={command}"
        f"\tsrc={_shown(values, form.source)}\tdst={_shown(values, form.target)}"
        "\tperm=null\tproto=rpc"
    )


def _shown(values: Sequence[Any], place: Optional[int]) -> str:
    return _NOTHING if place is None or place >= len(values) else _word(values[place])


def _word(value: Any) -> str:
    """A value as a field of a line: no name can end it and begin another."""
    if type(value) in (tuple, list):
        return _list(value)
    if type(value) is not str:
        return _NOTHING  # It was denied before anybody saw that it is no path.
    text: str = value
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "..."
    if text.isprintable() and "\\" not in text:
        return text
    return text.encode("unicode_escape").decode("ascii")


def _list(values: Sequence[Any]) -> str:
    """Paths as one field. What stands in them is no path, and they end where a line would be so
    long that a few of them push all others out of the files that are kept."""
    words, left = [], _LIST_CHARACTERS
    for value in values:
        words.append(_word(value) if type(value) is str else _NOTHING)
        left -= len(words[-1])
        if left < 0:
            words.append("...")
            break
    return f"[{', '.join(words)}]"


class AuditLog:
    """The file at `path`, which is put aside when it has `file_bytes`; thread-safe."""

    def __init__(self, path: str, file_bytes: int, older: int) -> None:
        """Begin, or go on with, the file, beside `older` ones at most. Raises StartRefused."""
        self._file = LogFile(path, file_bytes, older)
        self._lock = threading.Lock()
        self._closed = False
        self._lost = 0

    def note(
        self, call: Call, values: Sequence[Any], user: str, host: str, allowed: bool
    ) -> None:
        """Write what one call did, or was not allowed to do; never raises for want of room."""
        line = audit_line(call, values, user, host, allowed)
        if line:
            self._write(f"{stamp()} INFO FSNamesystem.audit: {line}\n".encode())

    def close(self) -> None:
        """Close the file; what is noted from now on goes nowhere."""
        with self._lock:
            self._closed = True
            self._file.close()

    def _write(self, line: bytes) -> None:
        with self._lock:
            if self._closed:
                return
            try:
                self._file.write(line)
            except OSError as error:
                # Who works must not wait until somebody has made room, but a person must know.
                self._lost += 1
                if self._lost == 1:
                    log.error("audit.not_written", error=error.strerror)
                return
            if self._lost:
                log.warning("audit.written_again", lines_lost=self._lost)
                self._lost = 0
