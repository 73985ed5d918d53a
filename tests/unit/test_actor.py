"""A datanode's contract with the namenode, step by step, with the namenode played by the test."""

import logging
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from data_service.datanode import full_report
from data_service.datanode.store.block_store import BlockStore
from data_service.datanode.actor import NameNodeActor
from data_service.datanode.incremental_report import CORRUPT, DELETED, RECEIVED
from data_service.protocol.blocks import Block, unpack_blocks
from data_service.protocol.nodes import DELETE, REPORT, Command, NodeInfo, NodeStats
from tests.support.links.played_namenode import NameNode, actor_of
from tests.support.disks.stores import opened, path_of, put
from tests.support.clusters.waiting import wait_until
from zookeeper.fabric.errors import (
    DeadlineExceeded,
    DfsError,
    Fenced,
    InvalidArgument,
    ProtocolViolation,
    SessionExpired,
    StartRefused,
    Unavailable,
)
from zookeeper.fabric.release import VERSION
from zookeeper.fabric.settings import DataNodeSettings



@pytest.fixture(name="actor")
def _actor(store: BlockStore, namenode: NameNode, obeyed: List[Command]) -> Iterator[NameNodeActor]:
    settings = DataNodeSettings(heartbeat_seconds=0.01, block_report_seconds=1000.0, rack="/r")
    made = actor_of(
        namenode, store, lambda command, _holds: obeyed.append(command), settings=settings)
    yield made
    made.stop()


FIRST_ROUND = ["register", "block_report", "block_report", "heartbeat"]


def listed(namenode: NameNode) -> List[Block]:
    """The blocks of all reports."""
    payloads = [args[4] for method, args in namenode.calls if method == "block_report"]
    return [block for payload in payloads for block in unpack_blocks(payload)]


def test_a_datanode_registers_reports_and_beats(
    store: BlockStore, namenode: NameNode, actor: NameNodeActor
) -> None:
    block = put(store, 7, b"x")
    actor.attend()
    assert listed(namenode) == [block]
    info = namenode.calls[0][1][0]
    assert info[0] == store.volumes.node_id and info[2:] == ("127.0.0.1", 1801, "/r", "", VERSION)
    told = stats(namenode)
    assert (told.blocks, told.streams, told.failed_volumes) == (1, 3, 0) and told.capacity > 0
    assert namenode.methods() == FIRST_ROUND
    assert store.volumes.cluster_id == "cluster-1" and store.volumes.epoch == 5
    actor.attend()
    assert namenode.methods() == ["heartbeat"]


def test_the_list_is_made_after_the_answer_to_the_empty_first_part(
    store: BlockStore, namenode: NameNode, actor: NameNodeActor
) -> None:
    """What was told before that answer must be in the list: the namenode trusts its absence."""
    kept, gone = put(store, 1, b"x"), put(store, 2, b"x")
    late: List[Block] = []

    def report(session: int, report_id: int, part: int, parts: int, payload: bytes,
               digests: bytes = b"") -> None:
        if part == 0:
            assert payload == b""
            late.append(put(store, 3, b"x"))
            actor.tell(RECEIVED, late)
            store.remove(gone)
            actor.tell(DELETED, [gone])

    namenode.answers["block_report"] = report
    actor.attend()
    assert listed(namenode) == [kept, late[0]]


def test_a_report_goes_in_parts_of_one_number(
    store: BlockStore, namenode: NameNode, actor: NameNodeActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_report, "REPORT_BLOCKS", 3)
    blocks = [put(store, block_id, b"x") for block_id in range(8)]
    actor.attend()
    reports = [args for method, args in namenode.calls if method == "block_report"]
    assert [args[2:4] for args in reports] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert len({args[1] for args in reports}) == 1 and sorted(listed(namenode)) == blocks


