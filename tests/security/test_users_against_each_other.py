"""One user against another: every call about names and files, and every bit of every mode."""

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

import pytest

from data_service.protocol.namenode_calls import NamespaceCalls, WriterCalls
from tests.support.clusters.callers import Caller, Callers
from tests.support.clusters.cluster import Cluster
from zookeeper.fabric.calls import calls_of
from zookeeper.fabric.errors import DfsError, LeaseExpired, PermissionDenied, ProtocolViolation

NEVER = 8
"""A bit that no mode has: only the owner, or only an administrator may."""


class Deed(NamedTuple):
    """What mallory does in alice's directory /d, told the block of /d/f, and which of the bits of
    the others he needs: to the file, to the directory."""

    do: Callable[[Caller, Any], Any]
    file: int
    directory: int


DEEDS: Dict[str, Deed] = {
    "stat": Deed(lambda he, _: he.call("stat", "/d/f"), 0, 1),
    "entry": Deed(lambda he, _: he.call("entry", "/d/f"), 0, 1),
    "access": Deed(lambda he, _: he.call("access", "/d/f", 0), 0, 1),
    "list": Deed(lambda he, _: he.call("list", "/d", "", 10), 0, 5),
    "entries": Deed(lambda he, _: he.call("entries", "/d", "", 10), 0, 5),
    "quota_usage": Deed(lambda he, _: he.call("quota_usage", "/d"), 0, 5),
    "content_summary": Deed(lambda he, _: he.call("content_summary", "/d"), 0, 5),
    "block_locations": Deed(lambda he, _: he.call("block_locations", "/d/f", 0, 1), 4, 1),
    "locate_block": Deed(lambda he, block: he.call("locate_block", block), 4, 1),
    "fsck": Deed(lambda he, _: he.call("fsck", "/d", "", 10), 0, 5),
    "mkdir": Deed(lambda he, _: he.call("mkdir", "/d/new", False, 0o777), 0, 3),
    "delete": Deed(lambda he, _: he.call("delete", "/d/f", False), 0, 3),
    "rename": Deed(lambda he, _: he.call("rename", "/d/f", "/d/new"), 0, 3),
    "set_replication": Deed(lambda he, _: he.call("set_replication", "/d/f", 2), 2, 1),
    "set_mode": Deed(lambda he, _: he.call("set_mode", "/d/f", 0o777), NEVER, 1),
    "set_owner": Deed(lambda he, _: he.call("set_owner", "/d/f", "mallory", ""), NEVER, 1),
    "set_times": Deed(lambda he, _: he.call("set_times", "/d/f", 5, 5), 2, 1),
    "set_quota": Deed(lambda he, _: he.call("set_quota", "/d", 9, 9), NEVER, 1),
    "create": Deed(lambda he, _: he.call("create", "/d/f", True, 1, 0, 0o644), 2, 3),
    "append": Deed(lambda he, _: he.call("append", "/d/f"), 2, 1),
    "truncate": Deed(lambda he, _: he.call("truncate", "/d/f", 0), 2, 1),
    "concat": Deed(lambda he, _: he.call("concat", "/d/f", ("/d/g",)), 6, 3),
}

WITH_HER_FILE: Dict[str, Callable[[Caller, "Writing"], Any]] = {
    "add_block": lambda he, it: he.send("add_block", it.client_id, it.file_id, 0, ()),
    "abandon_block": lambda he, it: he.send("abandon_block", it.client_id, it.file_id, it.block[0]),
    "complete": lambda he, it: he.send("complete", it.operation, it.file_id, (it.block,)),
    "flush": lambda he, it: he.send("flush", it.operation, it.file_id, (it.block,)),
    "cut_block": lambda he, it: he.send("cut_block", it.client_id, it.file_id),
    "resume": lambda he, it: he.send(
        "resume", it.client_id, "/d/open", it.file_id, True, 1, 4096, 0o644, 0,
        ((0, it.block, ""),), "",
    ),
    "resume_visible": lambda he, it: he.send(
        "resume_visible", it.client_id, it.file_id, (0, 0, 0), ((0, it.block, ""),), ""
    ),
    "abandon_file": lambda he, it: he.send("abandon_file", it.client_id, it.file_id),
    "renew_lease": lambda he, it: he.send("renew_lease", it.client_id),
}  # fmt: skip
"""What he does with a file that she writes, whose every number he knows."""


