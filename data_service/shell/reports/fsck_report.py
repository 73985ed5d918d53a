"""What `fsck` finds and writes, made from the namenode's rows."""

from typing import Dict, List, NamedTuple

from data_service.filesystem.tree_health import (
    CORRUPT,
    MISSING,
    UNDER_REPLICATED,
    Fault,
    Racks,
    TreeHealth,
    block_state,
    reported,
)
from data_service.protocol.health import BlockHealth, FsckRow, Holder
from data_service.protocol.visible import visible
from data_service.shell.formats import single_precision

BOX = "  ********************************"

ERASURE_CODED = (
    "",
    "Erasure Coded Block Groups:",
    " Total size:\t0 B",
    " Total files:\t0",
    " Total block groups (validated):\t0",
    " Minimally erasure-coded block groups:\t0",
    " Over-erasure-coded block groups:\t0",
    " Under-erasure-coded block groups:\t0",
    " Unsatisfactory placement block groups:\t0",
    " Average block group size:\t0.0",
    " Missing block groups:\t\t0",
    " Corrupt block groups:\t\t0",
    " Missing internal blocks:\t0",
    " Blocks queued for replication:\t0",
)
"""No block here is erasure coded."""


class Cluster(NamedTuple):
    """What a check needs to know besides the rows. `pool` names the cluster's blocks."""

    pool: str
    default_replication: int
    where: Racks


class Detail(NamedTuple):
    """How much is written of each file. `places` is locations, racks, replicaDetails or empty."""

    files: bool = False
    blocks: bool = False
    places: str = ""
    open_files: bool = False


