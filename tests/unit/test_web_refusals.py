"""What a gateway does not do, and how it says so: HDFS's errors, users, browsers; its clients."""

import queue
import threading
from typing import Any, Dict, List

import pytest

from data_service.web.clients import Clients
from data_service.web.exchange.remote_exceptions import translated
from data_service.web.webhdfs.operations import MISSING, OPERATIONS
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.models.memory_file_system import MemoryFileSystem
from tests.support.models.web_asker import Asker
from zookeeper.fabric import errors
from zookeeper.fabric.waiting import NobodyWaits, told_of_waiting


@pytest.fixture
def ask() -> Asker:
    """A gateway, and who asks it."""
    return Asker()


@pytest.mark.parametrize("method, path, op, status, error", [
    ("GET", "/n", "GETFILESTATUS", 404, "FileNotFoundException: File does not exist: /n"),
    ("GET", "/n", "GETCONTENTSUMMARY", 404, "FileNotFoundException: File does not exist: /n"),
    ("GET", "/n", "LISTSTATUS", 404, "FileNotFoundException: File /n does not exist."),
    ("GET", "/n", "LISTSTATUS_BATCH", 404, "FileNotFoundException: File /n does not exist."),
    ("GET", "/n", "OPEN", 404, "FileNotFoundException: File /n not found."),
    ("GET", "/n", "OPEN&data=true", 404, "FileNotFoundException: File /n not found."),
    ("POST", "/n", "APPEND", 404, "FileNotFoundException: File /n not found."),
    ("POST", "/n", "APPEND&data=true", 404, "FileNotFoundException: File /n not found."),
    ("GET", "/n", "GETFILECHECKSUM", 404, "FileNotFoundException: File /n not found."),
    ("PUT", "/n", "SETPERMISSION", 404, "FileNotFoundException: Directory/File does not exist /n"),
    ("PUT", "/n", "SETOWNER&owner=a", 404,
     "FileNotFoundException: Directory/File does not exist /n"),
    ("PUT", "/n", "SETTIMES", 404, "FileNotFoundException: File/Directory /n does not exist."),
    ("GET", "/d/f/x", "GETFILESTATUS", 404, "FileNotFoundException: File does not exist: /d/f/x"),
    ("GET", "/d", "OPEN", 404, "FileNotFoundException: Path is not a file: /d"),
    ("GET", "/d", "GETFILECHECKSUM", 404, "FileNotFoundException: Path is not a file: /d"),
    ("POST", "/d", "TRUNCATE&newlength=0", 404, "FileNotFoundException: "),
    ("GET", "/d/f", "OPEN&data=true&offset=5", 403,
     "IOException: Offset=5 out of the range [0, 5); OPEN, path=/d/f"),
    ("PUT", "/d/f", "CREATE&data=true", 403, "FileAlreadyExistsException: "),
    ("PUT", "/d", "CREATE&data=true&overwrite=true", 403, "FileAlreadyExistsException: "),
    ("PUT", "/n/m/x", "CREATE&data=true&createParent=false", 404,
     "FileNotFoundException: Parent directory doesn't exist: /n/m"),
    ("PUT", "/d/f", "MKDIRS", 403, "FileAlreadyExistsException: "),
    ("PUT", "/d/f/x", "MKDIRS", 403,
     "ParentNotDirectoryException: Parent path is not a directory: /d/f"),
    ("DELETE", "/d", "DELETE", 403,
     "PathIsNotEmptyDirectoryException: `/d is non empty': Directory is not empty"),
    ("PUT", "/d/f", "SETOWNER", 400,
     "IllegalArgumentException: Both owner and group are empty."),
    ("PUT", "/d/f", "RENAME", 400,
     "IllegalArgumentException: Required param destination for op: RENAME is null or empty"),
    ("PUT", "/n", "RENAME&destination=/m&renameoptions=NONE", 404, "FileNotFoundException: "),
    ("PUT", "/d", "RENAME&destination=/e&renameoptions=NONE", 403, "FileAlreadyExistsException: "),
    ("PUT", "/d/f", "RENAME&destination=/e&renameoptions=OVERWRITE", 403, "IOException: "),
    ("PUT", "/e", "RENAME&destination=/d&renameoptions=OVERWRITE", 403, "IOException: "),
    ("PUT", "/d", "RENAME&destination=/e&renameoptions=NONE,maybe", 400,
     'IllegalArgumentException: Invalid value for webhdfs parameter "renameoptions": '
     "No enum constant Options.Rename.MAYBE"),
    ("POST", "/d/f", "CONCAT", 400,
     "IllegalArgumentException: Required param sources for op: CONCAT is null or empty"),
    ("POST", "/d/f", "TRUNCATE&newlength=9", 400, "HadoopIllegalArgumentException: "),
    ("GET", "/d", "CHECKACCESS&fsaction=rwz", 400, "IllegalArgumentException: "),
    ("GET", "/", "", 400, "UnsupportedOperationException: NULL is not supported"),
    ("GET", "/", "FOO", 400, 'IllegalArgumentException: Invalid value for webhdfs parameter "op": '
     "No enum constant org.apache.hadoop.hdfs.web.resources.GetOpParam.Op.FOO"),
    ("DELETE", "/", "MKDIRS", 400, "IllegalArgumentException: "),
    ("PUT", "/l", "CREATESYMLINK&destination=/d", 400,
     "UnsupportedOperationException: Symlinks not supported"),
    ("GET", "/a/../b", "OPEN", 400, "InvalidPathException: Invalid path name /a/../b"),
    ("PUT", "/d/f", "RENAME&destination=/a/../b", 400,
     "InvalidPathException: Invalid path name /a/../b"),
    ("POST", "/d/f", "CONCAT&sources=/d/./g", 400,
     "InvalidPathException: Invalid path name /d/./g"),
    ("PUT", "/:/x", "MKDIRS", 400, "InvalidPathException: Invalid path name /:/x"),
    ("PUT", "/a:b", "CREATE", 400, "InvalidPathException: Invalid path name /a:b"),
    ("PUT", "/a:b", "CREATE&data=true", 400, "InvalidPathException: Invalid path name /a:b"),
    ("PUT", "/d/f", "RENAME&destination=/a:b", 400,
     "InvalidPathException: Invalid path name /a:b"),
    ("PUT", "/d/f", "RENAME&destination=/a:b&renameoptions=NONE", 400,
     "InvalidPathException: Invalid path name /a:b"),
    ("PUT", "/d", "RENAME&destination=/d/e&renameoptions=NONE", 403, "IOException: "),
    ("PUT", "/d", "RENAME&destination=/&renameoptions=NONE", 403, "IOException: "),
    ("PUT", "/d/g", "CREATE&data=true&createflag=sometimes", 400,
     'IllegalArgumentException: Invalid value for webhdfs parameter "createflag": '
     "No enum constant org.apache.hadoop.fs.CreateFlag.SOMETIMES"),
])  # fmt: skip
def test_an_error_has_hdfs_name_status_and_words(
    ask: Asker, method: str, path: str, op: str, status: int, error: str
) -> None:
    ask.fs.mkdir("/e")
    before = ask.fs.tree()
    reply = ask(method, path, op)
    assert reply.error.startswith(error) and reply.status == status
    assert reply.error == error or error.endswith(": ")
    assert ask.fs.tree() == before


