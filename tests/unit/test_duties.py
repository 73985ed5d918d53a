"""A datanode's contract with one namenode, step by step, with the namenode played by the test."""

import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from data_service.datanode import full_report
from data_service.datanode.duties import Duties
from data_service.datanode.incremental_report import CORRUPT, DELETED, RECEIVED
from data_service.datanode.store.block_store import BlockStore
from data_service.protocol.blocks import Block, unpack_blocks
from data_service.protocol.nodes import DELETE, REPORT, Command, NodeInfo, NodeStats
from tests.support.links.played_namenode import NameNode, duties_of
from tests.support.disks.stores import opened, path_of, put
from zookeeper.fabric.errors import (
    DeadlineExceeded,
    DfsError,
    Fenced,
    InvalidArgument,
    ProtocolViolation,
    SessionExpired,
    Unavailable,
)
from zookeeper.fabric.release import VERSION
from zookeeper.fabric.settings import DataNodeSettings



@pytest.fixture(name="duties")
def _duties(store: BlockStore, namenode: NameNode, obeyed: List[Command]) -> Iterator[Duties]:
    settings = DataNodeSettings(heartbeat_seconds=0.01, block_report_seconds=1000.0, rack="/r")
    made = duties_of(
        namenode, store, lambda command, _holds: obeyed.append(command), settings=settings)
    yield made
    made.stop()


FIRST_ROUND = ["register", "block_report", "block_report", "heartbeat"]


def listed(namenode: NameNode) -> List[Block]:
    """The blocks of all reports."""
    payloads = [args[4] for method, args in namenode.calls if method == "block_report"]
    return [block for payload in payloads for block in unpack_blocks(payload)]


def test_a_datanode_registers_reports_and_beats(
    store: BlockStore, namenode: NameNode, duties: Duties
) -> None:
    block = put(store, 7, b"x")
    duties.attend()
    assert listed(namenode) == [block]
    info = namenode.calls[0][1][0]
    assert info[0] == store.volumes.node_id and info[2:] == ("127.0.0.1", 1801, "/r", "", VERSION)
    told = stats(namenode)
    assert (told.blocks, told.streams, told.failed_volumes) == (1, 3, 0) and told.capacity > 0
    assert namenode.methods() == FIRST_ROUND
    assert store.volumes.cluster_id == "cluster-1" and store.volumes.epoch == 5
    duties.attend()
    assert namenode.methods() == ["heartbeat"]


def test_the_list_is_made_after_the_answer_to_the_empty_first_part(
    store: BlockStore, namenode: NameNode, duties: Duties
) -> None:
    """What was told before that answer must be in the list: the namenode trusts its absence."""
    kept, gone = put(store, 1, b"x"), put(store, 2, b"x")
    late: List[Block] = []

    def report(session: int, report_id: int, part: int, parts: int, payload: bytes,
               digests: bytes = b"") -> None:
        if part == 0:
            assert payload == b""
            late.append(put(store, 3, b"x"))
            duties.tell(RECEIVED, late)
            store.remove(gone)
            duties.tell(DELETED, [gone])

    namenode.answers["block_report"] = report
    duties.attend()
    assert listed(namenode) == [kept, late[0]]


def test_a_report_goes_in_parts_of_one_number(
    store: BlockStore, namenode: NameNode, duties: Duties, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_report, "REPORT_BLOCKS", 3)
    blocks = [put(store, block_id, b"x") for block_id in range(8)]
    duties.attend()
    reports = [args for method, args in namenode.calls if method == "block_report"]
    assert [args[2:4] for args in reports] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert len({args[1] for args in reports}) == 1 and sorted(listed(namenode)) == blocks


def test_damage_is_told_before_the_list_is_silent_about_it(
    tmp_path: Path, store: BlockStore, namenode: NameNode, duties: Duties
) -> None:
    block = put(store, 7, b"x")
    path_of(tmp_path, block).unlink()
    store.mark_corrupt(block, "gone")
    duties.attend()
    assert [method for method, _ in namenode.calls] == [
        "register", "block_report", "block_changes", "block_report", "heartbeat"]
    assert namenode.calls[2][1][1:] == ((), (), (block,), ()) and listed(namenode) == []


