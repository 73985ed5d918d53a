"""A term of the namenode: its namesystem, its housekeeping and its lease together."""

import threading
import time
from random import Random
from types import SimpleNamespace
from typing import Any, Callable, Iterator, List, Optional

import pytest

from data_service.namenode import chores, listening
from data_service.namenode import namenode_core as core_module
from data_service.namenode.chores import Chores
from data_service.namenode.leading.ending import Ending
from data_service.namenode.leading.term import Term
from data_service.namenode.leading.unheard import Unheard
from data_service.namenode.namenode_core import Core
from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.namespace.permissions import Caller
from data_service.namenode.namespace.retries import Op
from data_service.namenode.replicas.redundancy_monitor import RedundancyMonitor
from data_service.namenode.state import State
from data_service.namenode.waiting import Waiter
from data_service.protocol.blocks import Block
from data_service.protocol.nodes import REPORT
from metadata_service.edits import decode
from metadata_service.leader.journal import Journal
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.links.journals import FRAME_BYTES, ModelService, OneWay
from tests.support.models.model_datanodes import node_info, node_stats
from zookeeper.fabric.errors import (
    DiskFull,
    NotEnoughReplicas,
)
from zookeeper.fabric.settings import NameNodeSettings, Settings

ROOT = Caller("root", frozenset(), True)


def _never() -> None:
    raise AssertionError("nobody else wishes to lead")


@pytest.fixture
def service() -> ModelService:
    """An empty namespace."""
    return ModelService()


def claimed(
    settings: Settings, service: ModelService, owner: str, hand_over: Callable[[], None] = _never
) -> Term:
    """A term whose epoch is claimed, of a core that stands by and has everything."""
    ending = Ending(lambda cause: None)
    journal = Journal(OneWay(service), owner, PATIENCE_SECONDS, FRAME_BYTES, ending.set)
    journal.open()
    core = Core(settings, journal.cluster_id, "root")
    core.state.blocks.loaded(time.monotonic())
    core.state.replay(map(decode, service.lines))
    unheard = Unheard(owner, settings.name_node.stale_seconds)
    return Term(
        settings, core, journal, ending, lambda known: None, unheard, hand_over
    )


@pytest.fixture
def term(service: ModelService) -> Iterator[Term]:
    """A term of the only namenode; its journal does not fail."""
    begun = claimed(Settings(), service, "test")
    yield begun
    failure = begun.namesystem.journal.failure
    begun.end()
    assert failure is None


