"""The core as a whole: one effect a call, safe mode, restarts, deletions carried out."""

from typing import Any, Callable, List, Tuple

import pytest

from data_service.namenode.namespace.commits import Outcome
from data_service.namenode.state import State
from metadata_service.edits import TABLES
from tests.support.models.block_side import new_blocks
from tests.support.models.namenode_core import ROOT, Core, refusal
from zookeeper.fabric import errors


def changes_of(core: Core, op: Tuple[str, int]) -> List[Tuple[str, Callable[[], Outcome], Any]]:
    """Every change of the tree on `/d/f` and `/d`, with its refusal in safe mode and its result."""
    state = core.state
    return [
        ("Cannot create directory /x",
         lambda: state.mkdir(ROOT, op, "/x", False, 0o755, 1, 0.0), None),
        ("Cannot delete /d/f", lambda: state.delete(ROOT, op, "/d/f", False, 1), True),
        ("Cannot rename /d/f", lambda: state.rename(ROOT, op, "/d/f", "/d/g", 1, 0.0), None),
        ("Cannot set permission for /d", lambda: state.set_mode(ROOT, op, "/d", 0o700), None),
        ("Cannot set owner for /d", lambda: state.set_owner(ROOT, op, "/d", "bob", ""), None),
        ("Cannot set times /d", lambda: state.set_times(ROOT, op, "/d", 3, 4), None),
        (
            "Cannot set replication for /d/f",
            lambda: state.set_replication(ROOT, op, "/d/f", 1),
            None,
        ),
    ]


@pytest.mark.parametrize("which", range(7))
def test_a_repeated_change_has_one_effect_and_one_answer(which: int) -> None:
    core = Core()
    core.put("/d/f", 10)
    _, deed, expected = changes_of(core, core.op())[which]
    first = deed()
    assert core.do(first) == expected and first.edit is not None
    rows = core.state.image.rows()
    again = deed()
    assert (again.result, again.edit, again.depends) == (expected, None, first.edit.txid)
    assert core.state.image.rows() == rows


@pytest.mark.parametrize("which", range(7))
def test_safe_mode_refuses_changes_in_the_words_of_hdfs(which: int) -> None:
    core = Core()
    core.put("/d/f", 10)
    core.state.blocks.enter_safe_mode()
    refused, deed, _ = changes_of(core, core.op())[which]
    rows = core.state.image.rows()
    assert refusal(errors.SafeMode, deed) == f"{refused}. Name node is in safe mode."
    assert core.state.image.rows() == rows
    core.state.blocks.leave_safe_mode(0.0)
    core.do(deed())


def test_an_answer_from_before_safe_mode_is_given_in_safe_mode() -> None:
    core = Core()
    _, deed, _ = changes_of(core, core.op())[0]
    core.do(deed())
    core.state.blocks.enter_safe_mode()
    assert deed().result is None


def test_changes_that_change_nothing() -> None:
    core = Core()
    core.mkdir("/d")
    before = core.metadata.last_txid
    core.mkdir("/d")
    assert core.delete("/no") is False
    assert core.metadata.last_txid == before
    op = core.op()
    assert core.state.delete(ROOT, op, "/no", False, 1).result is False
    core.mkdir("/no")
    assert core.state.delete(ROOT, op, "/no", False, 1).result is False
    assert core.state.reading.stat(ROOT, "/no").result.is_directory


def test_a_refused_change_may_be_tried_again_under_the_same_name() -> None:
    core = Core()
    op = core.op()
    refusal(errors.PathNotFound, lambda: core.state.mkdir(ROOT, op, "/a/b", False, 0o755, 1, 0.0))
    core.mkdir("/a")
    core.do(core.state.mkdir(ROOT, op, "/a/b", False, 0o755, 1, 0.0))


