"""The client's line to the namenode: what is repeated, how long, and when not."""

import threading
from pathlib import Path
from typing import Dict, Iterator, List, Optional

import pytest

from data_service.filesystem import namenode_client as module
from data_service.filesystem.namenode_client import NameNodeClient, Pauses
from tests.support.clusters.inner_cluster import USER, InnerCluster
from tests.support.links.loopback import Recorder
from tests.support.models.plain_namenode import PlainNameNode
from tests.support.clusters.ports import Ports
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import (
    Busy,
    DeadlineExceeded,
    DfsError,
    InvalidArgument,
    NotLeader,
    PathExists,
    PathNotFound,
    SafeMode,
    StartingUp,
    Unavailable,
)
from zookeeper.fabric.settings import Address, ClientSettings, NameNodeSettings, Settings
from zookeeper.fabric.waiting import told_of_waiting


@pytest.fixture(name="namenode")
def _namenode(tmp_path: Path) -> Iterator[PlainNameNode]:
    with InnerCluster(tmp_path, 0) as cluster:
        yield cluster.namenode


@pytest.fixture(name="client")
def _client(namenode: PlainNameNode) -> Iterator[NameNodeClient]:
    made = NameNodeClient(settings(namenode.address), USER)
    yield made
    made.close()


def settings(*addresses: Address, connect: float = 20.0, retry: float = 20.0) -> Settings:
    """A cluster whose namenodes are there."""
    return Settings(name_node=NameNodeSettings(hosts=addresses),
                    client=ClientSettings(connect_seconds=connect, retry_seconds=retry))


@pytest.mark.parametrize("error", [Unavailable("x"), NotLeader("x"), Busy("x")])
def test_a_call_is_repeated_with_the_same_operation(
    namenode: PlainNameNode, client: NameNodeClient, error: DfsError
) -> None:
    namenode.errors["delete"] = [error, error]
    assert client.calls.delete("/a", False) is False
    operations = {args[0] for args in namenode.called("delete")}
    assert len(namenode.called("delete")) == 3 and len(operations) == 1
    client.calls.delete("/a", False)
    assert namenode.called("delete")[-1][0] not in operations
    assert namenode.called("delete")[-1][0][0] == client.client_id


def test_each_of_several_namenodes_is_asked_before_the_next_pause() -> None:
    """One that had taken over was asked a pause later: after the one that was dead."""
    pauses = Pauses(3)
    errors = [NotLeader("x"), Unavailable("x"), NotLeader("x")] * 5
    waits = [pauses.after(error) for error in errors]
    assert waits[0::3] == waits[1::3] == [0.0] * 5
    assert waits[2::3] == [0.05, 0.1, 0.2, 0.25, 0.25]
    pauses = Pauses(2)
    assert [pauses.after(Busy("x")) for _ in range(3)] == [0.05, 0.1, 0.2], "who is busy leads"
    alone = Pauses(1)
    assert [alone.after(Unavailable("x")) for _ in range(7)][-2:] == [1.0, 1.0]


def test_whom_a_call_is_for_hears_that_it_waits_and_may_end_it(
    namenode: PlainNameNode, client: NameNodeClient
) -> None:
    heard: List[bool] = []
    namenode.errors["stat"] = [Busy("x"), Busy("x"), PathNotFound("x")]
    with told_of_waiting(heard.append):
        client.calls.renew_lease("me")
        assert not heard
        with pytest.raises(PathNotFound):
            client.calls.stat("/a")
        assert heard == [True, True]
        namenode.errors["renew_lease"] = [Busy("x")]
        client.calls.renew_lease("me")
        assert heard == [True, True, True, False]

    def leave(_waiting: bool) -> None:
        raise Unavailable("left")

    namenode.errors["renew_lease"] = [Busy("x")] * 9
    with told_of_waiting(leave), pytest.raises(Unavailable, match="left"):
        client.calls.renew_lease("me")
    assert len(namenode.errors["renew_lease"]) == 8


@pytest.mark.parametrize("error", [PathNotFound("x"), SafeMode("x")])
def test_an_answer_is_an_answer(
    namenode: PlainNameNode, client: NameNodeClient, error: DfsError
) -> None:
    namenode.errors["stat"] = [error]
    with pytest.raises(type(error)):
        client.calls.stat("/a")
    assert len(namenode.calls) == 1


def test_a_write_in_progress_waits_for_the_end_of_safe_mode(
    namenode: PlainNameNode, client: NameNodeClient
) -> None:
    namenode.errors["renew_lease"] = [SafeMode("on"), SafeMode("on")]
    client.persistent.renew_lease(client.client_id)
    assert len(namenode.calls) == 3


def test_who_never_was_served_learns_soon_that_nobody_is_there() -> None:
    ports = Ports()
    client = NameNodeClient(settings(Address(ports.host, ports.take()), connect=0.3, retry=1e6),
                            USER)
    with pytest.raises(Unavailable):
        client.calls.stat("/a")
    client.close()
    ports.close()


