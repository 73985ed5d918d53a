"""What the page asks of files besides WebHDFS, over a file system in memory, without a socket."""

import json
import string
from dataclasses import replace
from typing import Any, Dict, Iterator, List, Tuple
from urllib.parse import quote, unquote

import pytest

from data_service.filesystem.tree_health import Racks
from data_service.protocol.blocks import Block
from data_service.protocol.health import BlockHealth, FsckRow, Health, Holder
from data_service.web.files import health_forms, tree_checks
from tests.support.models.memory_file_system import MemoryFileSystem
from tests.support.models.web_asker import Asker, Reply
from zookeeper.fabric.errors import PermissionDenied

HOSTILE = "<b>&\"'\n%41+ #?\u202e \u00e9"
PLAIN = string.ascii_letters + string.digits + "%-._~"
CURRENT = "/user/root/.Trash/Current"


@pytest.fixture
def ask() -> Asker:
    """A gateway, and who asks it."""
    return Asker()


def get(ask: Asker, name: str, **parameters: Any) -> Reply:
    """The reply to a GET."""
    return sent(ask, "GET", name, **parameters)


def sent(ask: Asker, method: str, name: str, user: str = "root", **parameters: Any) -> Reply:
    """The reply to a request with these parameters."""
    query = "&".join(f"{key}={quote(str(value), safe='')}" for key, value in parameters.items())
    headers = {"X_Requested_By": "test"} if method == "POST" else {}
    return ask.raw(method, f"/files/{name}?user.name={user}&{query}", **headers)


def lines(reply: Reply) -> List[Dict[str, Any]]:
    """The lines of JSON in a reply."""
    assert (reply.status, reply.content_type) == (200, tree_checks.JSON_LINES)
    return [json.loads(line) for line in reply.body.splitlines()]


def use_trash(ask: Asker, minutes: int = 60) -> None:
    """Have one, as [client] trash_minutes says."""
    settings = ask.fs.settings
    ask.fs.settings = replace(settings, client=replace(settings.client, trash_minutes=minutes))


def test_the_blocks_of_a_file(ask: Asker) -> None:
    ask.fs.write("/d/g", b"x" * 2500, replication=2)
    ask.fs.health["/d/g"] = Health(2, 1, 1, 0)
    found = get(ask, "blocks", path="/d/g").body
    assert (found["total"], found["length"], found["replication"]) == (3, 2500, 2)
    assert [block["length"] for block in found["blocks"]] == [1024, 1024, 452]
    first = found["blocks"][0]
    assert (first["state"], first["wanted"], first["live"]) == ("UNDER_REPLICATED", 2, 1)
    assert {"node", "host", "port", "rack", "state"} == set(first["holders"][0])
    assert found["next"] is None
    ask.fs.health["/d/g"] = Health(2, 0, 1, 0)
    states = [block["state"] for block in get(ask, "blocks", path="/d/g").body["blocks"]]
    assert states == ["CORRUPT"] * 3


def test_many_blocks_come_in_pages(ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_forms, "BLOCKS_MAX", 2)
    ask.fs.write("/d/g", b"x" * 5000)
    lengths, following = [], 0
    while following is not None:
        found = get(ask, "blocks", path="/d/g", offset=following).body
        assert len(found["blocks"]) <= 2
        lengths += [block["length"] for block in found["blocks"]]
        following = found["next"]
    assert lengths == [1024] * 4 + [904]
    assert get(ask, "blocks", path="/d/g", offset=99).body["blocks"] == []


def test_what_has_no_blocks(ask: Asker) -> None:
    assert get(ask, "blocks", path="/d").error.startswith("FileNotFoundException: /d is a direct")
    missing = get(ask, "blocks", path="/x")
    assert (missing.status, missing.error.partition(":")[0]) == (404, "FileNotFoundException")
    assert get(ask, "blocks").status == 400
    assert get(ask, "blocks", path="d/f").status == 400


def test_a_name_is_told_as_it_is(ask: Asker) -> None:
    path = f"/d/{HOSTILE}"
    ask.fs.write(path, b"1")
    assert get(ask, "blocks", path=path).body["path"] == path
    use_trash(ask)
    place = sent(ask, "POST", "trash", path=path).body["place"]
    assert place == f"{CURRENT}{path}"
    assert sent(ask, "POST", "restore", path=place).body == {"place": path}
    assert ask.fs.contents(path) == b"1"


