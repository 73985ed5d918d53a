"""Quotas in the namenode's core. Whether the counts are exact, `Core` checks after every step."""

from typing import Any, Dict

import pytest

from data_service.namenode.namespace.inodes import Directory, Inode
from data_service.namenode.namespace.permissions import Caller
from data_service.protocol.files import (
    NAME_QUOTA_MAX,
    QUOTA_RESET,
    QUOTA_UNCHANGED,
    ContentSummary,
    QuotaUsage,
)
from tests.support.models.namenode_core import BLOCK_SIZE, ROOT, Core, refusal
from zookeeper.fabric import errors

ALICE = Caller("alice", frozenset(), False)


def limit(
    core: Core, path: str, names: int = QUOTA_UNCHANGED, space: int = QUOTA_UNCHANGED
) -> None:
    """Set the quotas of a directory."""
    core.do(core.state.set_quota(ROOT, core.op(), path, names, space))


def usage(core: Core, path: str) -> Any:
    """What `count -q` rests on."""
    return core.state.reading.quota_usage(ROOT, path).result


def full(core: Core, deed: Any) -> str:
    """The message with which a quota refuses a deed, which changes nothing and records nothing.

    HDFS-7587: an append was recorded, and then refused by a quota.
    """
    before = core.state.image.rows()
    seen = list(core.state.open_files.rows()), core.state.commits.last_txid
    message = refusal(errors.QuotaExceeded, deed)
    after = core.state.image.rows()
    assert {**after, "counters": 0} == {**before, "counters": 0}
    assert (list(core.state.open_files.rows()), core.state.commits.last_txid) == seen
    core.state.check()
    return message


@pytest.fixture
def core() -> Core:
    """A core with the directory /q."""
    core = Core()
    core.mkdir("/q")
    return core


def test_a_name_quota_counts_the_directory_itself(core: Core) -> None:
    limit(core, "/q", names=3)
    assert usage(core, "/q") == QuotaUsage(3, 1, -1, 0)
    core.mkdir("/q/d")
    core.put("/q/d/f")
    assert usage(core, "/q") == QuotaUsage(3, 3, -1, 0)
    over = (
        "The NameSpace quota (directories and files) of directory /q is exceeded: "
        "quota=3 file count=4"
    )
    assert full(core, lambda: core.mkdir("/q/e")) == over
    assert full(core, lambda: core.create("/q/d/g")) == over
    core.put("/f")
    assert full(core, lambda: core.rename("/f", "/q/f")) == over
    assert "count=6" in full(core, lambda: core.mkdir("/q/x/y/z"))
    core.rename("/q/d/f", "/q/g")
    core.put("/q/g", overwrite=True)
    core.delete("/q/g")
    core.put("/q/h")


def test_a_quota_of_one_keeps_a_directory_empty(core: Core) -> None:
    limit(core, "/q", names=1)
    full(core, lambda: core.create("/q/f"))


def test_a_whole_block_must_fit_into_a_space_quota(core: Core) -> None:
    limit(core, "/q", space=BLOCK_SIZE * 2 * 2)
    core.put("/q/f", BLOCK_SIZE, 1)
    assert usage(core, "/q") == QuotaUsage(-1, 2, 400, (BLOCK_SIZE + 1) * 2)
    number = core.create("/q/g")
    assert full(core, lambda: core.add(number, 0)) == (
        "The DiskSpace quota of /q is exceeded: quota = 400 B = 400 B "
        "but diskspace consumed = 402 B = 402 B"
    )
    core.complete(number, ())
    core.delete("/q/f")
    core.put("/q/f", 100, 100)


def test_the_message_has_sizes_in_words() -> None:
    core = Core()
    core.mkdir("/q")
    limit(core, "/q", space=1024)
    opened = core.do(
        core.state.writing.create(
            ROOT, core.op(), "/q/f", False, 1, 128 << 20, 0o644, core.now
        )
    )
    assert full(core, lambda: core.add(opened.file_id, 0)) == (
        "The DiskSpace quota of /q is exceeded: quota = 1024 B = 1 KB "
        "but diskspace consumed = 134217728 B = 128 MB"
    )


