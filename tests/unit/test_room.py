"""What can never fit is refused before its first byte."""

from pathlib import Path
from typing import List

import pytest

from data_service.filesystem.writing import room
from data_service.protocol.blocks import BLOCKS_MAX
from data_service.protocol.files import OpenedFile, QuotaUsage
from data_service.protocol.health import DataNodeStatus
from data_service.protocol.nodes import NodeStats
from tests.support.clusters.inner_cluster import InnerCluster
from tests.support.models.plain_namenode import BLOCK_SIZE
from zookeeper.fabric.errors import DfsError, DiskFull, InvalidArgument, QuotaExceeded

MIB = 1 << 20


def opened(replication: int) -> OpenedFile:
    """A new file."""
    return OpenedFile(7, replication, MIB)


def nodes(*remaining: int, state: str = "live") -> List[DataNodeStatus]:
    """Datanodes with so much room."""
    return [DataNodeStatus(str(number), "h", 1, "/r", state,
                           NodeStats(1 << 60, 0, left, 0, 0, 0), 0.0, 0.0)
            for number, left in enumerate(remaining)]


def test_a_file_has_at_most_so_many_blocks() -> None:
    room.check_block_count("/f", BLOCKS_MAX * MIB, MIB)
    with pytest.raises(InvalidArgument, match=r"10001 blocks.*block size of 2 M \(2097152\)"):
        room.check_block_count("/f", BLOCKS_MAX * MIB + 1, MIB)
    room.check_block_count("/f", BLOCKS_MAX * MIB + 1, 2 * MIB)


@pytest.mark.parametrize("left, replication, size, fits", [
    ((10, 10), 2, 10, True), ((10, 10), 2, 11, False), ((10, 10), 1, 20, True),
    ((10, 10), 1, 21, False), ((100, 9), 2, 10, False), ((100, 9, 9), 2, 10, True),
    ((30,), 3, 30, True), ((30,), 3, 31, False), ((), 2, 10, True)])
def test_the_datanodes_need_the_room(
    left: tuple, replication: int, size: int, fits: bool
) -> None:
    """No datanode has two replicas of a block; with fewer datanodes there are fewer replicas."""
    if fits:
        room.check_room("/f", size, opened(replication), nodes(*left))
        return
    with pytest.raises(DiskFull, match="/f: .* replicas"):
        room.check_room("/f", size, opened(replication), nodes(*left))


def test_dead_datanodes_have_no_room() -> None:
    with pytest.raises(DiskFull):
        room.check_room("/f", 10, opened(1), nodes(100, state="dead") + nodes(5))


def test_the_quotas_above_hold() -> None:
    usages = [QuotaUsage(-1, 0, -1, 1 << 60), QuotaUsage(5, 3, 100, 80)]
    room.check_quotas("/d/f", 10, opened(2), usages)
    with pytest.raises(QuotaExceeded, match="/d/f: The DiskSpace quota .* quota = 100 B"):
        room.check_quotas("/d/f", 11, opened(2), usages)


def test_nothing_is_sent_of_what_cannot_fit(tmp_path: Path, cluster: InnerCluster) -> None:
    with open(tmp_path / "local", "wb") as file:
        file.truncate(BLOCK_SIZE * 3)
    with cluster.file_system() as fs:
        def refused(kind: type) -> None:
            with pytest.raises(DfsError) as caught:
                fs.put(str(tmp_path / "local"), "/a/b/f")
            assert type(caught.value) is kind
            assert not cluster.namenode.called("add_block") and cluster.namenode.open == {}

        cluster.namenode.remaining = 3 * BLOCK_SIZE - 1
        refused(DiskFull)
        cluster.namenode.remaining = 3 * BLOCK_SIZE
        cluster.namenode.quotas["/a"] = 6 * BLOCK_SIZE - 1
        refused(QuotaExceeded)
        cluster.namenode.quotas["/a"] = 6 * BLOCK_SIZE
        with open(tmp_path / "local", "r+b") as file:
            file.truncate(BLOCK_SIZE * BLOCKS_MAX + 1)
        refused(InvalidArgument)
