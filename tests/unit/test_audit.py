"""The audit log: who did what to which path, in one line each, whatever is in a name."""

import os
import re
import threading
from pathlib import Path
from typing import Any, List, Tuple

import pytest

from data_service.namenode.calls.audit import AuditLog, audit_line
from data_service.namenode.calls.service import NameNodeService
from data_service.protocol.namenode_calls import NameNodeCalls
from tests.support.links.loopback import Recorder
from zookeeper.fabric import log_file
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.errors import InvalidArgument, PathNotFound, PermissionDenied, StartRefused
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.rpc import Peer

CALLS = calls_of(NameNodeCalls)
OP = ("me", 1)
WRITE = os.write
END = re.compile(" (?=src=|dst=)")

LINES: Tuple[Tuple[str, tuple, str], ...] = (
    ("stat", ("/a",), "cmd=getfileinfo src=/a dst=null"),
    ("block_locations", ("/a", 0, 1), "cmd=open src=/a dst=null"),
    ("rename", (OP, "/a", "/b"), "cmd=rename src=/a dst=/b"),
    ("mkdir", (OP, "/a b", True, 0o755), "cmd=mkdirs src=/a b dst=null"),
    ("concat", (OP, "/a", ("/b", "/c\n")), "cmd=concat src=[/b, /c\\n] dst=/a"),
    ("create", (OP, "/f", True, 3, 0, 0o644), "cmd=create src=/f dst=null"),
    ("delete", (OP, "/a\nallowed=true", True), "cmd=delete src=/a\\nallowed=true dst=null"),
    ("delete", (OP, "/a\tdst=/b\\", True), "cmd=delete src=/a\\tdst=/b\\\\ dst=null"),
    ("list", ("/\x1b[2J\u202e\udc80", "", 10),
     "cmd=listStatus src=/\\x1b[2J\\u202e\\udc80 dst=null"),
    ("safe_mode", ("enter",), "cmd=safemode_enter src=null dst=null"),
    ("metasave", ("name",), "cmd=metaSave src=null dst=null"),
    # Denied before anybody looked at what was given.
    ("concat", (OP, "/a", ("/b", (("/c",),), 7)), "cmd=concat src=[/b, null, null] dst=/a"),
    ("concat", (OP, "/a", ("/" + "x" * 7999,) * 1000),
     f"cmd=concat src=[{', '.join(['/' + 'x' * 7999] * 9)}, ...] dst=/a"),
    ("stat", ("x" * 9000,), f"cmd=getfileinfo src={'x' * 8000}... dst=null"),
    ("stat", (b"/a",), "cmd=getfileinfo src=null dst=null"),
    ("stat", (10**5000,), "cmd=getfileinfo src=null dst=null"),
    ("rename", (OP, (("/a", 1.5),)), "cmd=rename src=[null] dst=null"),
    ("concat", (), "cmd=concat src=null dst=null"),
)  # fmt: skip


@pytest.mark.parametrize("name, values, end", LINES, ids=[line[0] for line in LINES])
def test_a_line_is_what_the_call_says_of_itself(name: str, values: tuple, end: str) -> None:
    line = audit_line(CALLS[name], values, "alice", "10.0.0.7", True)
    fields = ("allowed=true", "ugi=alice", "ip=/10.0.0.7", *END.split(end))
    assert line == "\t".join((*fields, "perm=null", "proto=rpc"))
    assert line.replace("\t", "").isprintable()


@pytest.mark.parametrize("name", ["complete", "add_block", "cluster_status", "renew_lease"])
def test_what_is_no_operation_is_no_line(name: str) -> None:
    assert audit_line(CALLS[name], ("x", 1, 2), "alice", "h", True) == ""


@pytest.mark.parametrize("name", sorted(CALLS))
def test_whatever_has_a_path_or_is_for_administrators_is_a_line(name: str) -> None:
    call = CALLS[name]
    paths = {"path", "source", "sources"} & {parameter.name for parameter in call.parameters}
    line = audit_line(call, (), "alice", "h", False)
    assert line or not (paths or call.superuser)


def test_a_user_cannot_forge_a_line() -> None:
    line = audit_line(CALLS["stat"], ("/a",), "eve\tip=/1.1.1.1\n", "h", False)
    assert line.split("\t")[:3] == ["allowed=false", "ugi=eve\\tip=/1.1.1.1\\n", "ip=/h"]


class Names:
    """Answers `stat`, or raises."""

    def __init__(self) -> None:
        self.error: Any = None

    def read(self, _operation: Any) -> Any:
        """What a term would do."""
        if self.error is not None:
            raise self.error
        return "done"


def audit_log(folder: Path, file_bytes: int = 1 << 20, older: int = 100) -> AuditLog:
    """A log in this folder."""
    return AuditLog(str(folder / "audit"), file_bytes, older)


def note(log: AuditLog, path: str) -> None:
    """That somebody asked for this path."""
    log.note(CALLS["stat"], (path,), "u", "h", True)


def noted(path: Path) -> List[str]:
    """Which paths the lines of a file tell of."""
    return re.findall("src=(\\S+)", path.read_text())


