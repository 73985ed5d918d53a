"""What a new leader concludes: the log of the latest epoch is the record, and nobody is given less
than he lacks."""

import dataclasses
import itertools
from random import Random
from typing import Any, Dict, List, Tuple

import pytest

from metadata_service.epochs import EPOCH_MAX, LEAP_MAX
from metadata_service.leader import recovery
from metadata_service.leader.majorities import is_majority
from metadata_service.leader.ring import Ring
from metadata_service.quorum import (
    BEHIND,
    BLANK,
    DAMAGED,
    FULL,
    NOBODY,
    OK,
    START,
    STRANGER,
    Configuration,
    MemberStatus,
    Place,
)
from metadata_service.record.chain import places
from zookeeper.fabric.errors import StartRefused

THREE = Configuration(1, ((("a", "a:1"), ("b", "b:1"), ("c", "c:1")),))


def after(lines: str, behind: Place = START) -> Place:
    """Where a log of these edits, a letter each, stands."""
    return ([behind] + list(places(behind, lines)))[-1]


def status(member_id: str = "a", log_epoch: int = 1, log: str = "", **others: Any) -> MemberStatus:
    """What a member tells that has a log of edits of a letter each, and has applied all of it."""
    last = after(log)
    made = MemberStatus(
        "cluster", member_id, log_epoch, "", log_epoch, 1 if log else 0, last, last, 0, THREE, (),
        True, 0.0, OK,
    )  # fmt: skip
    return made._replace(**others)


def by_address(*statuses: MemberStatus) -> Dict[str, MemberStatus]:
    """Answers from an address each."""
    return {f"{one.member_id}:1": one for one in statuses}


# The epoch, and whose word counts.


def test_the_epoch_is_later_than_any_promised_one() -> None:
    answers = by_address(status("a", promised=4), status("b", promised=9), status("c"))
    assert recovery.next_epoch(answers, 0) == 10
    assert recovery.next_epoch(answers, 500) == 500 and recovery.next_epoch(answers, 3) == 10
    assert recovery.next_epoch(answers, 1 << 40) == 10, "nobody leaps to the end of all numbers"
    assert recovery.next_epoch({}, 0) == 1


@pytest.mark.parametrize("promised", [EPOCH_MAX, 9 + LEAP_MAX + 1])
def test_one_member_that_promised_the_end_of_all_numbers_ends_no_claims(promised: int) -> None:
    """Nobody else would promise what comes behind it."""
    answers = by_address(status("a", promised=promised), status("b", promised=9), status("c"))
    assert recovery.next_epoch(answers, 0) == 10
    del answers["c:1"]
    assert recovery.next_epoch(answers, 0) == 10, "also while one of the others is away"
    blank = status("c", promised=0, state=BLANK)
    assert recovery.next_epoch(by_address(status("a", promised=9), blank), 0) == 10
    many = [status(one, promised=promised - 1) for one in "ab"]
    assert recovery.next_epoch(by_address(*many, status("c", promised=1)), 0) == promised


def test_members_of_two_clusters_are_refused_and_blank_ones_are_of_none() -> None:
    blank = status("c", cluster_id="", state=BLANK)
    assert recovery.cluster_of(by_address(status("a"), blank)) == "cluster"
    assert recovery.cluster_of(by_address(blank)) == ""
    with pytest.raises(StartRefused, match="a:1 of cluster, b:1 of other"):
        recovery.cluster_of(by_address(status("a"), status("b", cluster_id="other")))


@pytest.mark.parametrize("state, counts", [
    (OK, True), (BEHIND, True), (FULL, True), (BLANK, True), (STRANGER, True), (DAMAGED, False),
])  # fmt: skip
def test_who_cannot_read_his_record_says_nothing(state: str, counts: bool) -> None:
    assert ("a" in recovery.counted(by_address(status("a", state=state)))) is counts


def test_those_decide_that_the_configuration_names() -> None:
    """Also who has not stored yet that he is one: otherwise nobody could lead when a leader died
    while it let the first ones begin, or the second ones in."""
    blank = status("b", log_epoch=0, state=BLANK, configuration=NOBODY)
    members = {"a": status("a"), "b": blank, "z": status("z", state=STRANGER)}
    assert recovery.newest_configuration(members) == THREE
    assert set(recovery.deciding(members, THREE)) == {"a", "b"}


