"""The JSON of WebHDFS: what the library tells, as HDFS's clients read it."""

from typing import Any, Dict, Iterable, List

from data_service.protocol.files import (
    ContentSummary,
    Entry,
    FileStatus,
    LocatedBlock,
    Locations,
    QuotaUsage,
)
from data_service.protocol.health import ClusterStatus
from data_service.protocol.nodes import Target

Form = Dict[str, Any]

_RACK = "/default-rack"
"""Of datanodes of which none is told."""

_NO_TOKEN = {"urlString": "AAAAAA"}
"""To the blocks, which none of HDFS's clients could read here with any."""


def file_status(entry: Entry, suffix: str) -> Form:
    """One file or directory; `suffix` is its name in a listing, else empty."""
    status = entry.status
    return {
        "accessTime": status.atime_ms,
        "blockSize": status.block_size,
        "childrenNum": entry.children,
        "fileId": status.inode_id,
        "group": status.group,
        "length": status.length,
        "modificationTime": status.mtime_ms,
        "owner": status.owner,
        "pathSuffix": suffix,
        "permission": f"{status.mode:o}",
        "replication": status.replication,
        "storagePolicy": 0,
        "type": "DIRECTORY" if status.is_directory else "FILE",
    }


def listed(entry: Entry) -> Form:
    """One of the entries of a directory."""
    return file_status(entry, entry.status.name)


def file_statuses(rows: Iterable[Entry]) -> Form:
    """The entries of a directory, or a part of them."""
    return {"FileStatuses": {"FileStatus": [listed(row) for row in rows]}}


def listed_file(entry: Entry) -> Form:
    """The listing of a file, whose name is empty there."""
    return {"FileStatuses": {"FileStatus": [file_status(entry, "")]}}


def content_summary(summary: ContentSummary, usage: QuotaUsage) -> Form:
    """How much a tree holds, and may hold."""
    return {
        "ContentSummary": {
            "directoryCount": summary.directories,
            "fileCount": summary.files,
            "length": summary.length,
            "quota": usage.name_quota,
            "spaceConsumed": summary.space,
            "spaceQuota": usage.space_quota,
            "typeQuota": {},
        }
    }


def quota_usage(usage: QuotaUsage) -> Form:
    """The quotas of a directory, and what counts for them."""
    return {
        "QuotaUsage": {
            "fileAndDirectoryCount": usage.names,
            "quota": usage.name_quota,
            "spaceConsumed": usage.space,
            "spaceQuota": usage.space_quota,
            "typeQuota": {},
        }
    }


def block_locations(locations: Locations, racks: Dict[str, str]) -> Form:
    """Who holds the blocks of a file; `racks` are those of datanodes, by their ids."""
    found: List[Form] = []
    for located in locations.blocks:
        names = [f"{target.host}:{target.port}" for target in located.targets]
        rows = [racks.get(target.node_id, _RACK) for target in located.targets]
        found.append({
            "cachedHosts": [],
            "corrupt": located.corrupt,
            "hosts": [target.host for target in located.targets],
            "length": located.block.length,
            "names": names,
            "offset": located.offset,
            "storageTypes": ["DISK"] * len(names),
            "topologyPaths": [f"{rack}/{name}" for rack, name in zip(rows, names)],
        })  # fmt: skip
    return {"BlockLocations": {"BlockLocation": found}}


def located_blocks(locations: Locations, racks: Dict[str, str], pool: str) -> Form:
    """The same as the namenode of HDFS tells its own clients; `pool` is whose blocks they are."""
    found = [_located_block(located, racks, pool) for located in locations.blocks]
    return {
        "LocatedBlocks": {
            "fileLength": locations.status.length,
            "isUnderConstruction": False,
            "isLastBlockComplete": True,
            "lastLocatedBlock": found[-1] if found else None,
            "locatedBlocks": found,
        }
    }


def _located_block(located: LocatedBlock, racks: Dict[str, str], pool: str) -> Form:
    block = located.block
    return {
        "block": {
            "blockPoolId": pool,
            "blockId": block.block_id,
            "generationStamp": block.generation,
            "numBytes": block.length,
        },
        "blockToken": _NO_TOKEN,
        "cachedLocations": [],
        "isCorrupt": located.corrupt,
        "locations": [
            _datanode(target, racks.get(target.node_id, _RACK)) for target in located.targets
        ],
        "startOffset": located.offset,
        "storageTypes": ["DISK"] * len(located.targets),
    }


def _datanode(target: Target, rack: str) -> Form:
    return {
        "adminState": "NORMAL",
        "hostName": target.host,
        "infoPort": 0,
        "ipAddr": target.host,
        "ipcPort": target.port,
        "name": f"{target.host}:{target.port}",
        "networkLocation": rack,
        "storageID": target.node_id,
        "xferPort": target.port,
    }


def cluster_status(status: ClusterStatus) -> Form:
    """The room on all disks, in bytes."""
    return {
        "FsStatus": {
            "used": status.used, "remaining": status.remaining, "capacity": status.capacity,
        }
    }  # fmt: skip


def server_defaults(block_size: int, replication: int, trash_minutes: int) -> Form:
    """What a new file gets when nobody says otherwise."""
    return {
        "FsServerDefaults": {
            "replication": replication,
            "encryptDataTransfer": False,
            "defaultStoragePolicyId": 7,
            "writePacketSize": 65536,
            "fileBufferSize": 4096,
            "checksumType": 1,  # CRC32.
            "trashInterval": trash_minutes,
            "keyProviderUri": "",
            "blockSize": block_size,
            "bytesPerChecksum": 512,
        }
    }


def acl_status(status: FileStatus) -> Form:
    """What stands in the place of an ACL: there are none, so its entries are none, too."""
    return {
        "AclStatus": {
            "entries": [],
            "group": status.group,
            "owner": status.owner,
            "permission": f"{status.mode:o}",
            "stickyBit": bool(status.mode & 0o1000),
        }
    }
