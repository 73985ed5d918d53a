"""What each kind of daemon tells of itself in numbers, and that it moves with what happens."""

from pathlib import Path
from random import Random
from typing import Any, Dict, Tuple

import pytest

from data_service.datanode.store.activity import COPIED, Activity
from data_service.datanode.store.volumes import DIRECTORY
from data_service.namenode.decisions import Decisions
from data_service.namenode.figures import figures_of, leading, standing_by
from data_service.protocol.health import ClusterStatus
from data_service.protocol.nodes import NodeInfo, NodeStats
from data_service.web.figures import datanode_rows, overview
from metadata_service.edits import Edit
from metadata_service.leader.journal import Journal
from metadata_service.record.metadata_db import MetadataDatabase
from tests.support.clusters.inner_cluster import InnerCluster
from tests.support.disks.stores import opened
from tests.support.links.journals import FRAME_BYTES, ModelService, OneWay
from tests.support.models.namenode_core import Core
from tests.support.models.record_leader import append, lead
from tests.support.models.sample_edits import file_edit, file_edits, lines_of
from zookeeper.fabric.figures import Family, value_in
from zookeeper.fabric.kinds import INTEGER_MAX, decode
from zookeeper.service import Coordination


def values(families: Tuple[Family, ...]) -> Dict[str, float]:
    """By name: of a histogram how many it counted; with a tag behind the name, that one."""
    found: Dict[str, float] = {}
    for family in families:
        assert decode(Family, tuple(family)) == family, "it must cross the wire"
        assert family.meaning.endswith("."), f"{family.name} has no meaning"
        for sample in family.samples:
            name = " ".join([family.name, *[value for _, value in sample.tags]])
            assert name not in found, f"{name} is told twice"
            counts = sample.values[:-1] if family.kind == "histogram" else sample.values
            found[name] = sum(counts)
    return found


def test_a_zookeeper_tells_of_sessions_and_leaders() -> None:
    coordination = Coordination(10.0)
    session = coordination.open_session("one")
    coordination.create(session, "/data_nodes/a", "")
    coordination.create(session, "/leader/here:1", "7")
    found = values(coordination.figures())
    assert found["pyhdfs_sessions"] == found["pyhdfs_sessions_opened_total"] == 1
    assert found["pyhdfs_znodes /data_nodes"] == 1
    assert found["pyhdfs_leader_epoch"] == 7
    coordination.close_session(session)
    found = values(coordination.figures())
    assert (found["pyhdfs_sessions"], found["pyhdfs_sessions_opened_total"]) == (0, 1)
    assert found["pyhdfs_leader_epoch"] == 0


def test_a_metadata_service_tells_of_its_record(tmp_path: Path) -> None:
    database = MetadataDatabase.open(str(tmp_path), 1000)
    try:
        epoch = lead(database, "test")
        before = values(database.figures())
        append(database, epoch, 1, lines_of(file_edits(1, 5)))
        after = values(database.figures())
        assert after["pyhdfs_last_txid"] == after["pyhdfs_edits_kept"] == 5
        assert after["pyhdfs_epoch"] == epoch and after["pyhdfs_database_failed"] == 0
        assert after["pyhdfs_commit_seconds"] == before["pyhdfs_commit_seconds"] + 1
        assert after["pyhdfs_edits_in_commit"] == 1
        assert after["pyhdfs_database_bytes"] > 0 < after["pyhdfs_database_log_bytes"]
    finally:
        database.close()


def test_a_journal_tells_of_its_appends() -> None:
    journal = Journal(OneWay(ModelService()), "me", 5.0, FRAME_BYTES, lambda error: None)
    journal.open()
    for txid in (1, 2):
        journal.submit(file_edit(txid))
    assert values(journal.figures())["pyhdfs_edits_waiting"] == 2
    journal.wait(2)
    found = values(journal.figures())
    assert (found["pyhdfs_edits_waiting"], found["pyhdfs_last_txid"]) == (0, 2)
    assert found["pyhdfs_append_seconds"] == found["pyhdfs_edits_in_append"] == 1
    batches = next(one for one in journal.figures() if one.name == "pyhdfs_edits_in_append")
    assert batches.samples[0].values[-1] == 2, "the sum of both"
    journal.close()


class _Log:
    """A record that takes every edit."""

    epoch, cluster_id, durable_txid, has_room = 3, "cluster", 0, True

    def submit(self, edit: Edit) -> int:
        """Taken."""
        return edit.txid


