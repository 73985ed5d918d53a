"""The leader's half of the quorum: a majority decides, and nobody else is waited for."""

import copy
import threading
import time
from typing import Any, Iterator, List

import pytest

from metadata_service.epochs import EPOCH_MAX
from metadata_service.leader import members as members_module
from metadata_service.leader import ring as ring_module
from metadata_service.leader.members import Members
from metadata_service.leader.proofs import Proofs
from metadata_service.member.member_record import alone
from metadata_service.quorum import DAMAGED, START
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from tests.support.models.lettered_members import (
    BYTES_MAX,
    LetteredMember,
    Quorum,
    letters,
    text_of,
    write,
)
from tests.support.models.memory_member import ALONE
from tests.support.models.quorum_members import chance
from zookeeper.fabric.errors import (
    DfsError,
    DiskFailed,
    DiskFull,
    Fenced,
    StartRefused,
    Unavailable,
)


@pytest.fixture(name="quorum")
def _quorum() -> Iterator[Quorum]:
    made = Quorum(3)
    yield made
    made.close()


@pytest.mark.parametrize("count", [1, 3, 5])
def test_an_edit_is_decided_when_a_majority_has_stored_it(count: int) -> None:
    quorum = Quorum(count)
    leader = quorum.lead()
    write(leader, "abc")
    assert sum(log == "abc" for log in quorum.logs()) > count // 2 and leader.decided == 3
    write(leader, "d")
    leader.check()
    wait_until(lambda: quorum.logs() == ["abcd"] * count)
    proofs = Proofs(leader)
    wait_until(lambda: proofs.renew(1) and quorum.settled() == [4] * count)
    quorum.close()


def test_a_minority_that_is_dead_is_not_waited_for(quorum: Quorum) -> None:
    leader = quorum.lead()
    wait_until(lambda: len(leader.in_step()) == 3)
    assert leader.risk == "" and leader.delays() == {}
    quorum.ways.dead.add("a:1")
    for letter in "abc":
        write(leader, letter)
    assert quorum.logs() == ["", "abc", "abc"] and leader.trouble == ""
    assert "a:1" in leader.awaited() and "a:1" in leader.risk, "without one more nothing is decided"
    assert set(leader.delays()) == {"b:1", "c:1"}
    assert all(0 < median <= slow for median, slow in leader.delays().values())
    quorum.ways.dead.clear()
    wait_until(lambda: quorum.logs() == ["abc"] * 3)
    leader.check()


def test_who_is_silent_gets_all_that_it_missed_at_once(quorum: Quorum) -> None:
    leader = quorum.lead()
    wait_until(lambda: len(leader.in_step()) == 3)
    leader.silence_seconds = PATIENCE_SECONDS
    write(leader, "x")
    quorum.ways.held.add("b:1")
    for letter in "abcdef":
        write(leader, letter)
    assert quorum.logs()[0] == quorum.logs()[2] == "xabcdef" and "silent" in leader.awaited()
    quorum.ways.held.clear()
    wait_until(lambda: quorum.logs() == ["xabcdef"] * 3)
    assert max(quorum.members[1].appended) == 5


def test_who_is_silent_for_long_is_called_anew(quorum: Quorum) -> None:
    leader = quorum.lead()
    wait_until(lambda: len(leader.in_step()) == 3)
    quorum.ways.held.add("b:1")
    write(leader, "a")
    wait_until(lambda: len(leader.in_step()) == 2)
    quorum.ways.held.clear()
    wait_until(lambda: len(leader.in_step()) == 3 and quorum.logs() == ["a"] * 3)


