"""The client's end of a write pipeline."""

from typing import Tuple

from data_service.protocol.failures import reply_seconds
from data_service.protocol.files import LocatedBlock
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.identity import DATA_NODE
from zookeeper.fabric.kinds import decode
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address, NetworkSettings


class Pipeline:
    """One attempt to write one block: chunks go to the first target, which passes them on."""

    def __init__(
        self,
        located: LocatedBlock,
        size: int,
        credentials: Credentials,
        network: NetworkSettings,
    ) -> None:
        first, rest = located.targets[0], located.targets[1:]
        self._remote = Remote.connect(
            DATA_NODE, Address(first.host, first.port), credentials, network
        )
        try:
            self._body = self._remote.call_with_body(
                "write_block",
                *located.block[:2],
                size,
                located.token,
                rest,
                timeout=reply_seconds(network.call_timeout_seconds, len(rest)),
            )
        except BaseException:
            self._remote.close()
            raise

    def send(self, data: memoryview, checksum: int) -> None:
        """Up to a chunk of data with its CRC32; raises the failure of any datanode downstream."""
        self._body.send(data, checksum)

    def finish(self) -> Tuple[str, ...]:
        """Wait until all hold the block durably; their node ids."""
        return decode(Tuple[str, ...], self._body.finish())

    def close(self) -> None:
        """Hang up; unless `finish` returned, the datanodes drop what they have."""
        self._remote.close()
