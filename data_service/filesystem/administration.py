"""What a FileSystem can ask about the cluster as a whole, and tell it."""

from typing import Iterator, Tuple

from data_service.filesystem.namenode import LIST_ROWS, NameNodeClient
from data_service.protocol.messages import ClusterStatus, DataNodeStatus, FsckRow, unpack_rows


class Administration:
    """The part of FileSystem that is about the cluster, not about files."""

    _namenode: NameNodeClient

    def cluster_status(self) -> ClusterStatus:
        """Capacity, health, safe mode."""
        return ClusterStatus._make(self._namenode.call("cluster_status"))

    def datanodes(self) -> Tuple[DataNodeStatus, ...]:
        """Every datanode that the namenode knows."""
        return tuple(map(DataNodeStatus.from_wire, self._namenode.call("datanode_reports")))

    def fsck(self, path: str) -> Iterator[FsckRow]:
        """The health of every file and directory in a tree, fetched in pages."""
        after, more = "", True
        while more:
            data, more = self._namenode.call("fsck", path, after, LIST_ROWS)
            rows = [FsckRow.from_wire(row) for row in unpack_rows(data)]
            yield from rows
            after = rows[-1].path if rows else after

    def safe_mode(self, action: str) -> bool:
        """`get`, `enter` or `leave`; whether safe mode is on afterwards."""
        return self._namenode.call("safe_mode", action)

    def groups(self, user: str = "") -> Tuple[str, ...]:
        """The groups that the namenode finds for a user; without a name, for the caller."""
        return self._namenode.call("groups", user)
