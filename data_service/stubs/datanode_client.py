"""The datanodes, as clients and other datanodes call them.

A block is a call, and a dial with its handshake costs several small blocks: connections are kept
for a while, by everybody who calls datanodes.
"""

from functools import partial
from typing import Optional, Sequence

from data_service.protocol.datanode_calls import DataNodeCalls, Holders
from data_service.protocol.failures import reply_seconds
from data_service.protocol.nodes import Target
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import Sending
from zookeeper.fabric.identity import DATA_NODE
from zookeeper.fabric.pools import ConnectionPool
from zookeeper.fabric.settings import Address, NetworkSettings

IDLE_SECONDS = 10.0
"""How long a connection is kept for the next block: it holds a thread of its datanode."""


class DataNodeClient:
    """All datanodes of a cluster. May be used by any thread."""

    def __init__(self, credentials: Credentials, network: NetworkSettings) -> None:
        self._connections = ConnectionPool(DATA_NODE, credentials, network, IDLE_SECONDS)
        self._here = ConnectionPool(DATA_NODE, credentials, network, IDLE_SECONDS, here=True)
        self.call_seconds = network.call_timeout_seconds

    def at(self, node: Target, seconds: Optional[float] = None) -> DataNodeCalls:
        """One of them, that has to answer within so many seconds; else in the time for a call."""
        perform = partial(self._connections.perform, Address(node.host, node.port))
        return DataNodeCalls(perform, seconds)

    def here(self, node: Target) -> DataNodeCalls:
        """One of them that is on this machine, called by its Unix socket."""
        return DataNodeCalls(partial(self._here.perform, Address(node.host, node.port)))

    def write_block(
        self, block_id: int, generation: int, size: int, token: bytes, targets: Sequence[Target]
    ) -> Sending[Holders]:
        """Begin to write a block to the first of `targets`, which passes it on to the rest.

        Who comes first is awaited the longest, so that it can still tell who failed behind it.
        """
        first, rest = targets[0], tuple(targets[1:])
        node = self.at(first, reply_seconds(self.call_seconds, len(rest)))
        return node.write_block(block_id, generation, size, token, rest)

    def close(self) -> None:
        """Hang up; calls that are under way go on."""
        self._connections.close()
        self._here.close()
