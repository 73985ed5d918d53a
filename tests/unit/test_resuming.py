"""Writes that outlive their namenode, and leases that outlive their writers."""

from data_service.protocol.blocks import Block
from tests.support.models.namenode_core import BLOCK_SIZE, ROOT, Core, refusal
from zookeeper.fabric import errors


def silence(core: Core, seconds: int) -> list:
    """Time passes in rounds of one second; the edits that it made."""
    edits = []
    for _ in range(seconds):
        core.now += 1.0
        for outcome in core.state.writing.expire_leases(core.now):
            edits.append(outcome.edit)
            core.do(outcome)
    return edits


def test_a_silent_writer_must_give_way_after_the_soft_limit() -> None:
    """HDFS-10240: a writer went on with a file that another had been given meanwhile."""
    core = Core()
    old = core.create("/f", client="silent")
    core.write(old, 30, client="silent")
    silence(core, 10)
    refusal(errors.AlreadyBeingCreated, lambda: core.create("/f", client="next"))
    silence(core, 1)
    new = core.create("/f", client="next")
    refusal(errors.LeaseExpired, lambda: core.add(old, 1, client="silent"))
    refusal(errors.LeaseExpired, lambda: core.add(new, 0, client="silent"))
    refusal(errors.LeaseExpired, lambda: core.complete(new, (), client="silent"))
    assert core.metadata.tables["deleted_blocks"] == {1: (1, 1)}
    core.complete(new, core.write(new, 8, client="next"), client="next")
    assert core.sweep() == [1] and core.length("/f") == 8


def test_a_silent_writer_loses_the_lease_at_the_hard_limit() -> None:
    core = Core()
    file_id = core.create("/f", client="silent")
    core.write(file_id, 100, 30, client="silent")
    empty = core.create("/g", client="silent")
    core.create("/h", client="lively")
    for _ in range(3):
        assert silence(core, 10) == []
        assert core.state.writing.renew_lease("lively", core.now)
    edits = silence(core, 1)
    assert [edit.operation for edit in edits if edit] == ["expire_lease"]
    assert not core.state.writing.renew_lease("silent", core.now)
    assert [row.path for row in core.state.open_files.rows()] == ["/h"]
    refusal(errors.LeaseExpired, lambda: core.resume("/g", empty, (), client="silent"))
    assert core.sweep() == [1, 2]


def test_a_lease_ends_although_all_datanodes_are_down() -> None:
    """HDFS-12070: a file stayed open for ever when a datanode was down; here none is asked."""
    core = Core()
    core.write(core.create("/f", client="silent"), 30, client="silent")
    core.state.blocks.monitor.zookeeper_view({}, 0.0)
    while core.state.blocks.census.live_nodes() or core.now < 100.0:
        core.now += 1.0
        core.state.blocks.monitor.tick(core.now, core.random)
    (edit,) = silence(core, 1)
    assert edit.operation == "expire_lease" and list(core.state.open_files.rows()) == []


def test_no_lease_ends_in_safe_mode() -> None:
    core = Core()
    file_id = core.create("/f")
    core.write(file_id, 5)
    core.state.blocks.enter_safe_mode()
    assert silence(core, 100) == []
    assert core.state.open_files.get(file_id) is not None


def test_a_write_goes_on_after_a_restart_of_the_namenode() -> None:
    core = Core()
    file_id = core.create("/d/f")
    done = core.write(file_id, 100)
    pending = core.add(file_id, 1)
    core.restart()
    assert not core.state.writing.renew_lease("client", 0.0)
    refusal(errors.LeaseExpired, lambda: core.add(file_id, 2))
    assert core.resume("/d/f", file_id, [*done, pending.block]).file_id == file_id
    # The block that was under way ends now, and is known by the number that it had.
    last = pending.block._replace(length=42)
    core.nodes.receive(last, pending.targets)
    assert core.resume("/d/f", file_id, [*done, pending.block]).file_id == file_id
    assert core.complete(file_id, [*done, last]).replicas == 2
    assert core.length("/d/f") == 142
    assert core.put("/other", 1) > file_id


