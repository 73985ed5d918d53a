"""Permissions: every mode for every class of caller, HDFS's messages, and every operation's row."""

from typing import Callable, List

import pytest

from data_service.namenode.namespace.permissions import (
    ALL,
    EXECUTE,
    READ,
    WRITE,
    Caller,
    allows,
    identify,
    symbolic,
)
from data_service.namenode.state import State
from tests.support.models.metadata_model import MetadataModel
from zookeeper.fabric.errors import DfsError, InvalidArgument, PermissionDenied

ROOT = Caller("root", frozenset(), True)
ALICE = Caller("alice", frozenset(("users", "staff")), False)
BOB = Caller("bob", frozenset(("users",)), False)
EVE = Caller("eve", frozenset(), False)


class Tree:
    """A core, with short forms of its operations that store every edit."""

    def __init__(self) -> None:
        self.metadata = MetadataModel()
        self.state: State = self.metadata.start()
        self.state.blocks.loaded(0.0)
        self.calls = 0

    def op(self) -> tuple:
        """A new call."""
        self.calls += 1
        return "client", self.calls

    def directory(self, path: str, owner: str, mode: int, group: str = "users") -> None:
        """Make a directory as it is to be."""
        self.metadata.store(self.state.mkdir(ROOT, self.op(), path, True, 0o755, 1, 0.0))
        self.own(path, owner, mode, group)

    def file(self, path: str, owner: str, mode: int, group: str = "users") -> None:
        """Make an empty file as it is to be."""
        opened = self.metadata.store(
            self.state.writing.create(ROOT, self.op(), path, False, 1, 100, 0o644, 0.0)
        )
        self.complete(ROOT, opened.file_id)
        self.own(path, owner, mode, group)

    def open(self, caller: Caller, path: str) -> int:
        """Open a file to replace the one at a path, or to make a new one; its number."""
        return self.metadata.store(
            self.state.writing.create(caller, self.op(), path, True, 1, 100, 0o644, 0.0)
        ).file_id

    def complete(self, caller: Caller, file_id: int) -> None:
        """Make an empty file appear."""
        self.metadata.store(
            self.state.writing.complete(caller, self.op(), file_id, (), 0.0, 1)
        )

    def own(self, path: str, owner: str, mode: int, group: str) -> None:
        """Set owner, group and mode."""
        self.metadata.store(self.state.set_owner(ROOT, self.op(), path, owner, group))
        self.metadata.store(self.state.set_mode(ROOT, self.op(), path, mode))


def message(deed: Callable[[], object]) -> str:
    """What a deed is refused with."""
    with pytest.raises(PermissionDenied) as caught:
        deed()
    return caught.value.message


@pytest.mark.parametrize("mode", range(0o1000))
def test_the_first_class_that_fits_decides(mode: int) -> None:
    tree_mode = mode
    inode = State(MetadataModel().start().blocks, "alice", "users").image.root
    inode.attributes = inode.attributes._replace(mode=tree_mode)
    for access in range(1, ALL + 1):
        for caller, shift in ((ALICE, 6), (BOB, 3), (EVE, 0)):
            expected = (mode >> shift) & access == access
            assert allows(inode, caller, access) is expected
        assert allows(inode, ROOT, access)


def test_an_owner_who_is_shut_out_stays_out() -> None:
    tree = Tree()
    tree.directory("/d", "alice", 0o077)
    assert message(lambda: tree.state.reading.list(ALICE, "/d", "", 10)) == (
        "Permission denied: user=alice, access=READ_EXECUTE, "
        'inode="/d":alice:users:d---rwxrwx'
    )
    assert tree.state.reading.list(EVE, "/d", "", 10).result == ([], False)


def test_the_message_names_the_directory_that_refused() -> None:
    tree = Tree()
    tree.directory("/a/b/c", "root", 0o755)
    tree.own("/a/b", "root", 0o750, "staff")
    assert message(lambda: tree.state.reading.stat(BOB, "/a/b/c")) == (
        'Permission denied: user=bob, access=EXECUTE, inode="/a/b":root:staff:drwxr-x---'
    )
    assert tree.state.reading.stat(ALICE, "/a/b/c").result.name == "c"
    # Nothing is needed on the last component itself.
    assert tree.state.reading.stat(BOB, "/a/b").result.name == "b"


def test_mkdir_in_a_foreign_directory() -> None:
    tree = Tree()
    assert message(lambda: tree.state.mkdir(ALICE, tree.op(), "/x", False, 0o755, 1, 0.0)) == (
        'Permission denied: user=alice, access=WRITE, inode="/":root:supergroup:drwxr-xr-x'
    )
    tree.directory("/open", "root", 0o777, "staff")
    tree.metadata.store(tree.state.mkdir(ALICE, tree.op(), "/open/x/y", True, 0o700, 1, 0.0))
    status = tree.state.reading.stat(ROOT, "/open/x").result
    assert (status.owner, status.group) == ("alice", "staff")


