"""What `fsck` finds and writes, made from the namenode's rows."""

from typing import Any, Dict, FrozenSet, List, NamedTuple, Tuple

from data_service.protocol.health import BlockHealth, FsckRow, Holder
from data_service.protocol.visible import visible
from data_service.shell.formats import single_precision

HEALTHY, CORRUPT = "HEALTHY", "CORRUPT"
MISSING = "MISSING"
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
    datanodes: int
    racks: FrozenSet[str]


class Detail(NamedTuple):
    """How much is written of each file. `places` is locations, racks, replicaDetails or empty."""

    files: bool = False
    blocks: bool = False
    places: str = ""
    open_files: bool = False


class OpenFiles(NamedTuple):
    """Files open for writing that are not checked."""

    files: int = 0
    size: int = 0
    blocks: int = 0


class Findings:
    """Counts over all rows; `add` gives the lines that are to be written for a row."""

    def __init__(self, cluster: Cluster, detail: Detail) -> None:
        self.directories = self.files = self.blocks = self.size = 0
        self.live = self.wanted = self.missing_replicas = self.queued = 0
        self.minimal = self.excess = self.under = 0
        self.misplaced: List[int] = []
        self.lost: Dict[str, List[Tuple[BlockHealth, str]]] = {MISSING: [], CORRUPT: []}
        self.corrupt_files: List[FsckRow] = []
        self.by_replicas: Dict[int, int] = {}
        self.open = OpenFiles()
        self._cluster = cluster
        self._detail = detail

    @property
    def verdict(self) -> str:
        """HEALTHY, or CORRUPT when the bytes of any file are not all there."""
        return CORRUPT if self.corrupt_files else HEALTHY

    def add(self, row: FsckRow) -> List[str]:
        """Count a row."""
        if row.status.is_directory:
            self.directories += 1
            return [f"{visible(row.path)} <dir>"] if self._detail.files else []
        if row.writer and not self._detail.open_files:
            files, size, blocks = self.open
            self.open = OpenFiles(files + 1, size + row.status.length, blocks + len(row.blocks))
            return []
        if row.writer:
            # A block that no datanode has finished is not missing: it is on its way.
            row = row._replace(blocks=tuple(filter(_is_reported, row.blocks)))
        self.files += 1
        self.size += row.status.length
        faults = [fault for found in row.blocks for fault in self._count(found)]
        lost = {
            state: [found for found in row.blocks if block_state(found) == state]
            for state in (CORRUPT, MISSING)
        }
        for state, found in lost.items():
            self.lost[state] += [(block, row.path) for block in found]
        if any(lost.values()):
            self.corrupt_files.append(row)
        return self._lines(row, faults, lost)

    def _count(self, found: BlockHealth) -> List[str]:
        """Count a block; what is wrong with it, as the rest of a line."""
        health, name = found.health, self.name(found)
        self.blocks += 1
        self.live += health.live
        self.wanted += health.wanted
        self.minimal += health.live > 0
        self.excess += health.live > health.wanted
        self.queued += health.copying > 0
        if not health.live:
            return []
        self.by_replicas[health.live] = self.by_replicas.get(health.live, 0) + 1
        faults = []
        if health.live < health.wanted:
            self.under += 1
            self.missing_replicas += health.wanted - health.live
            faults.append(
                f" Under replicated {name}. Target Replicas is {health.wanted} but found "
                f"{health.live} live replica(s), 0 decommissioned replica(s), "
                "0 decommissioning replica(s)."
            )
        if self._is_misplaced(found):
            self.misplaced.append(found.block.block_id)
            faults.append(
                f" Replica placement policy is violated for {name}. Block should be additionally "
                "replicated on 1 more rack(s). Total number of racks in the cluster: "
                f"{len(self._cluster.racks)}"
            )
        return faults

    def _is_misplaced(self, found: BlockHealth) -> bool:
        """Whether a block of several replicas is on one rack, though there are others."""
        racks = {holder.rack for holder in found.holders if holder.is_good}
        return len(racks) < min(2, found.health.wanted, len(self._cluster.racks))

    def name(self, found: BlockHealth) -> str:
        """A block's name with its cluster's."""
        return f"{self._cluster.pool}:{found.block.name}"

    def _lines(
        self, row: FsckRow, faults: List[str], lost: Dict[str, List[BlockHealth]]
    ) -> List[str]:
        lines, path = [], visible(row.path)
        is_bad = bool(faults or lost[CORRUPT] or lost[MISSING])
        if self._detail.files or row.writer:
            lines.append(
                f"{path} {row.status.length} bytes, replicated: "
                f"replication={row.status.replication}, {len(row.blocks)} block(s)"
                + (", OPENFORWRITE: " if row.writer else ": ")
                + ("" if is_bad else " OK")
            )
            lines += faults
        else:
            lines += [f"{path}: {fault}" for fault in faults]
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
            return f"{holder.rack}/{address(holder)}"
        place = f"DatanodeInfoWithStorage[{address(holder)},{holder.node_id},DISK]"
        return f"{place}({holder.state})" if self._detail.places == "replicaDetails" else place

    def summary(self, queued: int = 0) -> List[str]:
        """The end of the report. `queued` blocks are copied from now on, besides those found."""
        lines = [
            f"Status: {self.verdict}",
            f" Number of data-nodes:\t{self._cluster.datanodes}",
            f" Number of racks:\t\t{len(self._cluster.racks)}",
            f" Total dirs:\t\t\t{self.directories}",
            " Total symlinks:\t\t0",
            "",
            "Replicated Blocks:",
            f" Total size:\t{self.size} B"
            + _unless_zero(self.open.size, " (Total open files size: {} B)"),
            f" Total files:\t{self.files}"
            + _unless_zero(self.open.files, " (Files currently being written: {})"),
            f" Total blocks (validated):\t{self.blocks}"
            + (f" (avg. block size {self.size // self.blocks} B)" if self.blocks else "")
            + _unless_zero(self.open.blocks, " (Total open file blocks (not validated): {})"),
        ]
        if self.corrupt_files:
            lines += self._box()
        return lines + self._totals(queued) + list(ERASURE_CODED)

    def storage_policies(self) -> List[str]:
        """The blocks that have replicas, by the types of storage these are on.

        There is one type and one policy, HDFS's default, so that all satisfy it. (Its table:
        NamenodeFsck's StoragePolicySummary.)
        """
        whole = sum(self.by_replicas.values())
        rows = sorted(self.by_replicas.items(), key=lambda row: (-row[1], row[0]))
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
        share = self._share
        return [
            f" Minimally replicated blocks:\t{self.minimal}{share(self.minimal)}",
            f" Over-replicated blocks:\t{self.excess}{share(self.excess)}",
            f" Under-replicated blocks:\t{self.under}{share(self.under)}",
            f" Mis-replicated blocks:\t\t{len(self.misplaced)}{share(len(self.misplaced))}",
            f" Default replication factor:\t{self._cluster.default_replication}",
            f" Average block replication:\t{single_precision(self.live / (self.blocks or 1))}",
            f" Missing blocks:\t\t{len(self.lost[MISSING])}",
            f" Corrupt blocks:\t\t{len(self.lost[CORRUPT])}",
            f" Missing replicas:\t\t{self.missing_replicas}"
            + _percent(self.missing_replicas, self.wanted),
            f" Blocks queued for replication:\t{self.queued + queued}",
        ]

    def _box(self) -> List[str]:
        unread = self.blocks - self.minimal
        lines = [
            BOX,
            f"  UNDER MIN REPL'D BLOCKS:\t{unread}{self._share(unread)}",
            "  MINIMAL BLOCK REPLICATION:\t1",
            f"  CORRUPT FILES:\t{len(self.corrupt_files)}",
        ]
        for state, found in self.lost.items():
            if found:
                size = sum(health.block.length for health, _ in found)
                lines.append(f"  {state} BLOCKS:\t{len(found)}")
                lines.append(f"  {state} SIZE:\t\t{size} B")
        return lines + [BOX]

    def _share(self, count: int) -> str:
        return _percent(count, self.blocks)

    def record(self, path: str, queued: int = 0) -> Dict[str, Any]:
        """The findings for `--json`; sizes in bytes."""
        return {
            "path": path,
            "status": self.verdict,
            "datanodes": self._cluster.datanodes,
            "racks": len(self._cluster.racks),
            "directories": self.directories,
            "files": self.files,
            "blocks": self.blocks,
            "size": self.size,
            "replicas": self.live,
            "minimally_replicated": self.minimal,
            "under_replicated": self.under,
            "over_replicated": self.excess,
            "misplaced": len(self.misplaced),
            "missing_replicas": self.missing_replicas,
            "queued_for_replication": self.queued + queued,
            "missing_blocks": [found.block.name for found, _ in self.lost[MISSING]],
            "corrupt_blocks": [found.block.name for found, _ in self.lost[CORRUPT]],
            "corrupt_files": [row.path for row in self.corrupt_files],
            "open_files": self.open.files,
            "open_size": self.open.size,
            "open_blocks": self.open.blocks,
        }


def _is_reported(found: BlockHealth) -> bool:
    return bool(found.holders)


def block_state(found: BlockHealth) -> str:
    """HEALTHY, CORRUPT (only damaged replicas) or MISSING (none at all)."""
    if found.health.live:
        return HEALTHY
    return CORRUPT if found.health.corrupt else MISSING


def address(holder: Holder) -> str:
    """Where the datanode of a replica listens."""
    host = f"[{holder.host}]" if ":" in holder.host else holder.host
    return f"{host}:{holder.port}"


def _unless_zero(count: int, text: str) -> str:
    return text.format(count) if count else ""


def _percent(count: int, whole: int) -> str:
    return f" ({single_precision(100 * count / whole)} %)" if whole else ""
