"""What `metasave` writes: what the namenode has still to do, for a person to read. No deed here.

The form is HDFS's (BlockManager.metaSave), with at most ROWS_MAX lines of each kind.
"""

from itertools import islice
from typing import Iterable, Iterator, List

from data_service.namenode.replicas.node import Node
from data_service.namenode.state import State
from data_service.protocol.health import BlockHealth
from data_service.protocol.visible import visible

ROWS_MAX = 1000


def metasave_lines(state: State, live: int, dead: int) -> List[str]:
    """The lines of the file; `live` and `dead` are numbers of datanodes."""
    census = state.blocks.census
    counts = census.counts()
    # The root is one of the inodes; what deleted trees hang below is none.
    inodes = len(state.image.inodes) - 1
    lines = [
        f"{inodes} files and directories, {counts.blocks} blocks = {inodes + counts.blocks} "
        "total filesystem objects",
        f"Live Datanodes: {live}",
        f"Dead Datanodes: {dead}",
        f"Metasave: Blocks waiting for reconstruction: {counts.under_replicated}",
    ]
    lines += _bounded(_block_lines(state, census.waiting()), counts.under_replicated)
    lost = counts.missing + counts.corrupt
    lines.append(f"Metasave: Blocks currently missing: {lost}")
    lines += _bounded(_block_lines(state, census.lost()), lost)
    lines.append(f"Metasave: Blocks being reconstructed: {counts.pending_replication}")
    lines += _bounded(_block_lines(state, census.copied()), counts.pending_replication)
    burdened = [node for node in census.nodes() if len(node.outbox)]
    lines.append(
        f"Metasave: Blocks {counts.removals} waiting deletion from {len(burdened)} datanodes."
    )
    lines += [f"{_name(node)} {len(node.outbox)}" for node in burdened]
    lines.append(f"Corrupt Blocks: {counts.corrupt_replicas}")
    lines += _bounded(_block_lines(state, census.marked()), counts.corrupt_replicas)
    nodes = list(census.nodes())
    lines.append(f"Metasave: Number of datanodes: {len(nodes)}")
    return lines + [_node_line(node) for node in nodes]


def _bounded(lines: Iterable[str], count: int) -> Iterator[str]:
    yield from islice(lines, ROWS_MAX)
    if count > ROWS_MAX:
        yield f"... and {count - ROWS_MAX} more"


def _block_lines(state: State, block_ids: Iterable[int]) -> Iterator[str]:
    for block_id in block_ids:
        block = state.blocks.get(block_id)
        if block is None:
            continue
        inode_id = state.blocks.inode_id(block_id)
        path = None if inode_id is None else state.reading.path_of(inode_id)
        found = state.blocks.census.examine(block)
        yield f"{visible(path or '(deleted)')}: {block.name} {_replicas(found)}"


def _replicas(found: BlockHealth) -> str:
    health = found.health
    places = " ".join(f"{h.host}:{h.port}({h.state})" for h in found.holders)
    counts = f"(replicas: l: {health.live} d: 0 c: {health.corrupt} e: {health.leaving})"
    return f"{counts} {places}".rstrip()


def _node_line(node: Node) -> str:
    stats = node.stats
    return (
        f"{_name(node)} {node.liveness.upper()} {stats.capacity} {stats.used} {stats.remaining} "
        f"blocks={stats.blocks}"
    )


def _name(node: Node) -> str:
    return f"{node.info.host}:{node.info.port}"
