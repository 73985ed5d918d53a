"""The JSON of files and blocks as a check of them sees them."""

from typing import Any, Dict, List, Optional, Sequence

from data_service.filesystem.tree_health import Fault, TreeHealth, block_state, reported
from data_service.protocol.health import BlockHealth, FsckRow, Holder

BLOCKS_MAX = 200
"""How many blocks of a file are told at once."""

Form = Dict[str, Any]


def block_page(row: FsckRow, first: int) -> Form:
    """Blocks of a file from that with the number `first`; `next` is the number of the first that
    is left out, null when there is none."""
    blocks = row.blocks[first : first + BLOCKS_MAX]
    end = first + len(blocks)
    return {
        "path": row.path,
        "length": row.status.length,
        "replication": row.status.replication,
        "writer": row.writer,
        "total": len(row.blocks),
        "blocks": [_block(found, bool(row.writer)) for found in blocks],
        "next": end if end < len(row.blocks) else None,
    }


def _block(found: BlockHealth, is_open: bool) -> Form:
    state = block_state(found)
    if state == "MISSING" and is_open:
        state = "BEING_WRITTEN"
    elif found.health.live and found.health.live < found.health.wanted:
        state = "UNDER_REPLICATED"
    return {
        "id": found.block.block_id,
        "name": found.block.name,
        "length": found.block.length,
        "state": state,
        **found.health._asdict(),
        "holders": [_holder(holder) for holder in found.holders],
    }


def _holder(holder: Holder) -> Form:
    return {
        "node": holder.node_id,
        "host": holder.host,
        "port": holder.port,
        "rack": holder.rack,
        "state": holder.state,
    }


def faulty_file(row: FsckRow, faults: Sequence[Fault]) -> Form:
    """A file and what is wrong with how many of its blocks."""
    counts: Dict[str, int] = {}
    for fault in faults:
        counts[fault.kind] = counts.get(fault.kind, 0) + 1
    return {
        "path": row.path,
        "length": row.status.length,
        "owner": row.status.owner,
        "replication": row.status.replication,
        "blocks": len(reported(row)),
        "live": min((fault.found.health.live for fault in faults), default=0),
        "faults": counts,
    }


def open_file(row: FsckRow) -> Form:
    """A file that is being written: by which client, where, and how far it is."""
    return {
        "path": row.path,
        "length": row.status.length,
        "owner": row.status.owner,
        "replication": row.status.replication,
        "blocks": len(row.blocks),
        "writer": row.writer,
        "host": row.host,
    }


def progress(tree: TreeHealth, path: str) -> Form:
    """How far a check is."""
    counts = {"directories": tree.directories, "files": tree.files, "blocks": tree.blocks}
    return {"progress": {**counts, "path": path}}


def summary(tree: TreeHealth, path: str, left_out: int) -> Form:
    """The end of a check; `left_out` are the faulty files that were found and not told."""
    found = tree.record(path)
    # Of these, a check that stays small knows how many, and not which.
    for name in ("missing_blocks", "corrupt_blocks", "corrupt_files"):
        del found[name]
    return {
        "summary": {
            **found,
            "missing": tree.faults.get("MISSING", 0),
            "corrupt": tree.faults.get("CORRUPT", 0),
            "damaged_files": tree.damaged_files,
            "left_out": left_out,
        }
    }


def page(rows: List[Form], after: Any, more: bool, scanned: Optional[int] = None) -> Form:
    """Some rows; the next ones are asked for with this `after`, when there are `more`."""
    told: Form = {"rows": rows, "after": after, "more": more}
    return told if scanned is None else {**told, "scanned": scanned}
