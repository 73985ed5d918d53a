"""Writing: a file appears whole or not at all, one writer a path."""

from typing import Any, Callable

import pytest

from data_service.namenode.namespace import commits
from data_service.protocol.blocks import BLOCKS_MAX
from tests.support.models.namenode_core import BLOCK_SIZE, ROOT, Core, refusal
from zookeeper.fabric import errors


def test_a_file_is_seen_when_it_is_complete_and_not_before() -> None:
    core = Core()
    file_id = core.create("/new/f")
    blocks = core.write(file_id, 100, 100, 30)
    refusal(errors.PathNotFound, lambda: core.length("/new"))
    done = core.complete(file_id, blocks)
    assert done.replicas == 2 and done.status == core.state.reading.stat(ROOT, "/new/f").result
    assert (done.status.length, done.status.inode_id, done.status.mtime_ms) == (230, file_id, 8)
    located = core.state.reading.block_locations(ROOT, "/new/f", 0, 1000).result.blocks
    assert [(row.block, row.offset, len(row.targets)) for row in located] == [
        (blocks[0], 0, 2), (blocks[1], 100, 2), (blocks[2], 200, 2),
    ]  # fmt: skip
    assert list(core.state.open_files.rows()) == []


def test_complete_is_one_edit() -> None:
    core = Core()
    file_id = core.create("/a/b/f")
    blocks = core.write(file_id, 100, 1)
    before = core.metadata.last_txid
    core.complete(file_id, blocks)
    assert core.metadata.last_txid == before + 1
    # The parent's time, two new directories, the file and its two blocks with their digests.
    assert len(core.metadata.edits[-1].changes) == 8


def test_overwriting_keeps_the_old_content_until_the_new_is_complete() -> None:
    core = Core()
    old = core.put("/f", 40)
    file_id = core.create("/f", overwrite=True)
    blocks = core.write(file_id, 70)
    assert core.length("/f") == 40
    core.complete(file_id, blocks)
    assert core.length("/f") == 70
    assert core.state.image.inodes[old].is_deleted
    assert core.sweep() == [1]


def test_without_datanodes_no_block_is_given() -> None:
    core = Core(datanodes=0)
    file_id = core.create("/x/f")
    assert refusal(errors.NotEnoughReplicas, lambda: core.add(file_id, 0)).startswith(
        "File /x/f could only be written to 0 of the 1 minReplication nodes."
    )
    core.state.check()


def test_excluded_datanodes_are_not_chosen() -> None:
    core = Core()
    file_id = core.create("/f")
    targets = core.add(file_id, 0, excluded=["node-1"]).targets
    assert sorted(target.node_id for target in targets) == ["node-0", "node-2"]


def test_a_block_that_is_asked_for_again_is_the_same() -> None:
    core = Core()
    file_id = core.create("/f")
    first = core.add(file_id, 0)
    assert core.add(file_id, 0) == first
    other = core.add(file_id, 2)
    assert other.block.block_id != first.block.block_id and other.offset == 2 * BLOCK_SIZE
    for position in (-1, BLOCKS_MAX):
        refusal(errors.InvalidArgument, lambda: core.add(file_id, position))


@pytest.mark.parametrize(
    "present",
    [
        lambda a, b: (a,),
        lambda a, b: (b, a),
        lambda a, b: (a, b, b),
        lambda a, b: (a._replace(length=101), b),
        lambda a, b: (a, b._replace(length=0)),
        lambda a, b: (a, b._replace(length=101)),
        lambda a, b: (a, b._replace(generation=2)),
        lambda a, b: (a, b._replace(block_id=99)),
        lambda a, b: (),
    ],
)
def test_only_the_blocks_that_were_given_make_a_file(present: Callable[..., Any]) -> None:
    core = Core()
    file_id = core.create("/f")
    blocks = core.write(file_id, 100, 60)
    refusal(errors.InvalidArgument, lambda: core.complete(file_id, present(*blocks)))
    core.state.check()
    core.complete(file_id, blocks)


def test_any_block_may_end_early_but_none_is_shorter_than_its_replicas() -> None:
    core = Core()
    file_id = core.create("/f")
    first, second, third = core.write(file_id, 40, 100, 60)
    short = first._replace(length=39)
    refusal(errors.CorruptData, lambda: core.complete(file_id, [short, second, third]))
    core.complete(file_id, [first, second, third])
    assert core.length("/f") == 200
    core.state.check()