def test_changes_are_told_at_once(namenode: NameNode, duties: Duties) -> None:
    duties.attend()
    namenode.calls.clear()
    duties.tell(RECEIVED, [Block(1, 1, 1)])
    duties.tell(CORRUPT, [Block(2, 1, 1)])
    assert [args[1:] for _, args in namenode.calls] == [
        ((Block(1, 1, 1),), (), (), ()), ((), (), (Block(2, 1, 1),), ())]


def test_changes_are_kept_before_the_first_registration(
    namenode: NameNode, duties: Duties
) -> None:
    duties.tell(DELETED, [Block(1, 1, 1)])
    assert namenode.calls == []
    duties.attend()
    assert namenode.methods() == FIRST_ROUND[:3] + ["block_changes", "heartbeat"]


@pytest.mark.parametrize("error", [Unavailable("gone"), DeadlineExceeded("late"),
                                   SessionExpired("who?")])
def test_a_change_of_unknown_fate_ends_the_session(
    namenode: NameNode, duties: Duties, error: DfsError
) -> None:
    """The call may still run, after a newer one; in a session that ended it changes nothing."""
    duties.attend()
    namenode.methods()
    namenode.fail("block_changes", error)
    duties.tell(RECEIVED, [Block(1, 1, 1)])
    with pytest.raises(SessionExpired):
        duties._beat()
    duties.attend()
    assert namenode.methods() == ["block_changes"] + FIRST_ROUND[:3] + [
        "block_changes", "heartbeat"]
    assert namenode.session == 102


def test_a_change_that_is_refused_is_not_repeated_for_ever(
    namenode: NameNode, duties: Duties
) -> None:
    duties.attend()
    namenode.fail("block_changes", InvalidArgument("no"))
    duties.tell(DELETED, [Block(1, 1, 1)])
    namenode.methods()
    duties.attend()
    assert namenode.methods() == FIRST_ROUND[1:]