def test_a_removed_file_lies_in_the_trash_and_comes_back(ask: Asker) -> None:
    use_trash(ask)
    assert get(ask, "trashed").body == {
        "root": "/user/root/.Trash", "minutes": 60, "checkpoints": []
    }  # fmt: skip
    assert sent(ask, "POST", "trash", path="/d/f").body == {"place": f"{CURRENT}/d/f"}
    (row,) = get(ask, "trashed").body["checkpoints"]
    assert row == {"name": "Current", "path": CURRENT, "closed_ms": None}
    undone = ask("PUT", f"{CURRENT}/d/f", "RENAME&destination=/d/f")
    assert undone.body == {"boolean": True} and ask.fs.contents("/d/f") == b"hello"


def test_the_trash_is_emptied(ask: Asker) -> None:
    use_trash(ask)
    sent(ask, "POST", "trash", path="/d/f")
    assert sent(ask, "POST", "expunge").body == {"boolean": True}
    (row,) = get(ask, "trashed").body["checkpoints"]
    assert ask.fs.contents(f"{row['path']}/d/f") == b"hello" and row["closed_ms"] > 0
    sent(ask, "POST", "expunge", immediate="true")
    assert get(ask, "trashed").body["checkpoints"] == []


def test_what_the_trash_does_not_take(ask: Asker) -> None:
    told = sent(ask, "POST", "trash", path="/d/f")
    assert told.status == 400 and "there is no trash" in told.error
    use_trash(ask)
    place = sent(ask, "POST", "trash", path="/d/f").body["place"]
    assert "lies in the trash already" in sent(ask, "POST", "trash", path=place).error
    assert "contains the trash" in sent(ask, "POST", "trash", path="/user").error
    assert sent(ask, "POST", "trash", path="/x").status == 404
    assert sent(ask, "POST", "restore", path="/d").status == 400


def test_everybody_acts_with_his_own_rights(ask: Asker) -> None:
    use_trash(ask)
    assert sent(ask, "POST", "trash", user="eve", path="/d/f").status == 403
    ask.fs.set_mode("/d", 0o700)
    for name in ("blocks", "download", "fsck", "under_replicated"):
        assert get(ask, name, user="eve", path="/d/f").status == 403, name
    assert get(ask, "trashed", user="eve").body["root"] == "/user/eve/.Trash"
    assert ask.fs.contents("/d/f") == b"hello"


def test_a_check_tells_what_is_wrong_and_ends_with_a_sum(ask: Asker) -> None:
    ask.fs.write("/d/g", b"x" * 2000, replication=3)
    ask.fs.health["/d/g"] = Health(3, 1, 0, 0)
    ask.fs.write("/d/h", b"x")
    ask.fs.health["/d/h"] = Health(1, 0, 1, 0)
    told = lines(get(ask, "fsck", path="/"))
    files = [line["file"] for line in told if "file" in line]
    assert [(row["path"], row["faults"]) for row in files] == [
        ("/d/g", {"UNDER_REPLICATED": 2}), ("/d/h", {"CORRUPT": 1})
    ]  # fmt: skip
    assert [*told[-2]] == ["progress"] and [*told[-1]] == ["summary"]
    found = told[-1]["summary"]
    assert (found["status"], found["files"], found["under_replicated"]) == ("CORRUPT", 3, 2)
    assert (found["damaged_files"], found["corrupt"], found["missing"]) == (1, 1, 0)
    assert found["left_out"] == 0
    assert lines(get(ask, "fsck", path="/d/f"))[-1]["summary"]["status"] == "HEALTHY"


def test_a_check_of_much_damage_stays_small(ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_checks, "TOLD_MAX", 2)
    monkeypatch.setattr(tree_checks, "STEP_ROWS", 3)
    for number in range(7):
        ask.fs.write(f"/d/{number}", b"x")
        ask.fs.health[f"/d/{number}"] = Health(1, 0, 0, 0)
    told = lines(get(ask, "fsck", path="/d"))
    assert sum("file" in line for line in told) == 2
    assert sum("progress" in line for line in told) == 4
    assert told[-1]["summary"]["left_out"] == 5
    assert told[-1]["summary"]["missing"] == 7


