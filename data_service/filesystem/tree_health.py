"""The health of a tree: what a check of all its blocks counts, and what is wrong with which."""

from typing import Any, Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Tuple

from data_service.protocol.health import DEAD, BlockHealth, DataNodeStatus, FsckRow

HEALTHY, CORRUPT, MISSING = "HEALTHY", "CORRUPT", "MISSING"
UNDER_REPLICATED, MISPLACED = "UNDER_REPLICATED", "MISPLACED"


class Fault(NamedTuple):
    """What is wrong with a block: `kind` is one of the words above."""

    kind: str
    found: BlockHealth


class OpenFiles(NamedTuple):
    """Files open for writing that are not checked."""

    files: int = 0
    size: int = 0
    blocks: int = 0


class Racks(NamedTuple):
    """Where replicas can be: on how many `datanodes` that are not dead, and in which racks."""

    datanodes: int
    racks: FrozenSet[str]

    @classmethod
    def of(cls, nodes: Iterable[DataNodeStatus]) -> "Racks":
        """Those of the datanodes that the namenode knows."""
        usable = [node for node in nodes if node.state != DEAD]
        return cls(len(usable), frozenset(node.rack for node in usable))

    def is_misplaced(self, found: BlockHealth) -> bool:
        """Whether a block of several replicas is on one rack, though there are others."""
        racks = {holder.rack for holder in found.holders if holder.is_good}
        return len(racks) < min(2, found.health.wanted, len(self.racks))


class TreeHealth:
    """Counts over all rows of a tree; with `open_files` also over those being written.

    Which blocks and files are damaged or misplaced it `remembers`, unless it is to stay small.
    """

    def __init__(self, where: Racks, open_files: bool = False, remembers: bool = True) -> None:
        self.where = where
        self.directories = self.files = self.blocks = self.size = 0
        self.live = self.wanted = self.missing_replicas = self.queued = 0
        self.minimal = self.excess = self.under = self.damaged_files = 0
        self.faults: Dict[str, int] = {}
        self.misplaced: List[int] = []
        self.lost: Dict[str, List[Tuple[BlockHealth, str]]] = {MISSING: [], CORRUPT: []}
        self.corrupt_files: List[FsckRow] = []
        self.by_replicas: Dict[int, int] = {}
        self.open = OpenFiles()
        self._open_files = open_files
        self._remembers = remembers

    @property
    def verdict(self) -> str:
        """HEALTHY, or CORRUPT when the bytes of any file are not all there."""
        return CORRUPT if self.damaged_files else HEALTHY

    def checks(self, row: FsckRow) -> bool:
        """Whether the blocks of a row are looked at: it is a file that nobody writes, or that."""
        return not row.status.is_directory and (self._open_files or not row.writer)

    def add(self, row: FsckRow) -> List[Fault]:
        """Count a row; what is wrong with its blocks, in their order."""
        if row.status.is_directory:
            self.directories += 1
            return []
        if not self.checks(row):
            files, size, blocks = self.open
            self.open = OpenFiles(files + 1, size + row.status.length, blocks + len(row.blocks))
            return []
        self.files += 1
        self.size += row.status.length
        faults = [Fault(kind, found) for found in reported(row) for kind in self._count(found)]
        for kind, _ in faults:
            self.faults[kind] = self.faults.get(kind, 0) + 1
        self.damaged_files += any(kind in self.lost for kind, _ in faults)
        if self._remembers:
            self._remember(row, faults)
        return faults

    def _remember(self, row: FsckRow, faults: List[Fault]) -> None:
        for kind, found in faults:
            if kind == MISPLACED:
                self.misplaced.append(found.block.block_id)
            elif kind in self.lost:
                self.lost[kind].append((found, row.path))
        if any(kind in self.lost for kind, _ in faults):
            self.corrupt_files.append(row)

    def _count(self, found: BlockHealth) -> Iterator[str]:
        """Count a block; what is wrong with it."""
        health = found.health
        self.blocks += 1
        self.live += health.live
        self.wanted += health.wanted
        self.minimal += health.live > 0
        self.excess += health.live > health.wanted
        self.queued += health.copying > 0
        if not health.live:
            yield block_state(found)
            return
        self.by_replicas[health.live] = self.by_replicas.get(health.live, 0) + 1
        if health.live < health.wanted:
            self.under += 1
            self.missing_replicas += health.wanted - health.live
            yield UNDER_REPLICATED
        if self.where.is_misplaced(found):
            yield MISPLACED

    def record(self, path: str, queued: int = 0) -> Dict[str, Any]:
        """The findings for a program; sizes in bytes. `queued` blocks are copied from now on,
        besides those found."""
        return {
            "path": path,
            "status": self.verdict,
            "datanodes": self.where.datanodes,
            "racks": len(self.where.racks),
            "directories": self.directories,
            "files": self.files,
            "blocks": self.blocks,
            "size": self.size,
            "replicas": self.live,
            "minimally_replicated": self.minimal,
            "under_replicated": self.under,
            "over_replicated": self.excess,
            "misplaced": self.faults.get(MISPLACED, 0),
            "missing_replicas": self.missing_replicas,
            "queued_for_replication": self.queued + queued,
            "missing_blocks": [found.block.name for found, _ in self.lost[MISSING]],
            "corrupt_blocks": [found.block.name for found, _ in self.lost[CORRUPT]],
            "corrupt_files": [row.path for row in self.corrupt_files],
            "open_files": self.open.files,
            "open_size": self.open.size,
            "open_blocks": self.open.blocks,
        }


def reported(row: FsckRow) -> Tuple[BlockHealth, ...]:
    """The blocks of a file. In one that is being written, a block that no datanode has finished is
    not missing: it is on its way."""
    return tuple(found for found in row.blocks if found.holders or not row.writer)


def block_state(found: BlockHealth) -> str:
    """HEALTHY, CORRUPT (only damaged replicas) or MISSING (none at all)."""
    if found.health.live:
        return HEALTHY
    return CORRUPT if found.health.corrupt else MISSING


def tree_rows(filesystem: Any, path: str) -> Iterator[FsckRow]:
    """The tree, then the files that will appear in it. One that grows has both kinds of blocks."""
    written = {row.status.inode_id: row for row in filesystem.open_files(path)}
    for row in filesystem.fsck(path):
        growth = written.pop(row.status.inode_id, None)
        if growth is not None:
            length = row.status.length + growth.status.length
            status = row.status._replace(length=length)
            row = FsckRow(row.path, status, row.blocks + growth.blocks, growth.writer)
        yield row
    yield from written.values()
