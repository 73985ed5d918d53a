"""scripts/bench.py --namespace: the tree that it builds, and that a namenode can start from it."""

from pathlib import Path
from typing import Dict, List

import pytest

from data_service.namenode.namespace.image import BLOCKS, COUNTERS, INODES
from data_service.namenode.namespace.retries import Op
from data_service.protocol.blocks import Block, unpack_blocks
from metadata_service.edits import TABLES, decode_rows, split_lines
from metadata_service.record.metadata_db import MetadataDatabase
from scripts import bench
from scripts.benchmark import filled_record, namespace_core
from scripts.benchmark.filled_record import Filler
from scripts.benchmark.namespace_core import (
    BRANCHES,
    FLAT_SHARE,
    OWNER,
    ROOT,
    TOP,
    Builder,
    directories,
)
from scripts.benchmark.tiny_datanodes import NODES, held_by


def test_the_command_line() -> None:
    assert bench.parse(["--namespace", "1000000"]).namespace == 1_000_000
    assert bench.parse([]).namespace is None
    with pytest.raises(SystemExit):
        bench.parse(["--namespace", "0"])


@pytest.mark.parametrize("files", [10, 999, 1000, 1112, 250_000])
def test_the_tree_has_all_files(files: int) -> None:
    made = list(directories(files))
    assert sum(count for _, count in made) == files
    assert len({path for path, _ in made}) == len(made)
    assert made[0][1] == files // FLAT_SHARE and all(0 < count <= 1000 for _, count in made[1:])


def test_the_database_holds_what_the_core_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespace_core, "BATCH", 7)
    packed = tmp_path / "blocks"
    builder = Builder(str(tmp_path / "metadata"), str(packed))
    builder.build(30)
    builder.state.check()
    summary = builder.state.reading.content_summary(ROOT, TOP).result
    assert (summary.files, builder.state.blocks.census.counts().under_replicated) == (30, 0)
    rows = builder.state.image.rows()
    builder.close()
    database = MetadataDatabase.open(str(tmp_path / "metadata"), 100)
    for name in (INODES, BLOCKS):
        stored = database.load(TABLES[name], None, 1000, 1 << 30)
        assert split_lines(stored) and len(split_lines(stored)) == len(rows[name])
    database.close()
    recorded = {row[:3] for row in rows[BLOCKS]}
    assert set(map(tuple, unpack_blocks(packed.read_bytes()))) == recorded


def test_a_filled_record_is_as_if_its_files_had_been_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filled_record, "ROWS_AT_ONCE", 7)
    builder = Builder(str(tmp_path / "built"), str(tmp_path / "blocks"))
    builder.build(30)
    builder.close()
    Filler(str(tmp_path / "filled"), str(tmp_path / "packed")).fill(30)
    assert (tmp_path / "packed").read_bytes() == (tmp_path / "blocks").read_bytes()
    built, filled = [tables_in(tmp_path / name) for name in ("built", "filled")]
    assert filled[INODES] == built[INODES] and filled[BLOCKS] == built[BLOCKS]
    counters = dict(filled[COUNTERS])
    assert counters.keys() == dict(built[COUNTERS]).keys()
    assert counters["inode_id"] > filled[INODES][-1][0]
    assert counters["block_id"] > filled[BLOCKS][-1][0]


def tables_in(directory: Path) -> Dict[str, List[tuple]]:
    """The rows of a record, without the times of its inodes."""
    database = MetadataDatabase.open(str(directory), 100)
    database.check()
    found = {
        name: decode_rows(database.load(TABLES[name], None, 1000, 1 << 30))
        for name in (INODES, BLOCKS, COUNTERS)
    }
    database.close()
    found[INODES] = [(*row[:7], *row[9:]) for row in found[INODES]]
    return {name: [tuple(row) for row in rows] for name, rows in found.items()}


def test_an_ordinary_user_owns_what_they_shall_delete(tmp_path: Path) -> None:
    builder = Builder(str(tmp_path / "metadata"), str(tmp_path / "blocks"))
    builder.build(10)
    outcome = builder.state.delete(OWNER, Op("bench", 10**9), BRANCHES, True, 0)
    assert outcome.result is True
    builder.close()


def test_every_block_is_on_all_tiny_datanodes_but_one() -> None:
    blocks = [Block(number, 1, 1) for number in range(1, 10)]
    shares = [list(held_by(number, blocks)) for number in range(NODES)]
    holders = [sum(block in share for share in shares) for block in blocks]
    assert holders == [NODES - 1] * len(blocks) and all(shares)


def test_what_is_told_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    namespace_core.main(str(tmp_path / "metadata"), str(tmp_path / "blocks"), 20)
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 7 and all(line.startswith('["') for line in told)
