"""The beans of a namenode, as `/jmx` tells them: the names, keys and types of HDFS's own.

What reads them (Ambari, exporters, Hue, scripts) looks keys up and does without most. What this
file system does not have (erasure coding, a cache, provided storage) is 0. Some maps are texts
that hold JSON, as in HDFS.
"""

import json
from statistics import median, pstdev
from typing import Any, Dict, List, Sequence

from data_service.protocol.health import DEAD, LIVE, STALE, ClusterStatus, DataNodeStatus
from data_service.web.figures.bean_query import Bean
from data_service.web.figures.call_counts import CallCounts, counts_of
from data_service.web.figures.datanode_rows import ago
from data_service.web.figures.overview import DIRECTORIES, FILES, OPEN_FILES
from data_service.web.figures.sightings import Look, Sighting

_GB = 1 << 30
_INFO = "org.apache.hadoop.hdfs.server.namenode"


def namenode_beans(look: Look, secured: bool) -> List[Bean]:
    """Those of the namenode that leads; none without one. `secured`: whether callers prove who
    they are."""
    leader = look.leader
    if leader is None or leader.status is None:
        return []
    status, nodes = leader.status, leader.nodes
    return [
        _info(leader, status, nodes, look),
        _namesystem(leader, status, nodes),
        _namesystem_state(leader, status, nodes),
        _status(leader, secured),
        _replicated(status),
        _erasure_coded(),
        _block_stats(status, nodes),
        _snapshots(),
        _activity(counts_of(leader.families)),
    ]


def bean(service: str, name: str, modeler: str, values: Dict[str, Any]) -> Bean:
    """A bean of one of Hadoop's services."""
    return {"name": f"Hadoop:service={service},name={name}", "modelerType": modeler, **values}


def _info(
    leader: Sighting, status: ClusterStatus, nodes: Sequence[DataNodeStatus], look: Look
) -> Bean:
    versions: Dict[str, int] = {}
    for node in nodes:
        if node.state != DEAD:
            versions[node.version] = versions.get(node.version, 0) + 1
    lost = status.missing + status.corrupt
    return bean("NameNode", "NameNodeInfo", f"{_INFO}.FSNamesystem", {
        "Version": f"{leader.version}, rnone",
        "SoftwareVersion": leader.version,
        "CompileInfo": "not compiled",
        "ClusterId": status.cluster_id,
        "BlockPoolId": status.cluster_id,
        "NNStartedTimeInMillis": int(1000 * leader.started),
        "Threads": leader.whole("process_threads") or 0,
        "Safemode": f"Safe mode is ON. {status.safe_mode_reason}" if status.safe_mode else "",
        "UpgradeFinalized": True,
        "RollingUpgradeStatus": None,
        "Total": status.capacity,
        "Used": status.used,
        "Free": status.remaining,
        "NonDfsUsedSpace": status.other,
        "PercentUsed": percent(status.used, status.capacity),
        "PercentRemaining": percent(status.remaining, status.capacity),
        "BlockPoolUsedSpace": status.used,
        "PercentBlockPoolUsed": percent(status.used, status.capacity),
        "CacheCapacity": 0,
        "CacheUsed": 0,
        "ProvidedCapacity": 0,
        "TotalBlocks": status.blocks,
        "NumberOfMissingBlocks": lost,
        "NumberOfMissingBlocksWithReplicationFactorOne": status.lost_alone,
        "HighestPriorityLowRedundancyReplicatedBlocks": status.urgent,
        "HighestPriorityLowRedundancyECBlocks": 0,
        "CorruptFiles": "[]",
        "CorruptFilesCount": 0,
        "NumberOfSnapshottableDirs": 0,
        "DistinctVersionCount": len(versions),
        "DistinctVersions": [
            {"key": version, "value": count} for version, count in sorted(versions.items())
        ],
        "VerifyECWithTopologyResult": json.dumps({
            "isSupported": "false", "resultMessage": "there is no erasure coding"}),
        **_maps(leader, nodes, look),
    })  # fmt: skip


