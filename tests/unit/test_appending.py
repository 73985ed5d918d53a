"""Append and flush: readers see all that was, and all that was made visible, never less."""

from typing import Any, Callable

import pytest

from data_service.namenode.namespace.permissions import Caller
from data_service.protocol.files import OpenedFile, Tail
from tests.support.models.namenode_core import ROOT, Core, refusal
from zookeeper.fabric import errors

ANN = Caller("ann", frozenset({"staff"}), False)


def test_what_is_appended_is_new_blocks_behind_the_last() -> None:
    core = Core()
    number = core.put("/f", 100, 30)
    opened = core.append("/f")
    assert opened == OpenedFile(number, 2, 100, 2, 130, 130)
    blocks = core.write(number, 100, 7, first=2)
    assert core.length("/f") == 130
    before = core.metadata.last_txid
    done = core.complete(number, blocks)
    assert core.metadata.last_txid == before + 1
    assert (done.status.length, done.status.inode_id, done.status.mtime_ms) == (237, number, 8)
    assert done.status == core.state.reading.stat(ROOT, "/f").result
    assert core.blocks("/f") == [(1, 0, 100), (2, 100, 30), (3, 130, 100), (4, 230, 7)]
    assert list(core.state.open_files.rows()) == []


def test_a_range_that_begins_in_an_appended_block_is_found() -> None:
    core = Core()
    number = core.put("/f", 30)
    core.append("/f")
    core.complete(number, core.write(number, 50, first=1))
    located = core.state.reading.block_locations(ROOT, "/f", 30, 1).result.blocks
    assert [(row.block.block_id, row.offset) for row in located] == [(2, 30)]


def test_a_block_before_the_end_is_never_given_out_again() -> None:
    core = Core()
    number = core.put("/f", 100)
    core.append("/f")
    refusal(errors.InvalidArgument, lambda: core.add(number, 0))
    located = core.add(number, 2)
    assert located.offset == 200
    refusal(errors.InvalidArgument, lambda: core.complete(number, ()))


def test_an_append_that_adds_nothing_leaves_the_blocks_alone() -> None:
    core = Core()
    number = core.put("/f", 40)
    core.append("/f")
    assert core.complete(number, ()).status.length == 40
    assert core.blocks("/f") == [(1, 0, 40)]


@pytest.mark.parametrize("end", ["abandon", "expire"])
def test_an_append_that_is_given_up_leaves_the_file_as_it_was(end: str) -> None:
    core = Core()
    number = core.put("/f", 40)
    core.append("/f")
    core.write(number, 100, 5, first=1)
    if end == "abandon":
        core.do(core.state.writing.abandon_file("client", number))
    else:
        for core.now in range(0, 40, 4):
            for outcome in core.state.writing.expire_leases(core.now):
                core.do(outcome)
    assert core.sweep() == [2, 3]
    assert core.blocks("/f") == [(1, 0, 40)]
    refusal(errors.LeaseExpired, lambda: core.add(number, 1))
    core.append("/f", client="another")


def test_what_cannot_be_appended_to() -> None:
    core = Core()
    core.mkdir("/d")
    assert refusal(errors.IsADirectory, lambda: core.append("/d")) == (
        "Cannot append to directory /d; already exists as a directory."
    )
    assert refusal(errors.PathNotFound, lambda: core.append("/no")) == (
        "Failed to append to non-existent file /no for client client"
    )


def test_one_writer_a_file_however_it_writes() -> None:
    core = Core()
    number = core.put("/d/f", 40)
    core.put("/d/g", 40)
    core.append("/d/f", client="one")
    held = "because this file lease is currently owned by one"
    rivals = {
        "APPEND_FILE": lambda: core.append("/d/f", client="two"),
        "TRUNCATE_FILE": lambda: core.truncate("/d/f", 5, client="two"),
        "CREATE_FILE": lambda: core.create("/d/f", client="two", overwrite=True),
    }
    for deed, rival in rivals.items():
        told = refusal(errors.AlreadyBeingCreated, rival)
        assert told == (
            f"Failed to {deed} /d/f for two {held}, which was heard of 0 s ago: it is free once "
            "that client has closed it or ended, or falls silent for 10 s"
        )
    told = refusal(errors.AlreadyBeingCreated, lambda: core.concat("/d/f", "/d/g"))
    assert told == "concat: target file /d/f is under construction"
    refusal(errors.AlreadyBeingCreated, lambda: core.concat("/d/g", "/d/f"))
    # By its number, so that no rename gets round it, and it is free again at the end.
    core.rename("/d", "/e")
    refusal(errors.AlreadyBeingCreated, lambda: core.append("/e/f", client="two"))
    core.complete(number, (), client="one")
    core.append("/e/f", client="two")


