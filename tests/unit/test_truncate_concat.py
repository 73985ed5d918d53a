"""Truncate and concat: readers see the old content or the new one."""

import pytest

from data_service.protocol.blocks import BLOCKS_MAX
from data_service.protocol.files import OpenedFile
from tests.support.models.namenode_core import ROOT, Core, refusal
from zookeeper.fabric import errors

# -- Truncate.


@pytest.mark.parametrize("length, left", [(0, []), (100, [1]), (200, [1, 2]), (230, [1, 2, 3])])
def test_a_truncation_between_blocks_is_one_edit(length: int, left: "list[int]") -> None:
    core = Core()
    core.put("/f", 100, 100, 30)
    before = core.metadata.last_txid
    op = core.op()
    for _ in range(2):
        outcome = core.state.rewriting.truncate(ROOT, op, "/f", length, 0.0, 9)
        assert core.do(outcome) is None
    assert core.metadata.last_txid == before + (length < 230)
    assert core.length("/f") == length
    assert [number for number, _, _ in core.blocks("/f")] == left
    assert core.sweep() == [number for number in (1, 2, 3) if number not in left]
    core.append("/f")


def test_a_truncation_within_a_block_replaces_that_block() -> None:
    core = Core()
    number = core.put("/f", 100, 100, 30)
    opened = core.truncate("/f", 140)
    assert opened == OpenedFile(number, 2, 100, 1, 100, 230)
    cut = core.state.rewriting.cut_block("client", number).result
    assert (cut.block.block_id, cut.offset, len(cut.targets)) == (2, 100, 2)
    refusal(errors.LeaseExpired, lambda: core.state.rewriting.cut_block("thief", number))
    blocks = core.write(number, 40, first=1)
    assert core.length("/f") == 230
    core.complete(number, blocks)
    assert core.blocks("/f") == [(1, 0, 100), (4, 100, 40)]
    assert core.sweep() == [2, 3]
    core.restart()
    assert core.blocks("/f") == [(1, 0, 100), (4, 100, 40)]


def test_a_truncation_that_is_given_up_changes_nothing() -> None:
    core = Core()
    number = core.put("/f", 100, 30)
    core.truncate("/f", 40)
    core.write(number, 40)
    core.do(core.state.writing.abandon_file("client", number))
    assert core.sweep() == [3]
    assert core.blocks("/f") == [(1, 0, 100), (2, 100, 30)]


def test_only_a_truncation_has_a_block_that_is_cut() -> None:
    core = Core()
    number = core.put("/f", 100)
    core.append("/f")
    refusal(errors.InvalidArgument, lambda: core.state.rewriting.cut_block("client", number))


def test_a_file_is_not_truncated_to_more_than_it_has() -> None:
    core = Core()
    core.put("/f", 20)
    assert refusal(errors.InvalidArgument, lambda: core.truncate("/f", 21)) == (
        "Cannot truncate to a larger file size. Current size: 20, truncate size: 21."
    )
    assert refusal(errors.InvalidArgument, lambda: core.truncate("/f", -1)) == (
        "Cannot truncate to a negative file size: -1."
    )
    refusal(errors.IsADirectory, lambda: core.truncate("/", 1))


def test_a_truncation_ends_the_writer_that_is_silent() -> None:
    core = Core()
    number = core.put("/f", 20)
    core.append("/f", client="one")
    core.write(number, 5, first=1, client="one")
    core.now = 11.0
    assert core.truncate("/f", 20, client="two") is None
    refusal(errors.LeaseExpired, lambda: core.add(number, 2, client="one"))
    assert core.sweep() == [2]


# -- Concat.


def test_concat_moves_the_blocks_and_nothing_else() -> None:
    core = Core()
    target = core.put("/d/t", 100, 7)
    core.put("/d/a", 50)
    core.put("/d/b", 100, 1)
    core.do(core.state.set_replication(ROOT, core.op(), "/d/t", 3))
    before = core.metadata.last_txid
    core.concat("/d/t", "/d/b", "/d/a")
    assert core.metadata.last_txid == before + 1
    expected = [(1, 0, 100), (2, 100, 7), (4, 107, 100), (5, 207, 1), (3, 208, 50)]
    assert core.blocks("/d/t") == expected
    status = core.state.reading.stat(ROOT, "/d/t").result
    assert (status.inode_id, status.length, status.mtime_ms) == (target, 258, 10)
    assert [row.name for row in core.state.reading.list(ROOT, "/d", "", 9).result[0]] == ["t"]
    for number, _, _ in expected:
        assert core.state.blocks.inode_id(number) == target
        assert core.state.blocks.census.health(number).wanted == 3
    assert core.sweep() == []
    core.restart()
    assert core.blocks("/d/t") == expected


def test_what_concat_refuses() -> None:
    core = Core()
    core.put("/d/t", 10)
    core.put("/d/a", 10)
    core.put("/d/empty")
    core.put("/other", 10)
    why = {
        ("/d/empty",): "concat: source file /d/empty is invalid or empty or underConstruction",
        ("/d/t",): "concat: the src file /d/t is the same with the target file /d/t",
        ("/other",): "Source file /other is not in the same directory with the target /d/t",
        ("/d/a", "/d/a"): "concat: at least two of the source files are the same",
        (): "No sources given",
    }
    for sources, told in why.items():
        assert refusal(errors.InvalidArgument, lambda: core.concat("/d/t", *sources)) == told
    refusal(errors.PathNotFound, lambda: core.concat("/d/no", "/d/a"))
    refusal(errors.PathNotFound, lambda: core.concat("/d/t", "/d/a", "/d/no"))
    refusal(errors.IsADirectory, lambda: core.concat("/d", "/d/a"))
    assert core.blocks("/d/a") == [(2, 0, 10)]


def test_concat_of_larger_blocks_or_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Core()
    core.put("/t", 10)
    large = core.do(core.state.writing.create(
        ROOT, core.op(), "/large", False, 2, 101, 0o644, 0.0)).file_id
    core.complete(large, core.write(large, 101))
    assert "block size 101 which is greater" in refusal(
        errors.InvalidArgument, lambda: core.concat("/t", "/large"))
    core.put("/a", 100, 100)
    assert BLOCKS_MAX == 10_000
    monkeypatch.setattr("data_service.namenode.namespace.contents.BLOCKS_MAX", 2)
    assert "would have 3 blocks" in refusal(
        errors.InvalidArgument, lambda: core.concat("/t", "/a"))


def test_a_repeated_call_has_one_effect_also_after_a_restart() -> None:
    core = Core()
    core.put("/t", 10)
    core.put("/a", 20)
    op = core.op()
    for step in range(3):
        core.do(core.state.rewriting.concat(ROOT, op, "/t", ["/a"], 10))
        if step:
            core.restart()
    assert core.length("/t") == 30
    op = core.op()
    first = core.do(core.state.rewriting.append(ROOT, op, "/t", 0.0))
    again = core.do(core.state.rewriting.append(ROOT, op, "/t", 0.0))
    assert again == first and type(again) is type(first)


def test_what_will_be_replaced_is_not_concatenated() -> None:
    core = Core()
    core.put("/a", 100)
    core.put("/b", 100)
    core.create("/a", client="other", overwrite=True)
    refusal(errors.AlreadyBeingCreated, lambda: core.concat("/a", "/b"))
    refusal(errors.AlreadyBeingCreated, lambda: core.concat("/b", "/a"))
