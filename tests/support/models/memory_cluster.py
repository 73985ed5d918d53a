"""What a MemoryFileSystem tells of the cluster that it has not: a test says what is so."""

from typing import ContextManager, Dict, Iterator, List, Optional, Sequence, Tuple

from data_service.filesystem.paths import AnyPath
from data_service.protocol.blocks import Block
from data_service.protocol.files import FileStatus
from data_service.protocol.health import (
    AilingMember,
    BlockHealth,
    ClusterStatus,
    DataNodeStatus,
    FsckRow,
    Health,
    Holder,
)
from data_service.protocol.nodes import NodeStats
from tests.support.models.nodes import File, Node


def node(port: int, state: str = "live", rack: str = "/default-rack") -> DataNodeStatus:
    """A datanode to report."""
    stats = NodeStats(1000, 100, 900, 3, 0, 0)
    return DataNodeStatus(f"node-{port}", "localhost", port, rack, state, stats, 1.0, 10.0)


class MemoryCluster:
    """The part of MemoryFileSystem that is about the cluster; it finds files by `_below`."""

    def __init__(self) -> None:
        self.health: Dict[str, Health] = {}
        self.nodes: Tuple[DataNodeStatus, ...] = (node(1801), node(1802))
        self.status = ClusterStatus(3000, 300, 2700, False, "", 0, 0, 0, 0, 7, "c1")
        self.written: List[FsckRow] = []  # What is open for writing.
        self.spread: List[int] = []
        self.salvaged: List[Tuple[str, str]] = []
        self.members: Dict[str, Tuple[str, ...]] = {}

    def cluster_status(self) -> ClusterStatus:
        """As FileSystem.cluster_status."""
        self._called("cluster_status")
        return self.status

    def ailing_members(self) -> Tuple[AilingMember, ...]:
        """As FileSystem.ailing_members."""
        self._called("ailing_members")
        return ()

    def datanodes(self) -> Tuple[DataNodeStatus, ...]:
        """As FileSystem.datanodes."""
        self._called("datanodes")
        return self.nodes

    def knock(self) -> None:
        """As FileSystem.knock."""
        self._called("knock")

    def briefly(self) -> "MemoryCluster":
        """As FileSystem.briefly: nobody waits here."""
        return self

    def datanode_rooms(self) -> Tuple[DataNodeStatus, ...]:
        """As FileSystem.datanode_rooms."""
        self._called("datanode_rooms")
        return self.nodes

    def delegation_token(self, renewer: str = "") -> str:
        """None: nobody has to prove here who he is."""
        return ""

    def fsck(self, path: AnyPath, after: str = "") -> Iterator[FsckRow]:
        """As FileSystem.fsck; a file that `health` does not name has one good replica."""
        with self._at("fsck", path) as top:
            below = [*self._below(top)]
        names = [name for name, _ in below]
        for name, node in below[names.index(after) + 1 if after else 0 :]:
            blocks = tuple(self._blocks(name, node)) if isinstance(node, File) else ()
            yield FsckRow(name, self._status(name, node), blocks)

    def open_files(
        self, path: str = "/", everywhere: bool = False, after: int = 0
    ) -> Iterator[FsckRow]:
        """As FileSystem.open_files: those that `written` names, by their numbers."""
        self._called("list_open_files" if everywhere else "open_files")
        return (
            row
            for row in self.written
            if row.path.startswith(path) and row.status.inode_id > after
        )

    def block_row(self, block_id: int) -> Optional[FsckRow]:
        """As FileSystem.block_row."""
        for row in self.fsck("/"):
            found = tuple(block for block in row.blocks if block.block.block_id == block_id)
            if found:
                return row._replace(blocks=found)
        return None

    def spread_blocks(self, block_ids: Sequence[int]) -> int:
        """As FileSystem.spread_blocks: noted in `spread`, and copied but for the first one."""
        self._called("spread_blocks")
        self.spread += block_ids
        return len(block_ids) - 1

    def salvage(self, path: str, directory: str) -> int:
        """As FileSystem.salvage: noted in `salvaged`."""
        self._called("salvage")
        self.salvaged.append((path, directory))
        return 1

    def save_namespace(self) -> int:
        """As FileSystem.save_namespace."""
        self._called("save_namespace")
        return 1

    def refresh_nodes(self) -> None:
        """As FileSystem.refresh_nodes."""
        self._called("refresh_nodes")

    def metasave(self, name: str) -> None:
        """As FileSystem.metasave."""
        self._called(f"metasave {name}")

    def trigger_block_report(self, host: str, port: int) -> None:
        """As FileSystem.trigger_block_report."""
        self._called(f"trigger_block_report {host}:{port}")

    def safe_mode(self, action: str) -> bool:
        """As FileSystem.safe_mode."""
        self._called("safe_mode")
        if action != "get":
            reason = "It was turned on manually." if action == "enter" else ""
            self.status = self.status._replace(
                safe_mode=action == "enter", safe_mode_reason=reason)
        return self.status.safe_mode

    def groups(self, user: str = "") -> Tuple[str, ...]:
        """As FileSystem.groups: those that `members` names."""
        self._called("groups")
        return self.members.get(user, ())

    def _blocks(self, path: str, file: File) -> Iterator[BlockHealth]:
        size = file.block_size
        for place, start in enumerate(range(0, file.length, size)):
            block = Block(100 * file.number + place, 1, min(size, file.length - start))
            health = self.health.get(path, Health(file.replication, file.replication, 0, 0))
            states = ["LIVE"] * health.live + ["CORRUPT"] * health.corrupt
            holders = tuple(
                Holder(told.node_id, told.host, told.port, told.rack, state)
                for told, state in zip(self.nodes, states)
            )
            yield BlockHealth(block, health, holders)

    def _called(self, method: str) -> None:
        raise NotImplementedError

    def _at(self, method: str, path: AnyPath) -> ContextManager[str]:
        raise NotImplementedError

    def _below(self, path: str) -> Iterator[Tuple[str, Node]]:
        raise NotImplementedError

    def _status(self, path: str, node: Node) -> FileStatus:
        raise NotImplementedError