def test_a_new_file_in_its_place_keeps_others_from_writing_a_file() -> None:
    core = Core()
    core.put("/f", 40)
    core.create("/f", client="one", overwrite=True)
    refusal(errors.AlreadyBeingCreated, lambda: core.append("/f", client="two"))


def test_after_the_soft_limit_another_writer_takes_over() -> None:
    core = Core()
    number = core.put("/f", 40)
    core.append("/f", client="one")
    core.write(number, 10, first=1, client="one")
    core.now = 11.0
    core.append("/f", client="two")
    refusal(errors.LeaseExpired, lambda: core.add(number, 2, client="one"))
    core.complete(number, core.write(number, 3, first=1, client="two"), client="two")
    assert core.blocks("/f") == [(1, 0, 40), (3, 40, 3)]
    assert core.sweep() == [2]


def test_the_writer_follows_a_rename_of_the_file() -> None:
    core = Core()
    number = core.put("/d/f", 40)
    core.append("/d/f")
    core.rename("/d/f", "/g")
    assert [row.path for row in core.state.open_files.rows()] == ["/g"]
    core.complete(number, core.write(number, 2, first=1))
    assert core.length("/g") == 42


@pytest.mark.parametrize("purged", [False, True])
def test_the_lease_ends_with_the_file(purged: bool) -> None:
    core = Core()
    number = core.put("/d/f", 40)
    core.append("/d/f")
    blocks = core.write(number, 2, first=1)
    core.delete("/d")
    if purged:
        core.sweep()
    refusal(errors.LeaseExpired, lambda: core.add(number, 2))
    refusal(errors.LeaseExpired, lambda: core.complete(number, blocks))
    refusal(errors.LeaseExpired, lambda: core.flush(number, blocks))
    core.do(core.state.writing.abandon_file("client", number))
    assert 2 in core.sweep()


def test_writing_on_needs_write_on_the_file() -> None:
    core = Core()
    number = core.put("/f", 40)
    core.put("/g", 40)
    rewriting = core.state.rewriting
    deeds: "list[Callable[[], Any]]" = [
        lambda: rewriting.append(ANN, core.op("ann"), "/f", 0.0),
        lambda: rewriting.truncate(ANN, core.op("ann"), "/f", 0, 0.0, 9),
        lambda: rewriting.concat(ANN, core.op("ann"), "/f", ["/g"], 9),
    ]
    for deed in deeds:
        assert refusal(errors.PermissionDenied, deed).startswith(
            'Permission denied: user=ann, access=WRITE, inode="/f":root:'
        )
    core.do(core.state.set_mode(ROOT, core.op(), "/f", 0o666))
    # Now the concat may not take the source away.
    told = refusal(errors.PermissionDenied, deeds.pop())
    assert told.startswith('Permission denied: user=ann, access=WRITE, inode="/":root:')
    core.do(core.state.set_mode(ROOT, core.op(), "/", 0o1777))
    told = refusal(errors.PermissionDenied, lambda: rewriting.concat(
        ANN, core.op("ann"), "/f", ["/g"], 9))
    assert told.startswith("Permission denied by sticky bit")
    core.do(deeds[0]())
    core.do(core.state.writing.abandon_file("ann", number))
    core.do(deeds[1]())
    assert core.length("/f") == 0


def test_safe_mode_refuses_in_the_words_of_hdfs() -> None:
    core = Core()
    core.put("/f", 40)
    core.state.blocks.enter_safe_mode()
    told = " Name node is in safe mode."
    assert refusal(errors.SafeMode, lambda: core.append("/f")) == "Cannot append to file/f." + told
    assert refusal(errors.SafeMode, lambda: core.truncate("/f", 1)) == (
        "Cannot truncate for /f." + told
    )
    assert refusal(errors.SafeMode, lambda: core.concat("/f", "/g")) == "Cannot concat /f." + told


# -- Flush.


def test_a_flush_makes_a_new_file_appear_and_keeps_it_open() -> None:
    core = Core()
    number = core.create("/d/f")
    refusal(errors.PathNotFound, lambda: core.length("/d/f"))
    assert core.flush(number, core.write(number, 30)).status.length == 30
    assert core.blocks("/d/f") == [(1, 0, 30)]
    assert core.flush(number, core.write(number, 100, 4, first=1)).status.length == 134
    refusal(errors.AlreadyBeingCreated, lambda: core.append("/d/f", client="another"))
    done = core.complete(number, core.write(number, 1, first=3))
    assert (done.status.length, done.replicas) == (135, 2)
    assert core.blocks("/d/f") == [(1, 0, 30), (2, 30, 100), (3, 130, 4), (4, 134, 1)]
    core.append("/d/f", client="another")


