"""Calls at a cluster's daemons by whom one likes, as they cross the wire.

    with Callers(cluster) as callers:
        callers.of("user:mallory", "name_node").call("delete", "/a", True)
"""

import itertools
import os
from contextlib import closing
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple, Type

from data_service.protocol.datanode_calls import DataNodeCalls
from data_service.protocol.availability_calls import AvailabilityCalls
from data_service.protocol.datanode_reports import DataNodeReports
from data_service.protocol.namenode_calls import NameNodeCalls
from metadata_service.calls import MemberCalls, ScrubCalls
from metadata_service.quorum import MemberStatus
from tests.support.clusters.cluster import Cluster
from tests.support.clusters.configuration import kind_of
from tests.support.clusters.waiting import PATIENCE_SECONDS
from zookeeper.calls import ZooKeeperCalls
from zookeeper.fabric.calls import (
    ANSWERS_WITH_BODY,
    CHANGES,
    TAKES_BODY,
    Call,
    Calls,
    calls_of,
)
from zookeeper.fabric.handshake import credentials_of
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.kinds import decode
from zookeeper.fabric.packets import PACKET_BYTES_MAX
from zookeeper.fabric.remote import Remote
from zookeeper.fabric.settings import Address, load

TABLES: Dict[str, Tuple[Type[Calls], ...]] = {
    "name_node": (NameNodeCalls, AvailabilityCalls, DataNodeReports),
    "metadata": (MemberCalls, ScrubCalls),
    "zookeeper": (ZooKeeperCalls,),
    "data_node": (DataNodeCalls,),
}
"""What each kind of daemon answers, besides how it fares."""


class Named(NamedTuple):
    """A call, at which kind of daemon."""

    kind: str
    call: Call

    def __str__(self) -> str:
        return f"{self.kind}-{self.call.name}"


def every_call() -> Iterator[Named]:
    """All calls of all tables."""
    for kind, tables in TABLES.items():
        for table in tables:
            for call in calls_of(table).values():
                yield Named(kind, call)


class Caller:
    """One principal at one daemon. After a call that ended its connection it dials again."""

    def __init__(self, cluster: Cluster, principal: str, role: str) -> None:
        self._settings = load(str(cluster.config))
        self._credentials = credentials_of(self._settings, Principal.parse(principal))
        self._kind, self._address = kind_of(role), Address(*cluster.address(role))
        self._calls = {
            name: call for table in TABLES[self._kind] for name, call in calls_of(table).items()
        }
        self._remote: Optional[Remote] = None
        self._numbers = itertools.count(1)
        self.client_id = os.urandom(16).hex()

    def call(self, name: str, *args: Any) -> Any:
        """Make a call, of a table or not; its first argument is made here where it must be an
        operation."""
        return self.send(name, *self.arguments(name, *args))

    def arguments(self, name: str, *args: Any) -> Tuple[Any, ...]:
        """What is sent with a call: these, behind an operation where there must be one."""
        if name in self._calls and self._calls[name].effect == CHANGES:
            return ((self.client_id, next(self._numbers), 0), *args)
        return args

    def send(self, name: str, *args: Any) -> Any:
        """Make a call with just these arguments, and an empty body if it takes one; of one that
        answers with a body, the first packet."""
        if self._remote is None or self._remote.closed:
            self._remote = self.dial()
        body = self._calls[name].body if name in self._calls else ""
        if body == TAKES_BODY:
            remote, self._remote = self._remote, None
            with closing(remote):  # Whose server hangs up when it refuses the body.
                return remote.call_with_body(name, *args, timeout=PATIENCE_SECONDS).finish()
        if body == ANSWERS_WITH_BODY:
            buffer = memoryview(bytearray(PACKET_BYTES_MAX))
            answer = self._remote.call_for_body(name, *args, timeout=PATIENCE_SECONDS)
            return answer.receive(buffer)
        return self._remote.call(name, *args, timeout=PATIENCE_SECONDS)

    def dial(self) -> Remote:
        """One more connection, which is the test's to close."""
        network = self._settings.network
        return Remote.connect(self._kind, self._address, self._credentials, network)

    def close(self) -> None:
        """Hang up."""
        if self._remote is not None:
            self._remote.close()


class Callers:
    """Callers by their principals and the daemons that they call; all hang up at the end."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: Dict[Tuple[str, str], Caller] = {}

    def of(self, principal: str, role: str) -> Caller:
        """The one of this principal at this daemon."""
        key = (principal, role)
        if key not in self._known:
            self._known[key] = Caller(self._cluster, principal, role)
        return self._known[key]

    def __enter__(self) -> "Callers":
        return self

    def __exit__(self, *exception: object) -> None:
        for caller in self._known.values():
            caller.close()


def state_of(cluster: Cluster, callers: Callers) -> List[Any]:
    """What a cluster is, as its own daemons and its administrator see it."""
    zookeeper = callers.of("name_node", "zookeeper")
    metadata = callers.of("name_node", "metadata")
    with cluster.file_system() as fs:
        names = [(path, fs.stat(path)) for path in _tree(fs, "/")]
        nodes = [(node.node_id, node.port, node.state) for node in fs.datanodes()]
        writers = [(row.path, row.writer) for row in fs.open_files(everywhere=True)]
        status = fs.cluster_status()
        told = (status.safe_mode, status.blocks, status.corrupt_replicas, status.epoch)
    replicas = [
        sorted(path.name for path in cluster.directory(role).rglob("blk_*"))
        for role in cluster.data_nodes
    ]
    registered = [zookeeper.call("children", f"/{kind}s") for kind in ("data_node", "name_node")]
    return [
        names, nodes, writers, told, replicas, registered,
        zookeeper.call("leader"), _record(metadata),
    ]  # fmt: skip


def _record(metadata: Caller) -> Any:
    """What the metadata service knows, but for how long ago it heard of a leader."""
    status: MemberStatus = decode(MemberStatus, metadata.call("status"))
    return status._replace(silent_seconds=0.0)


def _tree(fs: Any, top: str) -> Iterator[str]:
    yield top
    for status in fs.list(top):
        path = f"{top.rstrip('/')}/{status.name}"
        if status.is_directory:
            yield from _tree(fs, path)
        else:
            yield path