def test_files_being_written_count(core: Core) -> None:
    limit(core, "/q", names=3, space=400)
    first = core.create("/q/a/f")
    assert usage(core, "/q") == QuotaUsage(3, 3, 400, 0)
    full(core, lambda: core.mkdir("/q/b"))
    full(core, lambda: core.create("/q/f", client="other"))
    # A file of the same name is the same inode, and so are the directories above it.
    core.add(first, 0)
    assert usage(core, "/q").space == 200
    core.add(first, 1)
    assert usage(core, "/q").space == 400
    full(core, lambda: core.add(first, 2))
    core.add(first, 1)
    core.do(core.state.writing.abandon_file("client", first))
    assert usage(core, "/q") == QuotaUsage(3, 1, 400, 0)


def test_two_writers_below_one_missing_directory_share_it(core: Core) -> None:
    limit(core, "/q", names=4)
    core.create("/q/d/f")
    core.create("/q/d/g", client="other")
    assert usage(core, "/q").names == 4
    full(core, lambda: core.create("/q/d/h", client="third"))


def test_an_overwritten_file_is_counted_out(core: Core) -> None:
    limit(core, "/q", names=2, space=400)
    core.put("/q/f", 100, 90)
    number = core.create("/q/f", overwrite=True)
    blocks = core.write(number, 100, 7)
    full(core, lambda: core.add(number, 2))
    assert usage(core, "/q") == QuotaUsage(2, 2, 400, 400)
    core.complete(number, blocks)
    assert usage(core, "/q") == QuotaUsage(2, 2, 400, 214)


def test_a_writer_whose_lease_ran_out_is_counted_out(core: Core) -> None:
    limit(core, "/q", names=2)
    core.create("/q/f", client="silent")
    core.now = 1e6
    core.create("/q/f", client="other")
    assert usage(core, "/q").names == 2


def test_raising_the_replication_must_fit(core: Core) -> None:
    core.put("/q/f", 60)
    limit(core, "/q", space=180)
    core.do(core.state.set_replication(ROOT, core.op(), "/q/f", 3))
    assert usage(core, "/q").space == 180
    assert "consumed = 240 B = 240 B" in full(
        core, lambda: core.state.set_replication(ROOT, core.op(), "/q/f", 4)
    )
    limit(core, "/q", space=10)
    core.do(core.state.set_replication(ROOT, core.op(), "/q/f", 1))
    assert usage(core, "/q").space == 60


def test_a_tree_that_moves_is_charged_where_quotas_differ(core: Core) -> None:
    core.mkdir("/q/in")
    core.mkdir("/r")
    core.put("/q/in/d/f", 70)
    limit(core, "/q", names=4, space=140)
    limit(core, "/q/in", names=3)
    core.rename("/q/in/d", "/q/d")
    assert (usage(core, "/q").names, usage(core, "/q/in").names) == (4, 1)
    core.rename("/q/d", "/r/d")
    assert usage(core, "/q") == QuotaUsage(4, 2, 140, 0)
    limit(core, "/q", space=139)
    assert "consumed = 140 B" in full(core, lambda: core.rename("/r/d", "/q/in/d"))
    limit(core, "/q", space=140)
    core.rename("/r/d", "/q/in/d")
    core.mkdir("/r/e")
    full(core, lambda: core.rename("/r/e", "/q/e"))
    core.rename("/q/in", "/r/in")
    assert usage(core, "/q").names == 1 and usage(core, "/r/in").names == 3


def test_open_files_move_with_their_directory(core: Core) -> None:
    core.mkdir("/r")
    core.create("/r/f")
    limit(core, "/q", names=2)
    assert "count=3" in full(core, lambda: core.rename("/r", "/q/r"))
    limit(core, "/q", names=3)
    core.rename("/r", "/q/r")
    assert usage(core, "/q").names == 3


def test_a_file_that_is_appended_to_moves_with_its_reservation(core: Core) -> None:
    number = core.put("/f", 100)
    core.append("/f")
    limit(core, "/q", space=399)
    core.add(number, 1)
    assert "consumed = 400 B" in full(core, lambda: core.rename("/f", "/q/f"))
    limit(core, "/q", space=400)
    core.rename("/f", "/q/f")
    assert usage(core, "/q").space == 400
    full(core, lambda: core.add(number, 2))


