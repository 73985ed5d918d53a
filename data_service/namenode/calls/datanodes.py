"""The calls of datanodes: who they are, how they fare, which replicas they have."""

import time
from typing import Tuple

from data_service.namenode.calls.connection import Connection
from data_service.protocol.blocks import Block, SealedBlock, unpack_sealed
from data_service.protocol.datanode_reports import Orders
from data_service.protocol.nodes import NodeInfo, NodeStats, Registration
from zookeeper.fabric.settings import Address

HEARTBEAT_WAIT_SECONDS_MAX = 60.0


class DataNodes:
    """Answers DataNodeReports, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._on = connection

    def register(self, info: NodeInfo) -> Registration:
        """See DataNodeReports."""
        listener = self._on.listener
        principal, proved = self._on.own_address(Address(info.host, info.port)), self._on.proved
        session = listener.tell_blocks(
            lambda blocks: blocks.register(info, time.monotonic(), principal, proved), ()
        )
        cluster_id = listener.core.cluster_id
        return Registration(session, listener.epoch, cluster_id, listener.leads)

    def epoch_known(self, epoch: int) -> None:
        """See DataNodeReports."""
        self._on.listener.outlive(epoch)

    def heartbeat(
        self, session: int, stats: NodeStats, wait_seconds: float, acknowledged: int = 0,
        unheard_seconds: float = 0.0,
    ) -> Orders:  # fmt: skip
        """See DataNodeReports."""
        wait = min(max(0.0, wait_seconds), HEARTBEAT_WAIT_SECONDS_MAX)
        listener = self._on.listener
        epoch, commands = listener.heartbeat(
            session, stats, wait, self._on.gone, acknowledged, unheard_seconds)

        def digest_of(block_id: int) -> bytes:
            digest: bytes = listener.ask_blocks(lambda blocks: blocks.digest(block_id))
            return digest

        given = self._on.tokens.for_copier(self._on.principal, commands, digest_of)
        return Orders(epoch, given, listener.leads)

    def block_report(
        self,
        session: int,
        report_id: int,
        part: int,
        parts: int,
        payload: bytes,
        digests: bytes = b"",
    ) -> None:
        """See DataNodeReports."""
        listener = self._on.listener
        reported = list(unpack_sealed(payload, digests))
        listener.tell_blocks_in_slices(
            lambda blocks: blocks.block_report(
                session, report_id, part, parts, reported, time.monotonic()
            ),
            reported,
        )

    def block_changes(
        self,
        session: int,
        received: Tuple[SealedBlock, ...],
        deleted: Tuple[Block, ...],
        corrupt: Tuple[Block, ...],
        verified: Tuple[SealedBlock, ...] = (),
    ) -> None:
        """See DataNodeReports."""
        self._on.listener.tell_blocks(
            lambda blocks: blocks.block_changes(
                session, received, deleted, corrupt, time.monotonic(), verified
            ),
            (*received, *deleted, *corrupt, *verified),
        )

    def copy_failed(self, session: int, block_id: int, unreached: Tuple[str, ...] = ()) -> None:
        """See DataNodeReports."""
        self._on.listener.tell_blocks(
            lambda blocks: blocks.copy_failed(session, block_id, time.monotonic(), unreached), ()
        )
