"""HDFS's checksum of a file: computed by datanodes, from a good replica, composed by the client."""

import hashlib
import os
from pathlib import Path

import pytest

from data_service.filesystem import FileSystem
from data_service.filesystem.reading import replica_choice
from data_service.filesystem.reading.file_checksum import FileChecksum, compose
from data_service.protocol.checksums import BYTES_PER_CRC, CHUNK_BYTES, BlockChecksum, small_crcs
from tests.support.clusters.inner_cluster import InnerCluster
from tests.support.models.plain_namenode import BLOCK_SIZE
from tests.support.disks.replicas import noise
from tests.support.disks.stores import opened, put
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import BlockMissing, CorruptData, PathNotFound
from zookeeper.fabric.packets import PacketWriter

DATA = noise(2 * BLOCK_SIZE + 1000, 5)


def block_checksum(data: bytes) -> BlockChecksum:
    """What a block with these bytes gives, the plain way."""
    crcs = small_crcs(memoryview(data))
    return BlockChecksum(hashlib.md5(crcs).digest(), len(crcs) // 4)


def expected(data: bytes, block_size: int) -> FileChecksum:
    """The checksum of a file in blocks of one size."""
    starts = range(0, len(data), block_size)
    return compose([block_checksum(data[start : start + block_size]) for start in starts])


# Taken from HDFS 3.3.6 with dfs.checksum.type=CRC32: noise(size, size) in blocks of so many bytes.
HDFS = [
    (0, 4096, 0, "00000000000000000000000070bc8f4b72a86921468bf8e8441dce51"),
    (1, 4096, 0, "000002000000000000000000443102b337e77dfb3e0197771fec2b8f"),
    (513, 4096, 0, "000002000000000000000000658016350d1dea980f90085343d20255"),
    (8192, 8192, 0, "000002000000000000000000bf077953a904187d1714c8c02a1030bc"),
    (8192, 4096, 8, "00000200000000000000000812bc04809101be9d096cecd077a27d2e"),
    (8193, 4096, 8, "000002000000000000000008ff0d8f4c0533a98f0e69ec48142ed94b"),
    (100000, 4096, 8, "000002000000000000000008333641565dd5576e75c15f21664b5524"),
    (40960, 8192, 16, "000002000000000000000010b812b7286d85941df182a6a9caa02f38"),
]


@pytest.mark.parametrize("size, block_size, per_block, value", HDFS)
def test_it_is_hdfss(size: int, block_size: int, per_block: int, value: str) -> None:
    found = expected(noise(size, size), block_size)
    assert found.value == value
    assert found.algorithm == f"MD5-of-{per_block}MD5-of-{512 if size else 0}CRC32"


def test_the_md5s_are_padded_to_a_power_of_two() -> None:
    for count in range(20):
        blocks = [block_checksum(bytes([number])) for number in range(count)]
        size = next(size for size in (32, 64, 128, 256, 512) if size >= 16 * count)
        joined = b"".join(block.md5 for block in blocks).ljust(size, b"\0")
        assert compose(blocks).md5 == hashlib.md5(joined).digest()


def test_the_name_counts_the_first_block_of_several() -> None:
    short, long = block_checksum(bytes(600)), block_checksum(bytes(5000))
    assert compose([short]).algorithm == compose([long]).algorithm == "MD5-of-0MD5-of-512CRC32"
    assert compose([short, long]).algorithm == "MD5-of-2MD5-of-512CRC32"
    assert compose([long, short]).algorithm == "MD5-of-10MD5-of-512CRC32"


SIZES = (0, 1, 511, 512, 513, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 77)


@pytest.mark.parametrize("size", SIZES)
def test_a_replica_gives_its_checksum(tmp_path: Path, size: int) -> None:
    data = noise(size, size)
    store = opened(tmp_path)
    put(store, 7, data)
    with store.read(7, 1) as replica:
        assert replica.checksum(size) == block_checksum(data)
        for length in {0, size // 2, max(0, size - 1), min(size, BYTES_PER_CRC)}:
            assert replica.checksum(length) == block_checksum(data[:length])
        with pytest.raises(CorruptData):
            replica.checksum(size + 1)
    store.close()


def store_file(fs: FileSystem, size: int = len(DATA)) -> FileChecksum:
    """Write a file; the checksum that it must have."""
    with fs.open("/a", "wb") as file:
        file.write(DATA[:size])
    return expected(DATA[:size], BLOCK_SIZE)


@pytest.mark.parametrize("size", [0, 1, BLOCK_SIZE, BLOCK_SIZE + 1, len(DATA)])
def test_no_byte_of_the_file_moves(
    fs: FileSystem, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = store_file(fs, size)
    monkeypatch.setattr(PacketWriter, "send_file", None)
    assert fs.file_checksum("/a") == wanted


def test_a_damaged_replica_is_reported_and_the_other_one_taken(
    cluster: InnerCluster, fs: FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_choice, "PAUSES_SECONDS", (0.1,))
    wanted = store_file(fs)
    block = cluster.blocks("/a")[1]
    with open(cluster.path(0, block), "r+b") as replica:
        byte = replica.read(1)[0]
        replica.seek(0)
        replica.write(bytes([byte ^ 1]))
    os.truncate(cluster.path(1, cluster.blocks("/a")[0]), 5)
    assert fs.file_checksum("/a") == wanted
    # A datanode tells the namenode by itself, while its answer is on the way to the client.
    wait_until(lambda: block.block_id in cluster.known(0).corrupt, what="a report of the damage")
    cluster.data_nodes[0].stop()
    with pytest.raises(BlockMissing, match="Could not obtain block"):
        fs.file_checksum("/a")
    cluster.restart(0)


def test_of_nothing(fs: FileSystem) -> None:
    with pytest.raises(PathNotFound):
        fs.file_checksum("/no")
