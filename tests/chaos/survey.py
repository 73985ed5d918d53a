"""The facts about a cluster: what the namenode tells, the record holds, /proc shows."""

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Dict, List, Tuple

from data_service.filesystem import FileSystem
from data_service.protocol.availability_calls import ACTIVE, STANDBY
from data_service.protocol.blocks import Block
from data_service.protocol.health import FsckRow
from metadata_service.edits import TABLES, decode
from metadata_service.member.member_lease import address_of
from metadata_service.quorum import OK
from metadata_service.record.opening import NAME
from tests.chaos.invariants import RecordedEdit, Vitals
from tests.simulation.plain_tree import view_of
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.quorum import Quorum
from tests.support.disks.replicas import unfinished


def unrest(cluster: Cluster, file_system: FileSystem) -> str:
    """Why the cluster is not at rest yet, as the namenode sees it; empty when it is."""
    states = sorted(node.state for node in file_system.datanodes())
    if states != ["live"] * len(cluster.data_nodes):
        return f"datanodes are {states}"
    status = file_system.cluster_status()
    if status.safe_mode:
        return status.safe_mode_reason or "safe mode is on"
    counts = (status.under_replicated, status.corrupt, status.missing, status.pending_deletion)
    if any(counts):
        return "%d under-replicated, %d corrupt, %d missing, %d to delete" % counts
    opened = [row.path for row in file_system.open_files(everywhere=True)]
    if opened:
        return f"open for writing: {opened}"
    left = [path for role in cluster.data_nodes for path in unfinished(cluster, role)]
    return f"unfinished: {left}" if left else ""


def members_unrest(cluster: Cluster) -> str:
    """Why the members of the record are not whole yet, as they tell themselves; empty when all
    are well, have decided the same, and are the members to each other."""
    told = {role: Quorum(cluster).status(role) for role in cluster.members}
    for role, status in told.items():
        if status is None or status.state != OK:
            return f"{role} is {status.state if status else 'silent'}"
    ids = sorted(status.member_id for status in told.values() if status is not None)
    for role, status in told.items():
        assert status is not None
        sets = [sorted(one for one, _ in some) for some in status.configuration.sets]
        if sets != [ids]:
            return f"the members are {sets} to {role}, and {ids} are there"
    places = {status.applied for status in told.values() if status is not None}
    return f"the members stand at {sorted(places)}" if len(places) > 1 else ""


def leader(cluster: Cluster) -> str:
    """The namenode that the members of the record have promised the newest epoch; empty when they
    tell of none."""
    told = [Quorum(cluster).status(role) for role in cluster.members]
    newest = max((one for one in told if one), key=lambda one: one.promised, default=None)
    port = address_of(newest.owner if newest else "").rpartition(":")[2]
    # The host is that of a crossing.
    found = [one for one in cluster.name_nodes if str(cluster.address(one)[1]) == port]
    return found[0] if found else ""


def availability_unrest(cluster: Cluster, file_system: FileSystem) -> str:
    """Why the loss of a process would be noticed; empty when one namenode leads, all others stand
    by, and all members have the same rows. Of a cluster that keeps more than one record."""
    unrest = members_unrest(cluster)
    if unrest:
        return unrest
    with file_system.name_nodes() as name_nodes:
        states = {one: name_nodes.state(one).state for one in name_nodes.addresses}
        if sorted(states.values()) != [ACTIVE] + [STANDBY] * (len(states) - 1):
            return f"the namenodes are {list(states.values())}"
        leader = next(one for one, state in states.items() if state == ACTIVE)
        known, differing, silent = name_nodes.compare_members(leader)
    if known and not differing and not silent:
        return ""
    return f"of the members' rows: {known} is known, {differing} differ, {silent} did not tell"


def told_names(rows: List[FsckRow]) -> Dict[str, tuple]:
    """Path -> what the namenode tells, in the shape of `recorded_names`."""
    told: Dict[str, tuple] = {}
    for row in rows:
        if row.status.is_directory:
            told[row.path] = ("d",)
        else:
            blocks = tuple(tuple(health.block) for health in row.blocks)
            told[row.path] = ("f", row.status.inode_id, row.status.replication, blocks)
    told.pop("/", None)
    return told


def recorded_names(cluster: Cluster) -> Dict[str, tuple]:
    """Path -> what the database has: a directory, or a file with its number and blocks."""
    with _Record(cluster) as record:
        tables = {
            name: {row[0]: row for row in record.rows(name)} for name in ("inodes", "blocks")
        }
    blocks: Dict[int, List[Tuple[int, Block]]] = {}
    for block_id, generation, length, inode, position in tables["blocks"].values():
        blocks.setdefault(inode, []).append((position, Block(block_id, generation, length)))
    names: Dict[str, tuple] = {}
    for path, node in view_of(tables).items():
        if node[0] == "f":
            own = tuple(tuple(block) for _, block in sorted(blocks.get(node[1], [])))
            node = (*node[:3], own)
        names[path] = node
    return names


def recorded_edits(cluster: Cluster, first: int) -> List[RecordedEdit]:
    """The edits of the record from the number `first` on, oldest first."""
    with _Record(cluster) as record:
        rows = record.select(
            f"SELECT txid, epoch, edit FROM journal WHERE txid >= {first:d} ORDER BY txid"
        )
    # A member that has an edit from another member notes the epoch of its own log instead.
    alone = len(cluster.members) == 1
    edits = [(txid, epoch if alone else 0, decode(text)) for txid, epoch, text in rows]
    return [
        RecordedEdit(txid, epoch, edit.operation, edit.client_id, edit.call_number)
        for txid, epoch, edit in edits
    ]


def copy_record(cluster: Cluster, folder: Path) -> None:
    """Copy the database into a folder, also while its service runs: it is held for that long, and
    what lies there between two of its moves is what a power cut would leave."""
    daemon = cluster.daemons["metadata"]
    folder.mkdir(parents=True, exist_ok=True)
    held = daemon.running
    if held:
        daemon.pause()
    try:
        for path in cluster.directory("metadata").glob(f"{NAME}*"):
            shutil.copy(path, folder)
    finally:
        if held:
            daemon.resume()


class _Record:
    """A copy of the database, which its service lets nobody else open."""

    def __init__(self, cluster: Cluster) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=cluster.folder)
        copy_record(cluster, Path(self._folder.name))
        self._connection = sqlite3.connect(str(Path(self._folder.name, NAME)))

    def rows(self, table: str) -> List[tuple]:
        """Every row of one table of the image."""
        columns = ", ".join(column.name for column in TABLES[table].columns)
        return self.select(f"SELECT {columns} FROM {table}")

    def select(self, query: str) -> List[tuple]:
        """What a query gives."""
        return self._connection.execute(query).fetchall()

    def __enter__(self) -> "_Record":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._connection.close()
        self._folder.cleanup()


def vitals(cluster: Cluster) -> Dict[str, Vitals]:
    """What each daemon needs now."""
    found = {}
    for role in cluster.roles:
        process = Path(f"/proc/{cluster.daemons[role].pid}")
        lines = (process / "status").read_text("utf-8").splitlines()
        facts = dict(line.split(":", 1) for line in lines)
        threads, kilobytes = int(facts["Threads"]), int(facts["VmRSS"].split()[0])
        found[role] = Vitals(len(os.listdir(process / "fd")), threads, kilobytes / 1024)
    return found


def log_sizes(cluster: Cluster) -> Dict[str, int]:
    """Role -> bytes of its log so far."""
    return {role: cluster.daemons[role].log_path.stat().st_size for role in cluster.roles}
