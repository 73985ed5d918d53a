"""What `report` and `printTopology` write, made from the namenode's answers."""

import math
from typing import Any, Dict, Iterable, List, Sequence

from data_service.protocol.health import STALE, AilingMember, ClusterStatus, DataNodeStatus
from data_service.shell.formats import bytes_long, calendar, percent

RULE = "-" * 49
DEFAULT_RACK = "/default-rack"


def head_lines(status: ClusterStatus, ailing: Iterable[AilingMember]) -> List[str]:
    """The cluster as a whole, and what is wrong with its metadata services."""
    present = status.used + status.remaining
    lines = ["Safe mode is ON"] if status.safe_mode else []
    lines += [f"Metadata service {one.address} {one.words}. {one.advice}" for one in ailing]
    return lines + [
        f"Configured Capacity: {bytes_long(status.capacity)}",
        f"Present Capacity: {bytes_long(present)}",
        f"DFS Remaining: {bytes_long(status.remaining)}",
        f"DFS Used: {bytes_long(status.used)}",
        f"DFS Used%: {percent(status.used, present, 2)}",
        "Replicated Blocks:",
        f"\tUnder replicated blocks: {status.under_replicated}",
        f"\tBlocks with corrupt replicas: {status.corrupt_replicas}",
        # HDFS's word for blocks of which no good replica is left; fsck tells the two apart.
        f"\tMissing blocks: {status.missing + status.corrupt}",
        f"\tMissing blocks (with replication factor 1): {status.lost_alone}",
        f"\tLow redundancy blocks with highest priority to recover: {status.urgent}",
        f"\tPending deletion blocks: {status.removals}",
        "Erasure Coded Block Groups: ",
        "\tLow redundancy block groups: 0",
        "\tBlock groups with corrupt internal blocks: 0",
        "\tMissing block groups: 0",
        "\tLow redundancy blocks with highest priority to recover: 0",
        "\tPending deletion blocks: 0",
        "",
        RULE,
    ]


def section_lines(title: str, nodes: Sequence[DataNodeStatus], now: float) -> List[str]:
    """Datanodes of one kind. `now` is in seconds since 1970."""
    lines = [f"{title} datanodes ({len(nodes)}):", ""]
    for node in nodes:
        lines += node_lines(node, now) + ["", ""]
    return lines


def node_lines(node: DataNodeStatus, now: float) -> List[str]:
    """One datanode."""
    stats = node.stats
    return [
        f"Name: {node.address} ({node.host})",
        f"Hostname: {node.host}",
        *([f"Rack: {node.rack}"] if node.rack != DEFAULT_RACK else []),
        *(["State: stale"] if node.state == STALE else []),
        "Decommission Status : Normal",
        f"Configured Capacity: {bytes_long(stats.capacity)}",
        f"DFS Used: {bytes_long(stats.used)}",
        f"Non DFS Used: {bytes_long(stats.other)}",
        f"DFS Remaining: {bytes_long(stats.remaining)}",
        f"DFS Used%: {percent(stats.used, stats.capacity, 2)}",
        f"DFS Remaining%: {percent(stats.remaining, stats.capacity, 2)}",
        "Configured Cache Capacity: 0 (0 B)",
        "Cache Used: 0 (0 B)",
        "Cache Remaining: 0 (0 B)",
        "Cache Used%: 100.00%",
        "Cache Remaining%: 0.00%",
        f"Xceivers: {stats.streams}",
        f"Last contact: {_ago(node.last_contact_seconds, now)}",
        f"Last Block Report: {_ago(node.last_report_seconds, now)}",
        f"Num of Blocks: {stats.blocks}",
        *([f"Failed volumes: {stats.failed_volumes}"] if stats.failed_volumes else []),
    ]


def software_line(node: DataNodeStatus) -> str:
    """The answer to `getDatanodeInfo`. Here the release says, too, which keys config.ini has."""
    if not node.version:
        return "Uptime: unknown, Software version: unknown, Config version: unknown"
    uptime = node.stats.uptime_seconds + int(node.last_contact_seconds)
    return (
        f"Uptime: {uptime}, Software version: {node.version}, "
        f"Config version: pyhdfs-{node.version}"
    )


def topology_lines(nodes: Iterable[DataNodeStatus]) -> List[str]:
    """Racks, and the datanodes in them."""
    racks: Dict[str, List[str]] = {}
    for node in nodes:
        racks.setdefault(node.rack, []).append(f"   {node.address} ({node.host}) In Service")
    lines = []
    for rack in sorted(racks):
        lines += [f"Rack: {rack}", *sorted(racks[rack]), ""]
    return lines


def record(
    status: ClusterStatus, ailing: Iterable[AilingMember], nodes: Iterable[DataNodeStatus]
) -> Dict[str, Any]:
    """The report for `--json`; sizes in bytes, times in seconds ago (null: never)."""
    found = []
    for node in nodes:
        row = dict(node._asdict(), **node.stats._asdict())
        del row["stats"]
        for key in ("last_contact_seconds", "last_report_seconds"):
            row[key] = row[key] if _is_time(row[key]) else None
        found.append(row)
    ills = [dict(one._asdict()) for one in ailing]
    return dict(status._asdict(), datanodes=found, ailing=ills)


def _is_time(seconds: float) -> bool:
    return seconds is not None and math.isfinite(seconds) and seconds >= 0


def _ago(seconds: float, now: float) -> str:
    return calendar(now - seconds) if _is_time(seconds) else "Never"
