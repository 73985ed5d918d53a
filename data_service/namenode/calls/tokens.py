"""Block tokens for what the namenode has decided, made outside of its lock.

A token is given with the answer that tells where a block is, so what its bearer may do was judged
just then.
"""

from typing import Callable, Iterable, Tuple

from data_service.namenode.dates import wall_ms
from data_service.protocol.block_tokens import COPY, READ, WRITE, Grant, seal
from data_service.protocol.blocks import Block
from data_service.protocol.files import LocatedBlock
from data_service.protocol.nodes import REPLICATE, Command, Target
from zookeeper.fabric.settings import Address


class Tokens:
    """Gives tokens out that live `seconds`, under the cluster key that `cluster_key` tells now.

    In mode `simple` there is no key, and every token is empty.
    """

    def __init__(self, cluster_key: Callable[[], bytes], seconds: float) -> None:
        self._cluster_key = cluster_key
        self._life_ms = int(seconds * 1000)

    def for_reader(self, bearer: str, located: LocatedBlock) -> LocatedBlock:
        """A block that its bearer may read, from whom it is on."""
        token = self._token(READ, bearer, located.block, located.targets)
        return located._replace(token=token)

    def for_writer(self, bearer: str, located: LocatedBlock, size: int) -> LocatedBlock:
        """A block that its bearer may write, of up to `size` bytes, to its targets."""
        block = located.block._replace(length=size)
        return located._replace(token=self._token(WRITE, bearer, block, located.targets))

    def for_copier(self, bearer: str, commands: Iterable[Command]) -> Tuple[Command, ...]:
        """The commands for a datanode, those to copy a block with what lets it do so."""
        return tuple([
            command._replace(token=self._token(COPY, bearer, command.blocks[0], command.targets))
            if command.action == REPLICATE else command
            for command in commands
        ])

    def _token(
        self, mode: str, bearer: str, block: Block, targets: Iterable[Target]
    ) -> bytes:
        cluster_key = self._cluster_key()
        if not cluster_key:
            return b""
        addresses = tuple([str(Address(target.host, target.port)) for target in targets])
        expires_ms = wall_ms() + self._life_ms
        return seal(Grant(mode, bearer, block, addresses, expires_ms), cluster_key)


def no_key() -> bytes:
    """That of mode `simple`."""
    return b""
