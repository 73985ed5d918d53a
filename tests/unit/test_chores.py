"""What a namenode does by itself while it leads."""

from random import Random
from types import SimpleNamespace
from typing import List

from data_service.namenode.chores import Chores, Piece, Reminder
from data_service.namenode.decisions import Decisions
from metadata_service.edits import Edit
from tests.support.models.namenode_core import Core


def test_what_lasts_is_told_of_now_and_again() -> None:
    reminder = Reminder(10.0, 60.0)
    assert [now for now in range(200) if reminder.is_due(True, now)] == [10, 70, 130, 190]
    assert not reminder.is_due(False, 200)
    assert [now for now in range(201, 300) if reminder.is_due(True, now)] == [211, 271]


def test_what_was_deleted_one_by_one_is_taken_apart_together() -> None:
    """Each deletion brought about a second edit, at once: a third of what it cost."""
    core = Core()
    for name in "abcde":
        core.mkdir(f"/{name}")
    edits: List[Edit] = []

    def submit(edit: Edit) -> int:
        edits.append(edit)
        return edit.txid

    log = SimpleNamespace(has_room=True, durable_txid=core.metadata.last_txid, submit=submit)
    chores = Chores(Decisions(core.state, log, Random(1)), 3)
    for name in "abcde":
        core.delete(f"/{name}")
    last = core.state.commits.last_txid
    assert chores.purge(1) == Piece(last + 1, True), "go on at once"
    assert chores.purge(1) == Piece(last + 2, False), "the rest is few: wait for others"
    assert chores.purge(1) is None and [len(edit.changes) for edit in edits] == [3, 2]
