"""When a namenode that stands by claims, by what the members tell it."""

from math import inf
from random import Random
from typing import Any, Dict, Tuple

import pytest

from data_service.namenode.leading.candidacy import (
    CHANCE_SECONDS,
    FORGET_SECONDS,
    RANK_SECONDS,
    Candidacy,
)
from metadata_service.quorum import BLANK, NOBODY, OK, START, Configuration, MemberStatus, Place

LEADER_SECONDS = 1.0
SILENT = 1.2
"""Longer than any proof of a leader lasts."""

NAME_NODES = ("n:0", "n:1", "n:2")


def members(names: str, version: int = 1) -> Configuration:
    """One set of members that are named by letters."""
    return Configuration(version, (tuple((name, f"{name}:1") for name in names),))


def status(
    name: str, silent: float, owner: str = "n:0 x", **other: Any
) -> MemberStatus:
    """What a member of three tells, and how long a leader has been silent there."""
    usual = MemberStatus(
        "cluster", name, 5, owner, 5, 1, Place(9, "d"), Place(9, "d"), 9, members("abc"), (),
        True, silent, OK,
    )  # fmt: skip
    return usual._replace(**other)


def blank(name: str) -> MemberStatus:
    """What one tells that has no record yet."""
    return status(
        name, inf, "", cluster_id="", promised=0, log_epoch=0, last=START, configuration=NOBODY,
        state=BLANK,
    )  # fmt: skip


def candidacy(own: int = 1, name_nodes: Tuple[str, ...] = NAME_NODES, count: int = 3) -> Candidacy:
    """Of the namenode with this index, which has heard nothing yet."""
    return Candidacy(name_nodes[own], name_nodes, count, LEADER_SECONDS, Random(1))


def claims(
    one: Candidacy, told: Dict[str, MemberStatus], now: float = 0.0, late: float = 2.0
) -> bool:
    """Whether it claims when this is what all members tell, for `late` seconds."""
    claimed = False
    for moment in (now, now + late):
        for name, known in told.items():
            one.heard(f"{name}:1", known, moment)
        claimed = one.claims(moment)
    return claimed


def test_a_majority_that_heard_no_leader_is_enough() -> None:
    assert claims(candidacy(), {name: status(name, SILENT) for name in "abc"})
    assert claims(candidacy(), {name: status(name, SILENT) for name in "ab"})
    assert claims(candidacy(), {"a": status("a", 0.1), "b": status("b", SILENT),
                                "c": status("c", SILENT)})  # fmt: skip


@pytest.mark.parametrize("told", [
    {},
    {"a": status("a", SILENT)},
    {"a": status("a", SILENT), "b": status("b", 1.05)},
    {"a": status("a", SILENT), "b": status("b", 0.1), "c": status("c", 0.1)},
    {"a": status("a", SILENT), "x": status("x", SILENT), "y": status("y", SILENT)},
])  # fmt: skip
def test_less_than_a_majority_is_not(told: Dict[str, MemberStatus]) -> None:
    """Nor a leader that was heard a moment ago, nor members that decide nothing."""
    assert not claims(candidacy(), told)


def test_majorities_of_both_sets_are_needed_while_members_change() -> None:
    joint = Configuration(2, members("abc").sets + members("cde").sets)
    told = {name: status(name, SILENT) for name in "abc"}
    told["c"] = status("c", SILENT, configuration=joint)
    assert not claims(candidacy(), told)
    told["d"] = status("d", SILENT)
    assert claims(candidacy(), told)


def test_the_configuration_of_the_newest_log_counts_whatever_its_version() -> None:
    told = {name: status(name, SILENT, log_epoch=6, configuration=members("abc", 1))
            for name in "ab"}  # fmt: skip
    told["x"] = status("x", SILENT, log_epoch=5, configuration=members("xyz", 9))
    assert claims(candidacy(), told)
    told["x"] = status("x", SILENT, log_epoch=7, configuration=members("xyz", 9))
    assert not claims(candidacy(), told)


def test_what_a_member_told_long_ago_counts_for_nothing() -> None:
    one = candidacy()
    for name in "ab":
        one.heard(f"{name}:1", status(name, SILENT), 0.0)
    assert not one.claims(0.0) and one.claims(1.0)
    assert not one.claims(FORGET_SECONDS + 0.1)


def test_a_leader_that_is_heard_again_ends_the_wait() -> None:
    one = candidacy(own=2)
    for moment, silence, expected in (
        (0.0, SILENT, False), (0.1, 0.1, False), (0.5, SILENT, False),
        (0.5 + RANK_SECONDS - 0.01, SILENT, False),
        (0.5 + RANK_SECONDS + CHANCE_SECONDS, SILENT, True),
    ):  # fmt: skip
        for name in "abc":
            one.heard(f"{name}:1", status(name, silence), moment)
        assert one.claims(moment) == expected, moment


