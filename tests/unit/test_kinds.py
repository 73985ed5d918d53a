"""What a peer sent is what its type says, or is refused in one sentence."""

import json
from typing import Any, List, Tuple

import pytest

from data_service.protocol.checksums import BlockChecksum
from data_service.protocol.files import FileStatus, LocatedBlock, Locations, OpenedFile
from data_service.protocol.health import ClusterStatus, DataNodeStatus, FsckRow
from data_service.protocol.listings import check_covered, check_name
from data_service.protocol.nodes import NodeStats, Target
from zookeeper.fabric.errors import ProtocolViolation
from zookeeper.fabric.kinds import Rows, decode, pack_rows
from zookeeper.fabric.rpc import plain

STATUS = FileStatus("é %#", 3, "f", 100, 2, 1000, "me", "us", 0o644, -5, 2)
NODE = DataNodeStatus("a", "h", 1, "/r", "live", NodeStats(1, 2, 3, 4, 5, 6), 0.5, 2.0)
CLUSTER = ClusterStatus(1, 2, 3, True, "", 0, 0, 0, 0, 7, "id")


@pytest.mark.parametrize("message", [
    STATUS, NODE, NODE._replace(last_report_seconds=float("inf")), CLUSTER, OpenedFile(1, 2, 3),
    BlockChecksum(b"md5", 4), Target("a", "ü", 80)])
def test_a_message_is_rebuilt(message: Any) -> None:
    for sent in (plain(message), list(message)):
        again = decode(type(message), sent)
        assert repr(again) == repr(message)


def test_an_older_peer_may_not_know_the_last_fields() -> None:
    assert decode(OpenedFile, (1, 2, 3)) == OpenedFile(1, 2, 3)
    with pytest.raises(ProtocolViolation):
        decode(OpenedFile, (1, 2))


@pytest.mark.parametrize("message", [
    STATUS, NODE, CLUSTER, OpenedFile(1, 2, 3), BlockChecksum(b"md5", 4), Target("a", "h", 80)])
def test_what_a_newer_peer_added_is_passed_over(message: Any) -> None:
    for added in ((None,), ("what", (1, 2)), (b"x",)):
        assert repr(decode(type(message), plain(message) + added)) == repr(message)
    assert decode(Tuple[int, Tuple[Target, ...]], (1, (("a", "h", 80, "rack"),), "more")) == (
        1, (Target("a", "h", 80),))


def test_a_whole_number_may_stand_for_any_number() -> None:
    again = decode(DataNodeStatus, plain(NODE)[:6] + (0, 2))
    assert repr(again) == repr(NODE._replace(last_contact_seconds=0.0))


ODD: Tuple[Tuple[Any, Any], ...] = (
    (STATUS, {"name": "a\0b"}), (STATUS, {"name": "\ud800"}), (STATUS, {"name": 5}),
    (STATUS, {"name": b"bytes"}), (STATUS, {"length": -1}), (STATUS, {"length": 1 << 63}),
    (STATUS, {"length": 1.0}), (STATUS, {"length": True}), (STATUS, {"length": None}),
    (STATUS, {"mode": 0o10000}), (STATUS, {"owner": ("a",)}), (STATUS, {"mtime_ms": 10**5000}),
    (NODE, {"port": 0}), (NODE, {"port": 65536}), (NODE, {"host": 5}), (NODE, {"stats": (1, 2)}),
    (NODE, {"last_contact_seconds": "soon"}), (NODE, {"last_contact_seconds": float("nan")}),
    (CLUSTER, {"safe_mode": 1}), (BlockChecksum(b"md5", 4), {"md5": "text"}),
)


@pytest.mark.parametrize("message, change", ODD)
def test_a_field_that_is_not_what_it_must_be(message: Any, change: dict) -> None:
    (field,) = change
    with pytest.raises(ProtocolViolation, match=f"malformed answer.*{field}|NodeStats") as caught:
        decode(type(message), plain(message._replace(**change)))
    assert len(caught.value.message) < 200 and caught.value.message.isprintable()


@pytest.mark.parametrize("value", [None, 5, "text", b"bytes", (), (1,), plain(STATUS)[:-1], {}])
def test_what_is_no_message_at_all(value: Any) -> None:
    for kind in (FileStatus, LocatedBlock, Locations, FsckRow):
        with pytest.raises(ProtocolViolation):
            decode(kind, value)


@pytest.mark.parametrize("data", [
    b"", b"[", b"{}", b"5", b"[" * 100_000, b"[[1]]", b"\xff", b"NaN", "text", None])
def test_rows_that_are_none(data: Any) -> None:
    with pytest.raises(ProtocolViolation):
        decode(Rows[FileStatus], data)


def test_rows_come_back() -> None:
    assert decode(Rows[FileStatus], pack_rows([STATUS, STATUS])) == [STATUS, STATUS]
    assert decode(Rows[FileStatus], json.dumps([]).encode()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0"])
def test_what_is_no_name_of_a_file(name: str) -> None:
    with pytest.raises(ProtocolViolation, match="no name"):
        check_name(name)
    check_name("..." + name.replace("/", "").replace("\0", ""))


def located(*spans: Tuple[int, int]) -> Tuple[tuple, ...]:
    """Blocks (offset, length)."""
    return tuple(((number, 1, length), offset, (), False, b"")
                 for number, (offset, length) in enumerate(spans))


COVERED: List[Tuple[int, int, int, Tuple[Tuple[int, int], ...], bool]] = [
    (0, 0, 100, (), True), (10, 0, 100, ((0, 10),), True), (10, 0, 100, ((0, 4), (4, 6)), True),
    (10, 5, 1, ((4, 6),), True), (10, 5, 0, (), True), (10, 20, 5, (), True),
    (10, 3, 2, ((0, 4), (4, 6)), True),
    (10, 0, 100, (), False), (10, 0, 100, ((5, 5),), False), (10, 0, 100, ((0, 9),), False),
    (10, 0, 100, ((0, 11),), False), (10, 0, 100, ((0, 4), (5, 5)), False),
    (10, 0, 100, ((0, 6), (4, 6)), False), (10, 0, 100, ((4, 6), (0, 4)), False),
    (10, 0, 100, ((0, 10), (10, 0)), False), (10, 5, 1, (), False), (10, 5, 1, ((0, 4),), False),
    (0, 0, 100, ((0, 5),), False),
]


@pytest.mark.parametrize("size, offset, length, spans, right", COVERED)
def test_blocks_must_follow_each_other_from_end_to_end(
    size: int, offset: int, length: int, spans: Tuple[Tuple[int, int], ...], right: bool
) -> None:
    locations = decode(Locations, (plain(STATUS._replace(length=size)), located(*spans)))
    if right:
        check_covered("/f", locations, offset, length)
        return
    with pytest.raises(ProtocolViolation, match="/f: "):
        check_covered("/f", locations, offset, length)
