"""The reckoning of a stretch: what it makes of refusals that no visible state explains."""

from typing import Any

import pytest

from tests.chaos.calls import ROOMS
from tests.chaos.contents import Contents
from tests.chaos.history import FAILED, OK, REFUSED, UNKNOWN, Call
from tests.chaos.model import State
from tests.chaos.reckoning import Reckoner, Stretch
from tests.simulation.plain_tree import DIRECTORY
from zookeeper.fabric.errors import NotADirectory, PathExists, PathNotFound

CONTENTS = Contents([100])
FILE = ("f", CONTENTS.piece(1), 3, 0o644)
BEFORE: State = {**{room.path: DIRECTORY for room in ROOMS}, "/edits/a": FILE}
BOTH: State = {**BEFORE, "/edits/b": ("f", CONTENTS.piece(2), 3, 0o644)}


def put(began: float, ended: float, outcome: str = OK, path: str = "/edits/b") -> Call:
    """A put beside the file."""
    return Call(2, "thread-0", "put", (path, 2, 3, True), began, ended, outcome, None)


def moved(began: float, ended: float, why: type = PathExists) -> Call:
    """A rename of the file to where the put goes, refused."""
    args = ("/edits/a", "/edits/b")
    return Call(3, "thread-1", "rename", args, began, ended, REFUSED, why)


def complaints(*calls: Call, after: State = BOTH) -> Any:
    """What the reckoner says of these calls."""
    return Reckoner(CONTENTS).judge_stretch(Stretch(BEFORE, list(calls), [], after))


def test_a_name_is_taken_from_the_creation_of_a_file_on() -> None:
    assert not complaints(put(1, 5), moved(2, 3))
    assert not complaints(put(1, 2), moved(3, 4))


@pytest.mark.parametrize("outcome", [FAILED, UNKNOWN])
def test_a_writer_that_failed_may_hold_its_name_for_some_time(outcome: str) -> None:
    assert not complaints(put(1, 2, outcome), moved(3, 4), after=BEFORE)


def test_a_name_that_nobody_could_have_taken_is_free() -> None:
    assert complaints(moved(1, 2), put(3, 4))
    assert complaints(put(1, 5, path="/edits/c"), moved(2, 3), after={
        **BEFORE, "/edits/c": BOTH["/edits/b"]})  # fmt: skip
    assert complaints(put(1, 5), moved(2, 3, PathNotFound))


def made(began: float, ended: float, path: str, kind: str = "mkdir") -> Call:
    """A directory or a file that was refused, since a file was there or on the way."""
    args = (path, True) if kind == "mkdir" else (path, 2, 3, True)
    return Call(4, "thread-2", kind, args, began, ended, REFUSED, NotADirectory)


def test_no_directory_is_made_where_a_file_will_appear() -> None:
    for path in ("/edits/b", "/edits/b/c/d"):
        assert not complaints(put(1, 5), made(2, 3, path))
        assert complaints(made(1, 2, path), put(3, 4))
    assert not complaints(put(1, 5), made(2, 3, "/edits/b/c", "put"))
    assert complaints(put(1, 5), made(2, 3, "/edits/b", "put"))
    assert complaints(put(1, 5), made(2, 3, "/edits/bb"))


def test_a_file_replaces_only_what_it_was_created_to_replace() -> None:
    overwriting = put(1, 2, REFUSED)._replace(result=PathExists)
    assert not complaints(overwriting, after=BEFORE)
    new = overwriting._replace(args=("/edits/b", 2, 3, False))
    assert complaints(new, after=BEFORE)