def test_a_name_that_hdfs_does_not_know_can_be_used_but_not_made(ask: Asker) -> None:
    ask.fs.write("/a:b", b"old")
    assert ask("GET", "/a:b", "OPEN&data=true").body == b"old"
    assert ask("PUT", "/a:b", "RENAME&destination=/ab").body == {"boolean": True}


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_what_is_not_there_yet_is_said_to_be_so(ask: Asker, method: str) -> None:
    for op in MISSING[method].split():
        reply = ask(method, "/d", op)
        assert (reply.status, reply.error[:30]) == (400, "UnsupportedOperationException:")
        assert op not in OPERATIONS


@pytest.mark.parametrize("code, name, status", [
    ("permission_denied", "AccessControlException", 403), ("safe_mode", "SafeModeException", 403),
    ("not_leader", "StandbyException", 403), ("unavailable", "RetriableException", 403),
    ("deadline_exceeded", "RetriableException", 403), ("busy", "RetriableException", 403),
    ("already_being_created", "AlreadyBeingCreatedException", 403),
    ("lease_expired", "LeaseExpiredException", 403), ("disk_full", "IOException", 403),
    ("block_missing", "BlockMissingException", 403), ("corrupt_data", "ChecksumException", 403),
    ("not_enough_replicas", "IOException", 403), ("internal", "RuntimeException", 500),
])  # fmt: skip
def test_an_error_of_the_family_has_one_of_hdfs(code: str, name: str, status: int) -> None:
    found = translated(errors.from_wire(code, "words"), "OPEN", "/p")
    assert (found.kind.name, found.kind.status, found.message) == (name, status, "words")


