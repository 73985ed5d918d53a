"""Copying a replica to other datanodes, as the namenode orders."""

from typing import Sequence, Tuple

from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from data_service.protocol.failures import broken_link
from data_service.protocol.nodes import Target
from data_service.stubs.datanode_client import DataNodeClient
from zookeeper.fabric.errors import BlockMissing, DfsError, Unavailable


def copy_block(
    store: BlockStore,
    block: Block,
    targets: Sequence[Target],
    peers: DataNodeClient,
    token: bytes,
) -> Tuple[str, ...]:
    """Send a replica, verified while it is read, to `targets`; the ids of the new holders.
    The `token` is what lets it in there.

    Raises CorruptData when it turns out to be damaged, which the store then knows: damage must
    never be copied. The same error can come from a target, and says nothing of this replica.
    """
    buffer = memoryview(bytearray(min(CHUNK_BYTES, block.length)))
    with store.read(block.block_id, block.generation) as replica:
        if replica.block != block:
            raise BlockMissing(f"{block.name} has {replica.block.length} bytes here")
        body = peers.write_block(*block, token, targets)
        try:
            for chunk in replica.chunks(0, replica.block.length):
                body.send(replica.verified(chunk, buffer), chunk.checksum)
            return body.finish()
        finally:
            body.close()


def unreached_targets(
    error: DfsError, targets: Sequence[Target]
) -> Tuple[str, ...]:
    """The ids of the targets that a copy did not reach: the first one, when it does not answer, or
    the one at the end of a link that broke further down. An error of another kind blames nobody."""
    link = broken_link(error)
    if link:
        return link[1:]
    return (targets[0].node_id,) if isinstance(error, Unavailable) and targets else ()