def test_the_sticky_bit_keeps_entries_to_their_owners() -> None:
    tree = Tree()
    tree.directory("/tmp", "root", 0o1777, "supergroup")
    tree.file("/tmp/a", "alice", 0o644, "supergroup")
    refusal = (
        'Permission denied by sticky bit: user=bob, path="/tmp/a":alice:supergroup:-rw-r--r--, '
        'parent="/tmp":root:supergroup:drwxrwxrwt'
    )
    assert message(lambda: tree.state.delete(BOB, tree.op(), "/tmp/a", False, 1)) == refusal
    renaming = message(
        lambda: tree.state.rename(BOB, tree.op(), "/tmp/a", "/tmp/b", 1, 0.0)
    )
    assert renaming == refusal
    tree.metadata.store(tree.state.rename(ALICE, tree.op(), "/tmp/a", "/tmp/b", 1, 0.0))
    assert tree.metadata.store(tree.state.delete(ALICE, tree.op(), "/tmp/b", False, 1)) is True
    # Whoever owns the directory may take anything out of it.
    tree.own("/tmp", "bob", 0o1777, "supergroup")
    tree.file("/tmp/c", "alice", 0o644, "supergroup")
    assert tree.metadata.store(tree.state.delete(BOB, tree.op(), "/tmp/c", False, 1)) is True


def test_a_sticky_directory_keeps_files_from_being_replaced_by_others() -> None:
    tree = Tree()
    tree.directory("/tmp", "root", 0o1777, "supergroup")
    tree.file("/tmp/a", "alice", 0o666, "supergroup")
    for caller in (BOB, EVE):
        assert "by sticky bit" in message(lambda: tree.open(caller, "/tmp/a"))
    tree.complete(ALICE, tree.open(ALICE, "/tmp/a"))


def test_deleting_needs_write_on_the_parent_and_nothing_on_the_file() -> None:
    tree = Tree()
    tree.directory("/d", "alice", 0o755)
    tree.file("/d/f", "bob", 0o666)
    assert message(lambda: tree.state.delete(BOB, tree.op(), "/d/f", False, 1)) == (
        'Permission denied: user=bob, access=WRITE, inode="/d":alice:users:drwxr-xr-x'
    )
    tree.own("/d/f", "bob", 0o000, "users")
    assert tree.metadata.store(tree.state.delete(ALICE, tree.op(), "/d/f", False, 1)) is True


def test_deleting_a_tree_needs_everything_on_what_is_not_empty() -> None:
    tree = Tree()
    tree.directory("/d/own/full/x", "alice", 0o755)
    tree.own("/d", "alice", 0o755, "users")
    tree.own("/d/own", "alice", 0o755, "users")
    tree.own("/d/own/full", "root", 0o755, "users")
    assert message(lambda: tree.state.delete(ALICE, tree.op(), "/d/own", True, 1)) == (
        'Permission denied: user=alice, access=ALL, inode="/d/own/full":root:users:drwxr-xr-x'
    )
    tree.metadata.store(tree.state.delete(ROOT, tree.op(), "/d/own/full/x", False, 1))
    assert tree.metadata.store(tree.state.delete(ALICE, tree.op(), "/d/own", True, 1)) is True


def test_a_sticky_directory_inside_protects_what_it_holds() -> None:
    tree = Tree()
    tree.directory("/d/shared", "root", 0o1777)
    tree.own("/d", "alice", 0o755, "users")
    tree.file("/d/shared/f", "bob", 0o644)
    assert "by sticky bit" in message(
        lambda: tree.state.delete(ALICE, tree.op(), "/d/shared", True, 1)
    )


def test_attributes_belong_to_the_owner() -> None:
    tree = Tree()
    tree.file("/f", "alice", 0o640)
    state = tree.state
    assert message(lambda: state.set_mode(BOB, tree.op(), "/f", 0o777)) == (
        "Permission denied. user=bob is not the owner of inode=/f"
    )
    tree.metadata.store(state.set_mode(ALICE, tree.op(), "/f", 0o600))
    assert message(lambda: state.set_owner(ALICE, tree.op(), "/f", "bob", "")) == (
        "User alice is not a super user (non-super user cannot change owner)."
    )
    assert message(lambda: state.set_owner(ALICE, tree.op(), "/f", "", "wheel")) == (
        "User alice does not belong to wheel"
    )
    tree.metadata.store(state.set_owner(ALICE, tree.op(), "/f", "alice", "staff"))
    tree.metadata.store(state.set_owner(ROOT, tree.op(), "/f", "eve", "any"))
    status = state.reading.stat(ROOT, "/f").result
    assert (status.owner, status.group, status.mode) == ("eve", "any", 0o600)


@pytest.mark.parametrize("mode, may", [(0o640, False), (0o642, True)])
def test_write_on_the_file(mode: int, may: bool) -> None:
    tree = Tree()
    tree.directory("/d", "root", 0o777)
    tree.file("/d/f", "alice", mode)
    state = tree.state
    deeds = (
        lambda: state.set_times(EVE, tree.op(), "/d/f", 1, 2),
        lambda: state.set_replication(EVE, tree.op(), "/d/f", 2),
        lambda: state.writing.create(EVE, tree.op(), "/d/f", True, 1, 100, 0o644, 0.0),
    )
    for deed in deeds:
        if may:
            tree.metadata.store(deed())
        else:
            assert "access=WRITE" in message(deed)


