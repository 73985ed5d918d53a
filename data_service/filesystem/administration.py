"""The cluster as a whole: what is asked about it, and what its administrators tell it."""

from typing import TYPE_CHECKING, Optional, Sequence, Tuple

from data_service.filesystem.namenode_client import LIST_ROWS
from data_service.protocol.health import AilingMember, ClusterStatus, DataNodeStatus, FsckRow
from data_service.protocol.namenode_calls import NameNodeCalls
from zookeeper.fabric.errors import InvalidArgument, PermissionDenied

if TYPE_CHECKING:
    from metadata_service.record.backup import BackedUp


class Administration:
    """Datanodes, blocks and the namenode itself, not files."""

    def __init__(self, calls: NameNodeCalls, user: str) -> None:
        self._calls = calls
        self.user = user

    def cluster_status(self) -> ClusterStatus:
        """Capacity, health, safe mode."""
        return self._calls.cluster_status()

    def ailing_members(self) -> Tuple[AilingMember, ...]:
        """What is wrong with metadata services, as far as who asks is told; a namenode of an older
        release knows nothing of that."""
        try:
            return self._calls.ailing_members()
        except InvalidArgument:
            return ()

    def datanodes(self) -> Tuple[DataNodeStatus, ...]:
        """Every datanode that the namenode knows; PermissionDenied for who may not administer."""
        nodes = self.datanode_rooms()
        if not all(node.host for node in nodes):
            raise PermissionDenied(
                f"Access denied for user {self.user}. Superuser privilege is required"
            )
        return nodes

    def require_superuser(self) -> None:
        """Raise PermissionDenied for who may not administer: the namenode judges that, whatever
        there is to administer."""
        self._calls.record_txid()

    def datanode_rooms(self) -> Tuple[DataNodeStatus, ...]:
        """The datanodes, which others than administrators are not told the names of."""
        return self._calls.datanode_reports()

    def safe_mode(self, action: str) -> bool:
        """`get`, `enter` or `leave`; whether safe mode is on afterwards."""
        return self._calls.safe_mode(action)

    def groups(self, user: str = "") -> Tuple[str, ...]:
        """The groups that the namenode finds for a user; without a name, for the caller."""
        return self._calls.groups(user)

    def block_row(self, block_id: int) -> Optional[FsckRow]:
        """The file that a block belongs to, with this block only; None when there is none."""
        rows = self._calls.block_row(block_id)
        return rows[0] if rows else None

    def spread_blocks(self, block_ids: Sequence[int]) -> int:
        """Have blocks copied to another rack that are on one only; how many copies began."""
        begun = 0
        for start in range(0, len(block_ids), LIST_ROWS):
            page = tuple(block_ids[start : start + LIST_ROWS])
            begun += self._calls.spread_blocks(page)
        return begun

    def save_namespace(self) -> int:
        """Have the namespace's record copied from its log into its database; the last txid in it.

        Only in safe mode, and for administrators, as all that follow.
        """
        return self._calls.save_namespace()

    def back_up(self, directory: str) -> "BackedUp":
        """Copy the record of the namespace, while it changes, into a local directory that is empty
        or not there; what is in the copy. Raises LocalFileError, DiskFull, CorruptData."""
        # Only here is a client in need of a database.
        from data_service.filesystem.backing_up import back_up

        return back_up(self._calls, directory)

    def refresh_nodes(self) -> None:
        """Read again which datanodes belong to the cluster."""
        self._calls.refresh_nodes()

    def metasave(self, name: str) -> None:
        """Have the namenode write what it has still to do into a file of its own directory."""
        self._calls.metasave(name)

    def trigger_block_report(self, host: str, port: int) -> None:
        """Have the datanode at this address report all its blocks now."""
        self._calls.trigger_block_report(host, port)
