"""What `fsck -blockId` writes of one block."""

from typing import Any, Dict, List, Optional

from data_service.protocol.health import CORRUPT_REPLICA, STALE_CONTENT, STALE_NODE, FsckRow, Holder
from data_service.protocol.visible import visible

_WORDS = {CORRUPT_REPLICA: "CORRUPT", STALE_NODE: "STALE", STALE_CONTENT: "STALE"}


def block_lines(name: str, is_name: bool, row: Optional[FsckRow]) -> List[str]:
    """The lines about the block called `name`; `row` is its file with this block only."""
    if not is_name:
        return [f"Incorrect blockId format: {name}"]
    if row is None:
        return [f"Block {name} does not exist", ""]
    found = row.blocks[0]
    stale = sum(1 for holder in found.holders if holder.state in (STALE_NODE, STALE_CONTENT))
    return [
        f"Block Id: {name}",
        f"Block belongs to: {visible(row.path)}",
        f"No. of Expected Replica: {found.health.wanted}",
        f"No. of live Replica: {found.health.live}",
        f"No. of excess Replica: {found.health.leaving}",
        f"No. of stale Replica: {stale}",
        "No. of decommissioned Replica: 0",
        "No. of decommissioning Replica: 0",
        f"No. of corrupted Replica: {found.health.corrupt}",
        *map(_holder_line, found.holders),
        "",
    ]


def _holder_line(holder: Holder) -> str:
    word = _WORDS.get(holder.state, "HEALTHY")
    return f"Block replica on datanode/rack: {holder.host}{holder.rack} is {word}"


def block_record(name: str, row: Optional[FsckRow]) -> Dict[str, Any]:
    """The block for `--json`; `path` is null for one that does not exist."""
    if row is None:
        return {"block": name, "path": None}
    found = row.blocks[0]
    return {
        "block": found.block.name,
        "path": row.path,
        "length": found.block.length,
        **found.health._asdict(),
        "replicas": [holder._asdict() for holder in found.holders],
    }


def block_status(row: Optional[FsckRow]) -> int:
    """HDFS's exit status: 1 for a block with any corrupt replica, or none; 0 for no block."""
    if row is None or row.writer:
        return 0
    health = row.blocks[0].health
    return 1 if health.corrupt or not health.live else 0
