"""Copying a replica to other datanodes, and the way into another datanode's pipeline."""

from typing import Optional, Sequence, Tuple

from data_service.datanode.block_store import BlockStore
from data_service.protocol.blocks import Block
from data_service.protocol.checksums import CHUNK_BYTES
from data_service.protocol.messages import Target
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import CorruptData
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
    remote = Remote.connect("data_node", Address(first.host, first.port), credentials, network)
    return remote.call_with_body(
        "write_block", block_id, generation, size, token, rest,
        timeout=network.call_timeout_seconds,
    )


def copy_block(store: BlockStore, block: Block, body: OutgoingBody) -> Tuple[str, ...]:
    """Send a replica, verified while it is read, into a pipeline; the ids of the new holders.

    A replica that turns out to be damaged is marked as corrupt and raises CorruptData: damage
    must never be copied over good bytes.
    """
    buffer = memoryview(bytearray(CHUNK_BYTES))
    with store.read(block.block_id, block.generation) as replica:
        for chunk in replica.chunks(0, replica.block.length):
            try:
                data = replica.verified(chunk, buffer)
            except CorruptData as error:
                store.mark_corrupt(replica.block, error.message)
                raise
            body.send(data, chunk.checksum)
    return tuple(body.finish())
