"""Blocks that end early, on a real namenode: of a stream without room, of a file that grows."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from data_service.filesystem.writing.spool import MEMORY_BYTES_MAX
from tests.support.clusters.cluster import Cluster
from tests.support.disks.replicas import noise

SMALL, BLOCK = 1 << 20, 32 << 20


def test_a_stream_needs_no_room_for_temporary_files(
    shared_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_options: Any) -> Any:
        raise FileNotFoundError(2, "No usable temporary directory found")

    content = noise(MEMORY_BYTES_MAX + SMALL + 777, 3)
    with shared_cluster.file_system() as fs:
        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
        with fs.open("/roomless", "wb", block_size=BLOCK) as file:
            file.write(content)
        assert fs.open("/roomless").read() == content
        lengths = [located.block.length for located in fs.block_locations("/roomless").blocks]
        assert lengths == [MEMORY_BYTES_MAX, SMALL + 777]


def test_a_file_that_grows_while_it_is_put(shared_cluster: Cluster, tmp_path: Path) -> None:
    content, more = noise(3 * SMALL + 777, 4), noise(2 * SMALL + 55, 5)
    (tmp_path / "local").write_bytes(content)

    def grow(done: int, total: int) -> None:
        if done == total == len(content):
            with open(tmp_path / "local", "ab") as file:
                file.write(more)

    with shared_cluster.file_system() as fs:
        fs.put(str(tmp_path / "local"), "/growing", block_size=SMALL, progress=grow)
        assert fs.open("/growing").read() == content + more
