"""Block tokens that expire while a file is read: the library asks for others, unseen."""

from dataclasses import replace
from pathlib import Path
from typing import Iterator

import pytest

from data_service.filesystem import FileSystem
from data_service.filesystem.reading.download import download
from data_service.filesystem.reading.file_checksum import checksum_file
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.waiting import wait_until
from tests.support.disks.replicas import noise
from zookeeper.fabric.errors import BlockMissing, TokenExpired
from zookeeper.fabric.settings import load

BLOCK_SIZE = 64 << 10
DATA = noise(5 * BLOCK_SIZE + 777)
LIFE = 1
"""Seconds."""


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("tokens")
    own = {"replication_factor": 2, "block_size": BLOCK_SIZE}
    made = Cluster(folder, 2, security="secret", name_node=own)
    text = made.config.read_text()
    made.config.write_text(text.replace("[security]", f"[security]\ntoken_seconds = {LIFE}"))
    with made as started:
        yield started


@pytest.fixture(name="fs", params=[True, False], ids=["files", "sockets"])
def _fs(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[FileSystem]:
    """A client that reads replicas on this machine as files, and one that does not."""
    settings = load(str(cluster.config))
    client = replace(settings.client, short_circuit=request.param)
    with FileSystem(replace(settings, client=client)) as fs:
        fs.write_bytes("/f", DATA)
        yield fs


def await_expiry(fs: FileSystem) -> None:
    """Wait until the tokens that somebody has by now for /f are refused at all datanodes."""
    located = fs.block_locations("/f").blocks[-1]

    def is_over(node: int) -> bool:
        try:
            calls = fs._transport()._datanodes.at(located.targets[node])
            calls.block_checksum(*located.block, located.token)
        except TokenExpired:
            return True
        return False

    for node in range(len(located.targets)):
        wait_until(lambda: is_over(node), what="the end of a token")


def test_a_file_is_read_on_from_block_to_block(fs: FileSystem) -> None:
    with fs.open("/f") as file:
        first = file.read(10)
        await_expiry(fs)
        assert first + file.read() == DATA


def test_a_file_that_was_renamed_or_replaced_is_read_on(fs: FileSystem) -> None:
    with fs.open("/f") as file:
        first = file.read(10)
        await_expiry(fs)
        fs.rename("/f", "/elsewhere")
        fs.write_bytes("/f", b"another one")
        assert first + file.read() == DATA
    fs.delete("/elsewhere")


def test_a_reader_jumps_to_and_fro(fs: FileSystem) -> None:
    with fs.open("/f") as file:
        await_expiry(fs)
        for place in (len(DATA) - 5, 0, BLOCK_SIZE, 0, 4 * BLOCK_SIZE, BLOCK_SIZE - 1):
            file.seek(place)
            assert file.read(5) == DATA[place : place + 5]


def test_several_blocks_at_a_time(fs: FileSystem, tmp_path: Path) -> None:
    locations, reader = fs.block_locations("/f"), fs._block_reader("/f")
    expected = fs.file_checksum("/f")
    await_expiry(fs)
    download(locations, reader, str(tmp_path / "f"), 3)
    assert (tmp_path / "f").read_bytes() == DATA
    assert checksum_file(locations, fs._block_reader("/f"), 3) == expected


def test_a_file_is_written_for_longer_than_a_token_lives(fs: FileSystem) -> None:
    with fs.open("/slow", "wb") as file:
        file.write(DATA[: BLOCK_SIZE + 5])
        await_expiry(fs)
        file.write(DATA[BLOCK_SIZE + 5 :])
    assert fs.read_bytes("/slow") == DATA


def test_a_reader_without_the_right_any_more_gets_no_other_token(
    cluster: Cluster, fs: FileSystem
) -> None:
    with cluster.file_system("alice") as alice, alice.open("/f") as file:
        assert file.read(10) == DATA[:10]
        fs.set_mode("/f", 0o600)
        await_expiry(fs)
        with pytest.raises(BlockMissing, match="expired"):
            file.read()