def test_one_member_at_two_addresses_is_believed_at_neither() -> None:
    answers = {"a:1": status("a"), "b:1": status("a"), "c:1": status("c")}
    assert list(recovery.counted(answers)) == ["c"]


@pytest.mark.parametrize("known, believed", [
    ((1, 2), True), ((1, 3), False), ((2, 1), False), ((0, 9), True),
])  # fmt: skip
def test_a_disk_that_went_back_in_time_is_left_out(known: Tuple[int, int], believed: bool) -> None:
    old, other = status("a", 1, "xy"), status("b", witness=(("a", *known), ("z", 7, 7)))
    assert ("a" in recovery.counted(by_address(old, other))) is believed
    assert "b" in recovery.counted(by_address(old, other))
    own = status("a", 1, "xy", witness=(("a", 5, 5),))
    assert "a" in recovery.counted(by_address(own)), "its own word is as old as its disk"


def test_the_configuration_of_the_latest_log_counts() -> None:
    later, longer = Configuration(2, ((("b", "b:1"),),)), Configuration(5, THREE.sets)
    members = {
        "a": status("a", 1, "abcdef", configuration=longer),
        "b": status("b", 2, "a", configuration=later),
    }
    assert recovery.newest_configuration(members) == later
    assert recovery.newest_configuration({}) == NOBODY
    members["c"] = status("c", 2, "a", configuration=THREE)
    assert recovery.newest_configuration(members) == later, "of one epoch the later version"


def test_who_never_decided_is_not_asked_for_a_promise_and_who_does_no_more_is() -> None:
    """While three become one, the first who leaves may be the only one that knows of it."""
    hosts = ("a:1", "b:1", "c:1", "d:1")
    alone = Configuration(9, ((("b", "b:1"),),))
    answers = by_address(status("a", state=STRANGER, configuration=alone), status("b"), status("x"))
    answers["c:1"] = answers.pop("x:1")
    assert recovery.without_strangers(hosts, answers) == ["a:1", "b:1", "d:1"]


# A cluster begins.


def test_a_cluster_begins_when_all_hosts_are_there_and_blank() -> None:
    answers = by_address(*[
        status(one, cluster_id="", state=BLANK, configuration=NOBODY) for one in "abc"])
    hosts = list(answers)
    first = recovery.first_configuration(hosts, answers)
    assert first == THREE
    assert recovery.first_cluster_id(first) == recovery.first_cluster_id(
        Configuration(1, (tuple(reversed(first.sets[0])),))), "however they are named in the file"
    assert recovery.first_configuration(hosts + ["d:1"], answers) is None
    assert recovery.first_configuration(hosts, {**answers, "b:1": status("b")}) is None
    twice = {**answers, "b:1": answers["a:1"]}
    assert recovery.first_configuration(hosts, twice) is None


# The record.


def test_the_record_is_the_longest_log_of_the_latest_epoch() -> None:
    """A leader of epoch 2 cut off what one of epoch 1 had left on a single member."""
    members = {"a": status("a", 1, "xyz"), "b": status("b", 2, "x"), "c": status("c", 2, "xq")}
    assert recovery.latest(members).member_id == "c"
    assert recovery.latest({"a": members["a"], "b": members["b"]}).member_id == "b"


def test_the_record_is_read_from_what_everybody_has_applied() -> None:
    log = status("a", 2, "abcdef", applied=after("abcd"))
    members = {"a": log, "b": status("b", 1, "abc", applied=after("ab")), "c": status("c", 1, "x")}
    begins = recovery.bases(members, log)
    assert begins == [after("x"), after("ab"), after("abcd")]
    record = recovery.record_of(log, begins, list("bcdef"), 6)
    assert record is not None and record.last == log.last
    assert record.base == after("ab"), "what c has applied is of another log: it is damaged"
    assert recovery.record_of(log, begins, list("bcdxf"), 6) is None
    assert recovery.record_of(log, begins, list("bcde"), 6) is None


def test_nobody_is_waited_for_who_lacks_more_than_is_kept() -> None:
    long = "e" * (recovery.EDITS_MAX + 5)
    log = status("a", 2, long)
    late, later = status("b", 2, "e" * 5), status("c", 2, "e" * 4)
    assert recovery.bases({"a": log, "b": late, "c": later}, log) == [late.last, log.last]
    pruned = log._replace(first_txid=recovery.EDITS_MAX)
    assert recovery.bases({"a": pruned, "b": late}, pruned) == [log.last]
    nothing_kept = log._replace(first_txid=0)
    assert recovery.bases({"a": nothing_kept, "b": late}, nothing_kept) == [log.last]


