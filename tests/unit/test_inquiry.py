"""What all members are asked at once: how they fare."""

from data_service.namenode.leading.inquiry import ask_members, tell_who_waits
from data_service.protocol.availability_calls import MemberRow
from metadata_service.ailments import FOREIGN, LAGS, Ailment
from metadata_service.quorum import NOBODY, STRANGER
from tests.support.models.plain_members import PlainMembers
from zookeeper.fabric.errors import Unavailable


def test_each_member_has_a_row_also_one_that_cannot_be_asked() -> None:
    members = PlainMembers("abc")
    members.of("a").last_txid = 7
    members.of("b").error = Unavailable("is away")
    first, second, third = ask_members(members, 0, {"a:1": (0.002, 0.5)})
    assert first == MemberRow("a:1", "a", "ok", 1, 1, 7, 7, 0, 2.0, 500.0, True)
    assert (second.address, second.state, second.room) == ("b:1", "is away", False)
    assert second.words == "does not take part: is away" and "Start it" in second.advice
    assert third.lag == 6, "behind the one that has most"
    assert [row.lag for row in ask_members(members, 9, {})] == [2, 0, 8]


def test_who_keeps_another_record_makes_nobody_lag() -> None:
    members = PlainMembers("ab")
    members.of("a").last_txid = 5000  # Of before a restore: a later epoch counts for more.
    members.of("b").promised = 65537
    assert [row.lag for row in ask_members(members, 0, {})] == [0, 0]
    assert [row.lag for row in ask_members(members, 1, {})] == [0, 0], "as the leader knows"


def test_one_that_says_it_is_well_and_is_awaited_is_not() -> None:
    awaited = Ailment("a:1", FOREIGN, "keeps another record", "Stop it.")
    first, second = ask_members(PlainMembers("ab"), 1, {}, (awaited,))
    assert (first.state, first.words, first.advice) == (FOREIGN, *awaited[2:])
    assert (second.state, second.words, second.advice) == ("ok", "", "")


def test_one_that_lags_says_so_also_where_nobody_leads() -> None:
    members = PlainMembers("ab")
    members.of("a").last_txid = 1002
    assert [row.state for row in ask_members(members, 0, {})] == ["ok", LAGS]


def test_of_a_new_disk_that_is_not_admitted_the_reason_is_told() -> None:
    members = PlainMembers("ab")
    members.of("b").state = STRANGER
    rows = tell_who_waits(ask_members(members, 0, {}))
    assert [row.state for row in rows] == ["ok", "stranger, admit_new_disks is no"]


def test_who_decides_nothing_makes_nobody_lag() -> None:
    members = PlainMembers("ab")
    members.of("a").last_txid, members.of("a").configuration = 7, NOBODY
    assert [row.lag for row in ask_members(members, 0, {})] == [0, 0]