@pytest.mark.parametrize(
    "error",
    [NotLeader("loading"), Busy("x"), StartingUp("just started"), DeadlineExceeded("slow")],
)
def test_the_first_call_waits_for_a_namenode_that_is_there(
    namenode: PlainNameNode, error: DfsError
) -> None:
    """A put right after the start of the cluster failed, and so did a long first answer."""
    client = NameNodeClient(settings(namenode.address, connect=0.001), USER)
    namenode.errors["renew_lease"] = [error] * 4
    client.calls.renew_lease("me")
    assert len(namenode.calls) == 5
    client.close()


def test_safe_mode_that_does_not_end_is_told_after_a_while(
    namenode: PlainNameNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_SECONDS", 0.2)
    client = NameNodeClient(settings(namenode.address, retry=1e6), USER)
    namenode.errors["renew_lease"] = [StartingUp("one block is lost")] * 10_000
    with pytest.raises(SafeMode, match="one block is lost"):
        client.calls.renew_lease("me")
    client.close()


def test_a_long_wait_says_once_what_it_waits_for(
    namenode: PlainNameNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.0)
    client = NameNodeClient(settings(namenode.address), USER)
    reason = "it waits for the metadata service: Connection refused"
    namenode.errors["renew_lease"] = [NotLeader(reason)] * 4
    with Recorder() as log:
        client.calls.renew_lease("me")
    told = [record for record in log.records if record.levelname == "WARNING"]
    assert len(told) == 1 and reason in told[0].getMessage()
    client.close()


def test_the_end_of_a_file_is_awaited_for_longer_than_the_namenode_waits(
    client: NameNodeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both waited for 30 s, and who was first decided what the caller was told."""
    waited: Dict[str, Optional[float]] = {}

    def refuse(method: str, *_args: object, timeout: Optional[float] = None) -> None:
        waited[method] = timeout
        raise PathNotFound("x")

    monkeypatch.setattr(client._pool, "call", refuse)
    for ask in (
        lambda: client.calls.stat("/a"), lambda: client.persistent.complete(1, ()),
        lambda: client.persistent.flush(1, ()),
    ):  # fmt: skip
        with pytest.raises(PathNotFound):
            ask()
    own = Settings()
    for method in ("complete", "flush"):
        assert (waited[method] or 0.0) > own.name_node.complete_timeout_seconds
    assert waited["stat"] is None


def test_one_change_is_one_operation_however_often_it_is_asked_for(
    namenode: PlainNameNode, client: NameNodeClient
) -> None:
    namenode.errors["delete"] = [SafeMode("on"), PathExists("x"), PathNotFound("x")]
    with client.one_change(PathExists) as calls:
        with pytest.raises(PathNotFound):
            calls.delete("/a", False)
        assert calls.delete("/a", False) is False
    assert len({args[0] for args in namenode.called("delete")}) == 1
    assert len(namenode.called("delete")) == 4


def test_who_was_served_rides_out_an_outage(namenode: PlainNameNode) -> None:
    client = NameNodeClient(settings(namenode.address, connect=0.001), USER)
    client.calls.renew_lease("me")
    namenode.errors["renew_lease"] = [Unavailable("restarting")] * 4
    client.calls.renew_lease("me")
    assert len(namenode.calls) == 6
    client.close()


def test_the_leader_is_found_among_several(namenode: PlainNameNode) -> None:
    ports = Ports()
    client = NameNodeClient(settings(Address(ports.host, ports.take()), namenode.address), USER)
    client.calls.renew_lease("me")
    assert len(namenode.calls) == 1
    client.close()
    ports.close()


def test_last_words_are_said_once(namenode: PlainNameNode, client: NameNodeClient) -> None:
    namenode.errors["abandon_file"] = [Unavailable("away")]
    with pytest.raises(Unavailable):
        client.brief.abandon_file("me", 1)
    assert len(namenode.calls) == 1


def test_a_closed_client_fails_at_once(namenode: PlainNameNode, client: NameNodeClient) -> None:
    client.calls.renew_lease("me")
    client.close()
    with pytest.raises(InvalidArgument, match="closed"):
        client.calls.renew_lease("me")
    assert len(namenode.calls) == 1


def test_closing_ends_a_call_that_waits_to_be_repeated(namenode: PlainNameNode) -> None:
    client = NameNodeClient(settings(namenode.address, retry=1e6), USER)
    client.calls.renew_lease("me")
    namenode.errors["renew_lease"] = [Unavailable("for ever")] * 100_000
    failures = []

    def call() -> None:
        try:
            client.calls.renew_lease("me")
        except Unavailable as error:
            failures.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    wait_until(lambda: len(namenode.calls) > 2)
    client.close()
    thread.join(timeout=60)
    assert len(failures) == 1