def test_without_a_majority_nothing_is_decided(quorum: Quorum) -> None:
    leader = quorum.lead()
    write(leader, "a")
    quorum.ways.dead.update(("a:1", "b:1"))
    with pytest.raises(Unavailable, match="a:1"):
        write(leader, "b", 0.1)
    assert leader.decided == 1 and "cannot be reached" in leader.trouble or leader.trouble
    ended: List[Any] = []
    late = threading.Thread(target=lambda: ended.append(leader.append(2, letters(2, "bc"), 60)))
    late.start()
    quorum.ways.dead.clear()
    late.join(PATIENCE_SECONDS)
    assert ended == [None] and leader.decided == 3 and leader.record.last.txid == 3
    leader.check()


# A new leader.


def test_a_new_leader_takes_what_may_have_been_decided_and_fences_the_old_one(
    quorum: Quorum,
) -> None:
    old = quorum.lead()
    write(old, "ab")
    wait_until(lambda: quorum.logs() == ["ab"] * 3)
    quorum.ways.held.update(("b:1", "c:1"))
    with pytest.raises(Unavailable):
        write(old, "x", 0.1)
    assert quorum.logs() == ["abx", "ab", "ab"]
    quorum.ways.dead.add("a:1")
    quorum.ways.held.clear()
    wait_until(lambda: not old.turn_taken)
    new = quorum.lead()
    assert new.reign.epoch == old.reign.epoch + 1
    write(new, "c")
    with pytest.raises(Fenced):
        write(old, "y")
    with pytest.raises(Fenced):
        Proofs(old).renew(PATIENCE_SECONDS)
    old.close()
    quorum.ways.dead.clear()
    wait_until(lambda: len(set(quorum.logs())) == 1)
    assert quorum.logs()[0] in ("abc", "abxc"), "x may have reached b or c after all"


def test_what_one_member_alone_had_goes(quorum: Quorum) -> None:
    old = quorum.lead()
    write(old, "a")
    wait_until(lambda: quorum.logs() == ["a"] * 3)
    old.close()
    last, epoch = quorum.members[2], old.reign.epoch
    last.append(epoch, last.record.last, letters(2, "x")[0].encode(), 1, ())
    assert quorum.logs() == ["a", "a", "ax"]
    quorum.ways.dead.add("c:1")
    new = quorum.lead()
    write(new, "b")
    quorum.ways.dead.clear()
    wait_until(lambda: quorum.logs() == ["ab"] * 3)
    write(new, "c")


def test_a_new_leader_needs_a_majority(quorum: Quorum) -> None:
    quorum.lead().close()
    quorum.ways.dead.update(("a:1", "b:1"))
    with pytest.raises(Unavailable, match="a:1.*b:1"):
        quorum.lead(seconds=0.2)
    quorum.ways.dead.remove("a:1")
    assert quorum.lead(at_least=77).reign.epoch == 77


def test_a_cluster_begins_when_all_members_are_there() -> None:
    quorum = Quorum(3)
    quorum.ways.dead.add("b:1")
    with pytest.raises(Unavailable, match="begins with all of its members: .*b:1"):
        quorum.lead(seconds=0.2)
    assert all(one.record.promised == 0 for one in quorum.members)
    quorum.ways.dead.clear()
    leader = quorum.lead()
    assert leader.configuration.version == 1 and leader.reign.epoch == 1
    quorum.close()


def test_a_cluster_whose_first_leader_died_at_its_beginning_goes_on(quorum: Quorum) -> None:
    first = Quorum(3).lead()
    one = quorum.members[0]
    one.claim(first.reign.cluster_id, 1, "namenode:1 0")
    one.adopt(1, "namenode:1 0", START, b"", 0, first.configuration)
    quorum.ways.dead.add("c:1")
    leader = quorum.lead()
    assert leader.reign == (first.reign.cluster_id, 2, "namenode:1 0")
    write(leader, "a")
    first.close()


def test_members_of_two_clusters_are_not_mixed(quorum: Quorum) -> None:
    for one, cluster_id in zip(quorum.members, ("one", "two", "two")):
        members = alone(one.record.member_id, f"{one.record.member_id}:1")
        one.core.record = ALONE._replace(cluster_id=cluster_id, configuration=members)
    with pytest.raises(StartRefused):
        quorum.lead()


