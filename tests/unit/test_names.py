"""Names and the cluster's administration, each alone: what is asked of the namenode for a call."""

import errno
import inspect
import sys
from types import FrameType
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest

from data_service.filesystem import FileSystem
from data_service.filesystem.administration import Administration
from data_service.filesystem.namenode_client import LIST_ROWS
from data_service.filesystem.names import Names
from data_service.protocol.files import FileStatus
from data_service.protocol.namenode_calls import NameNodeCalls
from tests.support.models.plain_namenode import PlainNameNode
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import DfsError, NotADirectory, PathNotFound, ProtocolViolation
from zookeeper.fabric.kinds import pack_rows
from zookeeper.fabric.settings import NameNodeSettings, Settings

STATUS = FileStatus("f", 7, "f", 3, 1, 4096, "me", "us", 0o644, 1, 1)


class Line:
    """The namenode's answers, and what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers: Dict[str, Any] = answers
        self.asked: List[Tuple[Any, ...]] = []
        self.calls = NameNodeCalls(self._perform)

    def _perform(self, call: Call, args: Tuple[Any, ...], _seconds: Optional[float]) -> Any:
        self.asked.append((call.name, *args))
        answer = self.answers.get(call.name)
        if isinstance(answer, Exception):
            raise answer
        return answer.pop(0) if isinstance(answer, list) else answer


@pytest.mark.parametrize("ask, asked", [
    (lambda names: names.mkdir("d"), ("mkdir", "/user/me/d", False, 0o750)),
    (lambda names: names.mkdir("/d", parents=True, mode=0o777), ("mkdir", "/d", True, 0o777)),
    (lambda names: names.rename("a", "../b"), ("rename", "/user/me/a", "/user/b")),
    (lambda names: names.set_replication("a", 2), ("set_replication", "/user/me/a", 2)),
    (lambda names: names.set_mode("/a", 0o600), ("set_mode", "/a", 0o600)),
    (lambda names: names.set_owner("/a", group="us"), ("set_owner", "/a", "", "us")),
    (lambda names: names.set_times("/a", 5), ("set_times", "/a", 5, -1)),
    (lambda names: names.set_quota("/a", space=9), ("set_quota", "/a", (1 << 63) - 1, 9)),
    (lambda names: names.concat("a", "/b", "c"), ("concat", "/user/me/a", ("/b", "/user/me/c"))),
])  # fmt: skip
def test_what_names_ask(ask: Callable[[Names], object], asked: Tuple[Any, ...]) -> None:
    line = Line()
    ask(Names(line.calls, "me", 0o027))
    assert line.asked == [asked]


def test_a_long_listing_is_asked_for_in_pages() -> None:
    pages = [(pack_rows([STATUS, STATUS._replace(name="g")]), True), (pack_rows([]), False)]
    line = Line(list=pages)
    assert [status.name for status in Names(line.calls, "me").list("/d")] == ["f", "g"]
    assert line.asked == [("list", "/d", "", LIST_ROWS), ("list", "/d", "g", LIST_ROWS)]


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\0"])
def test_what_is_no_name_is_not_believed(name: str) -> None:
    line = Line(list=[(pack_rows([STATUS._replace(name=name)]), False)])
    with pytest.raises(ProtocolViolation):
        list(Names(line.calls, "me").list("/d"))


def test_an_answer_of_another_kind_is_not_believed() -> None:
    for answer in (None, "yes", 1):
        with pytest.raises(ProtocolViolation):
            Names(Line(access=answer).calls, "me").access("/a", 4)


def test_errors_tell_of_the_path_that_was_meant() -> None:
    names = Names(Line(stat=PathNotFound("x"), rename=PathNotFound("x")).calls, "me")
    with pytest.raises(FileNotFoundError) as caught:
        names.stat("d/./f")
    assert (caught.value.filename, caught.value.errno) == ("/user/me/d/f", errno.ENOENT)
    with pytest.raises(FileNotFoundError) as caught:
        names.rename("a", "/b")
    assert (caught.value.filename, caught.value.filename2) == ("/user/me/a", "/b")


def test_below_a_file_there_is_nothing_to_delete() -> None:
    assert Names(Line(delete=NotADirectory("x")).calls, "me").delete("/f/g") is False
    assert Names(Line(delete=True).calls, "me").delete("/f") is True


def test_administration_needs_no_names() -> None:
    line = Line(groups=("us", "them"), safe_mode=True, spread_blocks=[1000, 5], save_namespace=9)
    cluster = Administration(line.calls, "us")
    assert cluster.groups() == ("us", "them") and cluster.safe_mode("get")
    assert cluster.spread_blocks(range(LIST_ROWS + 1)) == 1005
    assert [len(call[1]) for call in line.asked if call[0] == "spread_blocks"] == [LIST_ROWS, 1]
    assert cluster.save_namespace() == 9
    cluster.metasave("names")
    cluster.trigger_block_report("host", 1801)
    assert line.asked[-2:] == [("metasave", "names"), ("trigger_block_report", "host", 1801)]
    assert Administration(Line(block_row=pack_rows([])).calls, "us").block_row(7) is None


def test_a_file_system_says_what_each_of_its_methods_means() -> None:
    for base in (Names, Administration):
        for name, method in inspect.getmembers(base, inspect.isfunction):
            if not name.startswith("_"):
                assert getattr(FileSystem, name) is method and method.__doc__, name


# How far it is from a program to the wire.

PRODUCT = ("data_service", "zookeeper")


def own_functions(frame: Optional[FrameType]) -> List[str]:
    """Our own functions that lead to a frame, the outermost first."""
    found: List[str] = []
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(PRODUCT):
            found.insert(0, f"{module.rpartition('.')[2]}.{frame.f_code.co_name}")
        frame = frame.f_back
    return found


def test_a_rename_goes_through_five_functions_to_the_wire() -> None:
    ways: List[List[str]] = []

    def heed(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_name == "request_message":
            ways.append(own_functions(frame)[:-2])

    with PlainNameNode() as namenode:
        settings = Settings(name_node=NameNodeSettings(hosts=(namenode.address,)))
        with FileSystem(settings, user="me") as fs:
            sys.setprofile(heed)
            try:
                with pytest.raises(DfsError):
                    fs.rename("/a", "/b")
            finally:
                sys.setprofile(None)
    assert ways == [["names.rename", "calls.stub", "namenode_client._repeat", "pools.call",
                     "remote.call"]]
