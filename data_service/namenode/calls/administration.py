"""What people ask about the cluster as a whole, and tell it: the calls of `report` and its kin."""

import os
import time
from typing import Callable, List, Tuple, Union

from data_service.namenode.calls.connection import Connection
from data_service.namenode.metasave import metasave_lines
from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.permissions import check_name
from data_service.protocol.blocks import Block
from data_service.protocol.health import (
    DEAD,
    AilingMember,
    ClusterStatus,
    DataNodeStatus,
    FsckRow,
)
from zookeeper.fabric import disk
from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.identity import GATEWAY


class Administration:
    """Answers AdministrationCalls, on one connection. `directory` is where `metasave` writes, and
    `refresh` reads again who is revoked."""

    def __init__(
        self, connection: Connection, directory: str, refresh: Callable[[], None]
    ) -> None:
        self._on = connection
        self._directory = directory
        self._refresh = refresh

    @property
    def _is_for_administrators(self) -> bool:
        """Whether addresses are told: to a gateway, too, which knows them all."""
        return bool(self._on.caller.superuser or self._on.caller.user == GATEWAY)

    def report_bad_block(self, block: Block, node_id: str) -> None:
        """See AdministrationCalls."""
        caller = self._on.caller
        found = self._on.namesystem.read(lambda state: state.reading.locate_block(caller, block))
        if found is not None:
            self._on.namesystem.tell_blocks(lambda blocks: blocks.report_bad(block, node_id))

    def cluster_status(self) -> ClusterStatus:
        """See AdministrationCalls."""
        return self._on.namesystem.cluster_status()

    def ailing_members(self) -> Tuple[AilingMember, ...]:
        """See AdministrationCalls."""
        if not self._is_for_administrators:
            return ()
        return tuple([AilingMember(*one) for one in self._on.namesystem.journal.ailments()])

    def datanode_reports(self) -> Tuple[DataNodeStatus, ...]:
        """See AdministrationCalls."""
        reports: Tuple[DataNodeStatus, ...] = self._on.namesystem.ask_blocks(
            lambda blocks: blocks.census.datanodes(time.monotonic())
        )
        if self._is_for_administrators:
            return reports
        return tuple([report.unnamed() for report in reports])

    def safe_mode(self, action: str) -> bool:
        """See AdministrationCalls."""
        if action not in ("get", "enter", "leave"):
            raise InvalidArgument("safe mode can be told: get, enter, leave")
        if action != "get":
            self._on.require_superuser()
        namesystem = self._on.namesystem
        if action == "enter":
            namesystem.tell_blocks(lambda blocks: blocks.enter_safe_mode())
        elif action == "leave":
            namesystem.tell_blocks(lambda blocks: blocks.leave_safe_mode(time.monotonic()))
        return namesystem.cluster_status().safe_mode

    def groups(self, user: str) -> Tuple[str, ...]:
        """See AdministrationCalls."""
        if user:
            check_name(user)
        return tuple(self._on.groups_of(user or self._on.caller.user))

    def open_files(self, path: str, after: int, limit: int) -> Tuple[List[FsckRow], int, bool]:
        """See AdministrationCalls."""
        caller = self._on.caller
        page: Tuple[List[FsckRow], int, bool] = self._on.namesystem.read(
            lambda state: state.inspecting.open_files(caller, path, after, limit)
        )
        return page

    list_open_files = open_files

    def block_row(self, block_id: int) -> List[FsckRow]:
        """See AdministrationCalls."""
        caller = self._on.caller
        row = self._on.namesystem.read(lambda state: state.inspecting.block(caller, block_id))
        return [] if row is None else [row]

    def spread_blocks(self, block_ids: Tuple[int, ...]) -> int:
        """See AdministrationCalls."""
        namesystem = self._on.namesystem
        begun: int = namesystem.tell_blocks(
            lambda blocks: blocks.monitor.spread(block_ids, namesystem.random)
        )
        return begun

    def save_namespace(self) -> int:
        """See AdministrationCalls."""
        namesystem = self._on.namesystem
        if not namesystem.cluster_status().safe_mode:
            raise InvalidArgument(
                "Safe mode should be turned ON in order to create namespace image."
            )
        return namesystem.journal.checkpoint()

    def record_txid(self) -> int:
        """See AdministrationCalls."""
        return self._on.namesystem.journal.durable_txid

    def record_rows(self, table: str, after: Union[int, str, None], limit: int) -> bytes:
        """See AdministrationCalls."""
        return self._on.namesystem.journal.rows(table, after, limit)

    def refresh_nodes(self) -> None:
        """See AdministrationCalls."""
        self._refresh()

    def trigger_block_report(self, host: str, port: int) -> None:
        """See AdministrationCalls."""
        if not self._on.namesystem.ask_blocks(lambda blocks: blocks.want_report(host, port)):
            raise InvalidArgument(f"Datanode unreachable: none lives at {host}:{port}")

    def metasave(self, name: str) -> None:
        """See AdministrationCalls."""
        if name in ("", ".", "..") or "/" in name or not name.isprintable():
            raise InvalidArgument(
                f"{name!a:.80} is no name of a file: it lies in the namenode's own directory"
            )
        states = [row.state for row in self.datanode_reports()]
        dead = states.count(DEAD)
        lines = self._on.namesystem.read(
            lambda state: Outcome(metasave_lines(state, len(states) - dead, dead), None, 0)
        )
        disk.make_directories(self._directory)
        text = "".join(line + "\n" for line in lines)
        disk.write_file(os.path.join(self._directory, name), text.encode("utf-8", "replace"))