def test_a_hole_makes_no_file() -> None:
    core = Core()
    file_id = core.create("/f")
    first, second = core.add(file_id, 0).block, core.add(file_id, 2).block
    full = [first._replace(length=100), second._replace(length=5)]
    refusal(errors.InvalidArgument, lambda: core.complete(file_id, full))


def test_an_abandoned_block_is_recorded_before_it_is_deleted() -> None:
    core = Core()
    file_id = core.create("/f")
    (block,) = core.write(file_id, 50)
    outcome = core.state.writing.abandon_block("client", file_id, block.block_id)
    assert outcome.edit.changes == (("deleted_blocks", 1, (1, 1)),)
    assert core.nodes.obey(durable_txid=outcome.depends - 1) == []
    core.do(outcome)
    assert set(core.nodes.obey(durable_txid=outcome.depends)) == {1}
    again = core.state.writing.abandon_block("client", file_id, block.block_id)
    assert again.edit is None
    assert core.add(file_id, 0).block.block_id == 2


def test_an_abandoned_file_leaves_nothing() -> None:
    core = Core()
    file_id = core.create("/f")
    core.write(file_id, 100, 5)
    core.do(core.state.writing.abandon_file("client", file_id))
    core.do(core.state.writing.abandon_file("client", file_id))
    assert core.sweep() == [1, 2]
    assert core.metadata.tables["deleted_blocks"] == {}
    refusal(errors.LeaseExpired, lambda: core.add(file_id, 2))
    core.put("/f", 1)


def test_an_opened_file_tells_of_what_is_above_it() -> None:
    core = Core()
    core.put("/warm", 1)
    core.mkdir("/d")
    made = core.metadata.last_txid

    def create(path: str) -> int:
        return core.state.writing.create(
            ROOT, core.op(), path, False, 2, BLOCK_SIZE, 0o644, 0.0
        ).depends

    assert create("/d/f") == made
    core.state.commits.note_durable(made)
    assert create("/d/g") < made


def test_a_repeated_create_is_the_same_file() -> None:
    core = Core()
    op = core.op()

    def create() -> Any:
        return core.do(
            core.state.writing.create(ROOT, op, "/f", False, 2, BLOCK_SIZE, 0o644, 0.0)
        )

    assert create() == create()
    refusal(errors.ProtocolViolation, lambda: core.state.delete(ROOT, op, "/f", False, 1))


def test_a_repeated_complete_is_answered_the_same_also_after_a_restart() -> None:
    core = Core()
    file_id = core.create("/f")
    blocks = core.write(file_id, 20)
    op = core.op()

    def complete() -> Any:
        return core.do(core.state.writing.complete(ROOT, op, file_id, blocks, 0.0, 8))

    first = complete()
    core.rename("/f", "/g")
    assert complete() == first
    core.restart()
    assert complete() == first and type(complete()) is type(first)
    refusal(errors.LeaseExpired, lambda: core.complete(file_id, blocks))


def test_another_client_cannot_write_the_file() -> None:
    core = Core()
    file_id = core.create("/f")
    blocks = core.write(file_id, 20)
    for deed in (
        lambda: core.add(file_id, 1, client="thief"),
        lambda: core.complete(file_id, blocks, client="thief"),
        lambda: core.state.writing.abandon_block("thief", file_id, 1),
        lambda: core.state.writing.abandon_file("thief", file_id),
        lambda: core.resume("/f", file_id, blocks, client="thief"),
    ):
        refusal(errors.LeaseExpired, deed)


def test_the_file_follows_a_rename_above_it() -> None:
    core = Core()
    core.mkdir("/a/b")
    file_id = core.create("/a/b/f")
    core.rename("/a", "/z")
    core.complete(file_id, core.write(file_id, 3))
    assert core.length("/z/b/f") == 3


def test_the_lease_ends_with_the_directory() -> None:
    """HDFS-6825, HDFS-7707: a deleted file, also one whose path existed again, was completed, and
    its edit could not be replayed."""
    core = Core()
    core.mkdir("/a/b")
    file_id = core.create("/a/b/f")
    blocks = core.write(file_id, 3)
    core.delete("/a")
    core.mkdir("/a/b")
    refusal(errors.LeaseExpired, lambda: core.add(file_id, 1))
    refusal(errors.LeaseExpired, lambda: core.complete(file_id, blocks))
    core.do(core.state.writing.abandon_file("client", file_id))
    assert core.sweep() == [1]


