"""What a datanode may say of itself: it is shown to people, and kept."""

from itertools import count
from types import SimpleNamespace
from typing import Any, Callable

import pytest

from data_service.namenode.replicas.blocks import Blocks
from data_service.namenode.calls.service import NameNodeService
from data_service.protocol.datanode_reports import DataNodeReports
from data_service.protocol.nodes import NodeInfo, NodeStats
from tests.support.models.model_datanodes import CLUSTER_ID, POLICY
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.errors import InvalidArgument, PermissionDenied, SessionExpired, StartRefused
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.rpc import Peer

GOOD = NodeInfo("id", "incarnation", "host", 1800, "/rack", CLUSTER_ID)


class Term:
    """As much of a term as datanodes meet."""

    def __init__(self) -> None:
        self.blocks = Blocks(CLUSTER_ID, POLICY, count(1))
        self.blocks.lead(1, 0.0)
        self.core = SimpleNamespace(cluster_id=CLUSTER_ID)
        self.epoch, self.leads = 1, True

    def tell_blocks(self, operation: Callable[[Blocks], Any], *_: Any) -> Any:
        """Run an operation."""
        return operation(self.blocks)

    ask_blocks = tell_blocks


@pytest.fixture(name="service")
def _service() -> Any:
    term: Any = Term()
    service = NameNodeService(lambda: term, lambda name: (), "root", (2, 100), "")
    service.peer = Peer(Principal("data_node"), "127.0.0.1")
    return service


@pytest.mark.parametrize("odd", [
    {"node_id": ""}, {"node_id": "\x1b]0;id\x07"}, {"node_id": "x" * 256}, {"node_id": b"id"},
    {"incarnation": "a\nb"}, {"host": "host\nName: fake"}, {"host": "x" * (9 << 20)}, {"host": ""},
    {"port": 0}, {"port": 65536}, {"port": 2**63 - 1}, {"port": "1800"}, {"port": True},
    {"rack": "/r\x1b[31m"}, {"rack": None}, {"cluster_id": "c\x00"}, {"cluster_id": None},
    {"version": "1\x1b[2J"}, {"version": None}, {"version": "x" * 256},
])  # fmt: skip
def test_what_nobody_should_be_shown_is_refused(service: Any, odd: dict) -> None:
    with pytest.raises(InvalidArgument) as caught:
        service.exposed_register(tuple(GOOD._replace(**odd)))
    assert len(caught.value.message) < 300, "nor repeated at length"
    assert service._connection.namesystem.blocks.census.datanodes(0.0) == ()


def test_a_whole_registration_is_accepted(service: Any) -> None:
    assert service.exposed_register(tuple(GOOD)).epoch == 1
    assert service.exposed_register(tuple(GOOD._replace(cluster_id=""))), "a new disk"
    assert service.exposed_register(tuple(GOOD)[:6]), "of an older release"
    service.exposed_register(tuple(GOOD._replace(version="1.2.3")))
    (known,) = service._connection.namesystem.blocks.census.datanodes(0.0)
    assert known.version == "1.2.3"
    assert service.exposed_register(tuple(GOOD) + ("what a newer one adds",))
    for row in (tuple(GOOD)[:5], tuple(GOOD[1:]), (), None):
        with pytest.raises(InvalidArgument):
            service.exposed_register(row)
    service.peer = Peer(Principal("user", "mallory"), "127.0.0.1")
    with pytest.raises(PermissionDenied):
        service.exposed_register(tuple(GOOD))


@pytest.mark.parametrize("payload", [
    bytes(23), bytes(25), b"\x80" + bytes(23), bytes(8) + b"\xff" * 8 + bytes(8),
    bytes(24) + bytes(16) + b"\x80" + bytes(7),
])  # fmt: skip
def test_a_report_of_what_is_no_block_is_refused(service: Any, payload: bytes) -> None:
    with pytest.raises(InvalidArgument, match="payload"):
        service.exposed_block_report(7, 1, 0, 1, payload)


def test_a_report_of_nobody_is_refused_before_it_is_unpacked(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(payload: bytes) -> None:
        raise AssertionError("14 MB of it cost 0.65 s")

    monkeypatch.setattr("data_service.namenode.calls.datanodes.unpack_sealed", never)
    with pytest.raises(SessionExpired):
        service.exposed_block_report(7, 1, 0, 1, bytes(24))


@pytest.mark.parametrize("whose", ["data_node:2", "data_node", "data_node:host:1800 "])
def test_nobody_speaks_in_the_session_of_another(service: Any, whose: str) -> None:
    """Who guessed its number could report the replicas of another datanode as gone."""
    service.peer = Peer(Principal("data_node", "host:1800"), "127.0.0.1")
    session = service.exposed_register(tuple(GOOD))[0]
    blocks = service._connection.namesystem.blocks
    service.peer = Peer(Principal.parse(whose), "127.0.0.1")
    given = {"session": session, "stats": tuple(NodeStats(*range(1, 7))), "wait_seconds": 0.0,
             "acknowledged": 1, "unheard_seconds": 0.0,
             "report_id": 1, "part": 0, "parts": 1, "payload": bytes(24), "digests": b"",
             "received": (), "deleted": ((1, 1, 1),), "corrupt": (), "verified": (), "block_id": 1,
             "unreached": ()}
    in_sessions = [call for call in calls_of(DataNodeReports).values()
                   if "session" in [parameter.name for parameter in call.parameters]]
    assert len(in_sessions) == 4
    for call in in_sessions:
        with pytest.raises(SessionExpired):
            getattr(service, f"exposed_{call.name}")(*[given[name] for name, _ in call.parameters])
    assert not blocks.census.datanodes(0.0)[0].stats.capacity, "nothing was heard"
    service.peer = Peer(Principal("data_node", "host:1800"), "127.0.0.1")
    service.exposed_copy_failed(session, 1)


def as_datanode(service: Any, principal: str, proved: bool = True) -> Any:
    """The same namenode, called by this one."""
    service.peer = Peer(Principal.parse(principal), "127.0.0.1", proved)
    return service


@pytest.mark.parametrize("principal", ["data_node:host:1801", "data_node:hos:1800", "data_node:x"])
@pytest.mark.parametrize("proved", [True, False])
def test_a_datanode_registers_at_its_own_address_only(
    service: Any, principal: str, proved: bool
) -> None:
    with pytest.raises(PermissionDenied, match="may not register as the datanode at host:1800"):
        as_datanode(service, principal, proved).exposed_register(tuple(GOOD))
    assert as_datanode(service, "data_node:host:1800", proved).exposed_register(tuple(GOOD))


def test_a_disk_belongs_to_who_registered_it_first(service: Any) -> None:
    as_datanode(service, "data_node:host:1800").exposed_register(tuple(GOOD))
    elsewhere = GOOD._replace(port=1801, incarnation="other")
    with pytest.raises(StartRefused, match="is that of data_node:host:1800"):
        as_datanode(service, "data_node:host:1801").exposed_register(tuple(elsewhere))
    assert as_datanode(service, "data_node:host:1800").exposed_register(tuple(GOOD))


def test_a_disk_may_be_served_elsewhere_where_nobody_proves_who_he_is(service: Any) -> None:
    as_datanode(service, "data_node:host:1800", False).exposed_register(tuple(GOOD))
    elsewhere = GOOD._replace(port=1801)
    assert as_datanode(service, "data_node:host:1801", False).exposed_register(tuple(elsewhere))
