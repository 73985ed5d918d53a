"""Members whose logs differ at an edit that each has applied: who is right, and who is asked."""

from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import pytest

from metadata_service.ailments import Seen, ailment_of
from metadata_service.edits import join_lines
from metadata_service.member.catch_up import CatchUp
from metadata_service.member.comparison import right_digest
from metadata_service.member.member_database import MemberDatabase
from metadata_service.member.upkeep import Upkeep
from metadata_service.quorum import DAMAGED, DISPUTED, OK, START, Configuration
from metadata_service.record.schema import JOURNAL, put
from tests.support.models.sample_edits import BYTES_MAX, file_edit, file_edits, lines_of
from tests.support.models.still_member import StillMember
from zookeeper.fabric.auth import Credentials
from zookeeper.fabric.errors import CorruptData, DfsError
from zookeeper.fabric.identity import METADATA, Principal
from zookeeper.fabric.settings import NetworkSettings

EPOCH = 7
NAMES = "abc"

RIGHT = lines_of(file_edits(1, 9))
WRONG = [*RIGHT[:4], *lines_of([file_edit(5, "another")]), *RIGHT[5:]]
"""The same up to edit 4."""


class Trio:
    """Three members, each with the log that it is given, and what each does to catch up."""

    def __init__(self, root: Path) -> None:
        self.databases: Dict[str, MemberDatabase] = {}
        self.catch_up: Dict[str, CatchUp] = {}
        for name in NAMES:
            directory = root / name
            directory.mkdir()
            self.databases[name] = MemberDatabase.begin(str(directory), 1000, 0.0, f"{name}:1")
            self.catch_up[name] = CatchUp(
                Upkeep(self.databases[name], str(directory)), (),
                Credentials(Principal(METADATA)), NetworkSettings(), 1 << 30)
        members = [(one.status().member_id, f"{name}:1") for name, one in self.databases.items()]
        self.configuration = Configuration(1, (tuple(members),))
        self.meet(NAMES)

    def meet(self, names: str) -> None:
        """From now on these reach each other, and nobody else does."""
        for name, catch_up in self.catch_up.items():
            catch_up._peers.clear()
            for other in names:
                if other != name and name in names:
                    member = StillMember(self.databases[other], lambda: 0.0)
                    catch_up._peers[f"{other}:1"] = member.calls

    def give(self, name: str, lines: List[str]) -> None:
        """Have a member adopt this log, and apply all of it."""
        database = self.databases[name]
        database.claim("cluster", EPOCH, "namenode:1")
        payload = join_lines(lines)
        database.adopt(EPOCH, "namenode:1", START, payload, len(lines), self.configuration)

    def look(self, times: int = 1) -> None:
        """Each looks at the others so often, whatever comes of it."""
        for _ in range(times):
            for name in NAMES:
                try:
                    self.catch_up[name].look()
                except DfsError:
                    continue

    def stands(self, name: str) -> Tuple[str, int]:
        """How a member fares, and how far it has applied the record."""
        status = self.databases[name].status()
        return status.state, status.applied.txid

    def agree(self) -> bool:
        """Whether all are well, and have all of the same record."""
        found = {(one.status().state, one.status().applied) for one in self.databases.values()}
        return len(found) == 1 and self.stands("a") == (OK, len(RIGHT))


@pytest.fixture(name="trio")
def _trio(tmp_path: Path) -> Iterator[Trio]:
    made = Trio(tmp_path)
    yield made
    for name in NAMES:
        made.catch_up[name].stop()
        made.databases[name].close()


@pytest.mark.parametrize("wrong", NAMES)
def test_who_lacks_edits_turns_from_one_whose_log_differs_to_another(
    trio: Trio, wrong: str
) -> None:
    """Whoever is asked first: the one that differs knows nothing of it, and says that it is ok."""
    lacking, other = [name for name in NAMES if name != wrong]
    trio.give(lacking, RIGHT[:6])
    trio.give(wrong, WRONG)
    trio.give(other, RIGHT)
    catch_up = trio.catch_up[lacking]
    for _ in range(4):
        try:
            catch_up.look()
        except DfsError:
            continue
    assert trio.stands(lacking) == (OK, 9)


@pytest.mark.parametrize("wrong", NAMES)
@pytest.mark.parametrize("behind", [False, True])
def test_the_one_that_most_others_contradict_takes_their_record(
    trio: Trio, wrong: str, behind: bool
) -> None:
    for name in NAMES:
        if name != wrong:
            trio.give(name, RIGHT)
    trio.give(wrong, WRONG[:6] if behind else WRONG)
    trio.look(6)
    assert trio.agree()


def test_the_one_that_is_ahead_is_healed_when_those_behind_contradict_it(trio: Trio) -> None:
    trio.give("a", RIGHT[:6])
    trio.give("b", RIGHT[:7])
    trio.give("c", WRONG)
    trio.look()
    assert trio.stands("c") == (OK, 7)


def test_two_of_three_that_differ_say_so_and_change_nothing(
    trio: Trio, caplog: pytest.LogCaptureFixture
) -> None:
    trio.give("a", RIGHT[:6])
    trio.give("b", WRONG)
    trio.give("c", RIGHT)
    trio.meet("ab")
    trio.look(4)
    assert [trio.stands(name) for name in "ab"] == [(DISPUTED, 6), (DISPUTED, 9)]
    found = ailment_of(Seen("a:1", DISPUTED))
    assert found is not None and "differs" in found.words and "Start" in found.advice
    told = [record.getMessage() for record in caplog.records if "differs" in record.getMessage()]
    assert len(told) == 2, "each once"
    trio.meet(NAMES)
    trio.look(6)
    assert trio.agree(), "the third one tells who is right"


def test_a_log_that_does_not_follow_itself_is_found_by_who_is_asked_for_it(trio: Trio) -> None:
    trio.give("a", RIGHT[:3])
    trio.give("b", RIGHT)
    rotten = trio.databases["b"]
    put(rotten._connection, JOURNAL, (6, EPOCH, "a flipped bit", RIGHT[5]))
    assert rotten.load(JOURNAL, 5, 1, BYTES_MAX)
    with pytest.raises(CorruptData):
        rotten.load(JOURNAL, 3, 9, BYTES_MAX)
    assert trio.stands("b") == (DAMAGED, 9)


def test_a_majority_of_each_set_says_what_is_right() -> None:
    some, others = (("a", ""), ("b", ""), ("c", "")), (("c", ""), ("d", ""), ("e", ""))
    one, two = Configuration(1, (some,)), Configuration(2, (some, others))
    assert right_digest(one, {"a": "x", "b": "x", "c": "y"}) == "x"
    assert right_digest(one, {"a": "x", "b": "y"}) is None
    assert right_digest(one, {"a": "x", "d": "x", "e": "x"}) is None, "others do not count"
    assert right_digest(two, {"a": "x", "b": "x"}) is None
    assert right_digest(two, {"a": "x", "b": "x", "d": "x", "e": "x", "c": "y"}) == "x"