@pytest.mark.parametrize("trouble", ["damaged", "replaced", "restored"])
def test_a_member_that_cannot_be_believed_takes_no_part(
    quorum: Quorum, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members_module, "WITNESS_SECONDS", 0.0)
    first = quorum.lead()
    wait_until(lambda: len(first.in_step()) == 3)
    write(first, "a")
    wait_until(lambda: quorum.logs() == ["a"] * 3)
    old = copy.deepcopy(quorum.members[0])
    for text in ("ab", "abc"):
        write(first, text[-1])
        wait_until(lambda text=text: quorum.logs() == [text] * 3)
    first.close()
    if trouble == "damaged":
        quorum.members[0].core.trouble = DAMAGED
    else:
        quorum.ways.members["a:1"] = old if trouble == "restored" else LetteredMember("z")
    second = quorum.lead()
    write(second, "d")
    assert [one.member_id for one in second.in_step()] == ["b", "c"]
    assert "a:1" in second.awaited() and "d" not in quorum.logs()[0]


def test_a_copied_directory_does_not_count_beside_the_one_that_it_was_copied_from(
    quorum: Quorum
) -> None:
    leader = quorum.lead()
    write(leader, "ab")
    wait_until(lambda: len(leader.in_step()) == 3)
    quorum.ways.dead.add("c:1")
    wait_until(lambda: len(leader.in_step()) == 2)
    quorum.ways.members["c:1"] = copy.deepcopy(quorum.members[0])
    quorum.ways.dead.clear()
    wait_until(lambda: leader.lanes[2].trouble.endswith("are one member, of a copied directory"))
    write(leader, "cd")
    assert [lane.address for lane in leader.in_step()] == ["a:1", "b:1"]
    assert quorum.logs() == ["abcd", "abcd", "ab"]


def test_a_copied_directory_is_named_when_no_majority_is_left(quorum: Quorum) -> None:
    quorum.lead().close()
    quorum.ways.members["c:1"] = copy.deepcopy(quorum.members[1])
    with pytest.raises(Unavailable, match="b:1 and c:1 are one member, of a copied directory"):
        quorum.lead()


def test_a_member_that_promised_the_end_of_all_numbers_can_be_spared(quorum: Quorum) -> None:
    """Nobody can claim an epoch behind that; the others are led all the same."""
    quorum.lead().close()
    core = quorum.members[0].core
    core.record = core.record._replace(promised=EPOCH_MAX, owner="x:1 1")
    second = quorum.lead()
    write(second, "a")
    assert [one.member_id for one in second.in_step()] == ["b", "c"]
    assert f"{EPOCH_MAX} has been promised" in second.awaited() and not quorum.logs()[0]


# Refusals.


def test_a_minority_that_refuses_is_left_out_until_it_has_recovered(quorum: Quorum) -> None:
    leader = quorum.lead()
    wait_until(lambda: len(leader.in_step()) == 3)
    for refusal in (DiskFull("full"), DiskFailed("broken")):
        quorum.members[0].refuses = refusal
        write(leader, "a")
        write(leader, "b")
        assert leader.decided == leader.record.last.txid
        quorum.members[0].refuses = None
        wait_until(lambda: len(set(quorum.logs())) == 1)


@pytest.mark.parametrize("refusal", [DiskFull("full"), DiskFailed("broken"), Fenced("later")])
def test_a_majority_that_refuses_is_told(quorum: Quorum, refusal: DfsError) -> None:
    leader = quorum.lead()
    for one in quorum.members[:2]:
        one.refuses = refusal
    with pytest.raises(type(refusal)):
        write(leader, "a")
    for one in quorum.members[:2]:
        one.refuses = None
    assert leader.decided == 0


