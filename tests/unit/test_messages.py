"""Messages survive the wire, where named tuples become plain ones."""

import struct
from typing import Any

import pytest

from data_service.protocol.blocks import INTEGER_MAX, Block, pack_blocks, unpack_blocks
from data_service.protocol.files import FileStatus, LocatedBlock, Locations
from data_service.protocol.health import BlockHealth, DataNodeStatus, FsckRow, Health, Holder
from data_service.protocol.nodes import DELETE, Command, NodeStats, Target
from zookeeper.fabric.errors import ProtocolViolation
from zookeeper.fabric.kinds import Rows, decode, pack_rows
from zookeeper.fabric.rpc import plain

BLOCK = Block(7, 1, 100)
TARGETS = (Target("a", "host", 1), Target("b", "höst", 2))
HOLDERS = (Holder("a", "host", 1, "/r", "LIVE"), Holder("b", "höst", 2, "/r", "CORRUPT"))
STATUS = FileStatus("é %#", 3, "f", 100, 2, 1000, "me", "us", 0o644, 1, 2)
LOCATED = LocatedBlock(BLOCK, 0, TARGETS, False, b"\x00token")

NESTED = (
    LOCATED,
    LocatedBlock(BLOCK, 0, (), True, b""),
    Locations(STATUS, (LOCATED, LOCATED)),
    Locations(STATUS, ()),
    DataNodeStatus("a", "h", 1, "/r", "live", NodeStats(1, 2, 3, 4, 5, 6), 0.5, 1.5),
    Command(DELETE, (BLOCK, BLOCK._replace(block_id=8)), TARGETS),
    FsckRow("/a/b", STATUS, (BlockHealth(BLOCK, Health(2, 1, 1, 0), HOLDERS),), "client"),
    FsckRow("/a", STATUS, ()),
)


@pytest.mark.parametrize("message", NESTED, ids=lambda value: type(value).__name__)
def test_a_nested_message_is_rebuilt(message: Any) -> None:
    sent = plain(message)
    assert type(sent) is tuple and all(type(item) is not type(message) for item in sent)
    again = decode(type(message), sent)
    # Equal is not enough: a plain tuple equals a named one.
    assert repr(again) == repr(message)


def test_a_directory_is_told_by_its_kind() -> None:
    assert not STATUS.is_directory and STATUS._replace(kind="d").is_directory


def test_blocks_of_a_report() -> None:
    blocks = [BLOCK, Block(0, 0, 0), Block(INTEGER_MAX, INTEGER_MAX, INTEGER_MAX)]
    data = pack_blocks(blocks)
    assert len(data) == 24 * 3 and repr(list(unpack_blocks(data))) == repr(blocks)
    assert pack_blocks([]) == b"" and list(unpack_blocks(b"")) == []
    with pytest.raises(struct.error):
        list(unpack_blocks(data[:-1]))


def test_rows_of_a_listing() -> None:
    rows = [STATUS, STATUS._replace(name="nöch\n\"eins\"")]
    assert repr(decode(Rows[FileStatus], pack_rows(rows))) == repr(rows)
    assert decode(Rows[FileStatus], pack_rows([])) == []
    with pytest.raises(ProtocolViolation):
        decode(Rows[FileStatus], pack_rows(rows)[:-1])


def test_fsck_rows_also_come_back_from_their_page() -> None:
    rows = [row for row in NESTED if isinstance(row, FsckRow)]
    assert repr(decode(Rows[FsckRow], pack_rows(rows))) == repr(rows)