def test_raising_the_replication_raises_what_was_reserved(core: Core) -> None:
    number = core.put("/q/f", 100)
    core.append("/q/f")
    limit(core, "/q", space=599)
    core.add(number, 1)

    def raise_it() -> None:
        core.do(core.state.set_replication(ROOT, core.op(), "/q/f", 3))

    assert "consumed = 600 B" in full(core, raise_it)
    limit(core, "/q", space=600)
    raise_it()
    assert usage(core, "/q").space == 600


def test_flush_truncate_and_concat_keep_the_counts(core: Core) -> None:
    limit(core, "/q", names=4, space=1000)
    number = core.create("/q/f")
    blocks = core.write(number, 100, 30)
    core.do(core.state.writing.flush(ROOT, core.op(), number, blocks, core.now, 8))
    assert usage(core, "/q") == QuotaUsage(4, 2, 1000, 260)
    core.complete(number, ())
    core.put("/q/g", 100)
    assert usage(core, "/q") == QuotaUsage(4, 3, 1000, 460)
    core.concat("/q/f", "/q/g")
    assert usage(core, "/q") == QuotaUsage(4, 2, 1000, 460)
    core.truncate("/q/f", 100)
    assert usage(core, "/q") == QuotaUsage(4, 2, 1000, 200)
    core.restart()
    assert usage(core, "/q") == QuotaUsage(4, 2, 1000, 200)


def test_a_file_in_a_full_directory_can_be_truncated(core: Core) -> None:
    number = core.put("/q/f", 100, 30)
    limit(core, "/q", space=200)
    other = core.create("/q/g", client="other")
    full(core, lambda: core.add(other, 0, client="other"))
    core.truncate("/q/f", 120)
    core.complete(number, core.write(number, 20, first=1))
    assert usage(core, "/q").space == 240


def test_a_file_that_is_truncated_cannot_become_longer(core: Core) -> None:
    number = core.put("/q/f", 100, 30)
    core.truncate("/q/f", 120)
    blocks = core.write(number, 31, first=1)
    message = refusal(errors.InvalidArgument, lambda: core.complete(number, blocks))
    assert message == f"inode {number} is being truncated, and would be 1 bytes longer"


def test_a_deleted_tree_leaves_the_counts_at_once(core: Core) -> None:
    core.put("/q/d/f", 100)
    limit(core, "/q", names=3, space=200)
    limit(core, "/q/d", names=2)
    core.delete("/q/d")
    assert usage(core, "/q") == QuotaUsage(3, 1, 200, 0)
    core.sweep()
    core.put("/q/d/f", 100)
    assert usage(core, "/q") == QuotaUsage(3, 3, 200, 200)
    core.delete("/q")
    core.sweep()
    assert not len(core.state.image.usage)


def test_quotas_and_counts_survive_a_restart(core: Core) -> None:
    limit(core, "/q", names=5, space=600)
    core.put("/q/d/f", 100, 20)
    core.mkdir("/r")
    core.rename("/q/d", "/r/d")
    core.rename("/r", "/q/r")
    before = usage(core, "/q")
    assert before == QuotaUsage(5, 4, 600, 240)
    core.restart()
    assert usage(core, "/q") == before
    core.mkdir("/q/s")
    full(core, lambda: core.mkdir("/q/t"))


def test_a_write_that_goes_on_after_a_restart_must_fit_again(core: Core) -> None:
    limit(core, "/q", names=2, space=200)
    number = core.create("/q/f")
    blocks = core.write(number, 100)
    core.restart()
    core.resume("/q/f", number, blocks)
    assert usage(core, "/q") == QuotaUsage(2, 2, 200, 200)
    core.restart()
    core.put("/q/g")
    full(core, lambda: core.resume("/q/f", number, blocks))


def test_a_quota_below_the_use_succeeds_and_lets_nothing_in(core: Core) -> None:
    core.put("/q/d/f", 100)
    limit(core, "/q", names=1, space=0)
    assert usage(core, "/q") == QuotaUsage(1, 3, 0, 200)
    assert "quota=1 file count=4" in full(core, lambda: core.mkdir("/q/e"))
    core.rename("/q/d/f", "/q/d/g")
    core.delete("/q/d/g")
    limit(core, "/q", names=QUOTA_RESET)
    assert usage(core, "/q") == QuotaUsage(-1, 2, 0, 0)
    core.mkdir("/q/e")
    core.put("/q/empty")
    number = core.create("/q/f")
    full(core, lambda: core.add(number, 0))
    limit(core, "/q", space=QUOTA_RESET)
    core.add(number, 0)
    assert not len(core.state.image.usage)


