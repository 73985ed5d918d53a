"""Every operation of WebHDFS, over a file system in memory and without a socket."""

from typing import Any, Dict, Iterator, List, cast

import pytest

from data_service.protocol.blocks import Block
from data_service.protocol.files import Entry, FileStatus, LocatedBlock, Locations
from data_service.protocol.nodes import Target
from data_service.web.exchange.parameters import Parameters
from data_service.web.webhdfs import forms, reading
from data_service.web.webhdfs.calls import Call
from tests.support.models.web_asker import HERE, Asker, Reply


@pytest.fixture
def ask() -> Asker:
    """A gateway, and who asks it."""
    return Asker()


def status_in(reply: Reply) -> Dict[str, Any]:
    """The one file status of a reply."""
    found: Dict[str, Any] = reply.body["FileStatus"]
    return found


def test_what_is_told_of_a_file(ask: Asker) -> None:
    found = status_in(ask("GET", "/d/f", "GETFILESTATUS"))
    stat = ask.fs.stat("/d/f")
    assert found == {
        "accessTime": stat.atime_ms, "blockSize": 1024, "childrenNum": 0, "fileId": stat.inode_id,
        "group": "supergroup", "length": 5, "modificationTime": stat.mtime_ms, "owner": "root",
        "pathSuffix": "", "permission": "644", "replication": 1, "storagePolicy": 0, "type": "FILE",
    }  # fmt: skip
    directory = status_in(ask("GET", "/d/", "getfilestatus"))
    assert directory["childrenNum"] == 1
    zeros = ("length", "blockSize", "replication")
    assert directory["type"] == "DIRECTORY" and not any(directory[name] for name in zeros)