class Writing(NamedTuple):
    """A file that alice has open: her client, an operation of it, the file and its first block."""

    client_id: str
    operation: Tuple[str, int, int]
    file_id: int
    block: Tuple[int, int, int]


def test_no_call_is_left_out() -> None:
    calls = {*calls_of(NamespaceCalls), *calls_of(WriterCalls)}
    assert calls == {*DEEDS, *WITH_HER_FILE}


@pytest.fixture(scope="module", name="cluster")
def _cluster(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Cluster]:
    folder: Path = tmp_path_factory.mktemp("users")
    with Cluster(folder, data_nodes=1, security=request.param) as started:
        yield started


@pytest.fixture(name="people")
def _people(cluster: Cluster) -> Iterator[Dict[str, Caller]]:
    """The callers by name; /d is alice's, with two files of one byte, and nothing else is there."""
    with cluster.file_system() as chief, cluster.file_system("alice") as alice:
        chief.delete("/d", recursive=True)
        chief.mkdir("/d")
        chief.set_owner("/d", "alice", "hers")
        for name in ("f", "g"):
            alice.write_bytes(f"/d/{name}", b"x")
        with Callers(cluster) as callers:
            yield {
                "alice": callers.of("user:alice", "name_node"),
                "mallory": callers.of("user:mallory", "name_node"),
            }


def seen_by(owner: Caller) -> List[Any]:
    """All that there is in /d, as its owner sees it, but for when it was read."""
    rows = [owner.call("stat", "/d"), owner.call("list", "/d", "", 10)]
    return rows + [owner.call("block_locations", f"/d/{name}", 0, 9)[1][0][:1] for name in "fg"]


def block_of(owner: Caller) -> Any:
    """The block of /d/f."""
    return owner.call("block_locations", "/d/f", 0, 1)[1][0][0]


def modes(owner: Caller, file: int, directory: int) -> None:
    """Give the others these bits, and only these; her group, which is not his, has all."""
    for name in ("f", "g"):
        owner.call("set_mode", f"/d/{name}", 0o770 | file)
    owner.call("set_mode", "/d", 0o770 | directory)


BOTH = pytest.mark.parametrize("cluster", ["simple", "secret"], indirect=True)


@BOTH
@pytest.mark.parametrize("name", sorted(DEEDS))
def test_without_one_of_the_bits_a_deed_is_denied_and_changes_nothing(
    people: Dict[str, Caller], name: str
) -> None:
    deed, alice = DEEDS[name], people["alice"]
    block = block_of(alice)
    for file in range(8):
        for directory in range(8):
            if file & deed.file == deed.file and directory & deed.directory == deed.directory:
                continue
            modes(alice, file, directory)
            before = seen_by(alice)
            with pytest.raises(PermissionDenied):
                deed.do(people["mallory"], block)
            assert seen_by(alice) == before, (oct(file), oct(directory))


@BOTH
@pytest.mark.parametrize("name", sorted(name for name, deed in DEEDS.items() if deed.file < NEVER))
def test_with_them_it_is_done(people: Dict[str, Caller], name: str) -> None:
    block = block_of(people["alice"])
    modes(people["alice"], DEEDS[name].file, DEEDS[name].directory)
    DEEDS[name].do(people["mallory"], block)


@BOTH
@pytest.mark.parametrize("name", sorted(WITH_HER_FILE))
def test_a_file_that_is_being_written_is_its_writers(people: Dict[str, Caller], name: str) -> None:
    """Everything is open to everybody, and he presents her own client's id: it is not his."""
    alice, mallory = people["alice"], people["mallory"]
    modes(alice, 7, 7)
    opened = alice.call("create", "/d/open", False, 1, 4096, 0o666)
    block = alice.send("add_block", alice.client_id, opened[0], 0, ())[0]
    known = Writing(alice.client_id, (alice.client_id, 999, 0), opened[0], tuple(block))
    try:
        WITH_HER_FILE[name](mallory, known)
    except DfsError as error:
        assert isinstance(error, (LeaseExpired, PermissionDenied, ProtocolViolation)), error
    else:
        assert name == "renew_lease", "which says nothing of those that the caller does not have"
    assert alice.send("add_block", alice.client_id, opened[0], 0, ())[0] == block
    alice.send("abandon_block", alice.client_id, opened[0], block[0])
    alice.call("complete", opened[0], ())
    assert alice.call("stat", "/d/open")
