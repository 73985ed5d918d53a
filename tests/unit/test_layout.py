"""A datanode's directory: names, trailers, VERSION, numbers."""

from random import Random
from typing import Callable, List

import pytest

from data_service.datanode.store import layout
from data_service.datanode.store.layout import Version
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES, chunk_count
from zookeeper.fabric.errors import CorruptData
from zookeeper.fabric.kinds import INTEGER_MAX

VERSION = Version("cluster", "node", "storage", layout.LAYOUT_VERSION)


def trailer(length: int) -> bytes:
    """What stands behind the data of block 7, generation 3."""
    return layout.encode_trailer(Block(7, 3, length), list(range(chunk_count(length))))


def label(data: bytes, block_id: int = 7, generation: int = 3) -> Block:
    """The block that it says it is of."""
    return layout.decode_label(data, block_id, generation, layout.LAYOUT_VERSION)


@pytest.mark.parametrize("length", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES])
def test_checksums_are_kept_with_their_block(length: int) -> None:
    data = trailer(length)
    assert len(data) == layout.trailer_bytes(length)
    block = label(data[-layout.LABEL_BYTES :])
    checksums = layout.decode_checksums(data[: layout.checksum_bytes(length)], block)
    assert block == Block(7, 3, length) and checksums == tuple(range(chunk_count(length)))


def test_the_form_of_a_trailer_stays_as_it_is() -> None:
    """Whoever changes it has to count the layout on, and to read what is there."""
    assert layout.encode_trailer(Block(7, 3, 5), [0xDEADBEEF]).hex() == (
        "deadbeef" "5079444d" "0003" "0001" "00040000"
        "0000000000000007" "0000000000000003" "0000000000000005" "a58475ed"
    )


def test_every_flipped_bit_of_the_label_is_seen() -> None:
    data = trailer(1000)[-layout.LABEL_BYTES :]
    for position in range(layout.LABEL_BYTES):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            with pytest.raises(CorruptData, match="blk_7_3"):
                label(bytes(damaged))


def test_every_truncation_and_extension_is_seen() -> None:
    """HDFS-14706: a file of less than 7 bytes meant "no checksum"."""
    data = trailer(2 * CHUNK_BYTES)
    block = Block(7, 3, 2 * CHUNK_BYTES)
    for size in set(range(len(data) + 1)) - {layout.LABEL_BYTES}:
        with pytest.raises(CorruptData):
            label(data[-layout.LABEL_BYTES :][:size] if size < layout.LABEL_BYTES else data[:size])
    for size in set(range(len(data))) - {layout.checksum_bytes(block.length)}:
        with pytest.raises(CorruptData):
            layout.decode_checksums(data[:size], block)


def test_a_label_of_the_other_form_is_no_label() -> None:
    data = trailer(10)[-layout.LABEL_BYTES :]
    with pytest.raises(CorruptData):
        layout.decode_label(data, 7, 3, layout.META_LAYOUT)


@pytest.mark.parametrize("block_id, generation", [(8, 3), (7, 4), (0, 0)])
def test_another_blocks_checksums_are_refused(block_id: int, generation: int) -> None:
    with pytest.raises(CorruptData, match="has the checksums of blk_7_3"):
        label(trailer(10)[-layout.LABEL_BYTES :], block_id, generation)


def test_a_checksum_for_each_chunk_is_a_must() -> None:
    with pytest.raises(AssertionError):
        layout.encode_trailer(Block(7, 3, CHUNK_BYTES + 1), [1])


def test_version_is_kept() -> None:
    assert layout.decode_version(layout.encode_version(VERSION)) == VERSION
    for other in (VERSION._replace(cluster_id=""), VERSION._replace(layout=layout.META_LAYOUT)):
        assert layout.decode_version(layout.encode_version(other)) == other


DAMAGES: List[Callable[[bytes], bytes]] = [
    lambda data: b"",
    lambda data: b"\xff" + data,
    lambda data: b"garbage\n",
    lambda data: data.replace(b"layout=", b"layout=9"),
    lambda data: data.replace(b"layout=", b"layout=x"),
    lambda data: data.replace(b"node_id=node", b"node_id="),
    lambda data: data.replace(b"storage_id=storage\n", b""),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_version_is_refused(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(CorruptData):
        layout.decode_version(damage(layout.encode_version(VERSION)))


@pytest.mark.parametrize("number", [1, layout.LAYOUT_VERSION + 1])
def test_a_directory_of_an_unknown_layout_is_refused_with_advice(number: int) -> None:
    """The checksums of layout 1 cover other chunks: every replica of it would look damaged."""
    unknown = layout.encode_version(VERSION._replace(layout=number))
    advice = f"layout is {number}, .* serve it with the version that wrote"
    with pytest.raises(CorruptData, match=advice):
        layout.decode_version(unknown)


@pytest.mark.parametrize("number", [0, 7, INTEGER_MAX])
def test_numbers_are_kept(number: int) -> None:
    assert layout.decode_number("epoch", layout.encode_number(number)) == number
    assert layout.decode_number("epoch", None) == 0


@pytest.mark.parametrize("data", [b"", b"1", b"x\n", b"-1\n", b" 1\n", b"1_0\n", b"1\n1\n"])
def test_a_damaged_number_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptData, match="epoch"):
        layout.decode_number("epoch", data)


def test_paths_spread_over_all_folders() -> None:
    assert layout.replica_path("/r", 258, 4) == "/r/finalized/02/blk_258_4"
    shards = {layout.shard_of(block_id) for block_id in range(1000, 1256)}
    assert shards == set(layout.SHARDS) and len(shards) == 256


def test_the_trash_tells_when_a_file_came_and_never_too_early() -> None:
    random = Random(3)
    for name in ("blk_7_3", "blk_7_3.meta"):
        for seconds in [0, 1.5] + [random.random() * 1e6 for _ in range(50)]:
            since = layout.trashed_at(layout.trash_name(name, seconds))
            assert since is not None and seconds <= since < seconds + 1


@pytest.mark.parametrize("name", ["blk_7_3", "blk_7_3.meta", "note.5", "blk_7_3.x", "blk_7_3.-5",
                                  "blk_7_3.5.6", "5", ""])
def test_files_of_others_in_the_trash_have_no_time(name: str) -> None:
    assert layout.trashed_at(name) is None