def test_a_listing_has_what_the_status_has(ask: Asker) -> None:
    rows = ask("GET", "/d", "LISTSTATUS").body["FileStatuses"]["FileStatus"]
    assert rows == [{**status_in(ask("GET", "/d/f", "GETFILESTATUS")), "pathSuffix": "f"}]
    itself = ask("GET", "/d/f", "LISTSTATUS").body["FileStatuses"]["FileStatus"]
    assert [row["pathSuffix"] for row in itself] == [""]
    ask.fs.write("/d/d")
    ask.fs.delete("/d/f")
    alone = ask("GET", "/d", "LISTSTATUS").body["FileStatuses"]["FileStatus"]
    assert [row["pathSuffix"] for row in alone] == ["d"], "a file with its directory's name"


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8])
def test_listings_of_any_length_are_whole(
    ask: Asker, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LIST_ROWS", 4)
    monkeypatch.setattr(reading, "PAGE_ROWS", 3)
    ask.fs.mkdir("/many")
    names = [f"n{number} é" for number in range(count)]
    for name in names:
        ask.fs.write(f"/many/{name}")
    rows = ask("GET", "/many", "LISTSTATUS").body["FileStatuses"]["FileStatus"]
    assert [row["pathSuffix"] for row in rows] == names
    found: List[str] = []
    left = 1
    while left:
        after = found[-1].replace(" ", "+") if found else ""
        page = ask("GET", "/many", f"LISTSTATUS_BATCH&startAfter={after}").body["DirectoryListing"]
        rows = page["partialListing"]["FileStatuses"]["FileStatus"]
        found += [row["pathSuffix"] for row in rows]
        left = page["remainingEntries"]
        assert len(rows) <= 3
    assert found == names


def test_a_directory_that_appears_just_before_a_rename_is_moved_into(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = ask.fs.rename

    def late(source: str, target: str) -> None:
        if not ask.fs.exists("/new"):
            ask.fs.mkdir("/new")
        rename(source, target)

    monkeypatch.setattr(ask.fs, "rename", late)
    assert ask("PUT", "/d/f", "RENAME&destination=/new").body == {"boolean": True}
    assert ask.fs.contents("/new/f") == b"hello"


class Endless:
    """A file system whose directories have no end; `fetched` are the entries that were read."""

    def __init__(self, like: Entry) -> None:
        self.like, self.fetched = like, 0

    def entries(self, _path: str) -> Iterator[Entry]:
        """One after the other."""
        while True:
            self.fetched += 1
            yield self.like


def test_a_long_listing_is_fetched_while_it_is_sent(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LIST_ROWS", 4)
    endless = Endless(ask.fs.entry("/d/f"))
    call = Call("/d", Parameters(b""), cast(Any, endless), cast(Any, None), "http://web")
    pieces = reading.list_status(call).pieces
    assert pieces is not None
    for sent in range(1, 4):
        assert next(pieces).count(b'"pathSuffix"') == 4 and endless.fetched == 4 * sent


def test_a_file_is_read_in_two_steps(ask: Asker) -> None:
    first = ask("GET", "/d/f", "OPEN&offset=1&length=3")
    assert (first.status, first.body) == (307, b"")
    assert first.location.startswith(HERE + "/d/f?") and "data=true" in first.location
    told = ask("GET", "/d/f", "OPEN&offset=1&length=3&noredirect=true")
    assert (told.status, set(told.body)) == (200, {"Location"})
    for _ in range(2):
        reply = ask.raw("GET", first.location[len("http://web:9870") :])
        assert (reply.status, reply.body) == (200, b"ell")
        assert reply.content_type == "application/octet-stream"


@pytest.mark.parametrize("query, body", [
    ("", b"hello"), ("&offset=4", b"o"), ("&length=0", b""), ("&offset=2&length=99", b"llo"),
    ("&length=null", b"hello"),
])  # fmt: skip
def test_what_lies_behind_the_end_is_left_out(ask: Asker, query: str, body: bytes) -> None:
    reply = ask("GET", "/d/f", "OPEN&data=true" + query)
    assert (reply.status, reply.body) == (200, body)


def test_a_file_is_written_in_two_steps(ask: Asker) -> None:
    first = ask("PUT", "/n/x%20y", "CREATE&permission=755&replication=2&blocksize=4096")
    assert (first.status, first.body) == (307, b"") and not ask.fs.exists("/n")
    assert first.location.startswith(HERE + "/n/x%20y?data=true&op=CREATE&")
    done = ask.raw("PUT", first.location[len("http://web:9870") :], b"bytes")
    assert (done.status, done.body, done.location) == (201, b"", HERE + "/n/x%20y")
    status = ask.fs.stat("/n/x y")
    assert (status.mode, status.replication, status.block_size) == (0o755, 2, 4096)
    for data in (b" one", b" two"):
        reply = ask("POST", "/n/x%20y", "APPEND&data=true", data)
        assert (reply.status, reply.body) == (200, b"")
    assert ask.fs.contents("/n/x y") == b"bytes one two"
    assert ask("PUT", "/n/z", "CREATE&data=true").status == 201
    assert ask.fs.stat("/n/z").mode == 0o644, "whatever the umask is"


@pytest.mark.parametrize("flags, status", [
    ("create,overwrite", 201), ("OVERWRITE", 201), ("CREATE,sync_block", 403), ("", 403),
])  # fmt: skip
def test_a_flag_says_what_a_parameter_of_its_own_does(
    ask: Asker, flags: str, status: int
) -> None:
    assert ask("PUT", "/d/f", f"CREATE&data=true&createflag={flags}", b"new").status == status
    assert ask.fs.contents("/d/f") == (b"new" if status == 201 else b"hello")


def test_a_file_whose_body_is_cut_off_never_appears(ask: Asker) -> None:
    ask.fs.write("/d/old", b"old")
    for path in ("/d/old", "/d/new"):
        target = f"/webhdfs/v1{path}?op=CREATE&overwrite=true&data=true&user.name=root"
        reply = ask.raw("PUT", target, b"half", Content_Length="8")
        assert reply.error.startswith("RetriableException: "), "where anybody is left to hear it"
    assert ask.fs.contents("/d/old") == b"old" and not ask.fs.exists("/d/new")


def test_checksums_name_what_they_are(ask: Asker) -> None:
    assert ask("GET", "/d/f", "GETFILECHECKSUM").status == 307
    found = ask("GET", "/d/f", "GETFILECHECKSUM&data=true").body["FileChecksum"]
    assert set(found) == {"algorithm", "bytes", "length"}
    assert len(found["bytes"]) == 2 * found["length"] == 56


def test_what_is_told_of_a_tree_and_of_the_user(ask: Asker) -> None:
    assert ask("GET", "/", "GETCONTENTSUMMARY").body == {"ContentSummary": {
        "directoryCount": 2, "fileCount": 1, "length": 5, "quota": 2**63 - 1, "spaceConsumed": 5,
        "spaceQuota": -1, "typeQuota": {},
    }}  # fmt: skip
    assert ask("PUT", "/d", "SETQUOTA&namespacequota=9").body == b""
    usage = ask("GET", "/d", "GETQUOTAUSAGE").body["QuotaUsage"]
    assert (usage["quota"], usage["fileAndDirectoryCount"], usage["spaceQuota"]) == (9, 2, -1)
    assert ask("GET", "/", "GETHOMEDIRECTORY", user="bob").body == {"Path": "/user/bob"}
    assert ask("GET", "/", "GETTRASHROOT").body == {"Path": "/user/root/.Trash"}
    assert ask("GET", "/", "GETDELEGATIONTOKEN").body == {"Token": None}
    defaults = ask("GET", "/", "GETSERVERDEFAULTS").body["FsServerDefaults"]
    assert (defaults["blockSize"], defaults["encryptDataTransfer"]) == (1024, False)
    status = ask("GET", "/", "GETSTATUS").body["FsStatus"]
    assert status == {"used": 300, "remaining": 2700, "capacity": 3000}
    (block,) = ask("GET", "/d/f", "GETFILEBLOCKLOCATIONS").body["BlockLocations"]["BlockLocation"]
    assert (block["offset"], block["length"], block["corrupt"]) == (0, 5, False)
    located = ask("GET", "/d/f", "GET_BLOCK_LOCATIONS").body["LocatedBlocks"]
    assert located["fileLength"] == 5 and located["lastLocatedBlock"] == located["locatedBlocks"][0]
    assert ask("GET", "/d/f", "GETFILELINKSTATUS").body == ask("GET", "/d/f", "GETFILESTATUS").body
    ask.fs.set_mode("/d", 0o1770)
    acl = ask("GET", "/d", "GETACLSTATUS").body["AclStatus"]
    assert (acl["entries"], acl["permission"], acl["stickyBit"]) == ([], "1770", True)


def test_what_counts_for_quotas_is_counted_without_one(ask: Asker) -> None:
    for path, names in (("/d", 2), ("/d/f", 1)):
        assert ask("GET", path, "GETQUOTAUSAGE").body == {"QuotaUsage": {
            "fileAndDirectoryCount": names, "quota": -1, "spaceConsumed": 5, "spaceQuota": -1,
            "typeQuota": {},
        }}  # fmt: skip


def test_where_blocks_are_is_told_as_the_name_node_of_hdfs_does() -> None:
    status = FileStatus("f", 3, "f", 7, 1, 4, "me", "us", 0o644, 0, 0)
    held = LocatedBlock(Block(9, 2, 4), 0, (Target("node", "host", 80),), False, b"")
    lost = LocatedBlock(Block(10, 2, 3), 4, (), True, b"")
    told = forms.located_blocks(Locations(status, (held, lost)), {"node": "/r"}, "pool")
    found = told["LocatedBlocks"]
    first, second = found["locatedBlocks"]
    assert first["block"] == {
        "blockPoolId": "pool", "blockId": 9, "generationStamp": 2, "numBytes": 4,
    }  # fmt: skip
    (node,) = first["locations"]
    assert (node["ipAddr"], node["xferPort"], node["name"]) == ("host", 80, "host:80")
    assert (node["storageID"], node["networkLocation"]) == ("node", "/r")
    assert (second["startOffset"], second["isCorrupt"], second["locations"]) == (4, True, [])
    assert found["lastLocatedBlock"] == second and found["isLastBlockComplete"]
    assert not found["isUnderConstruction"] and found["fileLength"] == 7
    none = forms.located_blocks(Locations(status, ()), {}, "pool")["LocatedBlocks"]
    assert (none["locatedBlocks"], none["lastLocatedBlock"]) == ([], None)


@pytest.mark.parametrize("method, path, op, empty", [
    ("PUT", "/d/f", "SETPERMISSION&permission=0600", True),
    ("PUT", "/d/f", "SETOWNER&owner=a", True), ("PUT", "/d/f", "SETTIMES&accesstime=5", True),
    ("GET", "/d/f", "CHECKACCESS&fsaction=rw-", True),
    ("POST", "/d/f", "CONCAT&sources=/d/g", True),
    ("POST", "/d/f", "TRUNCATE&newlength=2", False), ("PUT", "/a/b", "MKDIRS", False),
    ("PUT", "/d", "MKDIRS", False), ("PUT", "/d/f", "SETREPLICATION&replication=2", False),
    ("DELETE", "/d", "DELETE&recursive=True", False),
])  # fmt: skip
def test_what_answers_nothing_and_what_answers_true(
    ask: Asker, method: str, path: str, op: str, empty: bool
) -> None:
    ask.fs.write("/d/g", b"more")
    reply = ask(method, path, op)
    assert (reply.status, reply.body) == (200, b"" if empty else {"boolean": True})


def test_what_is_changed_is_changed(ask: Asker) -> None:
    ask("PUT", "/d/f", "SETPERMISSION&permission=1600")
    ask("PUT", "/d/f", "SETOWNER&owner=a&group=b")
    ask("PUT", "/d/f", "SETTIMES&modificationtime=7&accesstime=5")
    ask("PUT", "/m", "MKDIRS&permission=1777")
    ask("PUT", "/d", "SETTIMES&accesstime=9")
    status = ask.fs.stat("/d/f")
    assert (status.mode, status.owner, status.group) == (0o1600, "a", "b")
    assert (status.mtime_ms, status.atime_ms, ask.fs.stat("/m").mode) == (7, 5, 0o1777)
    assert status_in(ask("GET", "/d", "GETFILESTATUS"))["accessTime"] == 9


@pytest.mark.parametrize("method, path, op", [
    ("DELETE", "/n", "DELETE"), ("DELETE", "/", "DELETE&recursive=true"),
    ("PUT", "/d", "SETREPLICATION&replication=2"), ("PUT", "/n", "SETREPLICATION&replication=2"),
    ("PUT", "/n", "RENAME&destination=/m"), ("PUT", "/d/f", "RENAME&destination=/d/g"),
    ("PUT", "/d/f", "RENAME&destination=/n/m"), ("PUT", "/d", "RENAME&destination=/d/e"),
    ("PUT", "/d", "RENAME&destination=/d"), ("PUT", "/", "RENAME&destination=/m"),
    ("PUT", "/d/f", "RENAME&destination=/full"), ("PUT", "/d/f/x", "RENAME&destination=/m"),
    ("PUT", "/d", "RENAME&destination=/d/g/m"),
])  # fmt: skip
def test_what_answers_false(ask: Asker, method: str, path: str, op: str) -> None:
    ask.fs.write("/d/g")
    ask.fs.write("/full/f")
    before = ask.fs.tree()
    reply = ask(method, path, op)
    assert (reply.status, reply.body, ask.fs.tree()) == (200, {"boolean": False}, before)


@pytest.mark.parametrize("path, op, there", [
    ("/d/f", "/g", "/g"), ("/d/f", "/e", "/e/f"), ("/d", "/e", "/e/d"), ("/d/f", "/", "/f"),
    ("/d/f", "/d/f", "/d/f"), ("/d/f", "/d", "/d/f"), ("/e/b", "/e", "/e/b"),
    ("/d", "//x/", "/x"), ("/d", "/dd", "/dd"),
    ("/d/f", "/g&renameoptions=NONE", "/g"), ("/d/f", "/g&renameoptions=to_trash,none", "/g"),
    ("/d/f", "/g&renameoptions=overwrite", "/g"), ("/d/f", "/h&renameoptions=OVERWRITE", "/h"),
    ("/d", "/e&renameoptions=OVERWRITE,TO_TRASH", "/e"),
])  # fmt: skip
def test_where_a_renamed_one_is(ask: Asker, path: str, op: str, there: str) -> None:
    ask.fs.mkdir("/e/b" if path == "/e/b" else "/e", parents=True)
    ask.fs.write("/h")
    reply = ask("PUT", path, f"RENAME&destination={op}")
    assert (reply.status, reply.body) == (200, {"boolean": True})
    assert ask.fs.exists(there) and (path == there or not ask.fs.exists(path))