def pauses(term: Term, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Have so much time between two rounds."""
    monkeypatch.setattr(term._housekeeping, "_pause_seconds", seconds)


def test_an_edit_that_nobody_waits_for_becomes_durable(
    service: ModelService, term: Term
) -> None:
    """Two leases ended in one round: the round waited for the last, which had made no edit, so
    the edit of the other stayed in memory, and its blocks on the disks, until the next change."""
    term.begin()

    def mkdir_unawaited(state: Any) -> Outcome:
        return state.mkdir(ROOT, ("client", 1), "/d", False, 0o755, 1, 0.0)._replace(depends=0)

    term.namesystem.change(mkdir_unawaited)
    wait_until(lambda: service.lines, what="the edit is durable")


@pytest.mark.parametrize(
    "owner, method, event",
    [
        (RedundancyMonitor, "tick", "housekeeping.failed"),
        (State, "purge_step", "purge.failed"),
        (Chores, "sweep", "sweep.failed"),
    ],
)
def test_no_error_ends_the_keeping_of_the_house(
    term: Term, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    owner: type, method: str, event: str,
) -> None:  # fmt: skip
    """A namenode whose thread had ended would lead on, and give up no datanode and no lease."""
    rounds: List[int] = []

    def fail(*_args: Any) -> None:
        rounds.append(1)
        raise KeyError("a defect")

    pauses(term, monkeypatch, 0.01)
    monkeypatch.setattr(owner, method, fail)
    term.begin()
    wait_until(lambda: len(rounds) >= 3)
    assert f"{event} error=KeyError" in caplog.text


def test_a_safe_mode_that_lasts_is_told_of_with_its_cause(
    term: Term, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One lost block keeps it on for ever, and the log did not have a word on it."""
    pauses(term, monkeypatch, 0.01)
    term._chores.safe_mode_reminder = chores.Reminder(0.0, 0.01)
    term.begin()
    wait_until(lambda: not term.namesystem.cluster_status().safe_mode)
    caplog.clear()
    term.namesystem.tell_blocks(lambda blocks: blocks.enter_safe_mode())
    wait_until(lambda: caplog.text.count("safe_mode.lasts") >= 2)
    (line, *_) = (one for one in caplog.text.splitlines() if "safe_mode.lasts" in one)
    assert "WARNING" in line and "turned on manually" in line
    assert "blocks=0 missing=0 corrupt=0 live_nodes=0 dead_nodes=0" in line


def test_time_passes_for_datanodes_while_the_disk_of_the_record_hangs(
    service: ModelService, term: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each round waited for it, came late, and so judged nobody: no lost replica was copied."""
    rounds: List[int] = []
    begun, may_end = threading.Event(), threading.Event()
    tick, append = RedundancyMonitor.tick, service.append

    def count(monitor: RedundancyMonitor, now: float, random: Random) -> Any:
        rounds.append(1)
        return tick(monitor, now, random)

    def hang(*args: Any) -> tuple:
        begun.set()
        assert may_end.wait(PATIENCE_SECONDS)
        return append(*args)

    def mkdir_unawaited(state: Any) -> Outcome:
        return state.mkdir(ROOT, ("client", 1), "/d", False, 0o755, 1, 0.0)._replace(depends=0)

    pauses(term, monkeypatch, 0.01)
    monkeypatch.setattr(RedundancyMonitor, "tick", count)
    monkeypatch.setattr(service, "append", hang)
    term.begin()
    try:
        term.namesystem.change(mkdir_unawaited)
        assert begun.wait(PATIENCE_SECONDS)
        before = len(rounds)
        wait_until(lambda: len(rounds) >= before + 3)
    finally:
        may_end.set()
    wait_until(lambda: service.lines, what="the edit is durable")


def test_a_deleted_tree_is_taken_apart_without_pauses(
    term: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One piece in each round of housekeeping took 25 minutes for a million files."""
    term._chores.purge_inodes = 1
    pauses(term, monkeypatch, PATIENCE_SECONDS / 25)
    term.begin()
    for number in range(30):
        op = ("client", number)
        path = f"/d/{number}"
        term.namesystem.change(lambda state: state.mkdir(ROOT, op, path, True, 0o755, 1, 0.0))
    term.namesystem.change(lambda state: state.delete(ROOT, ("client", 99), "/d", True, 1))

    def left(state: Any) -> Outcome:
        return Outcome(len(state.image.inodes), None, 0)

    wait_until(lambda: term.namesystem.read(left) == 2, what="nothing is left but root and orphans")


def mkdir(path: str, op: Optional[Op] = None) -> Callable[[State], Outcome]:
    """The operation."""
    named = op or Op(path, 1)
    return lambda state: state.mkdir(ROOT, named, path, False, 0o755, 1, 0.0)


def test_a_file_that_waits_for_replicas_looks_again_also_when_nobody_reports(term: Term) -> None:
    """A datanode that was given up says nothing; that it was makes the file complete."""
    term.begin()
    attempts: List[State] = []

    def complete(state: State) -> Outcome:
        attempts.append(state)
        if len(attempts) < 3:
            raise NotEnoughReplicas("confirmed by 1 of 2 datanodes")
        return Outcome("done", None, 0)

    assert term.namesystem.change_when_confirmed(complete, Op("client", 1), ()) == "done"


def test_to_ask_the_block_side_is_no_news(
    term: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report for people planned copies, and had every file that waits for replicas look again."""
    term.begin()
    wait_until(lambda: not term.namesystem.cluster_status().safe_mode)
    heard: List[str] = []
    monkeypatch.setattr(RedundancyMonitor, "refill", lambda *_: heard.append("news"))
    writer = Waiter(term.namesystem.lock, frozenset({7}))
    with term.namesystem.lock:
        term.namesystem.core.writers.add(writer)
    assert term.namesystem.ask_blocks(lambda blocks: blocks.census.datanodes(0.0)) == ()
    assert (heard, writer.news) == ([], False)
    term.namesystem.tell_blocks(lambda blocks: None, [Block(6, 1, 1)])
    assert (heard, writer.news) == (["news"], False), "of another file"
    term.namesystem.tell_blocks(lambda blocks: None, [Block(6, 1, 1), Block(7, 1, 1)])
    assert writer.news


def test_a_file_looks_again_when_one_of_its_replicas_came(
    term: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files that waited did so, whatever a datanode told."""
    monkeypatch.setattr(term.namesystem, "_round_seconds", 1e6)
    term.begin()
    attempts: List[int] = []

    def complete(_state: State) -> Outcome:
        attempts.append(len(attempts))
        if len(attempts) < 2:
            raise NotEnoughReplicas("confirmed by 1 of 2 datanodes")
        return Outcome("done", None, 0)

    answers: List[str] = []
    writer = threading.Thread(target=lambda: answers.append(
        term.namesystem.change_when_confirmed(complete, Op("client", 1), [Block(7, 1, 1)])))
    writer.start()
    wait_until(lambda: attempts)
    term.namesystem.tell_blocks(lambda blocks: None, [Block(6, 1, 1)])
    term.namesystem.tell_blocks(lambda blocks: None, [Block(7, 1, 1)])
    writer.join(PATIENCE_SECONDS)
    assert (answers, len(attempts)) == (["done"], 2) and not len(term.namesystem.core.writers)


def test_a_heartbeat_wakes_for_its_own_orders_only(
    term: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 200 datanodes each copy that ended woke 200 threads."""
    monkeypatch.setattr(listening, "WAITING_SLICE_SECONDS", 1e6)
    pauses(term, monkeypatch, 1e6)
    term.begin()
    core, looked = term.namesystem, []
    infos = [node_info(name, cluster_id="") for name in "ab"]
    sessions = [core.tell_blocks(lambda blocks: blocks.register(info, 0.0)) for info in infos]
    orders = term._decisions.orders
    monkeypatch.setattr(term._decisions, "orders",
                        lambda session, now: looked.append(session) or orders(session, now))
    answers: List[Any] = []

    def beat(session: int) -> None:
        answers.append(core.heartbeat(session, node_stats(), 1e6)[1][0].action)

    threads = [threading.Thread(target=beat, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(core.core.heartbeats) == 2)
    for thread, host, woken in zip(threads, "ab", (1, 2)):
        core.tell_blocks(lambda blocks: blocks.want_report(host, 1800))
        with core.lock:
            core.core.wake_ordered()
        thread.join(PATIENCE_SECONDS)
        assert (answers, looked) == ([REPORT] * woken, sessions[:woken])


def test_a_call_that_was_decided_is_not_refused_for_want_of_room(
    service: ModelService, term: Term
) -> None:
    """The first attempt waited for a full disk until its client asked again. DiskFull said that
    nothing was done, and the change was there when the disk had room."""
    term.begin()
    done, new = Op("client", 1), Op("client", 2)
    term.namesystem.change(mkdir("/d", done), done)
    service.room = False
    term.namesystem.journal.confirm()
    assert term.namesystem.change(mkdir("/d", done), done) is None, "it is only repeated"
    for op in (new, None):
        with pytest.raises(DiskFull):
            term.namesystem.change(mkdir("/e", new), op)


def test_nothing_is_tidied_away_while_the_disk_of_the_record_is_nearly_full(
    service: ModelService, term: Term
) -> None:
    """An edit of the namenode's own would end the term as well as a caller's."""
    term.begin()
    term.namesystem.change(mkdir("/d"))
    service.room = False
    wait_until(lambda: not term.namesystem.journal.has_room, what="news of the disk")
    term.namesystem.read(lambda state: state.delete(ROOT, ("client", 2), "/d", True, 2))
    recorded = len(service.lines)
    assert not term._housekeeping.purge_step() and len(service.lines) == recorded
    service.room = True
    wait_until(lambda: len(service.lines) > recorded, what="the purge, when there is room")


def test_what_a_lost_datanode_had_is_looked_for_step_by_step_until_the_end(
    term: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked for with the rounds only, a few of a million blocks each time, or with many of them
    under the lock at once: 60 ms."""
    left = [True] * 5
    monkeypatch.setattr(RedundancyMonitor, "tick", lambda *_: [])
    monkeypatch.setattr(RedundancyMonitor, "sweep", lambda *_: bool(left and left.pop()))
    pauses(term, monkeypatch, 0.01)
    term.begin()
    wait_until(lambda: not left, what="the last step")


def test_long_work_leaves_others_as_much_time_as_it_takes(
    term: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes a lock that he just let go of has it before all who wait for it."""
    pauses(term, monkeypatch, 1e6)
    term.begin()
    moments = iter(range(100))
    slept: List[float] = []
    clock = SimpleNamespace(monotonic=lambda: next(moments) / 100, sleep=slept.append)
    monkeypatch.setattr(core_module, "time", clock)
    work = [lambda: None, lambda: term.namesystem.ask_blocks(lambda blocks: None), lambda: None]

    def step() -> bool:
        work.pop()()
        return bool(work)

    term.namesystem.core.in_slices(step)
    assert slept == [0.01]


def test_a_leader_that_the_datanodes_miss_wants_another_one_to_lead_once(
    service: ModelService,
) -> None:
    wanted: List[str] = []
    settings = Settings(name_node=NameNodeSettings(
        stale_seconds=0.05, replication_interval_seconds=0.02))
    term = claimed(settings, service, "test", lambda: wanted.append("another"))
    term.begin()
    info = node_info("a", cluster_id="")
    term.namesystem.tell_blocks(lambda blocks: blocks.register(info, time.monotonic()))
    rounds: List[str] = []
    look = term._housekeeping._look

    def looked() -> None:
        look()
        rounds.append("one")

    term._housekeeping._look = looked
    wait_until(lambda: len(rounds) > 5)
    assert not wanted
    service.core.wishes.file("another", 1, service.now)
    wait_until(lambda: wanted, what="that it gives way")
    asked = len(rounds)
    wait_until(lambda: len(rounds) > asked + 5)
    assert wanted == ["another"], "once is enough"
    term.end()