def test_a_flush_takes_the_place_of_the_file_that_is_overwritten() -> None:
    core = Core()
    old = core.put("/f", 50)
    number = core.create("/f", overwrite=True)
    blocks = core.write(number, 10)
    assert core.length("/f") == 50
    core.flush(number, blocks)
    assert core.length("/f") == 10 and core.state.image.inodes[old].is_deleted


def test_what_was_flushed_stays_when_the_writer_is_gone() -> None:
    core = Core()
    number = core.create("/f")
    core.flush(number, core.write(number, 30))
    core.write(number, 100, first=1)
    core.do(core.state.writing.abandon_file("client", number))
    assert core.sweep() == [2]
    assert core.blocks("/f") == [(1, 0, 30)]


def test_a_repeated_flush_is_answered_the_same_also_after_a_restart() -> None:
    core = Core()
    number = core.create("/f")
    blocks, op = core.write(number, 20), core.op()

    def flush() -> Any:
        return core.do(core.state.writing.flush(ROOT, op, number, blocks, 0.0, 8))

    first = flush()
    assert flush() == first
    core.restart()
    assert flush() == first and type(flush()) is type(first)
    refusal(errors.ProtocolViolation, lambda: core.state.writing.complete(
        ROOT, op, number, blocks, 0.0, 8))


# -- Going on with another namenode.


@pytest.mark.parametrize("cut", [False, True])
def test_a_writer_goes_on_with_a_restarted_namenode(cut: bool) -> None:
    core = Core()
    number = core.put("/d/f", 100, 30)
    opened = core.truncate("/d/f", 40) if cut else core.append("/d/f")
    assert opened is not None
    blocks = core.write(number, 40, first=opened.position)
    core.rename("/d/f", "/g")
    core.restart()
    refusal(errors.LeaseExpired, lambda: core.complete(number, blocks))
    assert core.go_on(opened, blocks) == opened
    assert core.go_on(opened, blocks) == opened
    core.complete(number, blocks)
    assert core.length("/g") == (40 if cut else 170)
    refusal(errors.LeaseExpired, lambda: core.go_on(opened, blocks))


def test_a_flushed_file_goes_on_as_one_that_is_appended_to() -> None:
    core = Core()
    number = core.create("/f")
    flushed = core.write(number, 30)
    core.flush(number, flushed)
    more = core.write(number, 20, first=1)
    core.restart()
    refusal(errors.LeaseExpired, lambda: core.resume("/f", number, flushed))
    opened = core.append("/f", client="probe")
    core.do(core.state.writing.abandon_file("probe", number))
    # The probe's lease is over, so this namenode has ended a write of the file since.
    refusal(errors.LeaseExpired, lambda: core.go_on(opened, more))
    core.restart()
    core.go_on(opened, more)
    core.complete(number, more)
    assert core.length("/f") == 50


def test_a_writer_does_not_go_on_in_a_file_that_was_changed() -> None:
    core = Core()
    number = core.put("/f", 100, 30)
    opened = core.append("/f")
    blocks = core.write(number, 40, first=2)
    core.restart()
    core.truncate("/f", 100, client="another")
    told = refusal(errors.LeaseExpired, lambda: core.go_on(opened, blocks))
    assert told == "No lease on /f: it was changed by another client"
    core.restart()
    core.delete("/f")
    refusal(errors.LeaseExpired, lambda: core.go_on(opened, blocks))


def test_who_may_go_on_is_who_owns_the_file_or_may_write_it() -> None:
    core = Core()
    core.mkdir("/d")
    number = core.put("/d/f", 10)
    core.do(core.state.set_mode(ROOT, core.op(), "/d/f", 0o444))
    opened = core.append("/d/f", client="ann")
    core.restart()

    def resume() -> Any:
        tail = Tail(*opened[3:6])
        return core.do(core.state.rewriting.resume(ANN, "ann", number, tail, {}, 0.0))

    refusal(errors.PermissionDenied, resume)
    core.do(core.state.set_owner(ROOT, core.op(), "/d/f", "ann", ""))
    core.do(core.state.set_mode(ROOT, core.op(), "/d", 0o700))
    refusal(errors.PermissionDenied, resume)
    core.do(core.state.set_mode(ROOT, core.op(), "/d", 0o711))
    resume()


def test_an_append_waits_for_what_it_tells_of_also_when_it_is_repeated() -> None:
    core = Core()
    core.put("/warm", 1)
    core.put("/f", 40)
    made, op = core.metadata.last_txid, core.op()
    for _ in range(2):
        assert core.state.rewriting.append(ROOT, op, "/f", 0.0).depends == made