def test_deleted_blocks_go_from_the_disks_and_then_from_the_records() -> None:
    core = Core()
    core.put("/d/f", 100, 20)
    core.put("/keep", 5)
    core.delete("/d")
    assert core.nodes.obey(core.metadata.last_txid) == []
    step = core.state.purge_step(100)
    assert core.nodes.obey(core.metadata.last_txid) == []  # The edit is not durable yet.
    core.do(step)
    assert core.state.forget_deleted(100) is None
    assert core.metadata.tables["deleted_blocks"].keys() == {1, 2}
    assert set(core.nodes.obey(core.metadata.last_txid)) == {1, 2}
    core.do(core.state.forget_deleted(1))
    assert core.metadata.tables["deleted_blocks"].keys() == {2}
    core.do(core.state.forget_deleted(100))
    assert core.metadata.tables["deleted_blocks"] == {} == core.state.image.deleted_blocks
    assert core.state.purge_step(100) is None and core.state.forget_deleted(100) is None
    assert {number for held in core.nodes.held.values() for number in held} == {3}


def test_deletions_survive_restarts() -> None:
    core = Core()
    core.put("/d/f", 100, 20)
    core.delete("/d")
    core.restart()
    core.do(core.state.purge_step(1))
    core.restart()
    while core.state.image.orphans.children:
        core.do(core.state.purge_step(1))
    core.restart()
    assert core.sweep() == [1, 2]
    assert not any(core.nodes.held.values())
    assert core.metadata.tables["deleted_blocks"] == {}


def test_nothing_is_deleted_in_safe_mode() -> None:
    core = Core()
    core.put("/f", 10)
    core.delete("/f")
    core.state.blocks.enter_safe_mode()
    assert core.state.purge_step(10) is None and core.state.forget_deleted(10) is None
    assert core.nodes.obey(core.metadata.last_txid) == []
    core.state.blocks.leave_safe_mode(0.0)
    assert core.sweep() == [1]


def test_replication_reaches_the_block_side() -> None:
    core = Core()
    core.put("/f", 100, 5)
    core.do(core.state.set_replication(ROOT, core.op(), "/f", 3))
    assert [core.state.blocks.census.health(number).wanted for number in (1, 2)] == [3, 3]
    core.restart()
    assert [core.state.blocks.census.health(number).wanted for number in (1, 2)] == [3, 3]


def test_a_fresh_file_system_belongs_to_the_superuser() -> None:
    state = State(new_blocks(), "hdfs", "admins")
    state.load({name: [] for name in TABLES}, [], 0)
    state.check()
    root = state.reading.stat(ROOT, "/").result
    assert (root.owner, root.group, root.mode) == ("hdfs", "admins", 0o755)


def test_a_restart_changes_nothing_and_repeats_no_number() -> None:
    """HDFS-14941: what was recorded was not what was applied, or not in that order."""
    core = Core()
    first = core.put("/a/b/f", 100, 1)
    core.put("/a/g", 7)
    core.rename("/a/b", "/c")
    core.do(core.state.set_mode(ROOT, core.op(), "/", 0o1777))
    rows = core.state.image.rows()
    core.restart()
    assert core.state.image.rows() == rows
    assert core.length("/c/f") == 101
    second = core.put("/new", 5)
    assert second >= first + 1000
    located = core.state.reading.block_locations(ROOT, "/new", 0, 5).result.blocks
    assert located[0].block.block_id > 1000


def test_damaged_tables_are_refused() -> None:
    tables = {"inodes": [], "blocks": [(1, 1, 5, 7, 0)], "deleted_blocks": [], "counters": []}
    state = State(new_blocks(), "root", "supergroup")
    assert "block 1 has no file 7" in refusal(
        errors.CorruptData, lambda: state.load(tables, [], 0)
    )


def test_the_state_in_one_line() -> None:
    core = Core()
    core.create("/f")
    assert repr(core.state) == (
        "<State <Image 0 inodes, 0 deleted> <Commits at 1, 1 not durable, 0 touched> "
        "<OpenFiles 1>>"
    )
