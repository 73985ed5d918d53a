"""Block tokens for what the namenode has decided, made outside of its lock; and keys to datanodes.

A token is given with the answer that tells where a block is, so what its bearer may do was judged
just then.
"""

from functools import lru_cache
from typing import Callable, Iterable, NamedTuple, Tuple, cast

from data_service.namenode.dates import wall_ms
from data_service.protocol.block_tokens import COPY, READ, WRITE, Grant, seal
from data_service.protocol.blocks import Block
from data_service.protocol.files import LocatedBlock
from data_service.protocol.nodes import REPLICATE, Command, Target, Ticket
from zookeeper.fabric import keys
from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.identity import DATA_NODE, server_at
from zookeeper.fabric.settings import Address


NODES_KEPT = 4096
"""Datanodes whose addresses are at hand."""


class Bearer(NamedTuple):
    """Who presents a token, and the principal for whom he does; both as text."""

    name: str
    acted_for: str = ""


class Tokens:
    """Gives tokens out that live `seconds`, under the cluster key that `cluster_key` tells now.

    In mode `simple` there is no key, and every token is empty.
    """

    def __init__(self, cluster_key: Callable[[], bytes], seconds: float) -> None:
        self._cluster_key = cluster_key
        self._life_ms = int(seconds * 1000)

    def for_reader(self, bearer: Bearer, found: Iterable[LocatedBlock]) -> Tuple[LocatedBlock, ...]:
        """Blocks that the bearer may read, from whom they are on."""
        key = self._cluster_key()
        return tuple([
            located._replace(token=self._token(key, READ, bearer, located.block, located.targets))
            for located in found
        ]) if key else tuple(map(_without_digest, found))

    def for_writer(self, bearer: Bearer, located: LocatedBlock, size: int) -> LocatedBlock:
        """A block that the bearer may write, of up to `size` bytes, to its targets."""
        key, block = self._cluster_key(), located.block._replace(length=size)
        if not key:
            return _without_digest(located)
        return located._replace(token=self._token(key, WRITE, bearer, block, located.targets))

    def for_copier(
        self, bearer: str, commands: Iterable[Command], digest_of: Callable[[int], bytes]
    ) -> Tuple[Command, ...]:
        """The commands for a datanode, those to copy a block with what lets it do so; if the copy
        has the digest that `digest_of` tells for the block's number."""
        key = self._cluster_key()
        if not key:
            return tuple(commands)
        return tuple([
            self._with_token(key, bearer, command, digest_of)
            if command.action == REPLICATE else command
            for command in commands
        ])

    def ticket(self, bearer: str, address: Address) -> Ticket:
        """The bearer's key to a datanode, of now. Raises InvalidArgument in mode `simple`."""
        cluster_key = self._cluster_key()
        if not cluster_key:
            raise InvalidArgument("nobody needs a ticket in mode simple")
        issued = wall_ms() // 1000
        server_key = keys.server_key(cluster_key, str(server_at(DATA_NODE, address)))
        key = keys.caller_key(server_key, bearer, issued)
        return Ticket(key, keys.key_id(cluster_key), issued)

    def _with_token(
        self, key: bytes, bearer: str, command: Command, digest_of: Callable[[int], bytes]
    ) -> Command:
        (block,) = command.blocks
        digest = digest_of(block.block_id)
        return command._replace(
            token=self._token(key, COPY, Bearer(bearer), block, command.targets, digest)
        )

    def _token(
        self,
        cluster_key: bytes,
        mode: str,
        bearer: Bearer,
        block: Block,
        targets: Iterable[Target],
        digest: bytes = b"",
    ) -> bytes:
        addresses = tuple(map(_address_of, targets))
        expires_ms = wall_ms() + self._life_ms
        name, acted_for = bearer
        grant = Grant(
            mode, name, block, addresses, expires_ms, digest=digest, acted_for=acted_for
        )
        return seal(grant, cluster_key)


@lru_cache(maxsize=NODES_KEPT)
def _address_of(target: Target) -> str:
    """As it stands in tokens, and is not made for each of them."""
    return str(Address(target.host, target.port))


def no_key() -> bytes:
    """That of mode `simple`."""
    return b""


def _without_digest(located: LocatedBlock) -> LocatedBlock:
    """As an older release knows it: it takes no field more."""
    return cast(LocatedBlock, located[:-1])