def _maps(leader: Sighting, nodes: Sequence[DataNodeStatus], look: Look) -> Dict[str, str]:
    """What is told as texts that hold JSON."""
    txid = str(leader.whole("pyhdfs_last_txid") or 0)
    return {
        "LiveNodes": json.dumps({n.address: _live(n) for n in nodes if n.state != DEAD}),
        "DeadNodes": json.dumps({n.address: _dead(n) for n in nodes if n.state == DEAD}),
        "DecomNodes": "{}",
        "EnteringMaintenanceNodes": "{}",
        "NodeUsage": json.dumps({"nodeUsage": _usage(nodes)}),
        "NameDirStatuses": json.dumps({"active": {}, "failed": {}}),
        "NameDirSize": "{}",
        "NameJournalStatus": json.dumps([
            {"manager": one.address, "stream": "" if one.up else one.error,
             "disabled": str(not one.up).lower(), "required": "true"}
            for one in look.of("metadata")
        ]),
        "JournalTransactionInfo": json.dumps({
            "MostRecentCheckpointTxId": txid, "LastAppliedOrWrittenTxId": txid}),
    }  # fmt: skip


def _namesystem(
    leader: Sighting, status: ClusterStatus, nodes: Sequence[DataNodeStatus]
) -> Bean:
    txid = leader.whole("pyhdfs_last_txid") or 0
    return bean("NameNode", "FSNamesystem", "FSNamesystem", {
        "tag.HAState": "active",
        "tag.TotalSyncTimes": "",
        "CapacityTotal": status.capacity,
        "CapacityTotalGB": round(status.capacity / _GB, 1),
        "CapacityUsed": status.used,
        "CapacityUsedGB": round(status.used / _GB, 1),
        "CapacityRemaining": status.remaining,
        "CapacityRemainingGB": round(status.remaining / _GB, 1),
        "CapacityUsedNonDFS": status.other,
        **_common(leader, status, nodes),
        "BlockCapacity": status.blocks,
        "MissingBlocks": status.missing + status.corrupt,
        "MissingReplOneBlocks": status.lost_alone,
        "CorruptBlocks": status.corrupt_replicas,
        "ExcessBlocks": status.excess,
        "LowRedundancyBlocks": status.under_replicated,
        "PendingReconstructionBlocks": status.pending_replication,
        "PostponedMisreplicatedBlocks": 0,
        "PendingDataNodeMessageCount": 0,
        "NumTimedOutPendingReconstructions": 0,
        "ExpiredHeartbeats": 0,
        "StaleDataNodes": _count(nodes, STALE),
        "LastCheckpointTime": 0,
        "TransactionsSinceLastCheckpoint": 0,
        "TransactionsSinceLastLogRoll": 0,
        "LastWrittenTransactionId": txid,
        "MillisSinceLastLoadedEdits": 0,
        "SnapshottableDirectories": 0,
        "Snapshots": 0,
        "NumFilesUnderConstruction": leader.whole(OPEN_FILES) or 0,
        "NumActiveClients": 0,
        "LockQueueLength": 0,
        "TotalSyncCount": counts_of(leader.families, "pyhdfs_append_seconds").made(""),
        "NumEncryptionZones": 0,
    })  # fmt: skip


def _namesystem_state(
    leader: Sighting, status: ClusterStatus, nodes: Sequence[DataNodeStatus]
) -> Bean:
    return bean("NameNode", "FSNamesystemState", f"{_INFO}.FSNamesystem", {
        "CapacityTotal": status.capacity,
        "CapacityUsed": status.used,
        "CapacityRemaining": status.remaining,
        **_common(leader, status, nodes),
        "MaxObjects": 0,
        "FSState": "safeMode" if status.safe_mode else "Operational",
        "BlockDeletionStartTime": int(1000 * leader.started),
        "EstimatedCapacityLostTotal": 0,
        "FsLockQueueLength": 0,
        "SnapshotStats": json.dumps({"SnapshottableDirectories": 0, "Snapshots": 0}),
        "TopUserOpCounts": json.dumps({"timestamp": "", "windows": []}),
    })  # fmt: skip