def test_a_namenode_tells_of_names_blocks_and_datanodes() -> None:
    core = Core(datanodes=3)
    core.put("/d/f", 50)
    core.create("/d/g")
    found = values(leading(figures_of(Decisions(core.state, _Log(), Random(1)), core.now)))
    assert found["pyhdfs_leads"] == 1
    assert (found["pyhdfs_files"], found["pyhdfs_directories"]) == (1, 2)
    assert found["pyhdfs_open_files"] == 1
    assert (found["pyhdfs_datanodes live"], found["pyhdfs_datanodes dead"]) == (3, 0)
    assert found["pyhdfs_blocks"] >= 1 and found["pyhdfs_blocks_missing"] == 0
    assert values(leading(())) == {"pyhdfs_leads": 0}
    assert values(standing_by(None))["pyhdfs_standby_loaded"] == 0
    behind = values(standing_by((7, 1.5)))
    assert behind == {"pyhdfs_leads": 0, "pyhdfs_standby_loaded": 1,
                      "pyhdfs_standby_lag_edits": 7, "pyhdfs_standby_lag_seconds": 1.5}
    for name in (overview.FILES, overview.DIRECTORIES, overview.OPEN_FILES):
        assert name in found, "the page asks for it"


def test_what_datanodes_claim_to_have_can_be_told_of_together() -> None:
    """Each number is one that it may tell; their sum would be none that crosses the wire."""
    core = Core(datanodes=3)
    blocks, most = core.state.blocks, INTEGER_MAX
    session = blocks.register(NodeInfo("liar", "1", "h", 9, "/r", ""), core.now)
    blocks.heartbeat(session, NodeStats(most, most, most, most, most, most), core.now, 0)
    status = Decisions(core.state, _Log(), Random(1)).cluster_status(core.now)
    assert decode(ClusterStatus, tuple(status)) == status
    assert status.capacity == status.remaining == most


def test_a_datanode_tells_of_its_blocks(tmp_path: Path) -> None:
    data = bytes(3 << 20)
    with InnerCluster(tmp_path, volumes=2, client={"short_circuit": False}) as cluster:
        with cluster.file_system() as fs:
            fs.write_bytes("/f", data)
            assert fs.read_bytes("/f") == data
        node = cluster.data_nodes[0]
        service: Any = node._service()
        found = values(service.own_figures())
    assert found[datanode_rows.WRITTEN] == found[datanode_rows.READ] == len(data)
    assert found["pyhdfs_blocks_written_total"] == found["pyhdfs_block_sync_seconds"]
    assert found["pyhdfs_replicas"] == found["pyhdfs_blocks_written_total"] > 0
    assert found["pyhdfs_transfers"] == 0 and found["pyhdfs_transfers_max"] == 256
    roots = str(tmp_path / "node_0_0"), str(tmp_path / "node_0_1")
    blocks = [found[f"{datanode_rows.DIRECTORY_BLOCKS} {root}"] for root in roots]
    assert sum(blocks) == found["pyhdfs_replicas"]
    for root in roots:
        assert found[f"{datanode_rows.DIRECTORY_STATE} {root}"] == 0
        assert found[f"{datanode_rows.DIRECTORY_REMAINING} {root}"] > 0
        assert found[f"{datanode_rows.DIRECTORY_CAPACITY} {root}"] > 0
    assert datanode_rows.DIRECTORY_TAG == DIRECTORY


def test_a_directory_that_failed_is_told(tmp_path: Path) -> None:
    store = opened(tmp_path / "a", tmp_path / "b")
    try:
        store.volumes.working[0].fail("its disk is gone")
        found = values(store.figures())
    finally:
        store.close()
    assert found[f"pyhdfs_directory_state {tmp_path / 'a'}"] == 2
    assert found[f"pyhdfs_directory_state {tmp_path / 'b'}"] == 0
    assert f"pyhdfs_directory_capacity_bytes {tmp_path / 'a'}" not in found


@pytest.mark.parametrize("count", [1, 3])
def test_deeds_are_counted(count: int) -> None:
    activity = Activity()
    activity.note(COPIED, count)
    activity.wrote(100, 0.01)
    assert value_in(activity.figures(), f"pyhdfs_{COPIED}_total") == count
    assert value_in(activity.figures(), "pyhdfs_block_bytes_written_total") == 100
