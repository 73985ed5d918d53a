"""What is kept of a broken promise says the same when it is read again."""

import hashlib
from pathlib import Path
from typing import Optional

import pytest

from scripts import chaos
from tests.chaos import evidence
from tests.chaos.calls import LIMITED, ROOMS
from tests.chaos.contents import Contents
from tests.chaos.history import OK, REFUSED, Call, Note
from tests.chaos.invariants import RecordedEdit, StoredFile
from tests.chaos.model import State
from tests.chaos.reckoning import Facts, Stretch
from tests.simulation.plain_tree import DIRECTORY
from tests.support.disks.every_replica import Replica
from zookeeper.fabric.errors import InternalError, PathNotFound

CONTENTS = Contents([100, 20])
BEFORE: State = {room.path: DIRECTORY for room in ROOMS}
AFTER: State = {**BEFORE, "/limited/a": ("f", CONTENTS.piece(1), 1, 0o644)}
PUT = Call(1, "thread-0", "put", ("/limited/a", 1, 1, True), 0.5, 1.5, OK, None)
LIST = Call(2, "thread-1", "list", ("/limited",), 2.0, 3.0, OK, (("a", "f", 1),))
LOST = Call(3, "thread-1", "get", ("/limited/b",), 2.0, 3.0, REFUSED, PathNotFound)
CALLS = [PUT, LIST, LOST]


def facts(state: State = AFTER) -> Facts:
    """A cluster at rest with the one file."""
    data = CONTENTS.data(1)
    stored = StoredFile.of(17, 1, (("blk_1_1", len(data), 1),), data)
    replica = Replica(Path("/x/blk_1_1"), len(data), hashlib.sha256(data).hexdigest(), "")
    names = {"/limited": ("d",), "/limited/a": ("f", 17, 1, ((1, 1, 100),))}
    return Facts(
        state, {"/limited/a": stored}, {"data_node_0": {"blk_1_1": replica}}, names, dict(names),
        (RecordedEdit(1, 1, "complete", "client", 1),), (2, 20),
    )  # fmt: skip


def kept(
    folder: Path,
    calls: Optional[list] = None,
    after: Optional[State] = AFTER,
    known: Optional[Facts] = None,
) -> int:
    """The exit status of judging again what is saved of this stretch."""
    stretch = Stretch(BEFORE, CALLS if calls is None else calls, [Note(1.0, "kill")], after)
    evidence.save(folder / chaos.EVIDENCE, "it broke", CONTENTS, stretch, known or facts())
    assert evidence.load(folder / chaos.EVIDENCE)[1] == stretch
    assert evidence.load(folder / chaos.EVIDENCE)[2] == (known or facts())
    return chaos.main(["--replay", str(folder)])


def test_what_held_holds_again(tmp_path: Path) -> None:
    assert kept(tmp_path) == 0
    text = (tmp_path / chaos.EVIDENCE / "history.txt").read_text("utf-8")
    assert "thread-0: put /limited/a 1 1 True -> ok" in text and "*** kill" in text
    assert (tmp_path / chaos.EVIDENCE / evidence.VERDICT).read_text("utf-8") == "it broke\n"


def test_a_stretch_without_an_end_is_judged_as_far_as_it_goes(tmp_path: Path) -> None:
    assert kept(tmp_path, after=None) == 0
    assert kept(tmp_path, [LIST], after=None) == 1


@pytest.mark.parametrize(
    "broken",
    [
        [PUT, LIST._replace(result=())],
        [],
        [*CALLS, PUT._replace(outcome="unknown", result=InternalError)],
        [*CALLS, Call(9, "t", "get", ("/limited/a",), 2, 3, OK, "9:unknown")],
    ],
)
def test_a_history_that_broke_a_promise_breaks_it_again(
    tmp_path: Path, broken: list, capsys: pytest.CaptureFixture
) -> None:
    assert kept(tmp_path, broken) == 1
    assert "a promise was broken" in capsys.readouterr().out


def test_facts_that_broke_a_promise_break_it_again(tmp_path: Path) -> None:
    assert LIMITED.path == "/limited"
    good = facts()
    replica = good.disks["data_node_0"]["blk_1_1"]
    broken = [
        good._replace(disks={"data_node_0": {}}),
        good._replace(disks={"data_node_0": {"blk_1_1": replica._replace(problem="damaged")}}),
        good._replace(recorded={}),
        good._replace(edits=good.edits + (RecordedEdit(1, 1, "x", "y", 1),)),
        good._replace(used=(3, 20)),
    ]
    for number, one in enumerate(broken):
        assert kept(tmp_path / str(number), known=one) == 1


def test_what_holds_no_evidence_is_told(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert chaos.main(["--replay", str(tmp_path)]) == 2
    assert "holds nothing to judge" in capsys.readouterr().out
