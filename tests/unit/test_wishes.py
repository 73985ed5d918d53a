"""Which namenode wishes to lead, as a member of the record tells the one that does."""

import pytest

from metadata_service.calls import MemberCalls
from metadata_service.member.wishes import WISH_SECONDS, WISHES_MAX, Wishes
from metadata_service.quorum import Proved
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.errors import Busy, InvalidArgument


def test_a_wish_is_told_as_long_as_it_is_said_again() -> None:
    wishes = Wishes()
    assert wishes.told(0.0) == ("", 0)
    wishes.file("n:1", 3, 0.0)
    wishes.file("n:1", 4, WISH_SECONDS)
    assert wishes.told(2 * WISH_SECONDS) == ("n:1", 4)
    assert wishes.told(2 * WISH_SECONDS + 0.1) == ("", 0)


def test_of_several_all_members_tell_of_the_same_one() -> None:
    first, second = Wishes(), Wishes()
    for address in ("n:1", "n:2"):
        first.file(address, 2, 0.0)
    for address in ("n:2", "n:1"):
        second.file(address, 2, 0.0)
    assert first.told(1.0) == second.told(1.0) == ("n:1", 2)


def test_who_files_very_many_fills_no_memory_and_is_in_nobodys_way() -> None:
    wishes = Wishes()
    wishes.file("n:1", 1, 0.0)
    for number in range(10 * WISHES_MAX):
        wishes.file(f"z:{number}", 9, 0.0)
    assert repr(wishes).count(":") == WISHES_MAX
    wishes.file("n:1", 2, 1.0)
    assert wishes.told(1.0) == ("n:1", 2)
    wishes.file("z:0", 1, 9.0)
    assert wishes.told(9.0) == ("z:0", 1), "what is old makes room"


def test_nobody_else_may_claim_while_one_stands() -> None:
    wishes = Wishes()
    wishes.check_claim("n:2", 0.0)
    wishes.file("n:1", 3, 0.0)
    wishes.check_claim("n:1", 1.0)
    with pytest.raises(Busy, match="n:1"):
        wishes.check_claim("n:2", 1.0)
    wishes.check_claim("n:2", WISH_SECONDS + 0.1)


@pytest.mark.parametrize("address", ["n:1\n", "", "n\x7f:1", "n" * 256])
def test_a_member_hears_of_no_wish_that_its_leader_could_not_be_told(address: str) -> None:
    """With it no answer to a question for a proof would be understood any more."""
    calls = calls_of(MemberCalls)
    with pytest.raises(InvalidArgument):
        calls["wish"].checked((address, 1))
    told = Proved("a", 1, 1, True, "[::1]:1", 1)
    assert calls["wish"].checked((told.wish, told.missed_by)) == (told.wish, told.missed_by)
    assert calls["prove"].result(tuple(told)) == told