def test_damage_is_told_before_the_list_is_silent_about_it(
    tmp_path: Path, store: BlockStore, namenode: NameNode, actor: NameNodeActor
) -> None:
    block = put(store, 7, b"x")
    path_of(tmp_path, block).unlink()
    store.mark_corrupt(block, "gone")
    actor.attend()
    assert [method for method, _ in namenode.calls] == [
        "register", "block_report", "block_changes", "block_report", "heartbeat"]
    assert namenode.calls[2][1][1:] == ((), (), (block,), ()) and listed(namenode) == []


def test_changes_are_told_at_once(namenode: NameNode, actor: NameNodeActor) -> None:
    actor.attend()
    namenode.calls.clear()
    actor.tell(RECEIVED, [Block(1, 1, 1)])
    actor.tell(CORRUPT, [Block(2, 1, 1)])
    assert [args[1:] for _, args in namenode.calls] == [
        ((Block(1, 1, 1),), (), (), ()), ((), (), (Block(2, 1, 1),), ())]


def test_changes_are_kept_before_the_first_registration(
    namenode: NameNode, actor: NameNodeActor
) -> None:
    actor.tell(DELETED, [Block(1, 1, 1)])
    assert namenode.calls == []
    actor.attend()
    assert namenode.methods() == FIRST_ROUND[:3] + ["block_changes", "heartbeat"]


@pytest.mark.parametrize("error", [Unavailable("gone"), DeadlineExceeded("late"),
                                   SessionExpired("who?")])
def test_a_change_of_unknown_fate_ends_the_session(
    namenode: NameNode, actor: NameNodeActor, error: DfsError
) -> None:
    """The call may still run, after a newer one; in a session that ended it changes nothing."""
    actor.attend()
    namenode.methods()
    namenode.fail("block_changes", error)
    actor.tell(RECEIVED, [Block(1, 1, 1)])
    with pytest.raises(SessionExpired):
        actor._beat()
    actor.attend()
    assert namenode.methods() == ["block_changes"] + FIRST_ROUND[:3] + [
        "block_changes", "heartbeat"]
    assert namenode.session == 102


def test_a_change_that_is_refused_is_not_repeated_for_ever(
    namenode: NameNode, actor: NameNodeActor
) -> None:
    actor.attend()
    namenode.fail("block_changes", InvalidArgument("no"))
    actor.tell(DELETED, [Block(1, 1, 1)])
    namenode.methods()
    actor.attend()
    assert namenode.methods() == FIRST_ROUND[1:]


