"""Commits: numbers, repeated calls, and what an answer waits for."""

from typing import Optional

import pytest

from data_service.namenode.namespace.commits import Commits
from data_service.namenode.namespace.image import BLOCK_NUMBERS, INODE_NUMBERS, Image, put
from data_service.namenode.namespace.inodes import InodeRow
from data_service.namenode.namespace.retries import NO_OP
from data_service.protocol.files import OpenedFile
from metadata_service.edits import EDIT_BYTES_MAX, Change, Edit, encode
from tests.support.models.namespace_tree import commits_of
from zookeeper.fabric.errors import InvalidArgument, ProtocolViolation
from zookeeper.fabric.settings import FRAME_BYTES_MIN


def directory(commits: Commits, name: str, parent: int = 1) -> Change:
    """A change that makes a directory."""
    number = commits.new_inode_number()
    return put(InodeRow(number, parent, name, "d", "u", "g", 0o755, 1, 1, 0, 0))


def test_edits_are_numbered_densely_and_applied_at_once() -> None:
    image = Image("root", "supergroup")
    commits = commits_of(image)
    commits.start(41, ())
    first = commits.commit("mkdir", ("c", 1), [directory(commits, "a")])
    second = commits.commit("mkdir", ("c", 2), [directory(commits, "b")], result=True)
    assert (first.depends, second.depends, commits.last_txid) == (42, 43, 43)
    assert second.edit == Edit(43, "mkdir", "c", 2, "true", second.edit.changes)
    assert sorted(image.root.children) == ["a", "b"]
    commits.check()
    assert repr(commits) == "<Commits at 43, 2 not durable, 2 touched>"


def test_numbers_are_reserved_by_the_edit_that_gives_them_out() -> None:
    image = Image("root", "supergroup")
    commits = commits_of(image)
    outcome = commits.volatile("create", NO_OP, commits.new_inode_number())
    assert outcome.result == 2
    assert outcome.edit.changes == (("counters", "inode_id", ("inode_id", 1003)),)
    assert outcome.depends == outcome.edit.txid == 1
    commits.note_durable(1)
    # The next thousand need no edit, and wait for the one that reserved them.
    for number in range(3, 1003):
        outcome = commits.volatile("create", NO_OP, commits.new_inode_number())
        assert (outcome.result, outcome.edit, outcome.depends) == (number, None, 1)
    assert commits.volatile("create", NO_OP, commits.new_inode_number()).edit.txid == 2
    # A restart goes on behind everything that may have been given out.
    restarted = commits_of(image)
    restarted.start(2, ())
    assert restarted.new_inode_number() == image.counters[INODE_NUMBERS] == 2004
    assert restarted.was_given_out(INODE_NUMBERS, 2004)
    assert not restarted.was_given_out(INODE_NUMBERS, 2005)
    assert not restarted.was_given_out(INODE_NUMBERS, 0)


def test_a_read_waits_for_what_touched_its_path_and_no_more() -> None:
    image = Image("root", "supergroup")
    commits = commits_of(image)
    one = commits.commit("mkdir", ("c", 1), [directory(commits, "one")])
    two = commits.commit("mkdir", ("c", 2), [directory(commits, "two")])
    below = commits.commit(
        "mkdir", ("c", 3), [directory(commits, "x", image.root.children["two"].id)]
    )
    first, second = image.root.children["one"], image.root.children["two"]
    assert commits.depends_on(first) == one.depends
    assert commits.depends_on(second) == two.depends
    assert commits.depends_on(second.children["x"]) == below.depends
    assert commits.depends_on_all([first, second]) == two.depends
    assert commits.depends_on_all([]) == commits.depends_on(image.root) == 0
    commits.note_durable(two.depends)
    commits.note_durable(one.depends)
    assert commits.depends_on(first) == commits.depends_on(second) == 0
    assert commits.depends_on(second.children["x"]) == below.depends
    commits.check()


def test_the_later_of_two_edits_of_an_inode_is_waited_for() -> None:
    image = Image("root", "supergroup")
    commits = commits_of(image)
    commits.commit("mkdir", ("c", 1), [directory(commits, "d")])
    inode = image.root.children["d"]
    commits.commit("set_mode", ("c", 2), [put(inode.row()._replace(mode=0o700))])
    commits.note_durable(1)
    assert commits.depends_on(inode) == 2


