"""What a namenode that leads tells of itself in numbers: of names, blocks, datanodes, writers."""

from typing import Optional, Tuple

from data_service.namenode.decisions import Decisions
from data_service.protocol.health import DEAD, LIVE, STALE, ClusterStatus
from zookeeper.fabric.figures import GAUGE, Family, gauge, tagged


def leading(told: Tuple[Family, ...]) -> Tuple[Family, ...]:
    """What is told by a namenode that leads, or, when that is nothing, does not."""
    return (gauge("pyhdfs_leads", "Whether this namenode leads.", bool(told)), *told)


def standing_by(lag: Optional[Tuple[int, float]]) -> Tuple[Family, ...]:
    """What is told by a namenode that does not lead: how far behind it is; None: it loads."""
    edits, seconds = lag or (0, 0.0)
    return (
        *leading(()),
        gauge("pyhdfs_standby_loaded", "Whether the image is in memory.", lag is not None),
        gauge("pyhdfs_standby_lag_edits", "Recorded edits that are not in memory yet.", edits),
        gauge("pyhdfs_standby_lag_seconds", "Since when that is so.", seconds),
    )


def figures_of(decisions: Decisions, now: float) -> Tuple[Family, ...]:
    """All of them; nothing here is counted that is not known already. `now` is monotonic."""
    state = decisions.state
    summary = state.image.root.summary()
    liveness = [node.liveness for node in state.blocks.census.nodes() if not node.removed]
    seen = {word: float(liveness.count(word)) for word in (LIVE, STALE, DEAD)}
    failed = sum(
        node.stats.failed_volumes for node in state.blocks.census.nodes() if not node.dead
    )
    return (
        gauge("pyhdfs_files", "Files.", summary.files),
        gauge("pyhdfs_directories", "Directories.", summary.directories),
        gauge("pyhdfs_file_bytes", "Lengths of all files together.", summary.length),
        gauge("pyhdfs_inodes", "Inodes, with those that are still to be purged.",
              len(state.image.inodes)),
        gauge("pyhdfs_open_files", "Files that are being written.", len(state.open_files)),
        tagged(GAUGE, "pyhdfs_datanodes", "Datanodes that ever reported.", "state", seen),
        gauge("pyhdfs_failed_directories", "Directories of datanodes that failed.", failed),
        *_of_blocks(decisions.cluster_status(now)),
    )  # fmt: skip


def _of_blocks(status: ClusterStatus) -> Tuple[Family, ...]:
    return (
        gauge("pyhdfs_capacity_bytes", "Room of all datanodes that are not dead.", status.capacity),
        gauge("pyhdfs_used_bytes", "Room that replicas take.", status.used),
        gauge("pyhdfs_remaining_bytes", "Room that is left for replicas.", status.remaining),
        gauge("pyhdfs_safe_mode", "1 while nothing may be changed.", status.safe_mode),
        gauge("pyhdfs_blocks", "Blocks of all files.", status.blocks),
        gauge("pyhdfs_blocks_missing", "Blocks without any replica.", status.missing),
        gauge("pyhdfs_blocks_corrupt", "Blocks with damaged replicas only.", status.corrupt),
        gauge("pyhdfs_blocks_under_replicated", "Blocks with too few good replicas.",
              status.under_replicated),
        gauge("pyhdfs_blocks_urgent", "Blocks with one good replica that should have more.",
              status.urgent),
        gauge("pyhdfs_blocks_lost_alone",
              "Missing or corrupt blocks that were to have one replica.", status.lost_alone),
        gauge("pyhdfs_blocks_excess", "Blocks with too many replicas.", status.excess),
        gauge("pyhdfs_blocks_with_corrupt_replicas", "Blocks with any damaged replica.",
              status.corrupt_replicas),
        gauge("pyhdfs_blocks_pending_replication", "Blocks that are being copied.",
              status.pending_replication),
        gauge("pyhdfs_blocks_pending_deletion",
              "Deleted blocks that some datanode may still have.", status.pending_deletion),
        gauge("pyhdfs_replicas_to_remove", "Replicas whose removal is not confirmed yet.",
              status.removals),
    )  # fmt: skip
