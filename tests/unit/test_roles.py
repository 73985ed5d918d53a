"""What each role may do at the zookeeper: users read, daemons register in their places."""

import pytest

from zookeeper.calls import ZooKeeperCalls
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.errors import Busy, PathExists, PermissionDenied, SessionExpired
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.rpc import Peer
from zookeeper.roles import SESSIONS_PER_HOST_MAX, SESSIONS_PER_NAME_MAX
from zookeeper.service import Coordination, ZooKeeperService


@pytest.fixture(name="coordination")
def _coordination() -> Coordination:
    return Coordination(expiry_seconds=60.0)


def as_principal(coordination: Coordination, principal: str) -> ZooKeeperService:
    """A connection of this principal."""
    made = ZooKeeperService(coordination)
    made.peer = Peer(Principal.parse(principal), "::1")
    return made


@pytest.mark.parametrize("principal", ["user:eve", "anonymous", "metadata", "user", "Name_node"])
def test_who_is_no_daemon_may_only_know_who_leads(
    coordination: Coordination, principal: str
) -> None:
    eve = as_principal(coordination, principal)
    session_id = coordination.open_session("localhost:1801", principal=principal)
    for refused in (
        lambda: eve.exposed_open_session("localhost:1801"),
        lambda: eve.exposed_heartbeat(session_id),
        lambda: eve.exposed_create(session_id, "/data_nodes/localhost:1801", "1"),
        lambda: eve.exposed_children("/data_nodes"),
        lambda: eve.exposed_watch("/data_nodes", -1, 0),
    ):
        with pytest.raises(PermissionDenied):
            refused()
    assert eve.exposed_leader() is None


@pytest.mark.parametrize(
    "path",
    ["/name_nodes/a", "/data_nodes", "/data_nodes/a/b", "/a", "/", "", "a", "/data_nodesa/b",
     "/data_nodes/localhost:1801/", "//data_nodes/localhost:1801", "/name_nodes/localhost:1801",
     "/leader/localhost:1801"],
)  # fmt: skip
# An older release does not tell which one it is.
@pytest.mark.parametrize("principal", ["data_node", "data_node:localhost:1801"])
def test_a_datanode_registers_among_the_datanodes_only(
    coordination: Coordination, path: str, principal: str
) -> None:
    node = as_principal(coordination, principal)
    session_id, _ = node.exposed_open_session("localhost:1801")
    with pytest.raises(PermissionDenied):
        node.exposed_create(session_id, path, "1")
    node.exposed_create(session_id, "/data_nodes/localhost:1801", "1")


def test_a_namenode_registers_as_one_and_as_the_leader(coordination: Coordination) -> None:
    node = as_principal(coordination, "name_node:localhost:1800")
    session_id, _ = node.exposed_open_session("localhost:1800")
    for parent in ("/name_nodes", "/leader"):
        node.exposed_create(session_id, f"{parent}/localhost:1800", "1")
    for path in ("/data_nodes/localhost:1800", "/leader", "/leader/a/b"):
        with pytest.raises(PermissionDenied):
            node.exposed_create(session_id, path, "1")
    assert coordination.leader() == (1, "localhost:1800")


def test_a_datanode_registers_in_no_others_place(coordination: Coordination) -> None:
    node = as_principal(coordination, "data_node:localhost:1801")
    session_id, _ = node.exposed_open_session("localhost:1801")
    for path in ("/data_nodes/localhost:1802", "/data_nodes/localhost:18010", "/data_nodes/"):
        with pytest.raises(PermissionDenied, match="at /data_nodes/localhost:1801, not at"):
            node.exposed_create(session_id, path, "1")
    node.exposed_create(session_id, "/data_nodes/localhost:1801", "1")


def test_daemons_of_one_kind_share_the_sessions_of_their_host(coordination: Coordination) -> None:
    for number in range(SESSIONS_PER_HOST_MAX):
        as_principal(coordination, f"data_node:{number}").exposed_open_session("x")
    with pytest.raises(Busy):
        as_principal(coordination, "data_node:late").exposed_open_session("x")
    as_principal(coordination, "name_node").exposed_open_session("x")


def test_one_daemon_does_not_take_the_sessions_of_its_host(coordination: Coordination) -> None:
    node = as_principal(coordination, "data_node:1")
    opened = [node.exposed_open_session("x")[0] for _ in range(SESSIONS_PER_NAME_MAX)]
    with pytest.raises(Busy):
        node.exposed_open_session("another name")
    as_principal(coordination, "data_node:2").exposed_open_session("x")
    node.exposed_close_session(opened[0])
    node.exposed_open_session("x")
    coordination._sessions.check()


def test_a_name_is_worth_nothing_under_another_principal(coordination: Coordination) -> None:
    ours = as_principal(coordination, "data_node:localhost:1801")
    theirs = as_principal(coordination, "data_node")
    first, _ = ours.exposed_open_session("localhost:1801")
    ours.exposed_create(first, "/data_nodes/localhost:1801", "1")
    stranger, _ = theirs.exposed_open_session("localhost:1801")
    with pytest.raises(PathExists):
        theirs.exposed_create(stranger, "/data_nodes/localhost:1801", "evil")
    again, _ = ours.exposed_open_session("localhost:1801")
    ours.exposed_create(again, "/data_nodes/localhost:1801", "2")


@pytest.mark.parametrize("whose", ["data_node:2", "data_node", "name_node", "data_node:x x"])
def test_a_session_is_worth_nothing_to_another_principal(
    coordination: Coordination, whose: str
) -> None:
    ours, theirs = as_principal(coordination, "data_node:x"), as_principal(coordination, whose)
    session_id, _ = ours.exposed_open_session("x")
    ours.exposed_create(session_id, "/data_nodes/x", "1")
    for call in calls_of(ZooKeeperCalls).values():
        names = [parameter.name for parameter in call.parameters]
        if "session_id" in names:
            path = {"session_id": session_id, "path": "/data_nodes/x"}
            with pytest.raises((SessionExpired, PermissionDenied)):
                getattr(theirs, f"exposed_{call.name}")(*[path.get(name, "2") for name in names])
    assert ours.exposed_heartbeat(session_id) == (("/data_nodes/x", "1"),)