def _common(
    leader: Sighting, status: ClusterStatus, nodes: Sequence[DataNodeStatus]
) -> Dict[str, Any]:
    """What both of the beans about the namesystem have."""
    files, directories = leader.whole(FILES) or 0, leader.whole(DIRECTORIES) or 0
    failed = sum(node.stats.failed_volumes for node in nodes if node.state != DEAD)
    living = len(nodes) - _count(nodes, DEAD)
    return {
        "TotalLoad": sum(node.stats.streams for node in nodes if node.state != DEAD),
        "BlocksTotal": status.blocks,
        "TotalReplicatedBlocks": status.blocks,
        # HDFS counts directories among the files.
        "FilesTotal": files + directories,
        "UnderReplicatedBlocks": status.under_replicated,
        "PendingReplicationBlocks": status.pending_replication,
        "ScheduledReplicationBlocks": status.pending_replication,
        "PendingDeletionBlocks": status.removals,
        "NumLiveDataNodes": living,
        "NumDeadDataNodes": len(nodes) - living,
        "NumDecomLiveDataNodes": 0,
        "NumDecomDeadDataNodes": 0,
        "NumDecommissioningDataNodes": 0,
        "NumInServiceLiveDataNodes": living,
        "NumInMaintenanceLiveDataNodes": 0,
        "NumInMaintenanceDeadDataNodes": 0,
        "NumEnteringMaintenanceDataNodes": 0,
        "NumStaleDataNodes": _count(nodes, STALE),
        "NumStaleStorages": 0,
        "VolumeFailuresTotal": failed,
    }


def _status(leader: Sighting, secured: bool) -> Bean:
    return bean("NameNode", "NameNodeStatus", f"{_INFO}.NameNode", {
        "State": "active",
        "NNRole": "NameNode",
        "HostAndPort": leader.address,
        "SecurityEnabled": secured,
        "LastHATransitionTime": 0,
        "BytesWithFutureGenerationStamps": 0,
        "SlowPeersReport": "[]",
        "SlowDisksReport": "[]",
    })  # fmt: skip


def _replicated(status: ClusterStatus) -> Bean:
    return bean("NameNode", "ReplicatedBlocksState", f"{_INFO}.FSNamesystem", {
        "LowRedundancyReplicatedBlocks": status.under_replicated,
        "CorruptReplicatedBlocks": status.corrupt_replicas,
        "MissingReplicatedBlocks": status.missing + status.corrupt,
        "MissingReplicationOneBlocks": status.lost_alone,
        "BytesInFutureReplicatedBlocks": 0,
        "PendingDeletionReplicatedBlocks": status.removals,
        "TotalReplicatedBlocks": status.blocks,
    })  # fmt: skip


def _erasure_coded() -> Bean:
    names = ("LowRedundancyECBlockGroups", "CorruptECBlockGroups", "MissingECBlockGroups",
             "BytesInFutureECBlockGroups", "PendingDeletionECBlocks",
             "TotalECBlockGroups")  # fmt: skip
    zeros = dict.fromkeys(names, 0)
    return bean("NameNode", "ECBlockGroupsState", f"{_INFO}.FSNamesystem",
                {**zeros, "EnabledEcPolicies": ""})  # fmt: skip