class Findings:
    """What is written of a tree; `add` gives the lines that are to be written for a row."""

    def __init__(self, cluster: Cluster, detail: Detail) -> None:
        self.tree = TreeHealth(cluster.where, detail.open_files)
        self._cluster = cluster
        self._detail = detail

    def add(self, row: FsckRow) -> List[str]:
        """Count a row."""
        faults = self.tree.add(row)
        if row.status.is_directory:
            return [f"{visible(row.path)} <dir>"] if self._detail.files else []
        if not self.tree.checks(row):
            return []
        return self._lines(row._replace(blocks=reported(row)), faults)

    def _told(self, fault: Fault) -> str:
        """A fault of a block that can be read, as the rest of a line."""
        health, name = fault.found.health, self.name(fault.found)
        if fault.kind == UNDER_REPLICATED:
            return (
                f" Under replicated {name}. Target Replicas is {health.wanted} but found "
                f"{health.live} live replica(s), 0 decommissioned replica(s), "
                "0 decommissioning replica(s)."
            )
        return (
            f" Replica placement policy is violated for {name}. Block should be additionally "
            "replicated on 1 more rack(s). Total number of racks in the cluster: "
            f"{len(self._cluster.where.racks)}"
        )

    def name(self, found: BlockHealth) -> str:
        """A block's name with its cluster's."""
        return f"{self._cluster.pool}:{found.block.name}"

    def _lines(self, row: FsckRow, faults: List[Fault]) -> List[str]:
        lines, path = [], visible(row.path)
        lost: Dict[str, List[BlockHealth]] = {CORRUPT: [], MISSING: []}
        poor = []
        for fault in faults:
            if fault.kind in lost:
                lost[fault.kind].append(fault.found)
            else:
                poor.append(self._told(fault))
        if self._detail.files or row.writer:
            lines.append(
                f"{path} {row.status.length} bytes, replicated: "
                f"replication={row.status.replication}, {len(row.blocks)} block(s)"
                + (", OPENFORWRITE: " if row.writer else ": ")
                + ("" if faults else " OK")
            )
            lines += poor
        else:
            lines += [f"{path}: {fault}" for fault in poor]
        lines += [
            f"{path}: CORRUPT blockpool {self._cluster.pool} block blk_{found.block.block_id}"
            for found in lost[CORRUPT]
        ]
        for state, blocks in lost.items():
            if blocks:
                size = sum(found.block.length for found in blocks)
                lines.append(f"{path}: {state} {len(blocks)} blocks of total size {size} B.")
        if self._detail.blocks:
            lines += [self._block_line(place, found) for place, found in enumerate(row.blocks)]
            lines.append("")
        return lines

    def _block_line(self, place: int, found: BlockHealth) -> str:
        line = f"{place}. {self.name(found)} len={found.block.length} "
        if block_state(found) == MISSING:
            return line + f"{MISSING}!"
        line += f"Live_repl={found.health.live}"
        if not self._detail.places:
            return line
        return f"{line}  [{', '.join(map(self._place, found.holders))}]"

    def _place(self, holder: Holder) -> str:
        if self._detail.places == "racks":
            return f"{holder.rack}/{holder.address}"
        place = f"DatanodeInfoWithStorage[{holder.address},{holder.node_id},DISK]"
        return f"{place}({holder.state})" if self._detail.places == "replicaDetails" else place

    def summary(self, queued: int = 0) -> List[str]:
        """The end of the report. `queued` blocks are copied from now on, besides those found."""
        tree = self.tree
        lines = [
            f"Status: {tree.verdict}",
            f" Number of data-nodes:\t{self._cluster.where.datanodes}",
            f" Number of racks:\t\t{len(self._cluster.where.racks)}",
            f" Total dirs:\t\t\t{tree.directories}",
            " Total symlinks:\t\t0",
            "",
            "Replicated Blocks:",
            f" Total size:\t{tree.size} B"
            + _unless_zero(tree.open.size, " (Total open files size: {} B)"),
            f" Total files:\t{tree.files}"
            + _unless_zero(tree.open.files, " (Files currently being written: {})"),
            f" Total blocks (validated):\t{tree.blocks}"
            + (f" (avg. block size {tree.size // tree.blocks} B)" if tree.blocks else "")
            + _unless_zero(tree.open.blocks, " (Total open file blocks (not validated): {})"),
        ]
        if tree.corrupt_files:
            lines += self._box()
        return lines + self._totals(queued) + list(ERASURE_CODED)

    def storage_policies(self) -> List[str]:
        """The blocks that have replicas, by the types of storage these are on.

        There is one type and one policy, HDFS's default, so that all satisfy it. (Its table:
        NamenodeFsck's StoragePolicySummary.)
        """
        tree = self.tree
        whole = sum(tree.by_replicas.values())
        rows = sorted(tree.by_replicas.items(), key=lambda row: (-row[1], row[0]))
        return [
            "",
            "Blocks satisfying the specified storage policy:",
            "Storage Policy                  # of blocks       % of blocks",
            *(
                f"{f'DISK:{replicas}(HOT)':<25} {count:>10}  {f'{count / whole:.4%}':>20}"
                for replicas, count in rows
            ),
            "",
            "All blocks satisfy specified storage policy.",
        ]

    def _totals(self, queued: int) -> List[str]:
        tree, share = self.tree, self._share
        return [
            f" Minimally replicated blocks:\t{tree.minimal}{share(tree.minimal)}",
            f" Over-replicated blocks:\t{tree.excess}{share(tree.excess)}",
            f" Under-replicated blocks:\t{tree.under}{share(tree.under)}",
            f" Mis-replicated blocks:\t\t{len(tree.misplaced)}{share(len(tree.misplaced))}",
            f" Default replication factor:\t{self._cluster.default_replication}",
            f" Average block replication:\t{single_precision(tree.live / (tree.blocks or 1))}",
            f" Missing blocks:\t\t{len(tree.lost[MISSING])}",
            f" Corrupt blocks:\t\t{len(tree.lost[CORRUPT])}",
            f" Missing replicas:\t\t{tree.missing_replicas}"
            + _percent(tree.missing_replicas, tree.wanted),
            f" Blocks queued for replication:\t{tree.queued + queued}",
        ]

    def _box(self) -> List[str]:
        tree = self.tree
        unread = tree.blocks - tree.minimal
        lines = [
            BOX,
            f"  UNDER MIN REPL'D BLOCKS:\t{unread}{self._share(unread)}",
            "  MINIMAL BLOCK REPLICATION:\t1",
            f"  CORRUPT FILES:\t{len(tree.corrupt_files)}",
        ]
        for state, found in tree.lost.items():
            if found:
                size = sum(health.block.length for health, _ in found)
                lines.append(f"  {state} BLOCKS:\t{len(found)}")
                lines.append(f"  {state} SIZE:\t\t{size} B")
        return lines + [BOX]

    def _share(self, count: int) -> str:
        return _percent(count, self.tree.blocks)


def _unless_zero(count: int, text: str) -> str:
    return text.format(count) if count else ""


def _percent(count: int, whole: int) -> str:
    return f" ({single_precision(100 * count / whole)} %)" if whole else ""
