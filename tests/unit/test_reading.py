"""Reading: status, pages, locations and the state of blocks; in safe mode too."""

from typing import Any, List

import pytest

from data_service.namenode.namespace.permissions import Caller
from data_service.namenode.reading import PAGE_MAX
from data_service.protocol.blocks import Block
from data_service.protocol.files import ContentSummary, FileStatus
from tests.support.models.namenode_core import ROOT, Core, refusal
from zookeeper.fabric import errors


def test_stat() -> None:
    core = Core()
    file_id = core.put("/d/é f", 100, 30)
    assert core.state.reading.stat(ROOT, "/d/é f").result == FileStatus(
        "é f", file_id, "f", 130, 2, 100, "root", "supergroup", 0o644, 8, 8
    )
    root = core.state.reading.stat(ROOT, "/").result
    assert root == FileStatus("", 1, "d", 0, 0, 0, "root", "supergroup", 0o755, 8, 0)
    assert root.is_directory
    assert refusal(errors.PathNotFound, lambda: core.length("/no")) == "File does not exist: /no"
    assert refusal(errors.NotADirectory, lambda: core.length("/d/é f/x")) == (
        "/d/é f (is not a directory)"
    )


def test_a_listing_comes_in_pages() -> None:
    core = Core()
    for name in "cab":
        core.put(f"/d/{name}")
    read = core.state.reading.list
    names: List[str] = []
    after, more = "", True
    while more:
        rows, more = read(ROOT, "/d", after, 2).result
        names += [row.name for row in rows]
        after = names[-1]
    assert names == ["a", "b", "c"]
    assert read(ROOT, "/d", "aa", 1).result[0][0].name == "b"
    core.mkdir("/empty")
    assert read(ROOT, "/empty", "", 5).result == ([], False)
    rows, more = read(ROOT, "/d/a", "", 5).result
    assert ([row.name for row in rows], more) == (["a"], False)
    for limit in (0, -1, True, 1.0):
        refusal(errors.InvalidArgument, lambda: read(ROOT, "/d", "", limit))
    refusal(errors.InvalidArgument, lambda: read(ROOT, "/d", None, 5))
    assert read(ROOT, "/d", "", PAGE_MAX * 10).result[1] is False