def test_a_resumed_write_needs_as_many_replicas_as_there_are_datanodes() -> None:
    core = Core()
    file_id = core.create("/f")
    located = core.add(file_id, 0)
    block = located.block._replace(length=9)
    core.nodes.receive(block, located.targets[:1])
    core.restart()
    core.resume("/f", file_id, [block])
    refusal(errors.NotEnoughReplicas, lambda: core.complete(file_id, [block]))
    core.nodes.receive(block, located.targets[1:])
    core.complete(file_id, [block])


def test_a_resumed_write_waits_for_the_datanodes_that_are_still_coming_back() -> None:
    """Just after a start few datanodes are known, and their number said how many would do."""
    core = Core(datanodes=1)
    file_id = core.create("/f")
    (block,) = core.write(file_id, 9)
    core.restart(settling_seconds=5.0)
    core.resume("/f", file_id, [block])
    refusal(errors.NotEnoughReplicas, lambda: core.complete(file_id, [block]))
    core.state.blocks.monitor.tick(5.0, core.random)
    assert core.complete(file_id, [block]).replicas == 1


def test_a_length_that_was_told_is_final() -> None:
    core = Core()
    file_id = core.create("/f")
    (block,) = core.write(file_id, 50)
    core.restart()
    core.resume("/f", file_id, [block])
    other = [block._replace(length=51)]
    refusal(errors.InvalidArgument, lambda: core.complete(file_id, other))
    core.complete(file_id, [block])


def test_a_write_resumes_in_safe_mode() -> None:
    core = Core()
    file_id = core.create("/f")
    blocks = core.write(file_id, 5)
    core.restart()
    core.state.blocks.enter_safe_mode()
    core.resume("/f", file_id, blocks)
    refusal(errors.SafeMode, lambda: core.complete(file_id, blocks))


def test_what_cannot_be_resumed() -> None:
    core = Core()
    complete = core.put("/done", 5)
    mine, abandoned, other = core.create("/f"), core.create("/g"), core.create("/h")
    (block,) = core.write(mine, 5)
    core.do(core.state.writing.abandon_block("client", abandoned, core.write(abandoned, 5)[0][0]))
    core.restart()
    lost = Block(3, 1, 5)
    assert lost.block_id in core.metadata.tables["deleted_blocks"]
    for path, file_id, blocks in (
        ("/done", complete, ()),
        ("/g", abandoned, [lost]),
        ("/h", other, [Block(1, 1, 5)]),
    ):
        refusal(errors.LeaseExpired, lambda: core.resume(path, file_id, blocks))
    for file_id, blocks in ((9999, ()), (0, ()), (other, [Block(9999, 1, 5)]),
                            (other, [Block(4, 0, 5)])):  # fmt: skip
        refusal(errors.InvalidArgument, lambda: core.resume("/h", file_id, blocks))
    refusal(errors.PathExists, lambda: core.resume("/done", other, ()))
    core.create("/f", client="rival")
    refusal(errors.LeaseExpired, lambda: core.resume("/f", mine, [block]))
    core.resume("/elsewhere", mine, [block])
    refusal(errors.LeaseExpired, lambda: core.resume("/x", other, [block]))
    # This namenode ended it: it does not come back.
    core.do(core.state.writing.abandon_file("client", mine))
    refusal(errors.LeaseExpired, lambda: core.resume("/elsewhere", mine, ()))


def test_a_resumed_writer_replaces_only_what_stood_there_when_he_began() -> None:
    core = Core()
    old = core.put("/f", 5)
    opened = core.do(core.state.writing.create(
        ROOT, core.op(), "/f", True, 2, BLOCK_SIZE, 0o644, core.now))
    assert opened.replaces == old
    blocks = core.write(opened.file_id, 7)
    core.restart()
    # Nobody here knows of the writer yet.
    core.delete("/f")
    core.put("/g", 9)
    core.rename("/g", "/f")
    refusal(errors.PathExists, lambda: core.resume("/f", opened.file_id, blocks, replaces=old))
    assert core.length("/f") == 9
    core.rename("/f", "/g")
    core.resume("/f", opened.file_id, blocks, replaces=old)
    core.complete(opened.file_id, blocks)
    assert (core.length("/f"), core.length("/g")) == (7, 9)
