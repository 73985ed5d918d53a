"""Blocks of files that are being written, when another namenode leads: no row tells of them, so
their replicas are of blocks that are unknown here until one does."""

from data_service.namenode.replicas.block_map import reported
from data_service.namenode.replicas.parts import Parts
from data_service.protocol.blocks import SealedBlock


def forget_open(parts: Parts, block_id: int) -> None:
    """Of a block that is being written."""
    opened = parts.opened.end(block_id)
    for node, length in opened.replicas.items():
        replica = SealedBlock(block_id, opened.generation, length, opened.digests[node])
        parts.reports.has(node, replica, parts.now, False)
        if node in opened.bad:
            parts.reports.spoil(node, block_id)


def disown(parts: Parts, block_id: int) -> None:
    """Of one that counts as final already, though its file is not complete; nothing of another."""
    block = parts.blocks.get(block_id)
    if block is None:
        return
    digest, marks = parts.blocks.digest(block_id), parts.blocks.marks.get(block_id, {})
    held = [(node, reported(block, marks.get(node)), node in marks)
            for node in parts.blocks.everyone(block_id) if not node.dead]
    parts.blocks.remove(block_id)
    parts.replication.cancel(block_id)
    for node, replica, spoilt in held:
        told = SealedBlock(*replica, b"" if spoilt else digest)
        parts.reports.has(node, told, parts.now, False)
        if spoilt:
            parts.reports.spoil(node, block_id)
