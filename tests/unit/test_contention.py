"""Two who want one path: who waits, who gives way, and whose lease is over."""

import pytest

from data_service.namenode.writers import confirmations, takeover
from tests.support.models.namenode_core import Core, refusal
from zookeeper.fabric import errors


def test_one_writer_a_path() -> None:
    core = Core()
    core.create("/f", client="one")
    assert refusal(errors.AlreadyBeingCreated, lambda: core.create("/f", client="two")) == (
        "Failed to CREATE_FILE /f for two because this file lease is currently owned by one, "
        "which was heard of 0 s ago: it is free once that client has closed it or ended, or falls "
        "silent for 10 s"
    )
    # Also when the first client asks a second time, and where parents are missing.
    refusal(errors.AlreadyBeingCreated, lambda: core.create("/f", client="one"))
    core.create("/a/b/g", client="one")
    core.mkdir("/a")
    refusal(errors.AlreadyBeingCreated, lambda: core.create("/a/b/g", client="two"))
    core.mkdir("/a/b")
    refusal(errors.AlreadyBeingCreated, lambda: core.create("/a/b/g", client="two"))
    core.rename("/a", "/z")
    refusal(errors.AlreadyBeingCreated, lambda: core.create("/z/b/g", client="two"))
    core.create("/a/b/g", client="two")


def test_nothing_is_moved_to_where_somebody_writes() -> None:
    core = Core()
    core.mkdir("/elsewhere")
    core.put("/other", 5)
    new = core.create("/p/f", client="one")
    blocks = core.write(new, 7, client="one")
    message = refusal(errors.PathExists, lambda: core.rename("/elsewhere", "/p"))
    assert message == (
        "rename destination /p already exists: it is being written by one, which was heard of 0 s "
        "ago: it is free once that client has closed it or ended, or falls silent for 10 s"
    )
    core.mkdir("/p")
    refusal(errors.PathExists, lambda: core.rename("/other", "/p/f"))
    core.complete(new, blocks, client="one")
    assert (core.length("/p/f"), core.length("/other")) == (7, 5)


def test_who_is_silent_for_long_gives_way_to_what_is_moved() -> None:
    core = Core()
    core.put("/other", 5)
    new = core.create("/p", client="one")
    block = core.write(new, 7, client="one")[0]
    core.now = 11.0
    core.rename("/other", "/p")
    assert core.length("/p") == 5 and list(core.state.open_files.rows()) == []
    refusal(errors.LeaseExpired, lambda: core.complete(new, (block,), client="one"))
    assert core.sweep() == [block.block_id]


def test_one_user_has_only_so_many_files_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "OPEN_FILES_MAX", 3)
    core = Core()
    core.put("/f", 5)
    for number in range(3):
        core.create(f"/new{number}", client=f"c{number}@mallory")
    refusal(errors.QuotaExceeded, lambda: core.create("/new", client="c@mallory"))
    refusal(errors.QuotaExceeded, lambda: core.append("/f", client="c@mallory"))
    core.create("/new", client="c@alice")
    second = list(core.state.open_files.rows())[1].file_id
    core.do(core.state.writing.abandon_file("c1@mallory", second))
    core.append("/f", client="c@mallory")


def test_the_path_of_a_writer_that_is_gone_is_free_at_once() -> None:
    core = Core()
    leases, now = core.state.writing, 1.0
    leases.arrive("dead", "far")
    leases.arrive("dead", "far")
    for path in ("/a", "/b"):
        core.create(path, client="dead")
    assert {row.host for row in core.state.open_files.rows()} == {"far"}
    leases.part("dead", True, now)
    core.now = 5.0
    message = refusal(errors.AlreadyBeingCreated, lambda: core.create("/a", client="other"))
    assert "currently owned by dead on far, which was heard of 5 s ago" in message
    leases.part("dead", True, core.now)
    core.now += 0.5
    core.put("/other", 5)
    refusal(errors.Busy, lambda: core.create("/a", client="other"))
    refusal(errors.Busy, lambda: core.rename("/other", "/b"))
    core.now += 0.6
    core.create("/a", client="other")
    core.rename("/other", "/b")
    assert core.length("/b") == 5


def test_a_writer_that_comes_back_before_anybody_wanted_its_path_keeps_it() -> None:
    core = Core()
    core.state.writing.arrive("c", "far")
    file_id = core.create("/f", client="c")
    core.state.writing.part("c", True, core.now)
    core.now = 5.0
    assert core.state.writing.renew_lease("c", core.now)
    refusal(errors.AlreadyBeingCreated, lambda: core.create("/f", client="other"))
    core.complete(file_id, (), client="c")
    # One whose connection the namenode itself ended does not count as gone.
    core.state.writing.arrive("d", "far")
    core.create("/g", client="d")
    core.state.writing.part("d", False, core.now)
    core.now = 9.0
    refusal(errors.AlreadyBeingCreated, lambda: core.create("/g", client="other"))


def test_no_more_blocks_are_given_out_when_none_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirmations, "UNDER_WAY_MAX", 3)
    core = Core()
    file_id = core.create("/f")
    located = [core.add(file_id, position) for position in range(3)]
    refusal(errors.Busy, lambda: core.add(file_id, 3))
    assert core.add(file_id, 2) == located[2], "the same again is no more"
    core.nodes.receive(located[0].block._replace(length=7), located[0].targets)
    core.add(file_id, 3)
    refusal(errors.Busy, lambda: core.add(file_id, 4))
    core.do(core.state.writing.abandon_block("client", file_id, located[2].block.block_id))
    core.add(file_id, 2)
