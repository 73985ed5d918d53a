"""The other datanodes, as this one calls them: to pass a block on, or to copy a replica."""

from typing import Sequence, Tuple

from data_service.protocol.failures import reply_seconds
from data_service.protocol.nodes import Target
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.identity import DATA_NODE
from zookeeper.fabric.remote import OutgoingBody, Remote
from zookeeper.fabric.settings import Address, NetworkSettings


class Peers:
    """Dials them with this datanode's credentials."""

    def __init__(self, credentials: Credentials, network: NetworkSettings) -> None:
        self._credentials = credentials
        self._network = network

    def write_block(
        self,
        block_id: int,
        generation: int,
        size: int,
        token: bytes,
        targets: Sequence[Tuple[str, str, int]],
    ) -> OutgoingBody:
        """Begin to write a block to the first of `targets`, which passes it on to the rest.

        Raises Unavailable when the first cannot be reached.
        """
        first, rest = Target._make(targets[0]), tuple(targets[1:])
        network = self._network
        address = Address(first.host, first.port)
        remote = Remote.connect(DATA_NODE, address, self._credentials, network)
        try:
            return remote.call_with_body(
                "write_block", block_id, generation, size, token, rest,
                timeout=reply_seconds(network.call_timeout_seconds, len(rest)),
            )
        except BaseException:
            remote.close()
            raise
