"""What each role may do at the zookeeper: users read, daemons register and lead in their places."""

from pathlib import Path

import pytest

from zookeeper.fabric.errors import Busy, PermissionDenied
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.rpc import Peer
from zookeeper.service import Coordination, ZooKeeperService
from zookeeper.sessions import SESSIONS_PER_PLACE_MAX

ROLE = "name_node"


@pytest.fixture(name="coordination")
def _coordination(tmp_path: Path) -> Coordination:
    return Coordination(str(tmp_path), expiry_seconds=60.0)


def as_principal(coordination: Coordination, principal: str) -> ZooKeeperService:
    """A connection of this principal."""
    made = ZooKeeperService(coordination)
    made.peer = Peer(Principal.parse(principal), "::1")
    return made


@pytest.mark.parametrize("principal", ["user:eve", "anonymous", "metadata", "user", "Name_node"])
def test_who_is_no_daemon_may_only_read(coordination: Coordination, principal: str) -> None:
    eve = as_principal(coordination, principal)
    session_id, _ = eve.exposed_open_session("localhost:1801")
    for refused in (
        lambda: eve.exposed_create(session_id, "/data_nodes/localhost:1801", "1"),
        lambda: eve.exposed_campaign(session_id, ROLE, "evil"),
        lambda: eve.exposed_campaign(session_id, "balancer", "evil"),
    ):
        with pytest.raises(PermissionDenied):
            refused()
    assert eve.exposed_heartbeat(session_id) == ()
    assert eve.exposed_children("/data_nodes")[1] == ()
    assert eve.exposed_leader(ROLE) is None
    assert eve.exposed_watch("/data_nodes", -1, 0)[1] == ()


@pytest.mark.parametrize(
    "path",
    ["/name_nodes/a", "/data_nodes", "/data_nodes/a/b", "/a", "/", "", "a", "/data_nodesa/b"],
)
def test_a_datanode_registers_among_the_datanodes_only(
    coordination: Coordination, path: str
) -> None:
    node = as_principal(coordination, "data_node:1")
    session_id, _ = node.exposed_open_session("localhost:1801")
    with pytest.raises(PermissionDenied):
        node.exposed_create(session_id, path, "1")
    with pytest.raises(PermissionDenied):
        node.exposed_campaign(session_id, ROLE, "1")
    node.exposed_create(session_id, "/data_nodes/localhost:1801", "1")


def test_roles_that_nobody_has_do_not_get_an_epoch(coordination: Coordination) -> None:
    node = as_principal(coordination, "name_node")
    session_id, _ = node.exposed_open_session("localhost:1800")
    for number in range(100):
        with pytest.raises(PermissionDenied):
            node.exposed_campaign(session_id, f"role_{number}", "")
    assert coordination._state.election.epochs() == {}


def test_users_of_one_host_share_their_sessions_whatever_they_call_themselves(
    coordination: Coordination,
) -> None:
    for number in range(SESSIONS_PER_PLACE_MAX):
        as_principal(coordination, f"user:u{number}").exposed_open_session("x")
    for principal in ("user:late", "anonymous", "metadata"):
        with pytest.raises(Busy):
            as_principal(coordination, principal).exposed_open_session("x")
    for principal in ("data_node", "name_node"):
        as_principal(coordination, principal).exposed_open_session("x")
