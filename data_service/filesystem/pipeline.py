"""The client's end of a write pipeline, and which datanodes to stay away from after a failure."""

from typing import Set, Tuple

from data_service.protocol.failures import broken_link
from data_service.protocol.messages import LocatedBlock
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import DfsError
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
            "data_node", Address(first.host, first.port), credentials, network
        )
        self._body = self._remote.call_with_body(
            "write_block",
            *located.block[:2],
            size,
            located.token,
            rest,
            timeout=network.call_timeout_seconds,
        )

    def send(self, data: memoryview, checksum: int) -> None:
        """Up to a chunk of data with its CRC32; raises the failure of any datanode downstream."""
        self._body.send(data, checksum)

    def finish(self) -> Tuple[str, ...]:
        """Wait until all hold the block durably; their node ids."""
        return tuple(self._body.finish())

    def close(self) -> None:
        """Hang up; unless `finish` returned, the datanodes drop what they have."""
        self._remote.close()


class Suspects:
    """Datanodes that one file's writer stays away from, and who accused them.

    The suspect is the datanode downstream of the broken link. When the same upstream has accused
    before, it may itself be the one at fault, and both ends are excluded (HDFS-3875: a faulty
    node blamed its healthy neighbours until it was the only holder).
    """

    def __init__(self) -> None:
        self.excluded: Set[str] = set()
        self._accusers: Set[str] = set()

    def blame(self, error: DfsError, first: str) -> None:
        """A pipeline broke with `error`; `first` is its first datanode."""
        upstream, downstream = broken_link(error) or ("", first)
        self.excluded.add(downstream)
        if upstream:
            if upstream in self._accusers:
                self.excluded.add(upstream)
            self._accusers.add(upstream)

    def __repr__(self) -> str:
        return f"<Suspects {sorted(self.excluded)}>"
