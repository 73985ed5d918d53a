"""Members compare their images at one place: what each is asked, and who is told of the others."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, Optional, Tuple

import pytest

from metadata_service.calls import ScrubCalls
from metadata_service.leader import scrub as scrub_module
from metadata_service.leader.claiming import lead
from metadata_service.leader.journal import Journal
from metadata_service.leader.scrub import AHEAD, TRIES, Scrubbing, scrub
from metadata_service.leader.verdict import Verdict
from metadata_service.quorum import DAMAGED
from tests.support.clusters.waiting import wait_until
from tests.support.models.quorum_members import ListMember, ModelWays
from zookeeper.fabric.calls import Call
from zookeeper.fabric.errors import CorruptData, OutOfStep, Unavailable

EPOCH = 3


class Members:
    """Members whose answers to `image_digest` a test gives; `asked` are its txids, of the first."""

    def __init__(self, **answers: Callable[[int], str]) -> None:
        self.asked: List[int] = []
        self.told: List[Tuple[str, str]] = []
        self.calls: Dict[str, ScrubCalls] = {
            name: ScrubCalls(self._perform_of(name, answer)) for name, answer in answers.items()
        }

    def _perform_of(self, name: str, answer: Callable[[int], str]) -> Any:
        def perform(call: Call, args: Tuple[Any, ...], _seconds: Optional[float]) -> Any:
            assert args[0] == EPOCH
            if call.name == "doubt":
                self.told.append((name, args[1]))
                return None
            if name == next(iter(self.calls)):
                self.asked.append(args[1])
            return answer(args[1])

        return perform


def failing(error: Exception) -> Callable[[int], str]:
    """An answer that is none."""

    def answer(_txid: int) -> str:
        raise error

    return answer


def test_members_that_agree_are_left_in_peace() -> None:
    members = Members(a=lambda txid: "x", b=lambda txid: "x", c=lambda txid: "x")
    assert scrub(members.calls, EPOCH, lambda: 7, 3).sound
    assert members.asked == [7] and members.told == []


def test_who_differs_is_told_what_the_others_have() -> None:
    members = Members(a=lambda txid: "x", b=lambda txid: "y", c=lambda txid: "x")
    assert scrub(members.calls, EPOCH, lambda: 7, 3) == ("x", ("b",), ())
    assert members.told == [("b", "x")]


def test_nobody_is_told_when_nobody_can_tell_who_is_right() -> None:
    members = Members(a=lambda txid: "x", b=lambda txid: "y", c=failing(Unavailable("away")))
    assert scrub(members.calls, EPOCH, lambda: 7, 3) == ("", ("a", "b"), ("c",))
    assert members.told == []


def test_one_with_a_damaged_row_has_nothing_to_tell() -> None:
    members = Members(a=lambda txid: "x", b=failing(CorruptData("row")), c=lambda txid: "x")
    assert scrub(members.calls, EPOCH, lambda: 7, 3) == ("x", (), ("b",))


def test_a_record_that_changes_is_met_at_a_later_place() -> None:
    last = iter(range(0, 10_000, 50))

    def moving(txid: int) -> str:
        if txid < AHEAD:
            raise OutOfStep("past it")
        return "x"

    members = Members(a=moving, b=moving)
    assert scrub(members.calls, EPOCH, lambda: next(last), 2).sound
    assert members.asked == [0, 50 + AHEAD]


def test_it_is_given_up_when_the_place_is_always_missed() -> None:
    members = Members(a=failing(OutOfStep("past it")), b=lambda txid: "x")
    assert scrub(members.calls, EPOCH, lambda: 7, 2) == ("", (), ("a", "b"))
    assert members.asked == [7, 7 + AHEAD] * (TRIES // 2) and members.told == []


def test_a_leader_has_its_members_compare_their_images(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [ListMember(name) for name in "abc"]
    members[1].image = "rotten "
    leader = lead(ModelWays(*members), "namenode:1", 0, 20.0, 1 << 20, 5.0)
    try:
        leader.append(1, list("xyz"), 20.0)
        wait_until(lambda: all(one.lines == list("xyz") for one in members))
        assert Scrubbing(leader).now().differing == ("b:1",)
        assert [one.state for one in members] == ["", DAMAGED, ""]
        monkeypatch.setattr(scrub_module, "PERIOD_SECONDS", 0.01)
        members[2].image = "rotten, too"
        members[1].state = members[1].image = ""
        Scrubbing(leader).start()
        wait_until(lambda: members[2].state == DAMAGED)
    finally:
        leader.close()


def test_a_journal_has_its_members_compared_by_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member can stand still at one place only."""
    meeting, met = threading.Barrier(2), []

    def compare(*_args: Any) -> Verdict:
        try:
            meeting.wait(0.3)
        except threading.BrokenBarrierError:
            meeting.reset()
        else:
            met.append("two")
        return Verdict("x", (), ())

    monkeypatch.setattr(scrub_module, "scrub", compare)
    ways = ModelWays(*[ListMember(name) for name in "abc"])
    journal = Journal(ways, "namenode", 20.0, 1 << 20, lambda error: None)
    journal.open()
    try:
        with ThreadPoolExecutor() as pool:
            verdicts = [pool.submit(journal.compare_members) for _ in range(2)]
        assert [verdict.result().sound for verdict in verdicts] == [True, True]
    finally:
        journal.close()
    assert not met
