"""How a datanode describes itself, the same to every namenode: who it is, and how it fares."""

import time
import uuid
from typing import Callable

from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.nodes import NodeInfo, NodeStats
from zookeeper.fabric.release import VERSION
from zookeeper.fabric.settings import Address


class NodeDescription:
    """Of one run of the process; `transfers` tells how many of them are under way."""

    def __init__(
        self, address: Address, rack: str, store: BlockStore, transfers: Callable[[], int]
    ) -> None:
        self._address = address
        self._rack = rack
        self._store = store
        self._transfers = transfers
        self._started = time.monotonic()
        self._incarnation = uuid.uuid4().hex

    def info(self) -> NodeInfo:
        """What it registers as."""
        return NodeInfo(
            self._store.volumes.node_id,
            self._incarnation,
            self._address.host,
            self._address.port,
            self._rack,
            self._store.volumes.cluster_id,
            VERSION,
        )

    def stats(self) -> NodeStats:
        """What it tells with every heartbeat."""
        capacity, used, remaining, replicas, failed = self._store.usage()
        uptime = int(time.monotonic() - self._started)
        return NodeStats(capacity, used, remaining, replicas, self._transfers(), failed, uptime)

    def __repr__(self) -> str:
        return f"<NodeDescription of {self._address}>"