def test_an_answer_that_changed_nothing_may_tell_of_anything() -> None:
    commits = commits_of(Image("root", "supergroup"))
    commits.commit("mkdir", ("c", 1), [directory(commits, "d")])
    outcome = commits.unchanged("delete", ("c", 2), False)
    assert (outcome.result, outcome.edit, outcome.depends) == (False, None, 1)
    again = commits.repeated("delete", ("c", 2), Optional[bool])
    assert again == outcome


def test_a_repeated_call_is_answered_also_after_a_restart() -> None:
    commits = commits_of(Image("root", "supergroup"))
    edit = Edit(9, "delete", "c", 5, "true", ())
    commits.start(9, [edit, Edit(10, "purge", "", 0, "null", ())])
    again = commits.repeated("delete", ("c", 5), Optional[bool])
    assert again is not None and (again.result, again.edit, again.depends) == (True, None, 9)
    assert commits.repeated("delete", ("c", 6), Optional[bool]) is None
    with pytest.raises(ProtocolViolation):
        commits.repeated("mkdir", ("c", 5), Optional[bool])


def test_an_answer_that_another_release_recorded_is_understood() -> None:
    commits = commits_of(Image("root", "supergroup"))
    results = ("[4,2,1000]", '[4,2,1000,0,0,0,0,"","something new"]')
    commits.start(2, [Edit(n, "create", "c", n, results[n - 1], ()) for n in (1, 2)])
    for number in (1, 2):
        again = commits.repeated("create", ("c", number), OpenedFile)
        assert again is not None and repr(again.result) == repr(OpenedFile(4, 2, 1000))


@pytest.mark.parametrize(
    "op", [("", 1), ("x" * 256, 1), ("a\n", 1), ("\ud800", 1), (7, 1), ("c", -1), ("c", True),
           ("c", 1 << 63), ("c", "1")]
)  # fmt: skip
def test_what_cannot_name_a_call_is_refused(op: tuple) -> None:
    with pytest.raises(InvalidArgument):
        commits_of(Image("root", "supergroup")).repeated("mkdir", op, Optional[bool])


def test_a_term_keeps_clear_of_the_numbers_of_blocks_that_a_lost_record_had() -> None:
    """From one backup two namespaces can go on; a datanode may have replicas of both."""
    commits = commits_of(Image("root", "supergroup"))
    commits.start(2, ())
    commits.lead(500_000)
    assert commits.new_inode_number() == 2, "inodes are on no other disk than the record"
    assert not commits.was_given_out(BLOCK_NUMBERS, 400_000)
    outcome = commits.volatile("add_block", NO_OP, commits.new_block_number())
    assert outcome.result == 500_001 and commits.was_given_out(BLOCK_NUMBERS, 500_001)
    assert ("counters", "block_id", ("block_id", 501_002)) in outcome.edit.changes
    assert commits.new_block_number() == 500_002
    commits.check()


def test_a_number_that_a_datanode_reported_is_not_given_out() -> None:
    commits = commits_of(Image("root", "supergroup"))
    assert commits.new_block_number() == 1
    commits.pass_over_block(40)
    commits.pass_over_block(7)
    assert commits.new_block_number() == 41
    commits.pass_over_block(3)
    assert commits.new_block_number() == 42
    commits.pass_over_block((1 << 63) - 1)
    assert commits.new_block_number() == 43, "one lie must not use up all numbers"
    commits.start(2, ())
    commits.lead(500)
    commits.pass_over_block(2000)
    assert commits.new_block_number() == 2501, "its neighbours may be on datanodes that are away"
    commits.volatile("add_block", NO_OP, None)
    commits.check()


def test_what_is_too_large_to_be_recorded_is_refused_before_it_is_applied() -> None:
    """The journal could not send it, and the term of the namenode ended with it."""
    commits = commits_of(Image("root", "supergroup"))
    before = commits.last_txid
    name = "\x01" * 255  # Six characters each, in an edit.
    large = [directory(commits, f"{number}{name}"[:255]) for number in range(2000)]
    with pytest.raises(InvalidArgument, match="do it in parts"):
        commits.commit("mkdir", NO_OP, large)
    assert commits.last_txid == before
    assert EDIT_BYTES_MAX <= FRAME_BYTES_MIN // 2
    outcome = commits.commit("mkdir", NO_OP, large[:1000])
    assert outcome.edit is not None and len(encode(outcome.edit)) < EDIT_BYTES_MAX
