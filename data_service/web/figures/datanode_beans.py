"""The beans of datanodes, of each that answered. In HDFS every process tells its own; here all
stand side by side, so a bean whose name does not tell a datanode has its address behind the name.
"""

import json
from typing import Any, Dict, List, Optional

from data_service.protocol.health import DataNodeStatus
from data_service.web.figures.bean_query import Bean
from data_service.web.figures.call_counts import counts_of
from data_service.web.figures.datanode_rows import READ, WRITTEN, ago, directories
from data_service.web.figures.namenode_beans import bean
from data_service.web.figures.sightings import Look, Sighting
from zookeeper.fabric.identity import DATA_NODE

_SERVER = "org.apache.hadoop.hdfs.server.datanode"


def datanode_beans(look: Look, secured: bool) -> List[Bean]:
    """Three of each datanode."""
    leader = look.leader
    known = {} if leader is None else {node.address: node for node in leader.nodes}
    found: List[Bean] = []
    for one in look.of(DATA_NODE):
        if one.up:
            place = one.address.replace(":", "-")
            node = known.get(one.address)
            found += [{**_info(one, node, place, look), "SecurityEnabled": secured},
                      _dataset(one, node, place), _activity(one, place)]  # fmt: skip
    return found


def _info(one: Sighting, node: Optional[DataNodeStatus], place: str, look: Look) -> Bean:
    host, _, port = one.address.rpartition(":")
    leader = look.leader
    cluster = "" if leader is None or leader.status is None else leader.status.cluster_id
    contact = 0 if node is None else int(ago(node.last_contact_seconds) or 0)
    return bean("DataNode", f"DataNodeInfo-{place}", f"{_SERVER}.DataNode", {
        "Version": one.version,
        "SoftwareVersion": one.version,
        "ClusterId": cluster,
        "RpcPort": port,
        "DataPort": port,
        "HttpPort": "",
        "DatanodeHostname": host,
        "DNStartedTimeInMillis": int(1000 * one.started),
        "XceiverCount": one.whole("pyhdfs_transfers") or 0,
        "ActiveTransferThreadCount": one.whole("pyhdfs_transfers") or 0,
        "XmitsInProgress": 0,
        "NamenodeAddresses": json.dumps({} if leader is None else {leader.address: cluster}),
        "BPServiceActorInfo": json.dumps([] if leader is None else [
            {"NamenodeAddress": leader.address, "BlockPoolID": cluster, "ActorState": "RUNNING",
             "LastHeartbeat": str(contact)}
        ]),
        "VolumeInfo": json.dumps({row["path"]: _volume(row) for row in _directories(one)}),
        "DiskBalancerStatus": "",
        "DatanodeNetworkCounts": [],
        "SlowDisks": "",
        "SendPacketDownstreamAvgInfo": "{}",
    })  # fmt: skip


def _dataset(one: Sighting, node: Optional[DataNodeStatus], place: str) -> Bean:
    stats = None if node is None else node.stats
    rows = _directories(one)
    failed = [row["path"] for row in rows if row["state"] == "failed"]
    name = place if node is None else node.node_id
    return bean("DataNode", f"FSDatasetState-{name}", f"{_SERVER}.fsdataset.impl.FsDatasetImpl", {
        "Capacity": 0 if stats is None else stats.capacity,
        "DfsUsed": one.whole("pyhdfs_replica_bytes") or 0,
        "Remaining": 0 if stats is None else stats.remaining,
        "NumFailedVolumes": len(failed),
        "FailedStorageLocations": failed,
        "LastVolumeFailureDate": 0,
        "EstimatedCapacityLostTotal": 0,
        "CacheUsed": 0,
        "CacheCapacity": 0,
        "NumBlocksCached": 0,
        "StorageInfo": f"FSDataset{{dirpath='{[row['path'] for row in rows]}'}}",
    })  # fmt: skip


def _activity(one: Sighting, place: str) -> Bean:
    calls = counts_of(one.families)
    syncs = counts_of(one.families, "pyhdfs_block_sync_seconds")

    def total(deed: str) -> int:
        return one.whole(f"pyhdfs_{deed}_total") or 0

    title = f"DataNodeActivity-{place}"
    return bean("DataNode", title, title, {
        "BytesWritten": one.whole(WRITTEN) or 0,
        "BytesRead": one.whole(READ) or 0,
        "BlocksWritten": total("blocks_written"),
        "BlocksRead": total("blocks_read"),
        "BlocksReplicated": total("blocks_copied"),
        "BlocksRemoved": total("replicas_removed"),
        "BlocksVerified": total("replicas_verified"),
        "BlockVerificationFailures": total("replicas_damaged"),
        "VolumeFailures": sum(row["state"] == "failed" for row in _directories(one)),
        "DatanodeNetworkErrors": total("block_writes_failed") + total("block_reads_failed"),
        "DataNodeActiveXceiversCount": one.whole("pyhdfs_transfers") or 0,
        "FsyncCount": syncs.made(""),
        "FsyncNanosNumOps": syncs.made(""),
        "FsyncNanosAvgTime": 1e6 * syncs.mean_ms(""),
        "ReadBlockOpNumOps": calls.made("read_block"),
        "ReadBlockOpAvgTime": calls.mean_ms("read_block"),
        "WriteBlockOpNumOps": calls.made("write_block"),
        "WriteBlockOpAvgTime": calls.mean_ms("write_block"),
        "BlockChecksumOpNumOps": calls.made("block_checksum"),
        "BlockChecksumOpAvgTime": calls.mean_ms("block_checksum"),
    })  # fmt: skip


def _directories(one: Sighting) -> List[Dict[str, Any]]:
    return directories(list(one.families))


def _volume(row: Dict[str, Any]) -> Dict[str, Any]:
    used = max(0, row["capacity"] - row["remaining"])
    return {
        "usedSpace": used, "freeSpace": row["remaining"], "reservedSpace": 0,
        "reservedSpaceForReplicas": 0, "numBlocks": row["blocks"], "storageType": "DISK",
    }  # fmt: skip
