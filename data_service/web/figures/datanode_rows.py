"""The JSON of `/cluster/datanodes`: a row for each datanode, in the order of addresses.

    {"time_ms": …,
     "answers": true,                        whether a namenode leads, and answered
     "datanodes": [
        {"address": "host:port",             empty for who is not told the names
         "node_id": "…", "rack": "/default-rack",
         "state": "live" | "stale" | "dead" | "absent",
         "service_state": "In Service",      or another of HDFS's words
         "capacity", "used", "other", "remaining",               bytes
         "blocks", "streams", "failed_directories",
         "last_contact_seconds": 0.4 | null, "last_report_seconds": 60.2 | null,    ago
         "version": "… or null", "uptime_seconds": 3600 | null,
         "error": "… or empty",              why it does not answer this gateway, which asks it, too
         "directories": [{"path", "state": "working" | "silent" | "failed",
                          "capacity", "remaining", "blocks"}, …],    empty when it does not answer
         "bytes_written": … | null, "bytes_read": … | null}, …]}     since its process began

`absent` is a datanode of config.ini that has not reported since the namenode was started; all its
figures are 0 or null. Without a namenode every datanode of config.ini is shown, as `absent` or, if
it answers, as `live`.
"""

from math import isfinite
from typing import Any, Dict, List, Optional

from data_service.protocol.health import LIVE, DataNodeStatus
from data_service.web.figures.condition import ABSENT, absent
from data_service.web.figures.sightings import Look, Sighting
from zookeeper.fabric.figures import Family
from zookeeper.fabric.identity import DATA_NODE

WRITTEN, READ = "pyhdfs_block_bytes_written_total", "pyhdfs_block_bytes_read_total"
DIRECTORY_CAPACITY = "pyhdfs_directory_capacity_bytes"
DIRECTORY_REMAINING = "pyhdfs_directory_remaining_bytes"
DIRECTORY_BLOCKS = "pyhdfs_directory_blocks"
DIRECTORY_STATE = "pyhdfs_directory_state"
"""Names of figures that datanodes tell."""

DIRECTORY_STATES = ("working", "silent", "failed")
"""By their number in the last of these."""

DIRECTORY_TAG = "directory"

Json = Dict[str, Any]


def datanode_rows(look: Look) -> Json:
    """The JSON value; see above."""
    leader, asked = look.leader, {one.address: one for one in look.of(DATA_NODE)}
    if leader is None:
        rows = [_unreported(one, LIVE if one.up else ABSENT) for one in asked.values()]
    else:
        rows = [_row(node, asked.get(node.address)) for node in leader.nodes]
        rows += [_unreported(one, ABSENT) for one in absent(look)]
    rows.sort(key=lambda row: _sortable(row["address"]))
    return {"time_ms": int(1000 * look.wall), "answers": leader is not None, "datanodes": rows}


def directories(families: List[Family]) -> List[Json]:
    """What a datanode tells of its directories."""
    found: Dict[str, Dict[str, int]] = {}
    for family in families:
        for sample in family.samples:
            for name, value in sample.tags:
                if name == DIRECTORY_TAG:
                    found.setdefault(value, {})[family.name] = int(sample.values[0])
    return [
        {
            "path": path,
            "state": DIRECTORY_STATES[min(2, max(0, values.get(DIRECTORY_STATE, 0)))],
            "capacity": values.get(DIRECTORY_CAPACITY, 0),
            "remaining": values.get(DIRECTORY_REMAINING, 0),
            "blocks": values.get(DIRECTORY_BLOCKS, 0),
        }
        for path, values in sorted(found.items())
    ]


def _row(node: DataNodeStatus, sighting: Optional[Sighting]) -> Json:
    stats = node.stats
    return {
        "address": node.address,
        "node_id": node.node_id,
        "rack": node.rack,
        "state": node.state,
        "service_state": "In Service",
        "capacity": stats.capacity,
        "used": stats.used,
        "other": stats.other,
        "remaining": stats.remaining,
        "blocks": stats.blocks,
        "streams": stats.streams,
        "failed_directories": stats.failed_volumes,
        "last_contact_seconds": ago(node.last_contact_seconds),
        "last_report_seconds": ago(node.last_report_seconds),
        "version": node.version or None,
        "uptime_seconds": stats.uptime_seconds or None,
        **_seen(sighting),
    }


def _unreported(sighting: Sighting, state: str) -> Json:
    zeros = dict.fromkeys(
        ("capacity", "used", "other", "remaining", "blocks", "streams", "failed_directories"), 0
    )
    nothing = dict.fromkeys(("last_contact_seconds", "last_report_seconds", "uptime_seconds"))
    return {
        "address": sighting.address, "node_id": "", "rack": "", "state": state,
        "service_state": "In Service", **zeros, **nothing,
        "version": sighting.version or None, **_seen(sighting),
    }  # fmt: skip


def _seen(sighting: Optional[Sighting]) -> Json:
    if sighting is None:
        return {"error": "", "directories": [], "bytes_written": None, "bytes_read": None}
    return {
        "error": sighting.error,
        "directories": directories(list(sighting.families)),
        "bytes_written": sighting.whole(WRITTEN),
        "bytes_read": sighting.whole(READ),
    }


def ago(seconds: float) -> Optional[float]:
    """Seconds since something happened, rounded; None when it never did."""
    return round(seconds, 1) if isfinite(seconds) and seconds >= 0 else None


def _sortable(address: str) -> Any:
    host, _, port = address.rpartition(":")
    return host, int(port or 0)