def test_what_was_done_and_what_was_not_allowed_is_noted(tmp_path: Path) -> None:
    log, term = audit_log(tmp_path), Names()
    reach: Any = lambda: term  # noqa: E731
    service: Any = NameNodeService(reach, lambda name: (), "root", (1, 4096), "", log)
    service.peer = Peer(Principal("user", "alice"), "10.0.0.7")
    for path, error in (
        ("/done", None), ("/no", PermissionDenied("no")), ("/missing", PathNotFound("none")),
    ):  # fmt: skip
        term.error = error
        try:
            service.exposed_stat(path)
        except (PermissionDenied, PathNotFound):
            pass
    log.close()
    done, denied = (tmp_path / "audit").read_text().splitlines()
    at, _, words = done.partition(" INFO FSNamesystem.audit: ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", at)
    assert words.startswith("allowed=true\tugi=alice\tip=/10.0.0.7\tcmd=getfileinfo\tsrc=/done\t")
    assert "allowed=false\t" in denied and "\tsrc=/no\t" in denied


NO_PATHS = {"bytes": b"/a", "number": 10**5000, "list": ((b"",),), "long": "x" * 100_000}


@pytest.mark.parametrize("path", NO_PATHS.values(), ids=NO_PATHS)
def test_what_is_no_path_is_refused_as_that_before_anybody_is_denied_it(
    tmp_path: Path, path: Any
) -> None:
    log = audit_log(tmp_path)
    reach: Any = Names
    service: Any = NameNodeService(reach, lambda name: (), "root", (1, 4096), "", log)
    service.peer = Peer(Principal("user", "alice"), "h")
    with pytest.raises(InvalidArgument, match="list_open_files: path"):
        service.exposed_list_open_files(path, 0, 10)
    with pytest.raises(PermissionDenied):
        service.exposed_list_open_files("/a", 0, 10)
    log.close()
    [line] = (tmp_path / "audit").read_text().splitlines()
    assert "allowed=false\tugi=alice\tip=/h\tcmd=listOpenFiles\tsrc=/a\t" in line


def test_a_full_file_is_put_aside_and_no_line_is_lost(tmp_path: Path) -> None:
    log = audit_log(tmp_path, 4000)
    writers = [
        threading.Thread(target=lambda n=n: [note(log, f"/{n}/{m}") for m in range(10)])
        for n in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    log.close()
    found = [path for file in tmp_path.iterdir() for path in noted(file)]
    assert len(list(tmp_path.iterdir())) > 1
    assert sorted(found) == [f"/{n}/{m}" for n in range(8) for m in range(10)]


def test_only_so_many_files_are_kept(tmp_path: Path) -> None:
    log = audit_log(tmp_path, 300, older=2)
    for number in range(30):
        note(log, f"/{number}")
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit", "audit.1", "audit.2"]
    assert noted(tmp_path / "audit")[-1] == "/29"
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o600


def test_two_who_write_one_file_lose_nothing_of_it(tmp_path: Path) -> None:
    one, other = audit_log(tmp_path, 2000), audit_log(tmp_path, 2000)
    for number in range(40):
        note(one, f"/one{number}")
        note(other, f"/other{number}")
    one.close()
    other.close()
    found = [path for file in tmp_path.iterdir() for path in noted(file)]
    assert sorted(found) == sorted(f"/{who}{n}" for who in ("one", "other") for n in range(40))


def test_what_logrotate_does_to_the_file_is_borne(tmp_path: Path) -> None:
    log, path = audit_log(tmp_path), tmp_path / "audit"
    note(log, "/before")
    os.rename(path, tmp_path / "renamed")
    note(log, "/behind")
    assert noted(tmp_path / "renamed") == ["/before"] and noted(path) == ["/behind"]
    os.truncate(path, 0)
    note(log, "/anew")
    assert noted(path) == ["/anew"]
    os.unlink(path)
    note(log, "/again")
    log.close()
    note(log, "/closed")
    assert noted(path) == ["/again"]


def test_on_a_full_disk_work_goes_on_and_a_person_is_told(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    path.symlink_to("/dev/full")
    log = audit_log(tmp_path)
    with Recorder() as told:
        for number in range(50):
            note(log, f"/lost{number}")
        path.unlink()
        note(log, "/kept")
        note(log, "/kept too")
    log.close()
    assert noted(path) == ["/kept", "/kept"]
    assert told.lines == [
        'audit.not_written error="No space left on device"', "audit.written_again lines_lost=50",
    ]  # fmt: skip


def test_a_line_that_was_cut_off_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = audit_log(tmp_path)
    with monkeypatch.context() as context:
        context.setattr(log_file.os, "write", lambda fd, data: WRITE(fd, data[:30]))
        note(log, "/cut")
    note(log, "/whole")
    log.close()
    cut, whole = (tmp_path / "audit").read_text().splitlines()
    assert len(cut) == 30 and "src=/whole" in whole


def test_a_place_where_nothing_can_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="cannot write the log"):
        audit_log(tmp_path / "missing")
