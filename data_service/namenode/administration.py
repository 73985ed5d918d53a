"""What people ask about the cluster as a whole, and tell it: the calls of `report` and its kin."""

import time
from typing import Tuple

from data_service.namenode.connection import Connection
from data_service.namenode.permissions import check_name
from data_service.protocol.blocks import Block
from data_service.protocol.validation import check_block, check_strings
from zookeeper.fabric.errors import InvalidArgument


class Administration(Connection):
    """The calls about the cluster."""

    def exposed_report_bad_block(self, block: tuple, node_id: str) -> None:
        """A reader met a replica whose bytes do not match its checksums."""
        check_block(block)
        check_strings(node_id)
        self._term_of().tell_blocks(lambda blocks: blocks.report_bad(Block._make(block), node_id))

    def exposed_cluster_status(self) -> tuple:
        """ClusterStatus."""
        return self._term_of().cluster_status()

    def exposed_datanode_reports(self) -> tuple:
        """DataNodeStatus of every known datanode."""
        return self._term_of().tell_blocks(
            lambda blocks: blocks.datanode_reports(time.monotonic())
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
