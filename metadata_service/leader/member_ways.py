"""The ways from a namenode to the members of the metadata quorum, over the network."""

from typing import Any, List, Sequence, Tuple

from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.calls import Call
from zookeeper.fabric.config_file import parse_address
from zookeeper.fabric.identity import METADATA
from zookeeper.fabric.pools import ConnectionPool
from zookeeper.fabric.remote import Remote, answering
from zookeeper.fabric.settings import Address, NetworkSettings


class MemberWays:
    """Ways to the members at these addresses, each known by its text; see `lane.Ways`."""

    def __init__(
        self, hosts: Sequence[Address], credentials: Credentials, network: NetworkSettings
    ) -> None:
        self._hosts = {str(host): host for host in hosts}
        self.addresses: Sequence[str] = tuple(self._hosts)
        self._credentials = credentials
        self._network = network
        self._connections = ConnectionPool(METADATA, credentials, network)

    def perform(self, address: str, call: Call, args: Tuple[Any, ...], seconds: float) -> Any:
        """Make a call of one member, once."""
        return self._connections.perform(self._host(address), call, args, seconds)

    def dial(self, address: str) -> Remote:
        """A connection that is the caller's; raises Unavailable."""
        host = self._host(address)
        return Remote.connect(METADATA, host, self._credentials, self._network)

    def answering(self, connections: Sequence[Remote], seconds: float) -> List[Remote]:
        """Those whose answers have come, or that are over; waits for the first one so long."""
        return answering(connections, seconds)

    def close(self) -> None:
        """Close all idle connections."""
        self._connections.close()

    def _host(self, address: str) -> Address:
        """One that config.ini does not name is a member's that is to be replaced."""
        return self._hosts.get(address) or parse_address(address)
