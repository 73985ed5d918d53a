"""What a FileSystem can ask about the cluster as a whole, and tell it."""

from typing import Iterator, Optional, Sequence, Tuple

from data_service.filesystem.namenode_client import LIST_ROWS
from data_service.filesystem.names import Names
from data_service.filesystem.paths import AnyPath
from data_service.protocol.decoding import decode, decode_rows
from data_service.protocol.listings import Page
from data_service.protocol.messages import ClusterStatus, DataNodeStatus, FsckRow


class Administration(Names):
    """The part of FileSystem that is about the cluster, not about files."""

    def cluster_status(self) -> ClusterStatus:
        """Capacity, health, safe mode."""
        return decode(ClusterStatus, self._namenode.call("cluster_status"))

    def datanodes(self) -> Tuple[DataNodeStatus, ...]:
        """Every datanode that the namenode knows."""
        return decode(Tuple[DataNodeStatus, ...], self._namenode.call("datanode_reports"))

    def fsck(self, path: AnyPath) -> Iterator[FsckRow]:
        """The health of every file and directory in a tree, fetched in pages."""
        after, more = "", True
        while more:
            data, more = decode(Page, self._ask("fsck", path, after, LIST_ROWS))
            rows = decode_rows(FsckRow, data)
            yield from rows
            after = rows[-1].path if rows else after

    def safe_mode(self, action: str) -> bool:
        """`get`, `enter` or `leave`; whether safe mode is on afterwards."""
        return decode(bool, self._namenode.call("safe_mode", action))

    def groups(self, user: str = "") -> Tuple[str, ...]:
        """The groups that the namenode finds for a user; without a name, for the caller."""
        return decode(Tuple[str, ...], self._namenode.call("groups", user))

    def open_files(self, path: AnyPath = "/", everywhere: bool = False) -> Iterator[FsckRow]:
        """Files below a path that are being written, each with its writer and blocks so far.

        Of those in directories that the caller may look into; with `everywhere` all of them, which
        is for administrators.
        """
        method = "list_open_files" if everywhere else "open_files"
        after, more = 0, True
        while more:
            answer = self._ask(method, path, after, LIST_ROWS)
            data, after, more = decode(Tuple[bytes, int, bool], answer)
            yield from decode_rows(FsckRow, data)

    def block_row(self, block_id: int) -> Optional[FsckRow]:
        """The file that a block belongs to, with this block only; None when there is none."""
        rows = decode_rows(FsckRow, self._namenode.call("block_row", block_id))
        return rows[0] if rows else None

    def spread_blocks(self, block_ids: Sequence[int]) -> int:
        """Have blocks copied to another rack that are on one only; how many copies began."""
        begun = 0
        for start in range(0, len(block_ids), LIST_ROWS):
            page = tuple(block_ids[start : start + LIST_ROWS])
            begun += decode(int, self._namenode.call("spread_blocks", page))
        return begun

    def save_namespace(self) -> int:
        """Have the namespace's record copied from its log into its database; the last txid in it.

        Only in safe mode, and for administrators, as all that follow.
        """
        # The first answer to a client is awaited only briefly, and this one takes its time.
        self.safe_mode("get")
        return decode(int, self._namenode.call("save_namespace"))

    def refresh_nodes(self) -> None:
        """Read again which datanodes belong to the cluster."""
        self._namenode.call("refresh_nodes")

    def metasave(self, name: str) -> None:
        """Have the namenode write what it has still to do into a file of its own directory."""
        self._namenode.call("metasave", name)

    def trigger_block_report(self, host: str, port: int) -> None:
        """Have the datanode at this address report all its blocks now."""
        self._namenode.call("trigger_block_report", host, port)