@pytest.mark.parametrize(
    "offset, length, positions",
    [
        (0, 1000, [0, 1, 2]),
        (0, 1, [0]),
        (99, 1, [0]),
        (99, 2, [0, 1]),
        (100, 100, [1]),
        (100, 101, [1, 2]),
        (229, 1, [2]),
        (230, 10, []),
        (50, 0, []),
        (0, 0, []),
    ],
)
def test_locations_of_a_range(offset: int, length: int, positions: List[int]) -> None:
    core = Core()
    core.put("/f", 100, 100, 30)
    answer = core.state.reading.block_locations(ROOT, "/f", offset, length).result
    assert [row.offset // 100 for row in answer.blocks] == positions
    assert answer.status.length == 230
    assert all(len(row.targets) == 2 and not row.corrupt for row in answer.blocks)


def test_locations_are_refused() -> None:
    core = Core()
    core.mkdir("/d")
    read = core.state.reading.block_locations
    assert refusal(errors.IsADirectory, lambda: read(ROOT, "/d", 0, 1)) == "Path is not a file: /d"
    for span in ((-1, 1), (0, -1), (0.0, 1), (True, 1)):
        refusal(errors.InvalidArgument, lambda: read(ROOT, "/d", *span))


def test_a_block_is_found_wherever_its_file_is_by_now() -> None:
    core = Core()
    core.put("/f", 100, 30)
    old = core.state.reading.block_locations(ROOT, "/f", 100, 1).result.blocks[0]
    core.rename("/f", "/g")
    core.put("/f", 30)
    locate = core.state.reading.locate_block
    assert locate(ROOT, old.block).result == old._replace(offset=0)
    for other in (old.block._replace(length=31), old.block._replace(generation=2),
                  old.block._replace(block_id=99)):
        assert locate(ROOT, other).result is None
    core.delete("/g")
    assert locate(ROOT, old.block).result is None


def test_a_corrupt_block_is_said_to_be_so() -> None:
    core = Core()
    core.put("/f", 10)
    block = Block(1, 1, 10)
    for node_id, held in core.nodes.held.items():
        if 1 in held:
            core.nodes.spoil(node_id, block)
    (row,) = core.state.reading.block_locations(ROOT, "/f", 0, 10).result.blocks
    assert row.corrupt
    (found,) = core.state.reading.fsck(ROOT, "/f", "", 10).result[0]
    assert found.blocks[0].health.corrupt == 2 and found.blocks[0].health.live == 0


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_fsck_goes_through_a_tree_in_pages(limit: int) -> None:
    core = Core()
    core.put("/d/b", 100, 20)
    core.put("/d/a/x", 5)
    core.mkdir("/d/c")
    core.put("/e", 1)
    core.create("/d/open")
    rows: List[Any] = []
    more = True
    while more:
        after = rows[-1].path if rows else ""
        page, more = core.state.reading.fsck(ROOT, "/d", after, limit).result
        rows += page
        assert len(page) <= limit
    assert [row.path for row in rows] == ["/d", "/d/a", "/d/a/x", "/d/b", "/d/c"]
    assert [len(row.blocks) for row in rows] == [0, 0, 1, 2, 0]
    for row in rows:
        assert row.status == core.state.reading.stat(ROOT, row.path).result
        for block, health, targets in row.blocks:
            assert (health.wanted, health.live, len(targets)) == (2, 2, 2)
    refusal(errors.InvalidArgument, lambda: core.state.reading.fsck(ROOT, "/d", "/e", 1))
    refusal(errors.PathNotFound, lambda: core.state.reading.fsck(ROOT, "/no", "", 1))


def test_a_page_of_fsck_ends_with_many_blocks() -> None:
    core = Core()
    core.put("/a", *[100] * 5)
    core.put("/b", 1)
    rows, more = core.state.reading.fsck(ROOT, "/", "", 3).result
    assert ([row.path for row in rows], more) == (["/", "/a"], True)


def test_reads_work_in_safe_mode() -> None:
    core = Core()
    file_id = core.put("/d/f", 10)
    core.state.blocks.enter_safe_mode()
    reading = core.state.reading
    assert reading.stat(ROOT, "/d/f").result.inode_id == file_id
    assert reading.list(ROOT, "/d", "", 5).result[1] is False
    assert len(reading.block_locations(ROOT, "/d/f", 0, 10).result.blocks) == 1
    assert reading.content_summary(ROOT, "/").result == ContentSummary(2, 1, 10, 20)
    assert len(reading.fsck(ROOT, "/", "", 10).result[0]) == 3


def test_a_block_of_which_no_datanode_has_told_yet_is_not_called_lost() -> None:
    core = Core()
    core.put("/f", 10)
    core.state = core.metadata.start()
    core.state.blocks.loaded(0.0)
    read = core.state.reading.block_locations
    refused = refusal(errors.SafeMode, lambda: read(ROOT, "/f", 0, 10))
    assert refused == "Zero blocklocations for /f. Name node is in safe mode."
    assert isinstance(core.state.explained(errors.SafeMode(refused)), errors.StartingUp)
    assert read(ROOT, "/f", 0, 0).result.status.length == 10
    core.state.blocks.leave_safe_mode(0.0)
    assert read(ROOT, "/f", 0, 10).result.blocks[0].targets == ()
    core.restart()
    found = core.state.reading.block_locations(ROOT, "/f", 0, 10).result
    assert len(found.blocks[0].targets) == 2


def test_the_path_of_an_inode_for_logs() -> None:
    core = Core()
    file_id = core.put("/d/f", 1)
    assert core.state.reading.path_of(file_id) == "/d/f"
    core.delete("/d")
    assert core.state.reading.path_of(file_id) is None
    assert core.state.reading.path_of(999) is None


def test_access_says_what_a_caller_may_do() -> None:
    core = Core()
    core.put("/f")
    core.state.set_mode(ROOT, core.op(), "/f", 0o640)
    member = Caller("bob", frozenset(["supergroup"]), False)
    other = Caller("eve", frozenset(), False)
    access = core.state.reading.access
    for caller, allowed in ((ROOT, range(8)), (member, (0, 4)), (other, (0,))):
        assert [bits for bits in range(8) if access(caller, "/f", bits).result] == list(allowed)
    refusal(errors.PathNotFound, lambda: access(ROOT, "/no", 4))
    for bits in (-1, 8, "r", True):
        refusal(errors.InvalidArgument, lambda: access(ROOT, "/f", bits))
