"""How members change: who is wanted, and the two steps, each only when it cannot lose anything."""

from typing import Dict, Mapping, Optional, Sequence

import pytest

from metadata_service.leader.joint_change import (
    BEHIND_MAX,
    JOINT_SECONDS_MAX,
    Joint,
    Members,
    Wanted,
    followed,
    next_configuration,
    wanted,
)
from metadata_service.quorum import NOBODY, OK, Configuration, MemberStatus, Place

HOSTS = ("a:1", "b:1", "c:1")
A, B, C = ("1", "a:1"), ("2", "b:1"), ("3", "c:1")
NEW_C = ("4", "c:1")
OLD = Configuration(5, ((A, B, C),))
JOINT = Configuration(6, ((A, B, C), (A, B, NEW_C)))


def status(member_id: str, state: str = OK, cluster_id: str = "cluster") -> MemberStatus:
    """What a member tells that has come to edit 10."""
    place = Place(10, "x")
    return MemberStatus(cluster_id, member_id, 1, "", 1, 1, place, place, 10, NOBODY, (), True, 0.0,
                        state)


def wanted_of(
    statuses: Mapping[str, MemberStatus],
    hosts: Sequence[str] = HOSTS,
    configuration: Configuration = OLD,
) -> Wanted:
    """Who is wanted, when these addresses answer so."""
    return wanted(configuration, "cluster", hosts, statuses)


def answers(**others: MemberStatus) -> Dict[str, MemberStatus]:
    """What the three hosts say, but for some."""
    usual = {"a": status("1"), "b": status("2"), "c": status("3"), **others}
    return {f"{host}:1": usual[host] for host in usual}


def test_all_stays_when_all_are_there_or_do_not_answer() -> None:
    for statuses in (answers(), {}, {"a:1": status("1")}):
        assert wanted_of(statuses) == ((A, B, C), "")


def test_another_disk_at_an_address_takes_the_place_of_the_one_before() -> None:
    found = wanted_of(answers(c=status("4", "stranger")))
    assert found == ((A, B, NEW_C), "")


def test_another_disk_waits_where_config_ini_says_so_and_nothing_else_does() -> None:
    found = wanted(OLD, "cluster", HOSTS, answers(c=status("4", "stranger")), admits=False)
    assert found == ((A, B, C), "c:1 has another disk, 4, and admit_new_disks is no")
    assert wanted(OLD, "cluster", HOSTS, answers(), admits=False) == ((A, B, C), "")
    alone = Configuration(1, ((A,),))
    assert wanted(alone, "cluster", HOSTS, answers(), admits=False).members == (A, B, C)
    moved = {"a:1": status("2"), "b:1": status("1")}
    swapped = (("2", "a:1"), ("1", "b:1"))
    assert wanted(OLD, "cluster", HOSTS[:2], moved, admits=False).members == swapped


@pytest.mark.parametrize(
    "found, words",
    [
        (status("4", "blank", ""), "c:1 is filling"),
        (status("4", "damaged"), "c:1 is damaged"),
        (status("4", "full"), "c:1 is full"),
        (status("4", cluster_id="foreign"), "another cluster, foreign"),
        (status("1"), "c:1 and a:1 are one member"),
    ],
)
def test_nobody_else_is_admitted_as_long_as_he_cannot_take_part(
    found: MemberStatus, words: str
) -> None:
    members, waits_for = wanted_of(answers(c=found))
    assert members == (A, B, C) and words in waits_for


@pytest.mark.parametrize("state", ["damaged", "full", "behind"])
def test_a_member_in_trouble_stays_one(state: str) -> None:
    assert wanted_of(answers(c=status("3", state))) == ((A, B, C), "")


def test_members_grow_only_when_all_new_ones_answer() -> None:
    alone = Configuration(1, ((A,),))
    members, waits_for = wanted_of({"a:1": status("1"), "b:1": status("2")}, configuration=alone)
    assert members == (A,) and waits_for == "c:1 does not answer"
    assert wanted_of(answers(), configuration=alone).members == (A, B, C)


def test_members_shrink_and_a_member_moves() -> None:
    assert wanted_of({}, hosts=("a:1",)) == ((A,), "")
    moved = {**answers(), "d:1": status("3")}
    assert wanted_of(moved, hosts=("a:1", "b:1", "d:1")).members == (A, B, ("3", "d:1"))


