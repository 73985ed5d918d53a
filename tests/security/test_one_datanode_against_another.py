"""A datanode that fell into wrong hands: it speaks for itself, and for no other."""

import re
from pathlib import Path
from random import Random
from typing import Any, Dict, Iterator, List, Tuple

import pytest

from data_service.protocol.datanode_reports import DataNodeReports
from data_service.protocol.nodes import NodeInfo
from tests.support.clusters.callers import Caller, Callers, state_of
from tests.support.clusters.cluster import Cluster
from tests.support.models.sample_messages import draw, sent
from zookeeper.fabric.calls import Call, calls_of
from zookeeper.fabric.errors import DfsError, PathExists, PermissionDenied, SessionExpired

IN_SESSIONS = {
    name: call for name, call in calls_of(DataNodeReports).items()
    if call.parameters[0].name == "session"
}  # fmt: skip


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder: Path = tmp_path_factory.mktemp("datanodes")
    with Cluster(folder, data_nodes=2, security="secret") as started:
        with started.file_system() as fs, fs.open("/file", "wb", replication=2) as file:
            file.write(b"content")
        yield started


def principal(cluster: Cluster, role: str) -> str:
    """The principal of a datanode, which is its address."""
    return "data_node:{}:{}".format(*cluster.address(role))


def bad(cluster: Cluster, callers: Callers, at: str) -> Caller:
    """The key of the second datanode, in wrong hands, at one of the daemons."""
    return callers.of(principal(cluster, "data_node_1"), at)


def session_of(cluster: Cluster, role: str) -> int:
    """A datanode's session, as somebody may have read it in its log."""
    (found,) = re.findall(r"datanode\.registered session=(\d+)", cluster.daemons[role].output())
    return int(found)


def arguments(call: Call, given: Dict[str, Any], chance: Random) -> List[Any]:
    """What a call may be sent with, these among it."""
    return [
        given.get(name, sent(kind, draw(kind, chance), lambda row, _defaults: row))
        for name, kind in call.parameters
    ]


def test_some_calls_are_made_in_sessions() -> None:
    assert {"heartbeat", "block_report", "block_changes", "copy_failed"} <= set(IN_SESSIONS)


def test_what_it_says_in_the_session_of_another_is_not_heard(cluster: Cluster) -> None:
    chance = Random(1)
    with Callers(cluster) as callers, cluster.file_system() as fs:
        block = tuple(fs.block_locations("/file").blocks[0].block)
        before = state_of(cluster, callers)
        session = session_of(cluster, "data_node_0")
        for near in (session, session - 1, session + 1):
            given = {"session": near, "deleted": (block,), "corrupt": (block,)}
            for call in IN_SESSIONS.values():
                with pytest.raises(SessionExpired):
                    args = arguments(call, given, chance)
                    bad(cluster, callers, "name_node").send(call.name, *args)
        assert state_of(cluster, callers) == before
        assert session_of(cluster, "data_node_0") == session, "it did not even register anew"


@pytest.mark.parametrize("changed", ["address", "disk", "both"])
def test_it_does_not_register_in_the_place_of_another(cluster: Cluster, changed: str) -> None:
    with Callers(cluster) as callers, cluster.file_system() as fs:
        before = state_of(cluster, callers)
        ids = {node.port: node.node_id for node in fs.datanodes()}
        (host, port), (_, own_port) = map(cluster.address, ("data_node_0", "data_node_1"))
        info = NodeInfo(
            ids[own_port] if changed == "address" else ids[port],
            "incarnation",
            host,
            own_port if changed == "disk" else port,
            "/default-rack",
            fs.cluster_status().cluster_id,
        )
        with pytest.raises(DfsError) as refused:
            bad(cluster, callers, "name_node").call("register", tuple(info))
        assert refused.value.code in ("permission_denied", "start_refused"), refused.value
        assert state_of(cluster, callers) == before


def test_nor_at_the_zookeeper(cluster: Cluster) -> None:
    with Callers(cluster) as callers:
        before = state_of(cluster, callers)
        it = bad(cluster, callers, "zookeeper")
        (host, port), znodes = cluster.address("data_node_0"), "/data_nodes"
        own, _ = it.call("open_session", f"{host}:{port}")
        tries: Tuple[Tuple[Any, ...], ...] = (
            ("create", own, f"{znodes}/{host}:{port}", "mine"),
            ("create", own, f"{znodes}/{host}:{port}1", "nobody's"),
            ("create", own, "/name_nodes/1", "leader"),
            ("create", own, f"/leader/{host}:{port}", "99"),
        )
        for name, *args in tries:
            with pytest.raises((PermissionDenied, PathExists)):
                it.send(name, *args)
        it.call("close_session", own)
        assert state_of(cluster, callers) == before