def _block_stats(status: ClusterStatus, nodes: Sequence[DataNodeStatus]) -> Bean:
    living = [node for node in nodes if node.state != DEAD]
    value = {
        "capacityTotal": status.capacity,
        "capacityUsed": status.used,
        "capacityNonDfsUsed": status.other,
        "capacityRemaining": status.remaining,
        "blockPoolUsed": status.used,
        "nodesInService": len(living),
        "nodesInServiceXceiverCount": sum(node.stats.streams for node in living),
    }
    return bean("NameNode", "BlockStats", "org.apache.hadoop.hdfs.server.blockmanagement."
                "BlockManager", {"StorageTypeStats": [{"key": "DISK", "value": value}]})


def _snapshots() -> Bean:
    return bean("NameNode", "SnapshotInfo", f"{_INFO}.snapshot.SnapshotManager",
                {"SnapshottableDirectories": [], "Snapshots": []})


def _activity(calls: CallCounts) -> Bean:
    created, deleted = calls.worked("create"), calls.worked("delete")
    files = ("stat", "list", "create", "append", "delete", "rename", "mkdir", "block_locations",
             "set_mode", "set_owner", "set_times", "set_replication", "content_summary")
    return bean("NameNode", "NameNodeActivity", "NameNodeActivity", {
        "CreateFileOps": calls.made("create"),
        "FilesCreated": created + calls.worked("mkdir"),
        "FilesAppended": calls.worked("append"),
        "FilesRenamed": calls.worked("rename"),
        "FilesTruncated": calls.worked("truncate"),
        "DeleteFileOps": calls.made("delete"),
        "FilesDeleted": deleted,
        "FileInfoOps": calls.made("stat"),
        "GetListingOps": calls.made("list"),
        "FilesInGetListingOps": 0,
        "GetBlockLocations": calls.made("block_locations"),
        "AddBlockOps": calls.made("add_block"),
        "GetAdditionalDatanodeOps": 0,
        "CreateSnapshotOps": 0,
        "DeleteSnapshotOps": 0,
        "RenameSnapshotOps": 0,
        "TotalFileOps": sum(calls.made(name) for name in files),
        "BlockReceivedAndDeletedOps": calls.made("block_changes"),
        "StorageBlockReportNumOps": calls.made("block_report"),
        "StorageBlockReportAvgTime": calls.mean_ms("block_report"),
    })  # fmt: skip


def _live(node: DataNodeStatus) -> Dict[str, Any]:
    stats = node.stats
    return {
        "infoAddr": node.address,
        "infoSecureAddr": "",
        "xferaddr": node.address,
        "location": node.rack,
        "lastContact": int(ago(node.last_contact_seconds) or 0),
        "lastBlockReport": int((ago(node.last_report_seconds) or 0) // 60),
        "usedSpace": stats.used,
        "used": stats.used,
        "nonDfsUsedSpace": stats.other,
        "capacity": stats.capacity,
        "remaining": stats.remaining,
        "numBlocks": stats.blocks,
        "blockScheduled": 0,
        "blockPoolUsed": stats.used,
        "blockPoolUsedPercent": percent(stats.used, stats.capacity),
        "volfails": stats.failed_volumes,
        "version": node.version,
        "adminState": "In Service",
    }


def _dead(node: DataNodeStatus) -> Dict[str, Any]:
    return {
        "lastContact": int(ago(node.last_contact_seconds) or 0),
        "decommissioned": False,
        "adminState": "In Service",
        "xferaddr": node.address,
        "location": node.rack,
    }


def _usage(nodes: Sequence[DataNodeStatus]) -> Dict[str, str]:
    used = [percent(n.stats.used, n.stats.capacity) for n in nodes if n.state == LIVE] or [0.0]
    found = (("min", min(used)), ("median", median(used)), ("max", max(used)),
             ("stdDev", pstdev(used)))  # fmt: skip
    return {name: f"{value:.2f}%" for name, value in found}


def _count(nodes: Sequence[DataNodeStatus], state: str) -> int:
    return sum(node.state == state for node in nodes)


def percent(part: float, whole_of: float) -> float:
    """So many of a hundred; 0 of nothing."""
    return 100.0 * part / whole_of if whole_of else 0.0