def test_who_may_set_a_quota_and_on_what(core: Core) -> None:
    core.put("/f")

    def refused(kind: Any, path: str, names: int, space: int, caller: Caller = ROOT) -> str:
        return refusal(
            kind, lambda: core.state.set_quota(caller, core.op(), path, names, space)
        )

    keep = QUOTA_UNCHANGED
    assert refused(errors.PermissionDenied, "/q", 3, keep, ALICE) == (
        "Access denied for user alice. Superuser privilege is required"
    )
    assert refused(errors.PathNotFound, "/x/y", 3, keep) == "Directory does not exist: /x/y"
    assert refused(errors.NotADirectory, "/f", 3, keep) == "`/f': Is not a directory"
    for names, space in ((0, keep), (-2, keep), (keep, -2)):
        assert refused(errors.InvalidArgument, "/q", names, space) == (
            f"Invalid values for quota : {names} and {space}"
        )
    assert refused(errors.InvalidArgument, "/", QUOTA_RESET, keep) == (
        "Cannot clear namespace quota on root."
    )
    core.state.blocks.enter_safe_mode()
    assert refused(errors.SafeMode, "/q", 3, keep) == (
        "Cannot set quota on /q. Name node is in safe mode."
    )


def test_the_root_always_has_a_name_quota(core: Core) -> None:
    core.put("/q/f", 100)
    assert usage(core, "/") == QuotaUsage(NAME_QUOTA_MAX, 3, -1, 200)
    limit(core, "/", names=4, space=1000)
    core.mkdir("/r")
    assert "directory / is exceeded" in full(core, lambda: core.mkdir("/s"))
    limit(core, "/", space=QUOTA_RESET)
    assert usage(core, "/") == QuotaUsage(4, 4, -1, 200)


def test_a_file_and_a_free_directory_have_no_quotas(core: Core) -> None:
    core.put("/q/f", 100)
    assert usage(core, "/q/f") == usage(core, "/q") == QuotaUsage(-1, 0, -1, 0)
    refusal(errors.PathNotFound, lambda: usage(core, "/x"))


def test_reading_a_quota_needs_read_and_execute(core: Core) -> None:
    core.mkdir("/q/d")
    core.do(core.state.set_mode(ROOT, core.op(), "/q/d", 0o700))
    look = core.state.reading.quota_usage
    refusal(errors.PermissionDenied, lambda: look(ALICE, "/q/d"))
    refusal(errors.PermissionDenied, lambda: look(ALICE, "/"))
    limit(core, "/q", names=9)
    assert look(ALICE, "/q").result.names == 2
    core.do(core.state.set_mode(ROOT, core.op(), "/q", 0o711))
    refusal(errors.PermissionDenied, lambda: look(ALICE, "/q"))


def test_setting_what_is_set_makes_no_edit(core: Core) -> None:
    limit(core, "/q", names=3)
    assert core.state.set_quota(ROOT, core.op(), "/q", 3, QUOTA_UNCHANGED).edit is None
    assert core.state.set_quota(ROOT, core.op(), "/q", 3, QUOTA_RESET).edit is None


class Unread(Dict[str, Inode]):
    """The entries of a directory, which nobody may go through."""

    def values(self) -> Any:
        """As of a dict."""
        raise AssertionError("somebody looked at every entry")


def test_no_question_about_a_tree_looks_below_it(core: Core) -> None:
    """One look at a million inodes took half a second, in which nobody else was answered."""
    core.put("/q/d/f", 100, 20)
    top = core.state.image.root.children["q"]
    assert isinstance(top, Directory)
    top.children = Unread(top.children)
    assert core.state.reading.content_summary(ROOT, "/").result == ContentSummary(3, 1, 120, 240)
    assert usage(core, "/").names == 4
    core.state.set_quota(ROOT, core.op(), "/q", 2, 240)
    assert usage(core, "/q") == QuotaUsage(2, 3, 240, 240)
    core.state.rename(ROOT, core.op(), "/q", "/s", 1, 0.0)
    core.state.delete(ROOT, core.op(), "/s", True, 1)
    assert core.state.reading.content_summary(ROOT, "/").result == ContentSummary(1, 0, 0, 0)