def test_the_next_one_behind_the_last_leader_goes_first_and_that_one_itself_last() -> None:
    """And so it goes round."""
    for last, ranks in (("n:0 x", (2, 0, 1)), ("n:1 x", (1, 2, 0)), ("n:2 x", (0, 1, 2)),
                        ("elsewhere:1 x", (0, 1, 2))):  # fmt: skip
        for own, rank in enumerate(ranks):
            told = {name: status(name, SILENT, last) for name in "abc"}
            least = RANK_SECONDS * rank
            assert not rank or not claims(candidacy(own), told, late=least - 0.01)
            assert claims(candidacy(own), told, late=least + CHANCE_SECONDS)


def test_who_was_the_last_leader_itself_is_not_waited_for() -> None:
    """As after a restart: whoever listened at its address is gone."""
    told = {name: status(name, 0.1, "n:0 earlier") for name in "abc"}
    one = candidacy(own=0)
    assert claims(one, told) and one.leader(2.0) == ""
    assert not claims(candidacy(own=1), told)


def test_who_handed_over_lets_others_go_first_for_a_while() -> None:
    one = candidacy(own=0)
    one.begin(5.0)
    released = {name: status(name, inf) for name in "abc"}
    assert not claims(one, released, now=0.0, late=4.9)
    assert claims(one, released, now=5.0)


def test_who_handed_over_stands_by_as_any_other_once_that_one_leads() -> None:
    one = candidacy(own=0)
    one.begin(5.0)
    assert not claims(one, {name: status(name, inf) for name in "abc"}, now=0.1, late=0.1)
    led = {name: status(name, 0.0, "n:1 y", promised=6) for name in "abc"}
    assert not claims(one, led, now=0.3)
    assert claims(one, {name: status(name, inf, "n:1 y", promised=6) for name in "abc"}, now=2.4)


def test_a_leader_that_was_heard_before_the_term_is_none_that_took_over() -> None:
    one = candidacy(own=0)
    one.heard("a:1", status("a", 0.0, "n:1 y", promised=4), 0.0)
    one.heard("b:1", status("b", 0.0, "n:1 y", promised=4), 0.0)
    one.begin(5.0)
    assert not claims(one, {"a": status("a", inf)}, now=0.2, late=1.0)
    assert not claims(one, {name: status(name, inf) for name in "abc"}, now=1.5, late=1.0)


def test_the_only_namenode_claims_at_once() -> None:
    told = {name: status(name, 0.1, "n:0 earlier") for name in "abc"}
    assert claims(candidacy(0, ("n:0",)), told, late=0.0)


def test_at_the_very_first_start_all_members_must_be_there_and_blank() -> None:
    told = {name: blank(name) for name in "abc"}
    assert claims(candidacy(), told)
    assert not claims(candidacy(), {name: blank(name) for name in "ab"})
    told["c"] = status("c", SILENT, configuration=NOBODY)
    assert not claims(candidacy(), told), "one that was used elsewhere"


def test_one_that_has_a_record_is_followed_rather_than_many_blank_ones() -> None:
    assert not claims(candidacy(), {"a": status("a", SILENT), "b": blank("x"), "c": blank("y")})


def test_who_leads_is_seen() -> None:
    one = candidacy()
    assert one.leader(0.0) == ""
    one.heard("a:1", status("a", 0.1, "n:2 x", promised=6), 0.0)
    one.heard("b:1", status("b", 0.1, "n:0 x", promised=5), 0.0)
    assert one.leader(0.0) == "n:2"
    one.heard("a:1", status("a", SILENT, "n:2 x", promised=6), 0.0)
    assert one.leader(0.0) == "n:0"
    assert one.leader(FORGET_SECONDS + 1.0) == ""
    assert "n:1" in repr(one)


def test_who_is_missed_of_those_that_decide_is_named_while_they_are_no_majority() -> None:
    one = candidacy()
    assert one.missing(0.0) == (), "nobody has said yet who decides"
    one.heard("a:1", status("a", SILENT), 0.0)
    assert one.missing(0.0) == ("b:1 (disk b)", "c:1 (disk c)")
    one.heard("b:1", status("z", SILENT, configuration=NOBODY), 0.0)
    assert one.missing(0.0) == ("b:1 (disk b)", "c:1 (disk c)"), "another disk is at its address"
    one.heard("c:1", status("c", 0.1), 0.0)
    assert one.missing(0.0) == (), "whoever leads, these can decide"
    assert one.missing(FORGET_SECONDS + 0.1) == ()


def test_a_restored_record_says_who_decides_whoever_was_left_over() -> None:
    one = candidacy()
    one.heard("c:1", status("c", SILENT), 0.0)
    alone = members("r")
    one.heard("a:1", status("r", SILENT, promised=70000, log_epoch=70000, configuration=alone), 0.0)
    assert one.missing(0.0) == ()
    assert claims(one, {"a": status("r", SILENT, promised=70000, log_epoch=70000,
                                    configuration=alone)})