def test_a_check_that_fails_says_so_where_it_ends(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = MemoryFileSystem.fsck

    def broken(fs: MemoryFileSystem, path: str, after: str = "") -> Iterator[FsckRow]:
        yield next(whole(fs, path, after))
        raise PermissionDenied("Permission denied: user=root")

    monkeypatch.setattr(MemoryFileSystem, "fsck", broken)
    last = lines(get(ask, "fsck", path="/d"))[-1]
    assert last["error"]["exception"] == "AccessControlException"
    assert get(ask, "fsck", path="/x").status == 404, "what fails at once is answered as an error"


def test_under_replicated_files_come_in_pages(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_checks, "ROWS_MAX", 2)
    monkeypatch.setattr(tree_checks, "SCAN_ROWS_MAX", 4)
    poor = [f"/d/{number}" for number in range(0, 9, 2)]
    for number in range(9):
        ask.fs.write(f"/d/{number}", b"x", replication=2)
        live = 1 if f"/d/{number}" in poor else 2
        ask.fs.health[f"/d/{number}"] = Health(2, live, 0, 0)
    ask.fs.health["/d/f"] = Health(1, 1, 0, 0)
    found: List[str] = []
    after, more = "", True
    while more:
        page = get(ask, "under_replicated", path="/", after=after).body
        assert len(page["rows"]) <= 2 and page["scanned"] <= 4
        found += [row["path"] for row in page["rows"]]
        assert all(row["live"] == 1 for row in page["rows"])
        after, more = page["after"], page["more"]
    assert found == poor


def test_open_files_come_in_pages(ask: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_checks, "ROWS_MAX", 2)
    status = ask.fs.stat("/d/f")
    for number in range(1, 6):
        row = FsckRow(f"/w/{number}", status._replace(inode_id=number), (), "client", "host")
        ask.fs.written.append(row)
    found: List[str] = []
    after, more = 0, True
    while more:
        page = get(ask, "open", path="/", after=after).body
        found += [row["path"] for row in page["rows"]]
        after, more = page["after"], page["more"]
    assert found == [f"/w/{number}" for number in range(1, 6)]
    first = get(ask, "open", path="/").body["rows"][0]
    assert (first["writer"], first["host"], first["owner"]) == ("client", "host", "root")


def test_a_block_that_is_being_written_is_not_missing(ask: Asker) -> None:
    status = ask.fs.stat("/d/f")
    nobody = BlockHealth(Block(1, 1, 0), Health(3, 0, 0, 0), ())
    there = nobody._replace(holders=(Holder("n", "h", 1, "/r", "LIVE"),), health=Health(3, 1, 0, 0))
    row = FsckRow("/d/f", status, (there, nobody), "client", "host")
    states = [block["state"] for block in health_forms.block_page(row, 0)["blocks"]]
    assert states == ["UNDER_REPLICATED", "BEING_WRITTEN"]
    closed = health_forms.block_page(row._replace(writer=""), 1)["blocks"]
    assert [block["state"] for block in closed] == ["MISSING"]


def test_that_nothing_is_there_is_no_error(ask: Asker) -> None:
    for missing in ("/d/x", "/d/f/below", "/x/y"):
        assert get(ask, "there", path=missing).body == {"type": None}
    assert get(ask, "there", path="/d/f").body == {"type": "FILE"}
    assert get(ask, "there", path="/d").body == {"type": "DIRECTORY"}
    ask.fs.set_mode("/d", 0o700)
    assert get(ask, "there", user="eve", path="/d/x").status == 403


def test_a_download_is_saved_under_its_name(ask: Asker) -> None:
    path = f"/d/{HOSTILE}"
    ask.fs.write(path, b"body")
    reply = get(ask, "download", path=path)
    assert (reply.status, reply.body) == (200, b"body")
    assert reply.content_type == "application/octet-stream"
    kind, _, name = reply.headers["Content-Disposition"].partition("; filename*=UTF-8''")
    assert (kind, unquote(name)) == ("attachment", HOSTILE) and set(name) <= set(PLAIN)
    assert get(ask, "download", path="/d").status == 404


@pytest.mark.parametrize(
    "method, name",
    [("GET", "trash"), ("PUT", "trash"), ("POST", "fsck"), ("GET", "expunge"), ("DELETE", "trash")],
)
def test_reading_changes_nothing(ask: Asker, method: str, name: str) -> None:
    use_trash(ask)
    assert sent(ask, method, name, path="/d/f").status == 405
    assert ask.fs.contents("/d/f") == b"hello"


@pytest.mark.parametrize("name", ["", "x", "blocks/x", "../webhdfs/v1"])
def test_nothing_else_is_there(ask: Asker, name: str) -> None:
    assert get(ask, name, path="/d/f").status == 404


def test_racks_count_those_that_live(ask: Asker) -> None:
    nodes: Tuple[Any, ...] = ask.fs.datanode_rooms()
    where = Racks.of([*nodes, nodes[0]._replace(state="dead", rack="/lost")])
    assert where.datanodes == len(nodes) and "/lost" not in where.racks