def test_a_report_without_an_answer_goes_on_where_it_was(
    store: BlockStore, namenode: NameNode, duties: Duties, monkeypatch: pytest.MonkeyPatch
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
            duties.attend()
    duties.attend()
    assert parts == [0, 0, 1, 1, 2, 2, 3, 3] and set(listed(namenode)) == set(blocks)
    assert len({args[1] for method, args in namenode.calls if method == "block_report"}) == 1


def test_a_report_that_was_refused_is_sent_again_as_a_new_one(
    namenode: NameNode, duties: Duties
) -> None:
    """HDFS-12914: a report was dropped, and the next one came six hours later."""
    namenode.fail("block_report", ProtocolViolation("overtaken"))
    with pytest.raises(ProtocolViolation):
        duties.attend()
    duties.attend()
    ids = [args[1] for method, args in namenode.calls if method == "block_report"]
    assert len(ids) == 3 and ids[0] < ids[1] == ids[2]


def test_an_older_namenode_commands_nothing(
    store: BlockStore, namenode: NameNode, duties: Duties, obeyed: List[Command]
) -> None:
    """HDFS-1972: two namenodes chose different victims, and all copies went."""
    duties.attend()
    command = Command(DELETE, (Block(1, 1, 1),), ())
    namenode.answers["heartbeat"] = lambda *args: (4, (command,))
    with pytest.raises(Fenced):
        duties.attend()
    assert obeyed == []
    assert namenode.calls[-1] == ("epoch_known", (5,)), "its record may be a restored backup"
    assert not duties.leads
    namenode.answers["heartbeat"] = lambda *args: (6, (command,))
    duties.attend()
    assert repr(obeyed) == repr([command]) and store.volumes.epoch == 6
    namenode.answers["register"] = lambda info: (1, 5, "cluster-1")
    duties.session = 0
    with pytest.raises(Fenced):
        duties.attend()


def test_an_order_holds_as_long_as_the_session_that_it_was_given_in(
    store: BlockStore, namenode: NameNode
) -> None:
    """HDFS-1972: the namenode has dropped the orders of a datanode that registered again."""
    orders: List[Callable[[], bool]] = []
    duties = duties_of(namenode, store, lambda _command, holds: orders.append(holds))
    namenode.answers["heartbeat"] = lambda *_args: (5, (Command(DELETE, (Block(1, 1, 1),), ()),))
    duties.attend()
    duties.attend()
    assert [holds() for holds in orders] == [True, True]
    namenode.fail("block_changes", Unavailable("gone"))
    duties.tell(RECEIVED, [Block(2, 1, 1)])
    assert [holds() for holds in orders] == [False, False]
    duties.attend()
    assert [holds() for holds in orders] == [False, False, True]
    duties.stop()


def test_commands(namenode: NameNode, duties: Duties, obeyed: List[Command]) -> None:
    duties.attend()
    orders = (Command("dance", (), ()), Command(REPORT, (), ()), Command(DELETE, (), ()))
    namenode.answers["heartbeat"] = lambda *args: (5, orders)
    duties.attend()
    assert [command.action for command in obeyed] == [DELETE]
    namenode.methods()
    del namenode.answers["heartbeat"]
    duties.attend()
    assert namenode.methods() == FIRST_ROUND[1:]


def stats(namenode: NameNode) -> NodeStats:
    """What the last heartbeat told."""
    return NodeStats(*namenode.calls[-1][1][1])


def test_a_datanode_tells_its_release_and_for_how_long_it_runs(
    namenode: NameNode, duties: Duties, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duties._description, "_started", time.monotonic() - 100.0)
    duties.attend()
    (info,) = next(arguments for name, arguments in namenode.calls if name == "register")
    assert NodeInfo(*info).version == VERSION and stats(namenode).uptime_seconds >= 100


def test_a_failed_volume_is_reported_at_once(
    tmp_path: Path, namenode: NameNode
) -> None:
    store = opened(tmp_path / "a", tmp_path / "b")
    duties = duties_of(namenode, store)
    put(store, 1, b"x")
    duties.attend()
    lost = [volume for volume in store.volumes.working if any(volume.scan())]
    namenode.methods()
    lost[0].fail("pulled out")
    duties.attend()
    assert listed(namenode) == [] and stats(namenode).failed_volumes == 1
    assert namenode.methods() == FIRST_ROUND[1:]
    store.volumes.working[0].fail("pulled out, too")
    duties.attend()
    assert stats(namenode)[:6] == (0, 0, 0, 0, 3, 2)
    store.close()


def test_no_error_ends_the_heartbeat(
    namenode: NameNode, duties: Duties, caplog: pytest.LogCaptureFixture
) -> None:
    """The origin's datanodes fell silent for ever at their first exception."""
    beats = threading.Semaphore(0)

    def beat(*_args: Any) -> Any:
        beats.release()
        raise ValueError("a defect")

    namenode.answers["heartbeat"] = beat
    duties.start(False)
    for _ in range(3):
        assert beats.acquire(timeout=60)
    assert "actor.failed" in caplog.text and "ValueError" in caplog.text


def test_a_session_that_expired_is_opened_again(namenode: NameNode, duties: Duties) -> None:
    beats = threading.Semaphore(0)

    def beat(session: int, *_args: Any) -> Any:
        beats.release()
        if session == 101:
            raise SessionExpired("restarted")
        return 5, ()

    namenode.answers["heartbeat"] = beat
    duties.start(False)
    for _ in range(3):
        assert beats.acquire(timeout=60)
    assert namenode.session == 102
    duties.stop()
    assert namenode.closed


def test_a_report_that_is_asked_for_while_one_runs_follows_it(
    namenode: NameNode, duties: Duties
) -> None:
    """It was forgotten for six hours: the one that ran was made before whatever happened."""
    def ask(*args: Any) -> None:
        duties.report_again()
        del namenode.answers["block_report"]

    namenode.answers["block_report"] = ask
    duties.attend()
    namenode.methods()
    duties.attend()
    assert namenode.methods().count("block_report") == 2
    duties.attend()
    assert namenode.methods() == ["heartbeat"]


def test_duties_for_two_namenodes_share_what_is_the_datanodes_and_nothing_else(
    store: BlockStore
) -> None:
    """A standby hears of every replica, too; its trouble is not the leader's."""
    namenodes = [NameNode(), NameNode()]
    namenodes[1].session = 500
    leader, standby = [duties_of(namenode, store) for namenode in namenodes]
    first, second = put(store, 1, b"x"), Block(2, 1, 1)
    for duties, namenode in zip((leader, standby), namenodes):
        duties.attend()
        assert listed(namenode) == [first] and namenode.methods() == FIRST_ROUND
    namenodes[1].fail("block_changes", Unavailable("gone"))
    put(store, 2, b"y")
    for duties in (leader, standby):
        duties.tell(RECEIVED, [second])
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
