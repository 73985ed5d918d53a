"""The audit log: who did what to which path, in one line each, whatever is in a name."""

import threading
from pathlib import Path
from typing import Any, Tuple

import pytest

from data_service.namenode.calls import audit
from data_service.namenode.calls.audit import AuditLog, audit_line
from data_service.namenode.calls.service import NameNodeService
from data_service.protocol.namenode_calls import NameNodeCalls
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.errors import InvalidArgument, PathNotFound, PermissionDenied, StartRefused
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.rpc import Peer

CALLS = calls_of(NameNodeCalls)
OP = ("me", 1)

LINES: Tuple[Tuple[str, tuple, str], ...] = (
    ("stat", ("/a",), "cmd=stat src=/a"),
    ("rename", (OP, "/a", "/b"), "cmd=rename src=/a dst=/b"),
    ("mkdir", (OP, "/a b", True, 0o755), 'cmd=mkdir src="/a b"'),
    ("concat", (OP, "/a", ("/b", "/c")), 'cmd=concat src=/a dst="[\\"/b\\", \\"/c\\"]"'),
    ("create", (OP, "/f", True, 3, 0, 0o644), "cmd=create src=/f"),
    ("delete", (OP, "/a\nallowed=true", True), 'cmd=delete src="/a\\nallowed=true"'),
    ("list", ("/a=b", "", 10), 'cmd=list src="/a=b"'),
)


@pytest.mark.parametrize("name, values, end", LINES, ids=lambda value: str(value)[:20])
def test_a_line_is_what_the_call_says_of_itself(name: str, values: tuple, end: str) -> None:
    line = audit_line(CALLS[name], values, "alice", "10.0.0.7", True)
    assert line == f"allowed=true ugi=alice ip=/10.0.0.7 {end}"
    assert line.isprintable()


@pytest.mark.parametrize("name", ["complete", "add_block", "cluster_status", "renew_lease"])
def test_what_is_about_no_path_is_no_line(name: str) -> None:
    assert audit_line(CALLS[name], ("x", 1, 2), "alice", "h", True) == ""


def test_a_user_cannot_forge_a_line() -> None:
    line = audit_line(CALLS["stat"], ("/a",), "eve ip=/1.1.1.1\n", "h", False)
    assert line == 'allowed=false ugi="eve ip=/1.1.1.1\\n" ip=/h cmd=stat src=/a'


class Names:
    """Answers `stat`, or raises."""

    def __init__(self) -> None:
        self.error: Any = None

    def read(self, _operation: Any) -> Any:
        """What a term would do."""
        if self.error is not None:
            raise self.error
        return "done"


def test_what_was_done_and_what_was_not_allowed_is_noted(tmp_path: Path) -> None:
    log, term = AuditLog(str(tmp_path / "audit")), Names()
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
    lines = [line.split(" ", 2)[2] for line in (tmp_path / "audit").read_text().splitlines()]
    assert lines == [
        "allowed=true ugi=alice ip=/10.0.0.7 cmd=stat src=/done",
        "allowed=false ugi=alice ip=/10.0.0.7 cmd=stat src=/no",
    ]


NO_PATHS = {"bytes": b"/a", "number": 10**5000, "list": ((b"",),), "long": "x" * 100_000}


@pytest.mark.parametrize("path", NO_PATHS.values(), ids=NO_PATHS)
def test_what_is_no_path_is_refused_as_that_before_anybody_is_denied_it(
    tmp_path: Path, path: Any
) -> None:
    log = AuditLog(str(tmp_path / "audit"))
    reach: Any = Names
    service: Any = NameNodeService(reach, lambda name: (), "root", (1, 4096), "", log)
    service.peer = Peer(Principal("user", "alice"), "h")
    with pytest.raises(InvalidArgument, match="list_open_files: path"):
        service.exposed_list_open_files(path, 0, 10)
    with pytest.raises(PermissionDenied):
        service.exposed_list_open_files("/a", 0, 10)
    log.close()
    [line] = (tmp_path / "audit").read_text().splitlines()
    assert line.endswith("allowed=false ugi=alice ip=/h cmd=list_open_files src=/a")


def test_a_full_file_is_put_aside_and_no_line_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "FILE_BYTES", 4000)
    log = AuditLog(str(tmp_path / "audit"))
    writers = [
        threading.Thread(target=lambda n=n: [
            log.note(CALLS["stat"], (f"/{n}/{m}",), "u", "h", True) for m in range(10)])
        for n in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    log.close()
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) > 1
    assert all(f"src=/{n}/{m}\n" in text for n in range(8) for m in range(10))


def test_a_place_where_nothing_can_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="audit log"):
        AuditLog(str(tmp_path / "missing" / "audit"))
    assert AuditLog.at("") is None