def test_read_on_the_file() -> None:
    tree = Tree()
    tree.file("/f", "alice", 0o640)
    read = tree.state.reading.block_locations
    assert read(ALICE, "/f", 0, 1).result.blocks == ()
    assert read(BOB, "/f", 0, 1).result.status.name == "f"
    refused = message(lambda: read(EVE, "/f", 0, 1))
    assert 'access=READ, inode="/f":alice:users:-rw-r-----' in refused


def test_counting_needs_every_directory_below() -> None:
    tree = Tree()
    tree.directory("/d/e", "alice", 0o700)
    summary = tree.state.reading.content_summary
    assert summary(ALICE, "/d").result.directories == 2
    assert 'access=READ_EXECUTE, inode="/d/e"' in message(lambda: summary(BOB, "/d"))
    assert 'inode="/d/e"' in message(lambda: tree.state.reading.fsck(BOB, "/d", "", 10))


def test_rename_needs_both_parents() -> None:
    tree = Tree()
    tree.directory("/from", "alice", 0o755)
    tree.directory("/to", "bob", 0o755)
    tree.file("/from/f", "alice", 0o644)
    state = tree.state
    assert 'inode="/from"' in message(
        lambda: state.rename(BOB, tree.op(), "/from/f", "/to/f", 1, 0.0)
    )
    assert 'inode="/to"' in message(
        lambda: state.rename(ALICE, tree.op(), "/from/f", "/to/f", 1, 0.0)
    )
    tree.own("/to", "bob", 0o757, "users")
    assert 'inode="/to"' in message(
        lambda: state.rename(ALICE, tree.op(), "/from/f", "/to/f", 1, 0.0)
    )
    tree.own("/to", "bob", 0o777, "users")
    tree.metadata.store(state.rename(ALICE, tree.op(), "/from/f", "/to/f", 1, 0.0))
    assert state.reading.stat(ALICE, "/to/f").result.owner == "alice"


def test_who_is_the_superuser() -> None:
    groups = {"carol": ["admins"], "dave": ["users"]}

    def lookup(user: str) -> List[str]:
        return groups.get(user, [])

    assert identify("root", lookup, "root", "admins").superuser
    assert identify("carol", lookup, "root", "admins").superuser
    assert identify("dave", lookup, "root", "admins") == Caller("dave", frozenset(["users"]), False)


@pytest.mark.parametrize("name", ["", "a\nb", "\ud800", "x" * 256, "a\0"])
def test_what_cannot_be_a_name_is_refused_before_it_is_stored(name: str) -> None:
    with pytest.raises(InvalidArgument):
        identify(name, lambda user: [], "root", "supergroup")
    tree = Tree()
    with pytest.raises(DfsError):
        tree.state.set_owner(ROOT, tree.op(), "/nowhere", name, "")


def test_modes_as_letters() -> None:
    assert symbolic(0o750) == "rwxr-x---"
    assert symbolic(0o1777) == "rwxrwxrwt"
    assert symbolic(0o1770) == "rwxrwx--T"
    assert READ | WRITE | EXECUTE == ALL


def test_who_creates_a_file_needs_the_same_rights_when_it_appears() -> None:
    tree = Tree()
    tree.directory("/d", "alice", 0o777)
    tree.directory("/d/e", "alice", 0o777)
    for path, mode in (("/d/e", 0o755), ("/d", 0o700)):
        number = tree.open(BOB, "/d/e/f")
        tree.own(path, "alice", mode, "users")
        assert f'inode="{path}"' in message(lambda: tree.complete(BOB, number))
        tree.own(path, "alice", 0o777, "users")
        tree.complete(BOB, number)
        tree.state.check()


def test_a_file_that_was_taken_from_a_writer_is_not_replaced_by_him() -> None:
    tree = Tree()
    tree.directory("/d", "alice", 0o777)
    tree.file("/d/f", "alice", 0o666)
    number = tree.open(BOB, "/d/f")
    tree.own("/d/f", "alice", 0o600, "users")
    assert 'access=WRITE, inode="/d/f"' in message(lambda: tree.complete(BOB, number))
    tree.own("/d/f", "alice", 0o666, "users")
    tree.own("/d", "alice", 0o1777, "users")
    assert "by sticky bit" in message(lambda: tree.complete(BOB, number))


def test_who_may_write_no_more_cannot_add_to_a_file_that_is_open() -> None:
    tree = Tree()
    tree.file("/f", "alice", 0o666)

    def append(caller: Caller) -> int:
        return tree.metadata.store(
            tree.state.rewriting.append(caller, tree.op(), "/f", 0.0)
        ).file_id

    number = append(BOB)
    tree.own("/f", "alice", 0o644, "users")
    assert 'access=WRITE, inode="/f"' in message(lambda: tree.complete(BOB, number))
    tree.metadata.store(tree.state.writing.abandon_file("client", number))
    number = append(ALICE)
    # Its owner may go on, as one may with a file that one has made read-only.
    tree.own("/f", "alice", 0o444, "users")
    tree.complete(ALICE, number)
