"""Copying a replica to other datanodes, and the way into another datanode's pipeline."""

from typing import Optional, Sequence, Tuple

from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from data_service.protocol.failures import broken_link, reply_seconds
from data_service.protocol.messages import Target
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import BlockMissing, DfsError, Unavailable
from zookeeper.fabric.identity import DATA_NODE
from zookeeper.fabric.remote import OutgoingBody, Remote
from zookeeper.fabric.settings import Address, NetworkSettings


def open_pipeline(
    block_id: int,
    generation: int,
    size: int,
    token: bytes,
    targets: Sequence[Tuple[str, str, int]],
    credentials: Credentials,
    network: NetworkSettings,
) -> Optional[OutgoingBody]:
    """Begin to write a block to the first of `targets`, which passes it on to the rest.

    None when there is nobody to write to. Raises Unavailable when the first cannot be reached.
    """
    if not targets:
        return None
    first, rest = Target._make(targets[0]), tuple(targets[1:])
    remote = Remote.connect(DATA_NODE, Address(first.host, first.port), credentials, network)
    try:
        return remote.call_with_body(
            "write_block", block_id, generation, size, token, rest,
            timeout=reply_seconds(network.call_timeout_seconds, len(rest)),
        )
    except BaseException:
        remote.close()
        raise


def unreached_targets(
    error: DfsError, targets: Sequence[Tuple[str, str, int]]
) -> Tuple[str, ...]:
    """The ids of the targets that a copy did not reach: the first one, when it does not answer, or
    the one at the end of a link that broke further down. An error of another kind blames nobody."""
    link = broken_link(error)
    if link:
        return link[1:]
    return (targets[0][0],) if isinstance(error, Unavailable) and targets else ()


def copy_block(
    store: BlockStore,
    block: Block,
    targets: Sequence[Tuple[str, str, int]],
    credentials: Credentials,
    network: NetworkSettings,
) -> Tuple[str, ...]:
    """Send a replica, verified while it is read, to `targets`; the ids of the new holders.

    Raises CorruptData when it turns out to be damaged, which the store then knows: damage must
    never be copied. The same error can come from a target, and says nothing of this replica.
    """
    buffer = memoryview(bytearray(CHUNK_BYTES))
    with store.read(block.block_id, block.generation) as replica:
        if replica.block != block:
            raise BlockMissing(f"{block.name} has {replica.block.length} bytes here")
        body = open_pipeline(*block, b"", targets, credentials, network)
        if body is None:
            return ()
        try:
            for chunk in replica.chunks(0, replica.block.length):
                body.send(replica.verified(chunk, buffer), chunk.checksum)
            return tuple(body.finish())
        finally:
            body.close()
