"""What `fsck` finds and writes, made from the namenode's rows."""

from typing import Dict, List, NamedTuple, Set, Tuple

from data_service.protocol.messages import BlockHealth, FsckRow
from data_service.shell.formats import single_precision

HEALTHY, CORRUPT = "HEALTHY", "CORRUPT"
BOX = "  ********************************"


class Cluster(NamedTuple):
    """What a check needs to know besides the rows. `pool` names the cluster's blocks."""

    pool: str
    default_replication: int
    datanodes: int
    racks: Dict[str, str]
    addresses: Dict[str, str]


class Detail(NamedTuple):
    """How much is written of each file."""

    files: bool = False
    blocks: bool = False
    locations: bool = False
    racks: bool = False


class Findings:
    """Counts over all rows; `add` gives the lines that are to be written for a row."""

    def __init__(self, cluster: Cluster, detail: Detail) -> None:
        self.directories = self.files = self.blocks = self.size = 0
        self.live = self.wanted = self.missing_replicas = 0
        self.minimal = self.excess = self.under = self.misplaced = 0
        self.missing_blocks: List[Tuple[BlockHealth, str]] = []
        self.corrupt_blocks: List[Tuple[BlockHealth, str]] = []
        self.corrupt_files: List[str] = []
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
            return [f"{row.path} <dir>"] if self._detail.files else []
        self.files += 1
        self.size += row.status.length
        faults: List[str] = []
        lost = {"missing": 0, "corrupt": 0}
        sizes = {"missing": 0, "corrupt": 0}
        for found in row.blocks:
            faults += self._count(found)
            state = block_state(found)
            if state in lost:
                lost[state] += 1
                sizes[state] += found.block.length
                kept = self.missing_blocks if state == "missing" else self.corrupt_blocks
                kept.append((found, row.path))
        return self._lines(row, faults, lost, sizes)

    def _count(self, found: BlockHealth) -> List[str]:
        """Count a block; what is wrong with it, as the rest of a line."""
        health, name = found.health, self.name(found)
        self.blocks += 1
        self.live += health.live
        self.wanted += health.wanted
        if health.live:
            self.minimal += 1
        if health.live > health.wanted:
            self.excess += 1
        if not health.live:
            return []
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
            self.misplaced += 1
            faults.append(
                f" Replica placement policy is violated for {name}. Block should be additionally "
                "replicated on 1 more rack(s). Total number of racks in the cluster: "
                f"{len(self._all_racks())}"
            )
        return faults

    def _is_misplaced(self, found: BlockHealth) -> bool:
        racks = {self._cluster.racks.get(target.node_id) for target in found.targets}
        return found.health.live > 1 and len(racks) < 2 <= len(self._all_racks())

    def _all_racks(self) -> Set[str]:
        return set(self._cluster.racks.values())

    def name(self, found: BlockHealth) -> str:
        """A block's name with its cluster's."""
        return f"{self._cluster.pool}:{found.block.name}"

    def _lines(
        self, row: FsckRow, faults: List[str], lost: Dict[str, int], sizes: Dict[str, int]
    ) -> List[str]:
        lines = []
        lost_any = lost["missing"] + lost["corrupt"]
        if self._detail.files:
            lines.append(
                f"{row.path} {row.status.length} bytes, replicated: "
                f"replication={row.status.replication}, {len(row.blocks)} block(s): "
                + ("" if faults or lost_any else " OK")
            )
            lines += faults
        else:
            lines += [f"{row.path}: {fault}" for fault in faults]
        if lost_any:
            self.corrupt_files.append(row.path)
        for found in row.blocks:
            if block_state(found) == "corrupt":
                lines.append(
                    f"{row.path}: CORRUPT blockpool {self._cluster.pool} "
                    f"block blk_{found.block.block_id}"
                )
        for state in ("corrupt", "missing"):
            if lost[state]:
                lines.append(
                    f"{row.path}: {state.upper()} {lost[state]} blocks of total size "
                    f"{sizes[state]} B."
                )
        if self._detail.blocks:
            lines += [self._block_line(place, found) for place, found in enumerate(row.blocks)]
            lines.append("")
        return lines

    def _block_line(self, place: int, found: BlockHealth) -> str:
        state = block_state(found)
        line = f"{place}. {self.name(found)} len={found.block.length} "
        line += f"Live_repl={found.health.live}" if state == "healthy" else f"{state.upper()}!"
        places = []
        for target in found.targets if state == "healthy" else ():
            address = self._cluster.addresses.get(target.node_id, f"{target.host}:{target.port}")
            if self._detail.racks:
                places.append(f"{self._cluster.racks.get(target.node_id, '')}/{address}")
            elif self._detail.locations:
                places.append(f"DatanodeInfoWithStorage[{address},{target.node_id},DISK]")
        return f"{line}  [{', '.join(places)}]" if places else line

    def summary(self) -> List[str]:
        """The end of the report."""
        lines = [
            f"Status: {self.verdict}",
            f" Number of data-nodes:\t{self._cluster.datanodes}",
            f" Number of racks:\t\t{len(self._all_racks())}",
            f" Total dirs:\t\t\t{self.directories}",
            " Total symlinks:\t\t0",
            "",
            "Replicated Blocks:",
            f" Total size:\t{self.size} B",
            f" Total files:\t{self.files}",
            f" Total blocks (validated):\t{self.blocks}" + self._average_size(),
        ]
        if self.corrupt_files:
            lines += self._box()
        share = self._share
        return lines + [
            f" Minimally replicated blocks:\t{self.minimal}{share(self.minimal)}",
            f" Over-replicated blocks:\t{self.excess}{share(self.excess)}",
            f" Under-replicated blocks:\t{self.under}{share(self.under)}",
            f" Mis-replicated blocks:\t\t{self.misplaced}{share(self.misplaced)}",
            f" Default replication factor:\t{self._cluster.default_replication}",
            f" Average block replication:\t{single_precision(self.live / (self.blocks or 1))}",
            f" Missing blocks:\t\t{len(self.missing_blocks)}",
            f" Corrupt blocks:\t\t{len(self.corrupt_blocks)}",
            f" Missing replicas:\t\t{self.missing_replicas}"
            + _percent(self.missing_replicas, self.wanted),
            " Blocks queued for replication:\t0",
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
        ]

    def _box(self) -> List[str]:
        unread = self.blocks - self.minimal
        lines = [
            BOX,
            f"  UNDER MIN REPL'D BLOCKS:\t{unread}{self._share(unread)}",
            "  MINIMAL BLOCK REPLICATION:\t1",
            f"  CORRUPT FILES:\t{len(self.corrupt_files)}",
        ]
        for title, found in (("MISSING", self.missing_blocks), ("CORRUPT", self.corrupt_blocks)):
            if found:
                size = sum(health.block.length for health, _ in found)
                lines.append(f"  {title} BLOCKS:\t{len(found)}")
                lines.append(f"  {title} SIZE:\t\t{size} B")
        return lines + [BOX]

    def _average_size(self) -> str:
        return f" (avg. block size {self.size // self.blocks} B)" if self.blocks else ""

    def _share(self, count: int) -> str:
        return _percent(count, self.blocks)

    def record(self, path: str) -> dict:
        """The findings for `--json`; sizes in bytes."""
        return {
            "path": path,
            "status": self.verdict,
            "directories": self.directories,
            "files": self.files,
            "blocks": self.blocks,
            "size": self.size,
            "under_replicated": self.under,
            "over_replicated": self.excess,
            "misplaced": self.misplaced,
            "missing_replicas": self.missing_replicas,
            "missing_blocks": [found.block.name for found, _ in self.missing_blocks],
            "corrupt_blocks": [found.block.name for found, _ in self.corrupt_blocks],
            "corrupt_files": self.corrupt_files,
        }


def block_state(found: BlockHealth) -> str:
    """healthy, corrupt (only damaged replicas) or missing (none at all)."""
    if found.health.live:
        return "healthy"
    return "corrupt" if found.health.corrupt else "missing"


def _percent(count: int, whole: int) -> str:
    return f" ({single_precision(100 * count / whole)} %)" if whole else ""