def step(
    configuration: Configuration,
    members: Members,
    acknowledged: Sequence[int],
    noted_txid: Optional[int] = None,
    seconds: float = 0.0,
) -> Optional[Configuration]:
    """The next configuration; the numbers are of the members 1, 2, 3 and 4; -1 is none."""
    by_id = {str(number): txid for number, txid in enumerate(acknowledged, 1) if txid >= 0}
    is_joint = len(configuration.sets) == 2
    joint = Joint(configuration.version, 50.0, noted_txid) if is_joint else None
    return next_configuration(configuration, members, by_id, joint, 50.0 + seconds)


def noted(
    joint: Optional[Joint], stored: Sequence[int], last_txid: int = 10, now: float = 0.0,
    configuration: Configuration = JOINT,
) -> Optional[Joint]:  # fmt: skip
    """What is noted when the members 1, 2, 3 and 4 have stored these versions."""
    versions = {str(number): version for number, version in enumerate(stored, 1)}
    return followed(joint, configuration, versions, last_txid, now)


def test_nothing_happens_while_the_members_are_those_wanted() -> None:
    assert step(OLD, (C, B, A), (10, 10, 10, -1)) is None


def test_the_first_step_has_both_sets() -> None:
    assert step(OLD, (A, B, NEW_C), (10, 10, -1, 10)) == JOINT


@pytest.mark.parametrize("new", [-1, 0, 4999])
def test_it_waits_for_new_members_to_catch_up(new: int) -> None:
    last = BEHIND_MAX + 5000
    assert step(OLD, (A, B, NEW_C), (last, last, 0, new)) is None
    assert step(OLD, (A, B, NEW_C), (last, last, 0, 5000)) == JOINT


def test_two_sets_are_noted_from_the_beginning_and_once_they_are_known() -> None:
    begun = noted(None, (6, 5, 5, 5), 10, 3.0)
    assert begun == Joint(6, 3.0, None) == noted(begun, (6, 5, 5, 5), 11, 4.0)
    known = noted(begun, (6, 6, 5, 5), 12, 5.0)
    assert known == Joint(6, 3.0, 12) == noted(known, (6, 6, 6, 6), 13, 6.0)
    assert noted(known, (6, 6, 6, 6), 13, 7.0, OLD) is None
    later = Configuration(8, JOINT.sets)
    assert noted(known, (6, 6, 6, 6), 13, 8.0, later) == Joint(8, 8.0, None)


@pytest.mark.parametrize("stored", [(6, 0, 0, 6), (0, 0, 6, 6), (6, 5, 5, 5), (6, 0, 6, 0)])
def test_two_sets_are_not_known_before_majorities_of_both_have_stored_them(
    stored: Sequence[int]
) -> None:
    joint = noted(None, stored)
    assert joint is not None and joint.noted_txid is None


def test_new_members_go_on_alone_when_majorities_know_and_have_what_was_sent_before() -> None:
    assert step(JOINT, (A, B, NEW_C), (10, 10, 10, 10)) is None
    assert step(JOINT, (A, B, NEW_C), (10, 10, -1, 9), 10) == (7, ((A, B, NEW_C),))
    assert step(JOINT, (A, B, NEW_C), (10, 9, 10, 9), 10) is None
    assert step(JOINT, (A, B, NEW_C), (10, 9, 10, 9), 9) == (7, ((A, B, NEW_C),))
    assert step(JOINT, (A, B, NEW_C), (-1, -1, -1, -1), 0) is None


def test_what_the_only_member_may_have_applied_unheard_is_waited_for() -> None:
    growing = Configuration(2, ((A,), (A, B, C)))
    joint = noted(None, (2, 2, 2), 11, 0.0, growing)
    heard = {"1": 10, "2": 10, "3": 10}
    assert next_configuration(growing, (A, B, C), heard, joint, 1.0) is None
    heard.update({"2": 11, "3": 11})
    assert next_configuration(growing, (A, B, C), heard, joint, 1.0) == (3, ((A, B, C),))


def test_the_old_ones_go_on_without_new_ones_that_do_not_agree() -> None:
    for noted_txid in (None, 10):
        lacking = (A, B, NEW_C), (10, 9, 10, 9), noted_txid
        assert step(JOINT, *lacking, JOINT_SECONDS_MAX) is None
        assert step(JOINT, *lacking, JOINT_SECONDS_MAX + 1) == (7, ((A, B, C),))


def test_a_member_comes_in_at_another_address_by_the_same_two_steps() -> None:
    moved = ("3", "d:1")
    assert step(OLD, (A, B, moved), (10, 10, 10)) == (6, ((A, B, C), (A, B, moved)))
