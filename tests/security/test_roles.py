"""Every call of every daemon, by everybody who has no business to make it."""

from pathlib import Path
from random import Random
from typing import Iterator, List, Tuple

import pytest

from data_service.datanode.service import DataNodeService
from data_service.namenode.calls.service import NameNodeService
from data_service.protocol.datanode_calls import DataNodeCalls
from data_service.protocol.availability_calls import AvailabilityCalls
from data_service.protocol.datanode_reports import DataNodeReports
from data_service.protocol.namenode_calls import (
    AdministrationCalls,
    AdmissionCalls,
    NamespaceCalls,
    WriterCalls,
)
from metadata_service.calls import MemberCalls, ScrubCalls
from metadata_service.service import MetadataService
from tests.support.clusters.callers import TABLES, Callers, Named, every_call, state_of
from tests.support.clusters.cluster import Cluster
from tests.support.models.sample_messages import draw, sent
from zookeeper.fabric.calls import Call, calls_of
from zookeeper.fabric.errors import DfsError, PermissionDenied
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.meter import ServerCalls
from zookeeper.service import ZooKeeperService

SERVICES = {
    "name_node": NameNodeService,
    "metadata": MetadataService,
    "zookeeper": ZooKeeperService,
    "data_node": DataNodeService,
}
PRINCIPALS = (
    "user:mallory", "gateway:web", "name_node", "data_node:127.0.0.9:1801", "metadata",
    "zookeeper", "nobody:knows",
)  # fmt: skip
OF_EVERYBODY = {"leader"}
"""The call whose table names nobody: who leads."""

ADMINISTRATION = {
    "compare_members", "hand_over", "list_open_files", "metasave", "record_rows", "record_txid",
    "refresh_nodes", "save_namespace", "spread_blocks", "trigger_block_report",
}  # fmt: skip
"""For superusers, as in HDFS. Where one call is for both, such as `safe_mode`, its method decides:
see tests/cluster/test_administration.py."""

ROLES = {
    NamespaceCalls: ("user", "gateway", "anonymous"),
    WriterCalls: ("user", "gateway", "anonymous"),
    AdministrationCalls: ("user", "gateway", "anonymous"),
    AdmissionCalls: ("user", "gateway", "anonymous", "data_node"),
    AvailabilityCalls: ("user", "gateway", "anonymous"),
    DataNodeCalls: ("user", "gateway", "anonymous", "data_node"),
    DataNodeReports: ("data_node",),
    ScrubCalls: ("name_node",),
}

OF_PEERS = {"status", "tail", "load", "begin_export", "end_export"}
"""What members of the metadata quorum ask each other, to catch up. None of it changes anything that
is kept."""

OF_RPYC = {"get_service_aliases", "get_service_name"}


def may(principal: str, call: Call) -> bool:
    """Whether the tables let a principal make a call; none of these is an administrator."""
    role = Principal.parse(principal).role
    return not call.superuser and (not call.who or role in call.who)


WRONG: List[Tuple[str, Named]] = [
    (principal, named)
    for principal in PRINCIPALS
    for named in every_call()
    if not may(principal, named.call)
]


def test_every_daemon_answers_what_its_tables_say_and_nothing_else() -> None:
    for kind, service in SERVICES.items():
        names = {name for table in (*TABLES[kind], ServerCalls) for name in calls_of(table)}
        exposed = {name[8:] for name in dir(service) if name.startswith("exposed_")}
        assert exposed - OF_RPYC == names, kind


def test_the_tables_say_of_every_call_who_may_make_it() -> None:
    assert {named.call.name for named in every_call() if not named.call.who} == OF_EVERYBODY
    assert {named.call.name for named in every_call() if named.call.superuser} == ADMINISTRATION
    for table, who in ROLES.items():
        for call in calls_of(table).values():
            assert call.who == who, call
    for call in calls_of(MemberCalls).values():
        peers = ("name_node", "metadata") if call.name in OF_PEERS else ("name_node",)
        assert call.who == peers, call
    assert len(WRONG) > 250
    assert {principal for principal, _ in WRONG} == set(PRINCIPALS)


@pytest.fixture(scope="module", name="cluster")
def _cluster(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Cluster]:
    folder: Path = tmp_path_factory.mktemp("roles")
    with Cluster(folder, data_nodes=2, security=request.param) as started:
        with started.file_system() as fs:
            fs.write_bytes("/d/file", b"content")
        yield started


@pytest.mark.parametrize("cluster", ["simple", "secret"], indirect=True)
@pytest.mark.parametrize("kind", sorted(TABLES))
def test_who_has_no_business_there_is_refused_and_nothing_happens(
    cluster: Cluster, kind: str
) -> None:
    chance = Random(kind)
    role = "data_node_0" if kind == "data_node" else kind
    with Callers(cluster) as callers:
        before = state_of(cluster, callers)
        for principal, named in WRONG:
            if named.kind == kind:
                refused(callers, principal, role, named.call, chance)
        assert state_of(cluster, callers) == before


def refused(callers: Callers, principal: str, role: str, call: Call, chance: Random) -> None:
    """The principal makes the call, with arguments that are right, and with none; in vain."""
    right = [
        sent(kind, draw(kind, chance), lambda row, _defaults: row) for _, kind in call.parameters
    ]
    for args in (right, []):
        with pytest.raises(DfsError) as caught:
            callers.of(principal, role).send(call.name, *args)
        # Of a call that it may make if it were an administrator, the arguments are looked at first.
        wanted = DfsError if call.superuser and not args else PermissionDenied
        assert isinstance(caught.value, wanted), (principal, call, caught.value)
        assert type(caught.value) is not DfsError