@pytest.mark.parametrize("log, applied, expected", [
    ("abcd", "abcd", "abcd"),       # All of it.
    ("abc", "ab", "abc"),           # The last append did not reach it.
    ("abx", "ab", "ab"),            # What another leader left there goes.
    ("abcdx", "ab", "ab"),          # Longer, and wrong.
    ("axx", "axx", None),           # It has applied what is not decided: it is damaged.
    ("", "", None),                 # It lacks more than is kept.
])  # fmt: skip
def test_a_member_goes_on_from_where_its_log_is_the_record(
    log: str, applied: str, expected: Any
) -> None:
    record = Ring(after("a"), list("bcd"))
    member = status("b", 1, log, applied=after(applied))
    found = recovery.resumes_at(member, record)
    assert found == (None if expected is None else after(expected))


def test_a_full_disk_is_spared_what_cannot_have_been_decided() -> None:
    """It has no room to adopt that, and without it nobody could lead."""
    full = {"room": False, "applied": after("xy")}
    members = {"a": status("a", 1, "xy", **full), "b": status("b", 1, "xy", **full),
               "c": status("c", 1, "xyz", applied=after("xy"))}
    assert recovery.spared(THREE, members, members["c"]) == 2
    record = recovery.record_of(members["c"], [after("xy")], ["z"], 2)
    assert record is not None and record.last == after("xy") and not len(record)
    roomy = {one: told._replace(room=True) for one, told in members.items()}
    assert recovery.spared(THREE, roomy, roomy["c"]) == 3, "else it is kept"
    del members["b"]
    assert recovery.spared(THREE, members, members["c"]) == 3, "the third may have it, too"


# All of it together: whatever three members were given, the record has all that was decided.


@dataclasses.dataclass
class Disk:
    """A member of a plain model."""

    log: str = ""
    log_epoch: int = 0
    promised: int = 0


def walk(
    random: Random, latest: Any = recovery.latest, enough: Any = is_majority,
    spared: Any = lambda _configuration, _members, log: log.last.txid,
) -> None:  # fmt: skip
    """Leaders come and go, and each reaches some of the members in each step."""
    disks = {one: Disk() for one in "abc"}
    decided: List[str] = [""]
    letters = itertools.count()
    for epoch in range(1, 8):
        promised = [one for one in disks if random.random() < 0.7]
        for one in promised:
            disks[one].promised = epoch
        members = {
            one: status(one, disks[one].log_epoch, disks[one].log, room=one != "c", applied=START)
            for one in promised}
        if not enough(THREE, set(members)):
            continue
        best = latest(members)
        record = disks[best.member_id].log[: spared(THREE, members, best)]
        assert record.startswith(decided[-1]), "a decided edit is lost"
        for _ in range(random.randint(0, 3)):
            having = set()
            for one in promised:
                disk = disks[one]
                if disk.promised == epoch and random.random() < 0.6:
                    disk.log, disk.log_epoch = record, epoch
                having.update([one] if (disk.log, disk.log_epoch) == (record, epoch) else [])
            if is_majority(THREE, having):
                decided.append(record)
            record += chr(97 + next(letters))


@pytest.mark.parametrize("seed", range(300))
def test_no_leader_loses_what_was_decided(seed: int) -> None:
    walk(Random(seed))


@pytest.mark.parametrize("seed", range(300))
def test_what_full_disks_are_spared_was_never_decided(seed: int) -> None:
    walk(Random(seed), spared=recovery.spared)


def _those_who_answered(_configuration: Any, members: Dict[str, MemberStatus], _log: Any) -> int:
    return sorted(one.last.txid for one in members.values())[(len(members) - 1) // 2]


def _longest(members: Dict[str, MemberStatus]) -> MemberStatus:
    return max(members.values(), key=lambda one: one.last.txid)


def _first(members: Dict[str, MemberStatus]) -> MemberStatus:
    return next(iter(members.values()))


@pytest.mark.parametrize("wrong", [
    {"latest": _longest}, {"latest": _first}, {"enough": lambda _, ids: bool(ids)},
    {"spared": _those_who_answered},
], ids=["longest log", "anybody's log", "less than a majority", "who is away has nothing"])
def test_the_walk_catches_a_leader_that_is_wrong(wrong: Dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="a decided edit is lost"):
        for seed in range(300):
            walk(Random(seed), **wrong)