def test_no_directory_is_made_where_a_file_is_being_written() -> None:
    """It was made, and whoever wrote the file ended with bytes and no place for them."""
    core = Core()
    file_id = core.create("/d/f")
    blocks = core.write(file_id, 5)
    for _ in range(2):
        for path in ("/d/f", "/d/f/g/h"):
            told = refusal(errors.NotADirectory, lambda: core.mkdir(path))
            assert path in told and "is being written by client" in told
        refusal(errors.NotADirectory, lambda: core.create("/d/f/x", "other"))
        refusal(errors.NotADirectory, lambda: core.create("/d/f/g/x"))
        core.mkdir("/d/ff/f")
    core.complete(file_id, blocks)
    assert core.length("/d/f") == 5


@pytest.mark.parametrize("made", ["mkdir", "create"])
def test_a_silent_writer_gives_way_to_a_directory(made: str) -> None:
    core = Core()
    file_id = core.create("/d/f")
    blocks = core.write(file_id, 5)
    core.now += 11.0
    if made == "mkdir":
        core.mkdir("/d/f/g")
    else:
        core.complete(core.create("/d/f/g", "other"), (), "other")
    refusal(errors.LeaseExpired, lambda: core.complete(file_id, blocks))
    assert core.sweep() == [block.block_id for block in blocks]


def test_the_path_is_checked_again_at_the_end() -> None:
    """HDFS-6527: a file was completed at a path that was another one by then."""
    core = Core()
    below, there, above = core.create("/f/x"), core.create("/f"), core.create("/g/h")
    core.complete(below, ())
    core.put("/g")
    assert refusal(errors.IsADirectory, lambda: core.complete(there, ())) == (
        "/f already exists as a directory"
    )
    refusal(errors.NotADirectory, lambda: core.complete(above, ()))
    core.delete("/f")
    core.complete(there, ())


def test_safe_mode_refuses_writers_in_the_words_of_hdfs() -> None:
    core = Core()
    file_id = core.create("/d/f")
    blocks = core.write(file_id, 5)
    core.state.blocks.enter_safe_mode()
    told = " Name node is in safe mode."
    assert refusal(errors.SafeMode, lambda: core.create("/x")) == "Cannot create file/x." + told
    assert refusal(errors.SafeMode, lambda: core.add(file_id, 1)) == (
        "Cannot add block to /d/f." + told
    )
    assert refusal(errors.SafeMode, lambda: core.complete(file_id, blocks)) == (
        "Cannot complete file /d/f." + told
    )
    refusal(errors.SafeMode, lambda: core.state.writing.abandon_block("client", file_id, 1))
    refusal(errors.SafeMode, lambda: core.state.writing.abandon_file("client", file_id))
    core.state.blocks.leave_safe_mode(0.0)
    core.complete(file_id, blocks)


@pytest.mark.parametrize(
    "replication, block_size, mode",
    [(0, 100, 0o644), (513, 100, 0o644), (2, 0, 0o644), (2, 1 << 51, 0o644), (2, 100, 0o4644),
     (2, 100, -1), (2, 100.0, 0o644)],
)  # fmt: skip
def test_attributes_have_limits(replication: int, block_size: int, mode: int) -> None:
    core = Core()
    with pytest.raises(errors.InvalidArgument):
        core.state.writing.create(
            ROOT, core.op(), "/f", False, replication, block_size, mode, 0.0
        )
    core.state.check()
    assert core.metadata.last_txid == 0


def test_a_rename_that_cannot_be_recorded_ends_nobodys_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core = Core()
    core.put("/f", 10)
    core.write(core.create("/g/a", client="one"), 100, 100, client="one")
    core.now += 61
    monkeypatch.setattr(commits, "ROWS_UNMEASURED", 1)
    monkeypatch.setattr(commits, "EDIT_BYTES_MAX", 100)
    refusal(errors.InvalidArgument, lambda: core.rename("/f", "/g"))
    assert [row.path for row in core.state.open_files.rows()] == ["/g/a"]
    monkeypatch.undo()
    core.rename("/f", "/g")
    assert list(core.state.open_files.rows()) == []
    core.state.check()
