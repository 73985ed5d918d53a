"""Files in progress and single blocks, as administrators and others may see them."""

import pytest

from data_service.namenode.namespace.permissions import Caller
from data_service.namenode.writers.open_files import OpenFiles
from data_service.protocol.health import LIVE_REPLICA
from tests.support.models.namenode_core import BLOCK_SIZE, ROOT, Core
from zookeeper.fabric.errors import InvalidArgument, PermissionDenied

STRANGER = Caller("stranger", frozenset(), False)


def listed(core: Core, path: str = "/", caller: Caller = ROOT) -> list:
    """The paths of the open files that a caller sees, fetched one by one."""
    found, after, more = [], 0, True
    while more:
        rows, after, more = core.state.inspecting.open_files(caller, path, after, 1).result
        found += [row.path for row in rows]
    return found


def test_open_files_are_listed_below_a_path() -> None:
    core = Core()
    for path in ("/a/x", "/a/b/y", "/ab/z", "/f"):
        core.create(path, client=path)
    core.put("/a/done", 10)
    assert listed(core) == ["/a/x", "/a/b/y", "/ab/z", "/f"]
    assert listed(core, "/a") == ["/a/x", "/a/b/y"]
    assert listed(core, "/f") == ["/f"] and listed(core, "/a/done") == []
    for limit in (0, -1, "1"):
        with pytest.raises(InvalidArgument):
            core.state.inspecting.open_files(ROOT, "/", 0, limit)


def test_an_open_file_is_shown_as_far_as_its_datanodes_have_told() -> None:
    core = Core()
    file_id = core.create("/w", client="me")
    core.write(file_id, BLOCK_SIZE, client="me")
    core.add(file_id, 1, client="me")
    ((row,), _, _) = core.state.inspecting.open_files(ROOT, "/", 0, 10).result
    assert (row.path, row.writer, row.status.length) == ("/w", "me", BLOCK_SIZE)
    assert (row.status.replication, row.status.owner) == (2, "root")
    first, second = row.blocks
    assert first.block.length == BLOCK_SIZE and first.health == (2, 2, 0, 0, 0)
    assert [holder.state for holder in first.holders] == [LIVE_REPLICA] * 2
    assert second.health == (2, 0, 0, 0, 0) and second.holders == ()


def test_a_file_in_progress_is_hidden_from_who_may_not_look_there() -> None:
    core = Core()
    core.mkdir("/private")
    core.do(core.state.set_mode(ROOT, core.op(), "/private", 0o711))
    core.create("/private/w")
    core.create("/w")
    assert listed(core, caller=STRANGER) == ["/w"]
    core.do(core.state.set_mode(ROOT, core.op(), "/", 0o700))
    assert listed(core, caller=STRANGER) == []
    owner = Caller("root", frozenset(), False)
    assert listed(core, caller=owner) == ["/private/w", "/w"], "one's own are no secret"


def test_a_block_tells_its_file() -> None:
    core = Core()
    core.put("/d/f", BLOCK_SIZE, 7)
    blocks = core.state.reading.block_locations(ROOT, "/d/f", 0, 1000).result.blocks
    for located in blocks:
        row = core.state.inspecting.block(ROOT, located.block.block_id).result
        assert row.path == "/d/f" and row.writer == ""
        assert [found.block for found in row.blocks] == [located.block]
        assert row.blocks[0].health == (2, 2, 0, 0, 0) and len(row.blocks[0].holders) == 2
    assert core.state.inspecting.block(ROOT, 999).result is None
    assert core.state.inspecting.block(STRANGER, blocks[0].block.block_id).result.path == "/d/f"
    for mode in (0o700, 0o711):  # Who may pass a directory may not see what is in it.
        core.do(core.state.set_mode(ROOT, core.op(), "/d", mode))
        with pytest.raises(PermissionDenied) as caught:
            core.state.inspecting.block(STRANGER, blocks[0].block.block_id)
        assert "/d" not in caught.value.message
    core.delete("/d")
    assert core.state.inspecting.block(ROOT, blocks[0].block.block_id).result is None


def test_a_block_that_is_being_written_tells_its_file_too() -> None:
    core = Core()
    file_id = core.create("/w")
    block = core.write(file_id, 9)[0]
    row = core.state.inspecting.block(ROOT, block.block_id).result
    assert (row.path, row.writer) == ("/w", "client") and row.blocks[0].block == block
    core.do(core.state.set_mode(ROOT, core.op(), "/", 0o700))
    assert core.state.inspecting.block(STRANGER, block.block_id).result is None


def test_no_path_is_found_for_files_that_have_not_the_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There may be very many, and all others wait meanwhile."""
    core = Core()
    core.write(core.create("/w"), 9)
    monkeypatch.setattr(OpenFiles, "path", None)
    assert core.state.inspecting.block(ROOT, 999).result is None


def test_a_block_that_is_being_written_tells_no_path_that_a_crash_could_take_back() -> None:
    core = Core()
    core.mkdir("/d")
    block = core.write(core.create("/d/w"), 9)[0]
    core.rename("/d", "/e")
    outcome = core.state.inspecting.block(ROOT, block.block_id)
    assert outcome.result.path == "/e/w"
    assert outcome.depends == core.state.commits.last_txid


def test_who_may_not_read_a_file_does_not_complain_of_its_blocks() -> None:
    """Block numbers are in sequence and datanodes are known to all: a guess is no right."""
    core = Core()
    core.put("/private/f", 10)
    core.put("/f", 10)
    core.do(core.state.set_mode(ROOT, core.op(), "/private", 0o700))
    hidden, plain = (
        core.state.reading.block_locations(ROOT, path, 0, 9).result.blocks[0].block
        for path in ("/private/f", "/f")
    )
    may_read = core.state.reading.locate_block
    with pytest.raises(PermissionDenied) as caught:
        may_read(STRANGER, hidden)
    assert "private" not in caught.value.message, "nor does he learn its name"
    assert may_read(STRANGER, plain).result and may_read(ROOT, hidden).result
    core.do(core.state.set_mode(ROOT, core.op(), "/f", 0o600))
    with pytest.raises(PermissionDenied):
        may_read(STRANGER, plain)
    open_block = core.add(core.create("/w"), 0).block
    assert may_read(ROOT, open_block).result is None, "nobody reads what is not visible yet"
    assert may_read(ROOT, hidden._replace(block_id=999)).result is None
    core.delete("/f")
    assert may_read(ROOT, plain).result is None
