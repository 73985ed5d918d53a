"""Messages survive the wire, where named tuples become plain ones."""

import json
import struct
from typing import Any, Callable, Tuple

import pytest

from data_service.protocol.blocks import INTEGER_MAX, Block
from data_service.protocol.messages import (
    DELETE,
    BlockHealth,
    Command,
    DataNodeStatus,
    FileStatus,
    FsckRow,
    Health,
    Holder,
    LocatedBlock,
    Locations,
    NodeStats,
    Target,
    pack_blocks,
    pack_rows,
    unpack_blocks,
    unpack_rows,
)
from zookeeper.fabric.rpc import plain

BLOCK = Block(7, 1, 100)
TARGETS = (Target("a", "host", 1), Target("b", "höst", 2))
HOLDERS = (Holder("a", "host", 1, "/r", "LIVE"), Holder("b", "höst", 2, "/r", "CORRUPT"))
STATUS = FileStatus("é %#", 3, "f", 100, 2, 1000, "me", "us", 0o644, 1, 2)
LOCATED = LocatedBlock(BLOCK, 0, TARGETS, False, b"\x00token")

NESTED: Tuple[Tuple[Any, Callable[[tuple], Any]], ...] = (
    (LOCATED, LocatedBlock.from_wire),
    (LocatedBlock(BLOCK, 0, (), True, b""), LocatedBlock.from_wire),
    (Locations(STATUS, (LOCATED, LOCATED)), Locations.from_wire),
    (Locations(STATUS, ()), Locations.from_wire),
    (DataNodeStatus("a", "h", 1, "/r", "live", NodeStats(1, 2, 3, 4, 5, 6), 0.5, 1.5),
     DataNodeStatus.from_wire),
    (Command(DELETE, (BLOCK, BLOCK._replace(block_id=8)), TARGETS), Command.from_wire),
    (FsckRow("/a/b", STATUS, (BlockHealth(BLOCK, Health(2, 1, 1, 0), HOLDERS),), "client"),
     FsckRow.from_wire),
    (FsckRow("/a", STATUS, ()), FsckRow.from_wire),
)


@pytest.mark.parametrize("message, from_wire", NESTED, ids=lambda value: type(value).__name__)
def test_a_nested_message_is_rebuilt(message: Any, from_wire: Callable[[tuple], Any]) -> None:
    sent = plain(message)
    assert type(sent) is tuple and all(type(item) is not type(message) for item in sent)
    again = from_wire(sent)
    # Equal is not enough: a plain tuple equals a named one.
    assert repr(again) == repr(message)


def test_fsck_rows_also_come_back_from_json() -> None:
    row = NESTED[-1][0]
    assert repr(FsckRow.from_wire(json.loads(json.dumps(row)))) == repr(row)


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
    assert list(map(FileStatus._make, unpack_rows(pack_rows(rows)))) == rows
    assert unpack_rows(pack_rows([])) == []
    with pytest.raises(ValueError):
        unpack_rows(pack_rows(rows)[:-1])
