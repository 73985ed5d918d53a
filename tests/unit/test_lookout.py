"""The threads of a namenode that stands by: they look at every member until nobody leads."""

import threading
from itertools import count
from random import Random
from typing import Iterator, List

import pytest

from data_service.namenode.leading import lookout as module
from data_service.namenode.leading.candidacy import Candidacy
from data_service.namenode.leading.each_member import ASKED_MAX
from data_service.namenode.leading.lookout import Lookout
from metadata_service.quorum import Configuration
from tests.support.clusters.waiting import wait_until
from tests.support.models.plain_members import PlainMembers
from zookeeper.fabric.errors import Unavailable


class Watch:
    """A lookout of three members, and what it told."""

    def __init__(self) -> None:
        self.members = PlainMembers("abc")
        self.vacant: List[int] = []
        self.leaders: List[str] = []
        self.missed_by = 0
        candidacy = Candidacy("n:0", ("n:0", "n:1"), 3, 1.5, Random(0))
        self.lookout = Lookout(
            candidacy, self.members, self.vacant.append, self._changed, lambda: self.missed_by
        )

    def _changed(self) -> None:
        self.leaders.append(self.lookout.leader)

    def lead(self, owner: str, silent_seconds: float = 0.0) -> None:
        """Somebody has proved himself everywhere so long ago."""
        for member in self.members.members.values():
            member.owner, member.silent_seconds = f"{owner} nonce", silent_seconds


@pytest.fixture(name="watch")
def _watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    watch = Watch()
    yield watch
    watch.lookout.rest()


def test_it_tells_once_in_a_candidacy_that_nobody_leads(watch: Watch) -> None:
    watch.lookout.campaign(4)
    wait_until(lambda: watch.vacant == [4])
    wait_until(lambda: "lookout" not in [one.name for one in threading.enumerate()])
    assert watch.vacant == [4], "it told it once, and looks no more"
    watch.lookout.campaign(5)
    wait_until(lambda: watch.vacant == [4, 5])


def test_it_tells_who_leads_and_waits_until_nobody_does(watch: Watch) -> None:
    watch.lead("n:1")
    watch.lookout.campaign(0)
    wait_until(lambda: watch.leaders == ["n:1"])
    asked = watch.members.times("status")
    wait_until(lambda: watch.members.times("status") > asked + 9)
    assert not watch.vacant
    watch.lead("n:1", 1e9)
    wait_until(lambda: watch.vacant == [0])
    assert watch.leaders == ["n:1", ""]


def test_a_member_that_is_away_or_breaks_keeps_nobody_from_leading(watch: Watch) -> None:
    watch.members.of("a").error = Unavailable("away")
    watch.members.of("b").error = KeyError("a defect")
    watch.lookout.campaign(0)
    wait_until(lambda: watch.members.times("status") > 9)
    assert not watch.vacant and watch.lookout.trouble.startswith("waits for the metadata service")
    watch.members.of("b").error = None
    wait_until(lambda: watch.vacant == [0])
    assert watch.lookout.trouble == ""


def test_who_rests_claims_nothing(watch: Watch) -> None:
    watch.lead("n:1")
    watch.lookout.campaign(0)
    wait_until(lambda: watch.members.times("status") > 3)
    watch.lookout.rest()
    watch.lead("n:1", 1e9)
    wait_until(lambda: "lookout" not in [one.name for one in threading.enumerate()])
    assert not watch.vacant


def test_a_later_candidacy_takes_the_place_of_an_earlier_one(watch: Watch) -> None:
    watch.lead("n:1")
    for number in range(3):
        watch.lookout.campaign(number)
    watch.lead("n:1", 1e9)
    wait_until(lambda: watch.vacant == [2])
    assert "n:0" in repr(watch.lookout)


def test_members_that_config_ini_does_not_name_any_more_are_asked_too(watch: Watch) -> None:
    watch.members.addresses = watch.members.addresses[:1]
    watch.lookout.campaign(0)
    wait_until(lambda: watch.vacant == [0])


def test_while_datanodes_miss_the_leader_each_member_is_told_so(watch: Watch) -> None:
    watch.lead("n:1")
    watch.lookout.campaign(0)
    wait_until(lambda: watch.members.times("status") > 9)
    assert not watch.members.times("wish")
    watch.missed_by = 2
    wait_until(lambda: watch.members.times("wish") > 6)
    assert {member.wish_of for member in watch.members.members.values()} == {("n:0", 2)}
    watch.missed_by = 0
    wait_until(lambda: not watch.lookout._count)
    asked = watch.members.times("status")
    wait_until(lambda: watch.members.times("status") > asked + 9)
    wished = watch.members.times("wish")
    wait_until(lambda: watch.members.times("status") > asked + 18)
    assert watch.members.times("wish") == wished


def test_who_hears_of_no_leader_wishes_nothing_of_him(watch: Watch) -> None:
    watch.missed_by = 2
    watch.members.of("a").error = watch.members.of("b").error = Unavailable("away")
    watch.lookout.campaign(0)
    wait_until(lambda: watch.members.times("status") > 18)
    assert not watch.members.times("wish")


def test_what_was_missed_of_one_leader_is_not_said_of_the_next(watch: Watch) -> None:
    watch.lead("n:1")
    watch.missed_by = 2
    watch.lookout.campaign(0)
    wait_until(lambda: watch.lookout._count == 2)
    watch.lead("n:1", silent_seconds=99.0)
    wait_until(lambda: not watch.lookout.leader and not watch.lookout._count)


def test_a_member_that_names_ever_more_others_has_few_of_them_asked(watch: Watch) -> None:
    """Each is asked by a thread of its own; a stolen key would have them by the thousand."""
    watch.lead("n:1")
    liar = watch.members.of("a")
    named = count()

    def status() -> tuple:
        others = tuple((f"{next(named)}", f"x:{next(named)}") for _ in range(50))
        liar.configuration = Configuration(1, (others,))
        return real()

    real, liar.status = liar.status, status  # type: ignore[method-assign]
    watch.lookout.campaign(0)
    wait_until(lambda: next(named) > 500)
    threads = [one for one in threading.enumerate() if one.name == "lookout"]
    assert 3 < len(threads) <= ASKED_MAX


def test_why_nobody_can_lead_is_told(watch: Watch) -> None:
    for name in "bc":
        watch.members.of(name).configuration = Configuration(0, ())
        watch.members.of(name).name = f"new-{name}"
    watch.lookout.campaign(1)
    wait_until(lambda: watch.lookout.trouble == "waits for most of those metadata services that "
               "decide: b:1 (disk b), c:1 (disk c)")
    assert watch.vacant == []
