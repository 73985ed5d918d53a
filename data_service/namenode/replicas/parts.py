"""The parts of the block side, made once and joined."""

from typing import Iterator

from data_service.namenode.replicas.allocation import Allocation
from data_service.namenode.replicas.block_map import BlockMap
from data_service.namenode.replicas.block_policy import BlockPolicy
from data_service.namenode.replicas.block_reports import BlockReports
from data_service.namenode.replicas.census import Census
from data_service.namenode.replicas.dead_nodes import DeadNodes
from data_service.namenode.replicas.deletion import Deletions
from data_service.namenode.replicas.events import Events
from data_service.namenode.replicas.full_reports import FullReports
from data_service.namenode.replicas.liveness import Liveness
from data_service.namenode.replicas.nodes import Nodes
from data_service.namenode.replicas.open_blocks import OpenBlocks
from data_service.namenode.replicas.replication import Replication
from data_service.namenode.replicas.safe_mode import SafeMode
from data_service.namenode.replicas.service_changes import ServiceChanges
from data_service.namenode.replicas.verification import Verifications


class Parts:
    """What `Blocks` and its monitor share. `now` is the moment of the last event."""

    def __init__(self, cluster_id: str, sessions: Iterator[int], policy: BlockPolicy) -> None:
        self.now = 0.0
        self.events = Events()
        self.nodes = Nodes(cluster_id, sessions, policy)
        self.liveness = Liveness(self.nodes, policy)
        self.blocks = BlockMap()
        self.opened = OpenBlocks()
        self.safe_mode = SafeMode(policy.safe_mode_threshold, policy.safe_mode_extension_seconds)
        self.replication = Replication(self.blocks, self.nodes, policy)
        verifications = Verifications(policy)
        self.deletions = Deletions(
            self.blocks, self.nodes, self.replication, verifications, policy
        )
        self.reports = BlockReports(
            self.blocks, self.opened, self.replication, self.deletions, verifications, self.events,
            policy.digests_needed,
        )  # fmt: skip
        self.full_reports = FullReports(self.blocks, self.opened, self.reports, self.events)
        self.dead_nodes = DeadNodes(
            self.nodes, self.blocks, self.opened, self.replication, self.deletions, self.events
        )
        self.service = ServiceChanges(self.blocks, self.dead_nodes)
        self.allocation = Allocation(
            self.nodes, self.liveness, self.blocks, self.opened, policy
        )
        self.census = Census(
            self.blocks, self.opened, self.nodes, self.replication, self.deletions
        )

    def __repr__(self) -> str:
        return f"{self.blocks!r} {self.nodes!r} {self.deletions!r} {self.safe_mode!r}"

    def check(self) -> None:
        """Assert every invariant; slow, for tests."""
        self.blocks.check(self.service.unsettled)
        for part in (self.nodes, self.opened, self.replication, self.deletions):
            part.check()
        assert not any(block_id in self.blocks or block_id in self.deletions
                       for block_id in self.opened), self.opened
        for node in self.nodes:
            known = [block_id for block_id, unknown in node.unknown.items()
                     if block_id in self.blocks
                     and not (unknown.refused or node.outbox.is_sent(block_id))]
            assert not known, (node, known)
            assert not (node.dead and (node.outbox.ids() or node.expected)), node
