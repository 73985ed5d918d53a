"""metasave: the namenode's unfinished work as text."""

import pytest

from data_service.namenode import metasave
from data_service.namenode.metasave import metasave_lines
from tests.support.models.namenode_core import ROOT, Core


def test_a_namenode_with_nothing_to_do() -> None:
    core = Core()
    core.put("/d/f", 10)
    lines = metasave_lines(core.state, 3, 1)
    assert lines[:7] == [
        "3 files and directories, 1 blocks = 4 total filesystem objects",
        "Live Datanodes: 3",
        "Dead Datanodes: 1",
        "Metasave: Blocks waiting for reconstruction: 0",
        "Metasave: Blocks currently missing: 0",
        "Metasave: Blocks being reconstructed: 0",
        "Metasave: Blocks 0 waiting deletion from 0 datanodes.",
    ]
    assert lines[7:9] == ["Corrupt Blocks: 0", "Metasave: Number of datanodes: 3"]
    assert lines[9].startswith("127.0.0.1:1800 LIVE ") and len(lines) == 12


def test_unfinished_work_is_listed() -> None:
    core = Core()
    core.put("/few", 10)
    core.put("/lost", 10)
    core.put("/gone", 10)
    few, lost = (
        core.state.reading.block_locations(ROOT, path, 0, 99).result.blocks[0]
        for path in ("/few", "/lost")
    )
    core.do(core.state.set_replication(ROOT, core.op(), "/few", 3))
    for target in lost.targets:
        core.nodes.spoil(target.node_id, lost.block)
    core.delete("/gone")
    core.do(core.state.purge_step(10))
    text = "\n".join(metasave_lines(core.state, 3, 0))
    assert "waiting for reconstruction: 1\n/few: " + few.block.name in text
    counts = "(replicas: l: 0 d: 0 c: 2 e: 0)"
    assert f"currently missing: 1\n/lost: {lost.block.name} {counts} 127.0.0.1:" in text
    assert "Metasave: Blocks 2 waiting deletion from 2 datanodes.\n127.0.0.1:" in text
    assert f"Corrupt Blocks: 1\n/lost: {lost.block.name}" in text


def test_no_list_is_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metasave, "ROWS_MAX", 2)
    core = Core()
    for number in range(5):
        core.put(f"/f{number}", 10)
        core.do(core.state.set_replication(ROOT, core.op(), f"/f{number}", 3))
    lines = metasave_lines(core.state, 3, 0)
    start = lines.index("Metasave: Blocks waiting for reconstruction: 5")
    assert lines[start + 3] == "... and 3 more"