def test_room_is_what_a_majority_has(quorum: Quorum) -> None:
    leader = quorum.lead()
    wait_until(lambda: len(leader.in_step()) == 3)
    for count, has_room in enumerate([True, False, False]):
        quorum.members[count].room = False
        proofs = Proofs(leader)
        wait_until(lambda: proofs.renew(1) and sum(not one.room for one in leader.lanes) > count)
        assert leader.has_room == has_room


def test_who_cannot_take_part_for_want_of_room_has_none(quorum: Quorum) -> None:
    """Changes would be taken that nobody can decide, and end one leader after the other."""
    quorum.lead()
    for one in quorum.members[:2]:
        one.room = False
    quorum.members[0].refuses = DiskFull("full")
    leader = quorum.lead()
    wait_until(lambda: len(leader.in_step()) == 2 and not leader.has_room)
    quorum.members[0].refuses, quorum.members[0].room = None, True
    wait_until(lambda: leader.has_room)


def test_who_lacks_more_than_is_kept_fetches_it_by_himself(
    quorum: Quorum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring_module, "EDITS_MAX", 4)
    leader = quorum.lead()
    wait_until(lambda: len(leader.in_step()) == 3)
    quorum.ways.dead.add("a:1")
    for letter in "abcdefghij":
        write(leader, letter)
    quorum.ways.dead.clear()
    wait_until(lambda: "lacks" in leader.awaited())
    proofs = Proofs(leader)
    wait_until(lambda: proofs.renew(1) and quorum.settled()[1] == 10)
    with quorum.ways.lock:
        quorum.members[0].catch_up(quorum.members[1])
    wait_until(lambda: quorum.logs() == ["abcdefghij"] * 3)


def test_a_lagging_member_is_given_a_moment(
    quorum: Quorum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members_module, "EDITS_MAX", 4)
    leader = quorum.lead()
    wait_until(lambda: len(leader.in_step()) == 3)
    quorum.ways.held.add("a:1")
    began = time.monotonic()
    for letter in "abcd":
        write(leader, letter)
    assert time.monotonic() - began >= members_module.CATCH_UP_SECONDS
    quorum.ways.held.clear()


def test_an_idle_connection_is_used_now_and_then(
    quorum: Quorum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members_module, "IDLE_SECONDS", 0.05)
    leader = quorum.lead()
    wait_until(lambda: all(one.appended[:2] == [0, 0] for one in quorum.members))
    write(leader, "a")
    wait_until(lambda: quorum.logs() == ["a"] * 3)
    leader.check()


# Everything at once.


@pytest.mark.parametrize("seed", range(12))
def test_leaders_on_a_bad_network_lose_nothing(seed: int) -> None:
    """Every third question or answer is lost; each leader reads what the one before had decided."""
    quorum = Quorum(3)
    quorum.ways.fate = chance(seed, 0.15)
    decided = ""
    for letter in "abcdef":
        leader = _lead_at_last(quorum)
        base = leader.record.base.txid
        text = decided[:base] + text_of(leader.record.behind(base, BYTES_MAX))
        assert text.startswith(decided)
        for number in range(4):
            write(leader, f"{letter}{number}")
            with quorum.ways.lock:
                decided = max([one.text for one in quorum.members], key=len)[: leader.decided]
        leader.check()
        leader.close()
    quorum.ways.fate = lambda address, method: False
    final = quorum.lead()
    proofs = Proofs(final)

    def all_have_it() -> bool:
        proofs.renew(PATIENCE_SECONDS)
        with quorum.ways.lock:
            best = max(quorum.members, key=lambda one: one.record.applied.txid)
            for one in quorum.members:
                one.catch_up(best)
        return quorum.logs() == [decided] * 3

    wait_until(all_have_it)
    final.check()
    quorum.close()


def _lead_at_last(quorum: Quorum) -> Members:
    while True:
        try:
            return quorum.lead(seconds=5)
        except (Unavailable, Fenced):
            continue
