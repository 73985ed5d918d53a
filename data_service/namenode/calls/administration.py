"""What people ask about the cluster as a whole, and tell it: the calls of `report` and its kin."""

import os
import time
from typing import Any, Tuple

from data_service.namenode.calls.connection import Connection
from data_service.namenode.metasave import metasave_lines
from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.permissions import check_name
from data_service.namenode.replicas.service_state import DEAD
from data_service.protocol.blocks import Block
from data_service.protocol.validation import check_block, check_integers, check_strings
from zookeeper.fabric import disk
from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.frames import plain
from zookeeper.fabric.kinds import pack_rows

BLOCKS_MAX = 1000
"""The most blocks that one call may name."""


class Administration(Connection):
    """The calls about the cluster."""

    def exposed_report_bad_block(self, block: Tuple[Any, ...], node_id: str) -> None:
        """A reader met a replica whose bytes do not match its checksums: its datanode verifies it.

        Only who may read a file complains of its blocks.
        """
        check_block(block)
        check_strings(node_id)
        suspect = Block._make(block)
        if self._read(lambda state: state.inspecting.may_read_block(self._caller, suspect)):
            self._term_of().tell_blocks(lambda blocks: blocks.report_bad(suspect, node_id))

    def exposed_cluster_status(self) -> Tuple[Any, ...]:
        """ClusterStatus."""
        return self._term_of().cluster_status()

    def exposed_datanode_reports(self) -> Tuple[Any, ...]:
        """DataNodeStatus of every known datanode."""
        return self._term_of().ask_blocks(
            lambda blocks: blocks.census.datanodes(time.monotonic())
        )

    def exposed_safe_mode(self, action: str) -> bool:
        """`get`, `enter` or `leave`; whether safe mode is on afterwards."""
        if action not in ("get", "enter", "leave"):
            raise InvalidArgument("safe mode can be told: get, enter, leave")
        if action != "get":
            self._require_superuser()
        term = self._term_of()
        if action == "enter":
            term.tell_blocks(lambda blocks: blocks.enter_safe_mode())
        elif action == "leave":
            term.tell_blocks(lambda blocks: blocks.leave_safe_mode(time.monotonic()))
        return term.cluster_status().safe_mode

    def exposed_groups(self, user: str) -> Tuple[str, ...]:
        """The groups of a user, of the caller when `user` is empty."""
        check_strings(user)
        self._identify()
        if user:
            check_name(user)
        return tuple(self._groups_of(user or self._caller.user))

    def exposed_open_files(self, path: str, after: int, limit: int) -> Tuple[bytes, int, bool]:
        """A page of FsckRows of files being written, the number to go on behind, whether more."""
        check_strings(path)
        check_integers(after, limit)
        rows, last, more = self._read(
            lambda state: state.inspecting.open_files(self._caller, path, after, limit)
        )
        return pack_rows(plain(tuple(rows))), last, more

    def exposed_list_open_files(
        self, path: str, after: int, limit: int
    ) -> Tuple[bytes, int, bool]:
        """The same, for administrators only, as `listOpenFiles` is in HDFS."""
        self._require_superuser()
        return self.exposed_open_files(path, after, limit)

    def exposed_block_row(self, block_id: int) -> bytes:
        """The FsckRow of a block's file with this block only, as a list of one or none."""
        check_integers(block_id)
        row = self._read(lambda state: state.inspecting.block(self._caller, block_id))
        return pack_rows(() if row is None else (plain(row),))

    def exposed_spread_blocks(self, block_ids: Tuple[int, ...]) -> int:
        """Have blocks copied that are on too few racks; how many copies began."""
        self._require_superuser()
        if type(block_ids) is not tuple or len(block_ids) > BLOCKS_MAX:
            raise InvalidArgument(f"expected a list of at most {BLOCKS_MAX} blocks")
        check_integers(*block_ids)
        term = self._term_of()
        return term.tell_blocks(lambda blocks: blocks.spread(block_ids, term.random))

    def exposed_save_namespace(self) -> int:
        """Have the metadata service copy its log into its database; the last txid in it.

        The record is durable at any moment: this leaves the next start of that service no log to
        read, and tells of damage while the namenode still has the whole image. As in HDFS, only
        in safe mode.
        """
        self._require_superuser()
        term = self._term_of()
        if not term.cluster_status().safe_mode:
            raise InvalidArgument(
                "Safe mode should be turned ON in order to create namespace image."
            )
        return term.journal.checkpoint()

    def exposed_refresh_nodes(self) -> None:
        """Nothing yet: there are no lists of datanodes to include and exclude."""
        self._require_superuser()

    def exposed_trigger_block_report(self, host: str, port: int) -> None:
        """Have the datanode at an address report fully, with its next heartbeat."""
        self._require_superuser()
        check_strings(host)
        check_integers(port)
        if not self._term_of().ask_blocks(lambda blocks: blocks.want_report(host, port)):
            raise InvalidArgument(f"Datanode unreachable: none lives at {host}:{port}")

    def exposed_metasave(self, name: str) -> None:
        """Write what the namenode has still to do into a file of this name, in its directory."""
        self._require_superuser()
        check_strings(name)
        if name in ("", ".", "..") or "/" in name or not name.isprintable():
            raise InvalidArgument(
                f"{name!a:.80} is no name of a file: it lies in the namenode's own directory"
            )
        term = self._term_of()
        rows = term.ask_blocks(lambda blocks: blocks.census.datanodes(time.monotonic()))
        states = [row.state for row in rows]
        dead = states.count(DEAD)
        lines = term.read(
            lambda state: Outcome(metasave_lines(state, len(states) - dead, dead), None, 0)
        )
        disk.make_directories(self._directory)
        text = "".join(line + "\n" for line in lines)
        disk.write_file(os.path.join(self._directory, name), text.encode("utf-8", "replace"))
