"""The JSON of `/cluster/overview`: the cluster as one glance takes it in.

    {"time_ms": 1764265200000,               when it was seen
     "health": {"severity": "good" | "warning" | "critical",
                "sentence": "…", "advice": "… or empty",
                "more": [{"severity", "sentence", "advice"}, …]},
     "answers": true,                        whether a namenode leads, and answered; else the
                                             fields from `cluster_id` to `datanodes` are null
     "cluster_id": "…", "epoch": 7,
     "version": "0.1.0" | null, "uptime_seconds": 12.5 | null,    of the namenode that leads
     "capacity": {"total", "used", "other", "remaining"},         bytes
     "namespace": {"files", "directories", "blocks", "open_files"},   the files may be null
     "blocks": {"under_replicated", "missing", "corrupt", "corrupt_replicas", "excess", "urgent",
                "lost_alone", "pending_replication", "pending_deletion", "removals"},
     "safe_mode": {"on": false, "reason": ""},
     "datanodes": {"live", "stale", "dead", "absent", "failed_directories"},
     "daemons": [{"role": "name_node" | "data_node" | "metadata" | "zookeeper" | "gateway",
                  "address": "host:port",
                  "state": "leads" | "standby" | "up" | "barred" | "down",
                  "error": "… or empty", "version": "… or null", "uptime_seconds": 3.2 | null,
                  "memory_bytes": … | null, "last_txid": … | null}, …]}

`barred`: it is there, and does not let this gateway in. `last_txid` is that of namenodes and
metadata services. `pending_replication` are the blocks that are being copied now.
"""

from typing import Any, Dict, Optional

from data_service.protocol.health import DEAD, LIVE, STALE
from data_service.web.figures.condition import Finding, absent, findings
from data_service.web.figures.sightings import Look, Sighting
from zookeeper.fabric.identity import NAME_NODE

FILES, DIRECTORIES = "pyhdfs_files", "pyhdfs_directories"
OPEN_FILES = "pyhdfs_open_files"
LAST_TXID = "pyhdfs_last_txid"
"""Names of figures that namenodes tell, and the last one metadata services, too."""

_BLOCKS = (
    "under_replicated", "missing", "corrupt", "corrupt_replicas", "excess", "urgent",
    "lost_alone", "pending_replication", "pending_deletion", "removals",
)  # fmt: skip

Json = Dict[str, Any]


def overview(look: Look) -> Json:
    """The JSON value; see above."""
    first, *more = findings(look)
    told: Json = {
        "time_ms": int(1000 * look.wall),
        "health": {**_finding(first), "more": [_finding(one) for one in more]},
        "answers": False,
    }
    for name in ("cluster_id", "epoch", "version", "uptime_seconds", "capacity", "namespace",
                 "blocks", "safe_mode", "datanodes"):  # fmt: skip
        told[name] = None
    leader = look.leader
    if leader is not None:
        told.update(_of_leader(leader, look))
    told["daemons"] = [_daemon(one, look, leader) for one in look.sightings]
    return told


def _of_leader(leader: Sighting, look: Look) -> Json:
    status = leader.status
    assert status is not None, "it leads"
    states = [node.state for node in leader.nodes]
    living = [node for node in leader.nodes if node.state != DEAD]
    return {
        "answers": True,
        "cluster_id": status.cluster_id,
        "epoch": status.epoch,
        "version": leader.version or None,
        "uptime_seconds": _uptime(leader, look),
        "capacity": {
            "total": status.capacity,
            "used": status.used,
            "other": status.other,
            "remaining": status.remaining,
        },
        "namespace": {
            "files": leader.whole(FILES),
            "directories": leader.whole(DIRECTORIES),
            "blocks": status.blocks,
            "open_files": leader.whole(OPEN_FILES),
        },
        "blocks": {name: getattr(status, name) for name in _BLOCKS},
        "safe_mode": {"on": status.safe_mode, "reason": status.safe_mode_reason},
        "datanodes": {
            "live": states.count(LIVE),
            "stale": states.count(STALE),
            "dead": states.count(DEAD),
            "absent": len(absent(look)),
            "failed_directories": sum(node.stats.failed_volumes for node in living),
        },
    }


def _daemon(one: Sighting, look: Look, leader: Optional[Sighting]) -> Json:
    if one.up:
        state = "up" if one.role != NAME_NODE else "leads" if one is leader else "standby"
    else:
        state = "barred" if one.barred else "down"
    return {
        "role": one.role,
        "address": one.address,
        "state": state,
        "error": one.error,
        "version": one.version or None,
        "uptime_seconds": _uptime(one, look),
        "memory_bytes": one.whole("process_resident_memory_bytes"),
        "last_txid": one.whole(LAST_TXID),
    }


def _uptime(one: Sighting, look: Look) -> Optional[float]:
    return round(max(0.0, look.wall - one.started), 1) if one.started else None


def _finding(finding: Finding) -> Json:
    return dict(finding._asdict())
