"""What is wrong with metadata services: told in words, with what a person can do."""

from typing import Iterator, List, Tuple

import pytest

from metadata_service.ailments import (
    AWAY,
    FOREIGN,
    LAGS,
    OLD,
    REFUSES,
    SILENT,
    Seen,
    ailment_of,
)
from metadata_service.leader.ailing_members import ailments
from metadata_service.leader.members import Members
from metadata_service.leader.proofs import Proofs
from metadata_service.quorum import BLANK, DAMAGED, FULL, OK, STRANGER
from tests.support.clusters.waiting import wait_until
from tests.support.models.lettered_members import LetteredMember, Quorum, write
from zookeeper.fabric.errors import DiskFull, OutOfStep, Unavailable

WELL = Seen("a:1", OK)

CASES = [
    (WELL, ""),
    (WELL._replace(lag=1000, silent_seconds=0.9), ""),
    (WELL._replace(lag=1001), LAGS),
    (WELL._replace(silent_seconds=3.0), SILENT),
    (WELL._replace(room=False), FULL),
    (WELL._replace(state=FULL), FULL),
    (WELL._replace(state=BLANK), BLANK),
    (WELL._replace(state=STRANGER, reason="is another member now (stranger)"), STRANGER),
    (WELL._replace(state=DAMAGED, reason="is damaged", lag=9999), DAMAGED),
    (WELL._replace(old=True, reason="has forgotten"), OLD),
    (WELL._replace(foreign=True, reason="its image is of another record"), FOREIGN),
    (WELL._replace(reason="answered by nonsense"), REFUSES),
    (WELL._replace(state="", reason="cannot reach a:1"), AWAY),
    (WELL._replace(state="", foreign=True, lag=5000), AWAY),
]


@pytest.mark.parametrize("seen, word", CASES, ids=[str(number) for number in range(len(CASES))])
def test_each_ailment_has_its_word_and_says_what_to_do(seen: Seen, word: str) -> None:
    found = ailment_of(seen)
    assert (found.word if found else "") == word
    if found is not None:
        assert found.address == "a:1" and found.words and found.advice.endswith(".")
        assert seen.state or seen.reason in found.words


def test_a_new_directory_is_told_with_what_it_waits_for() -> None:
    found = ailment_of(WELL._replace(state=STRANGER, waits_for="admit_new_disks is no"))
    assert found is not None and "admit_new_disks is no" in found.advice


@pytest.fixture(name="quorum")
def _quorum() -> Iterator[Quorum]:
    made = Quorum(3)
    yield made
    made.close()


def words(leader: Members) -> List[Tuple[str, str]]:
    """Which members ail, and how."""
    return [(one.address[0], one.word) for one in ailments(leader, 0.0)]


def test_of_members_that_are_well_nothing_is_told(quorum: Quorum) -> None:
    leader = quorum.lead()
    write(leader, "abc")
    wait_until(lambda: not words(leader))


def test_one_that_is_out_of_reach_is_told_of_until_it_is_back(quorum: Quorum) -> None:
    quorum.lead().close()
    quorum.ways.dead.add("c:1")
    leader = quorum.lead()
    wait_until(lambda: words(leader) == [("c", AWAY)])
    quorum.ways.dead.clear()
    wait_until(lambda: not words(leader))


def test_one_that_ends_is_told_of_though_nothing_is_written(quorum: Quorum) -> None:
    leader = quorum.lead()
    wait_until(lambda: len(leader.in_step()) == 3)
    quorum.ways.dead.add("c:1")
    wait_until(lambda: words(leader) == [("c", AWAY)])


def test_one_that_is_silent_is_told_of_though_nothing_is_written(quorum: Quorum) -> None:
    leader = quorum.lead()
    wait_until(lambda: len(leader.in_step()) == 3)
    quorum.ways.held.add("c:1")
    proofs = Proofs(leader)
    wait_until(lambda: proofs.renew(1))
    asked_at = leader.lanes[2].proving.asked_at
    assert [one.word for one in ailments(leader, asked_at + 0.5)] == []
    assert [(one.address, one.word) for one in ailments(leader, asked_at + 1.5)] == [
        ("c:1", SILENT)]


def test_one_without_room_is_told_of(quorum: Quorum) -> None:
    leader = quorum.lead()
    wait_until(lambda: len(leader.in_step()) == 3)
    quorum.members[2].refuses = DiskFull("no room")
    write(leader, "a")
    wait_until(lambda: words(leader) == [("c", FULL)])


def test_one_of_another_record_is_told_of_until_its_directory_is_emptied(quorum: Quorum) -> None:
    quorum.lead().close()
    quorum.members[2].refuses = OutOfStep("its image at edit 3 is of another record")
    leader = quorum.lead()
    wait_until(lambda: words(leader) == [("c", FOREIGN)])
    (found,) = ailments(leader, 0.0)
    assert "its image at edit 3" in found.words and "move their directories" in found.advice
    quorum.ways.members["c:1"] = LetteredMember("z")
    wait_until(lambda: words(leader) == [("c", BLANK)])


def test_one_that_is_damaged_or_an_old_copy_is_told_of(quorum: Quorum) -> None:
    quorum.lead().close()
    quorum.members[2].core.trouble = DAMAGED
    leader = quorum.lead()
    leader.doubtful = frozenset("b")
    wait_until(lambda: words(leader)[-1:] == [("c", DAMAGED)])
    leader.lanes[1].lose(Unavailable("has forgotten"))
    assert words(leader) == [("b", OLD), ("c", DAMAGED)]