def test_a_report_without_an_answer_goes_on_where_it_was(
    store: BlockStore, namenode: NameNode, actor: NameNodeActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that began anew each time was never whole, when the namenode was slow."""
    monkeypatch.setattr(full_report, "REPORT_BLOCKS", 3)
    blocks = [put(store, block_id, b"x") for block_id in range(8)]
    parts: List[int] = []

    def report(_session: int, _report_id: int, part: int, *_: Any) -> None:
        parts.append(part)
        if parts.count(part) == 1:
            raise DeadlineExceeded("did not answer in time")

    namenode.answers["block_report"] = report
    for _ in range(4):
        with pytest.raises(DeadlineExceeded):
            actor.attend()
    actor.attend()
    assert parts == [0, 0, 1, 1, 2, 2, 3, 3] and set(listed(namenode)) == set(blocks)
    assert len({args[1] for method, args in namenode.calls if method == "block_report"}) == 1


def test_a_report_that_was_refused_is_sent_again_as_a_new_one(
    namenode: NameNode, actor: NameNodeActor
) -> None:
    """HDFS-12914: a report was dropped, and the next one came six hours later."""
    namenode.fail("block_report", ProtocolViolation("overtaken"))
    with pytest.raises(ProtocolViolation):
        actor.attend()
    actor.attend()
    ids = [args[1] for method, args in namenode.calls if method == "block_report"]
    assert len(ids) == 3 and ids[0] < ids[1] == ids[2]


def test_an_older_namenode_commands_nothing(
    store: BlockStore, namenode: NameNode, actor: NameNodeActor, obeyed: List[Command]
) -> None:
    """HDFS-1972: two namenodes chose different victims, and all copies went."""
    actor.attend()
    command = Command(DELETE, (Block(1, 1, 1),), ())
    namenode.answers["heartbeat"] = lambda *args: (4, (command,))
    with pytest.raises(Fenced):
        actor.attend()
    assert obeyed == []
    assert namenode.calls[-1] == ("epoch_known", (5,)), "its record may be a restored backup"
    assert namenode.turns == 1, "it would be asked again and again, and the newer one never"
    namenode.answers["heartbeat"] = lambda *args: (6, (command,))
    actor.attend()
    assert repr(obeyed) == repr([command]) and store.volumes.epoch == 6
    namenode.answers["register"] = lambda info: (1, 5, "cluster-1")
    actor._session = 0
    with pytest.raises(Fenced):
        actor.attend()


def test_an_order_holds_as_long_as_the_session_that_it_was_given_in(
    store: BlockStore, namenode: NameNode
) -> None:
    """HDFS-1972: the namenode has dropped the orders of a datanode that registered again."""
    orders: List[Callable[[], bool]] = []
    actor = actor_of(namenode, store, lambda _command, holds: orders.append(holds))
    namenode.answers["heartbeat"] = lambda *_args: (5, (Command(DELETE, (Block(1, 1, 1),), ()),))
    actor.attend()
    actor.attend()
    assert [holds() for holds in orders] == [True, True]
    namenode.fail("block_changes", Unavailable("gone"))
    actor.tell(RECEIVED, [Block(2, 1, 1)])
    assert [holds() for holds in orders] == [False, False]
    actor.attend()
    assert [holds() for holds in orders] == [False, False, True]
    actor.stop()


def test_commands(namenode: NameNode, actor: NameNodeActor, obeyed: List[Command]) -> None:
    actor.attend()
    orders = (Command("dance", (), ()), Command(REPORT, (), ()), Command(DELETE, (), ()))
    namenode.answers["heartbeat"] = lambda *args: (5, orders)
    actor.attend()
    assert [command.action for command in obeyed] == [DELETE]
    namenode.methods()
    del namenode.answers["heartbeat"]
    actor.attend()
    assert namenode.methods() == FIRST_ROUND[1:]


def stats(namenode: NameNode) -> NodeStats:
    """What the last heartbeat told."""
    return NodeStats(*namenode.calls[-1][1][1])


def test_a_datanode_tells_its_release_and_for_how_long_it_runs(
    namenode: NameNode, actor: NameNodeActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor._description, "_started", time.monotonic() - 100.0)
    actor.attend()
    (info,) = next(arguments for name, arguments in namenode.calls if name == "register")
    assert NodeInfo(*info).version == VERSION and stats(namenode).uptime_seconds >= 100


def test_a_failed_volume_is_reported_at_once(
    tmp_path: Path, namenode: NameNode
) -> None:
    store = opened(tmp_path / "a", tmp_path / "b")
    actor = actor_of(namenode, store)
    put(store, 1, b"x")
    actor.attend()
    lost = [volume for volume in store.volumes.working if any(volume.scan())]
    namenode.methods()
    lost[0].fail("pulled out")
    actor.attend()
    assert listed(namenode) == [] and stats(namenode).failed_volumes == 1
    assert namenode.methods() == FIRST_ROUND[1:]
    store.volumes.working[0].fail("pulled out, too")
    actor.attend()
    assert stats(namenode) == NodeStats(0, 0, 0, 0, 3, 2, stats(namenode).uptime_seconds)
    store.close()


def test_an_outage_is_logged_once_and_its_end(
    namenode: NameNode, actor: NameNodeActor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pyhdfs.actor")
    tries = threading.Semaphore(0)

    def away(*_args: Any) -> Any:
        tries.release()
        raise Unavailable("nobody there")

    namenode.answers["register"] = away
    actor.start()
    for _ in range(5):
        assert tries.acquire(timeout=60)
    del namenode.answers["register"]
    actor.await_registration()
    wait_until(lambda: "namenode.reached" in caplog.text)
    assert caplog.text.count("namenode.out_of_reach") == 1
    assert caplog.text.count("namenode.reached") == 1


def test_no_error_ends_the_heartbeat(
    namenode: NameNode, actor: NameNodeActor, caplog: pytest.LogCaptureFixture
) -> None:
    """The origin's datanodes fell silent for ever at their first exception."""
    beats = threading.Semaphore(0)

    def beat(*_args: Any) -> Any:
        beats.release()
        raise ValueError("a defect")

    namenode.answers["heartbeat"] = beat
    actor.start()
    for _ in range(3):
        assert beats.acquire(timeout=60)
    assert "actor.failed" in caplog.text and "ValueError" in caplog.text


def test_a_refused_datanode_does_not_start(namenode: NameNode, actor: NameNodeActor) -> None:
    namenode.fail("register", StartRefused("a copy of another disk"))
    actor.start()
    with pytest.raises(StartRefused, match="a copy of another disk"):
        actor.await_registration()


def test_a_session_that_expired_is_opened_again(namenode: NameNode, actor: NameNodeActor) -> None:
    beats = threading.Semaphore(0)

    def beat(session: int, *_args: Any) -> Any:
        beats.release()
        if session == 101:
            raise SessionExpired("restarted")
        return 5, ()

    namenode.answers["heartbeat"] = beat
    actor.start()
    for _ in range(3):
        assert beats.acquire(timeout=60)
    assert namenode.session == 102
    actor.stop()
    assert namenode.closed


def test_a_report_that_is_asked_for_while_one_runs_follows_it(
    namenode: NameNode, actor: NameNodeActor
) -> None:
    """It was forgotten for six hours: the one that ran was made before whatever happened."""
    def ask(*args: Any) -> None:
        actor.report_again()
        del namenode.answers["block_report"]

    namenode.answers["block_report"] = ask
    actor.attend()
    namenode.methods()
    actor.attend()
    assert namenode.methods().count("block_report") == 2
    actor.attend()
    assert namenode.methods() == ["heartbeat"]


def test_only_who_is_accepted_is_said_to_have_joined(
    store: BlockStore, namenode: NameNode
) -> None:
    joined: List[int] = []
    actor = actor_of(namenode, store, joined=lambda: joined.append(1))
    namenode.fail("register", StartRefused("another one is served there"))
    with pytest.raises(StartRefused):
        actor.attend()
    assert joined == []
    actor.attend()
    assert joined == [1]


def test_actors_of_two_namenodes_share_what_is_the_datanodes_and_nothing_else(
    store: BlockStore
) -> None:
    """A standby hears of every replica, too; its trouble is not the leader's."""
    namenodes = [NameNode(), NameNode()]
    namenodes[1].session = 500
    leader, standby = [actor_of(namenode, store) for namenode in namenodes]
    first, second = put(store, 1, b"x"), Block(2, 1, 1)
    for actor, namenode in zip((leader, standby), namenodes):
        actor.attend()
        assert listed(namenode) == [first] and namenode.methods() == FIRST_ROUND
    namenodes[1].fail("block_changes", Unavailable("gone"))
    put(store, 2, b"y")
    for actor in (leader, standby):
        actor.tell(RECEIVED, [second])
    assert [namenode.methods() for namenode in namenodes] == [["block_changes"]] * 2
    leader.attend()
    standby.attend()
    assert namenodes[0].methods() == ["heartbeat"] and namenodes[0].session == 101
    assert listed(namenodes[1]) == [first, second]
    assert namenodes[1].methods() == ["register", "block_report", "block_report", "block_changes",
                                      "heartbeat"]
    assert store.volumes.epoch == 5 and store.volumes.cluster_id == "cluster-1"
    leader.stop()
    assert namenodes[0].closed and not namenodes[1].closed
    standby.stop()