def test_a_quota_is_told_by_what_it_is_on() -> None:
    for words, name in (("The NameSpace quota (directories", "NSQuotaExceededException"),
                        ("The DiskSpace quota of /d", "DSQuotaExceededException")):
        assert translated(errors.QuotaExceeded(words), "CREATE", "/p").kind.name == name


def test_a_defect_costs_one_request_and_tells_nothing(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(ask.fs, "entry", fail)
    reply = ask("GET", "/d", "GETFILESTATUS")
    assert (reply.status, reply.error) == (
        500, "RuntimeException: the gateway failed; its log tells more")


def test_who_asks_is_whom_he_names(ask: Asker) -> None:
    ask("GET", "/d", "GETFILESTATUS", user="alice")
    ask.raw("GET", "/webhdfs/v1/d?op=GETFILESTATUS")
    ask.raw("GET", "/webhdfs/v1/d?op=GETFILESTATUS&user.name=alice&doas=alice")
    assert ask.users == ["alice", "dr.who"], "and each has one client"
    denied = ask("PUT", "/d/x", "MKDIRS", user="alice")
    assert denied.status == 403 and denied.error.startswith("AccessControlException: ")
    for query in ("user.name=a/b", "user.name=alice&doas=root", "delegation=token"):
        reply = ask.raw("GET", f"/webhdfs/v1/d?op=GETFILESTATUS&{query}")
        assert reply.status in (400, 403)
    assert ask.users == ["alice", "dr.who"]


@pytest.mark.parametrize("target", ["/", "/etc/passwd", "/webhdfs/v2/d?op=OPEN", "/webhdfs",
                                    "/%77ebhdfs/v1/d?op=GETFILESTATUS", "/files%2Fthere?path=/d",
                                    "/%66iles/there?path=/d", "//files/there?path=/d"])
def test_nothing_is_anywhere_else(ask: Asker, target: str) -> None:
    reply = ask.raw("GET", target)
    assert reply.status == 404 and reply.error.startswith("NotFoundException: ")


MKDIRS = "/webhdfs/v1/new?op=MKDIRS&user.name=root"


@pytest.mark.parametrize("headers, status", [
    ({}, 200), ({"Origin": "http://web:9870"}, 200), ({"Origin": "http://evil.org"}, 403),
    ({"Origin": "null"}, 403), ({"Host": "evil.org"}, 403), ({"Host": "127.0.0.1:9870"}, 200),
    ({"Host": "[::1]:9870"}, 200), ({"Host": "localhost:1"}, 200),
    ({"Host": "evil.org", "X_Forwarded_Host": "web"}, 403), ({"X_Forwarded_Host": "evil"}, 403),
    ({"X_Forwarded_Host": "web", "Origin": "https://web"}, 200),
])  # fmt: skip
def test_a_page_of_another_site_changes_nothing(
    ask: Asker, headers: Dict[str, str], status: int
) -> None:
    """Whoever can have a browser send a request is not who sits in front of it."""
    assert ask.raw("PUT", MKDIRS, **headers).status == status
    assert ask.fs.exists("/new") == (status == 200)


def test_where_the_second_step_is_goes_by_how_the_client_came(ask: Asker) -> None:
    target = "/webhdfs/v1/d/f?op=OPEN&user.name=root"
    reply = ask.raw("GET", target, X_Forwarded_Host="web", X_Forwarded_Proto="https")
    assert reply.location.startswith("https://web/webhdfs/v1/d/f?")
    assert ask.raw("GET", target, Host="[::1]:80").location.startswith("http://[::1]:80/")


def test_other_methods(ask: Asker) -> None:
    assert ask.raw("OPTIONS", "/webhdfs/v1/d/f?op=CREATE").status == 200
    assert ask.raw("HEAD", "/webhdfs/v1/d?op=GETFILESTATUS&user.name=root").status == 200
    assert ask.raw("PATCH", "/webhdfs/v1/d?op=GETFILESTATUS").status == 405
    assert ask.raw("HEAD", MKDIRS).status == 400 and not ask.fs.exists("/new")


def test_an_append_waits_a_moment_for_the_one_before(
    ask: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = ask.fs.append("/d/f")
    monkeypatch.setattr("time.sleep", lambda _: writer.close())
    assert ask("POST", "/d/f", "APPEND&data=true", b"!").status == 200
    assert ask.fs.contents("/d/f") == b"hello!"


def test_a_client_is_made_once_for_all_who_want_it_at_the_same_time() -> None:
    clients, gate = Clients(), threading.Event()
    begun: List[int] = []
    heard: List[object] = []

    def make() -> Any:
        begun.append(len(begun))
        gate.wait(PATIENCE_SECONDS)
        assert len(begun) - len(ended) == 1, "nobody else makes one meanwhile"
        ended.append(0)
        if len(ended) == 1:
            raise errors.Unavailable("not now")
        return MemoryFileSystem("a")

    def ask() -> None:
        try:
            with clients.of("a", make) as fs:
                heard.append(fs)
        except errors.Unavailable as error:
            heard.append(error.message)

    ended: List[int] = []
    threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: bool(begun))
    gate.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    with clients.of("a", make) as last:
        assert set(heard) <= {"not now", last} and len(heard) == 8 and "not now" in heard
    assert len(begun) == 2
    clients.close()


def test_who_leaves_while_he_makes_a_client_fails_nobody_else() -> None:
    """As a browser does that loads a page anew while the namenode is away."""
    clients, gate = Clients(), threading.Event()
    heard: "queue.Queue[Any]" = queue.Queue()

    def make() -> Any:
        if not gate.is_set():
            gate.wait(PATIENCE_SECONDS)
            raise NobodyWaits("nobody waits for the answer any more")
        return MemoryFileSystem("a")

    def ask() -> None:
        try:
            with clients.of("a", make) as fs:
                heard.put(fs)
        except NobodyWaits as error:
            heard.put(error)

    waiting = threading.Event()

    def wait_for_it() -> None:
        with told_of_waiting(lambda waits: waiting.set()):
            ask()

    for deed in (ask, wait_for_it):
        threading.Thread(target=deed, daemon=True).start()
        wait_until(lambda: clients._being_made)
    assert waiting.wait(PATIENCE_SECONDS), "who waits may make room"
    gate.set()
    found = [type(heard.get(timeout=PATIENCE_SECONDS)) for _ in range(2)]
    assert sorted(kind.__name__ for kind in found) == ["MemoryFileSystem", "NobodyWaits"]
    clients.close()


def test_clients_of_users_who_ask_no_more_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_service.web.clients.USERS_MAX", 2)
    made: Dict[str, MemoryFileSystem] = {}

    def make(user: str) -> Any:
        made[user] = MemoryFileSystem(user)
        return made[user]

    clients = Clients()
    with clients.of("a", lambda: make("a")) as busy:
        for user in ("b", "c", "d"):
            with clients.of(user, lambda: make(user)) as fs:
                assert not fs.closed
        assert not busy.closed, "it is at work"
        assert (made["b"].closed, made["c"].closed, made["d"].closed) == (True, True, False)
    for user in ("e", "d", "f"):
        with clients.of(user, lambda: make(user)):
            assert busy.closed
    assert made["e"].closed and not made["d"].closed, "the one that was used last stays"
    clients.close()
    assert made["f"].closed and made["d"].closed
    assert repr(clients) == "<Clients: 0>"
