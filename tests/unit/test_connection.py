"""Whose client it is: the namenode shows the ids of clients, so an id must open nothing."""

import json
from typing import Any, Tuple

import pytest

from data_service.namenode.calls.service import NameNodeService
from data_service.protocol.files import LocatedBlock, OpenedFile
from tests.support.models.namenode_core import BLOCK_SIZE, ROOT, Core, Term
from zookeeper.fabric.errors import (
    DfsError,
    InvalidArgument,
    LeaseExpired,
    PermissionDenied,
)
from zookeeper.fabric.identity import Principal
from zookeeper.fabric.rpc import Peer

CLIENT = "0123456789abcdef"
HERS = 3
"""The number of the file that Alice writes: the first below `/all`."""


@pytest.fixture(name="core")
def _core() -> Core:
    """A directory that all may write to, and datanodes."""
    core = Core()
    core.mkdir("/all")
    core.do(core.state.set_mode(ROOT, core.op(), "/all", 0o777))
    return core


def connect(core: Core, user: str) -> Any:
    """A user's connection to the namenode."""
    term: Any = Term(core)
    service = NameNodeService(lambda: term, lambda name: (), "root", (2, BLOCK_SIZE), "")
    service.peer = Peer(Principal("user", user), "127.0.0.1")
    return service


def opened_by_alice(core: Core) -> Tuple[Any, OpenedFile]:
    """Alice's connection, and a file that she writes."""
    alice = connect(core, "alice")
    return alice, alice.exposed_create((CLIENT, 1), "/all/hers", False, 0, 0, 0o600)


def test_the_id_of_a_client_is_shown_to_who_meets_its_lease(core: Core) -> None:
    opened_by_alice(core)
    mallory = connect(core, "mallory")
    with pytest.raises(DfsError, match=f"currently owned by {CLIENT}@alice"):
        mallory.exposed_create(("m", 1), "/all/hers", False, 0, 0, 0o600)
    rows, _, _ = mallory.exposed_open_files("/", 0, 10)
    assert [row[3:] for row in json.loads(rows)] == [[f"{CLIENT}@alice", "127.0.0.1"]]


@pytest.mark.parametrize("named", [CLIENT, f"{CLIENT}@alice"])
@pytest.mark.parametrize("method, arguments", [
    ("add_block", (HERS, 0, ())), ("abandon_block", (HERS, 1)), ("abandon_file", (HERS,)),
    ("cut_block", (HERS,)), ("resume", ("/all/new", HERS, False, 2, BLOCK_SIZE, 0o600, 0, (), "")),
])  # fmt: skip
def test_the_lease_of_another_user_is_out_of_reach(
    core: Core, named: str, method: str, arguments: tuple
) -> None:
    alice, opened = opened_by_alice(core)
    assert opened.file_id == HERS
    with pytest.raises((LeaseExpired, InvalidArgument, PermissionDenied)):
        getattr(connect(core, "mallory"), f"exposed_{method}")(named, *arguments)
    assert alice.exposed_add_block(CLIENT, HERS, 0, ())


@pytest.mark.parametrize("method", ["complete", "flush"])
def test_the_file_of_another_user_is_not_ended(core: Core, method: str) -> None:
    _, opened = opened_by_alice(core)
    with pytest.raises(LeaseExpired):
        getattr(connect(core, "mallory"), f"exposed_{method}")((CLIENT, 2), opened.file_id, ())


def test_the_answers_to_another_user_are_not_had_and_not_forestalled(core: Core) -> None:
    alice, opened = opened_by_alice(core)
    mallory = connect(core, "mallory")
    with pytest.raises(DfsError):
        mallory.exposed_create((CLIENT, 1), "/all/hers", False, 0, 0, 0o600)
    mallory.exposed_mkdir((CLIENT, 2), "/all/forestalled", False, 0o755)
    alice.exposed_mkdir((CLIENT, 2), "/all/wanted", False, 0o755)
    assert alice.exposed_stat("/all/wanted")
    again = alice.exposed_create((CLIENT, 1), "/all/hers", False, 0, 0, 0o600)
    assert again == opened


def test_no_client_can_name_itself_as_if_it_were_another_users(core: Core) -> None:
    with pytest.raises(InvalidArgument):
        connect(core, "mallory").exposed_mkdir(("x@y", 1), "/all/new", False, 0o755)


def test_after_a_restart_a_writer_gets_back_what_was_given_to_him_and_nobody_else(
    core: Core,
) -> None:
    alice, hers = opened_by_alice(core)
    located = LocatedBlock(*alice.exposed_add_block(CLIENT, HERS, 0, ()))
    block, block_claim = tuple(located.block), located.claim
    mallory = connect(core, "mallory")
    his = mallory.exposed_create((CLIENT, 1), "/all/his", False, 0, 0, 0o600)
    core.restart()

    def resume(caller: Any, opened: OpenedFile, claim: str, *rows: tuple) -> Any:
        return caller.exposed_resume(
            CLIENT, f"/all/{opened.file_id}", opened.file_id, False, 2, BLOCK_SIZE, 0o600, 0,
            rows, claim,
        )  # fmt: skip

    for claim in (hers.claim, his.claim, ""):
        with pytest.raises(PermissionDenied):
            resume(mallory, hers, claim)
    for claim in (block_claim, his.claim, "", "\udcff"):
        with pytest.raises((PermissionDenied, InvalidArgument)):
            resume(mallory, his, his.claim, (0, block, claim))
    # Nor does she herself get a block of one file into another.
    other = alice.exposed_create((CLIENT, 2), "/all/other", False, 0, 0, 0o600)
    core.restart()
    with pytest.raises(PermissionDenied):
        resume(alice, other, other.claim, (0, block, block_claim))
    assert resume(alice, hers, hers.claim, (0, block, block_claim)) == hers
    assert resume(mallory, his, his.claim) == his


def test_a_visible_file_is_given_back_to_who_opened_it(core: Core) -> None:
    alice, hers = opened_by_alice(core)
    alice.exposed_complete((CLIENT, 2), HERS, ())
    core.do(core.state.set_mode(ROOT, core.op(), "/all/hers", 0o666))
    opened = alice.exposed_append((CLIENT, 3), "/all/hers")
    core.restart()

    def resume(user: str, claim: str) -> Any:
        return connect(core, user).exposed_resume_visible(CLIENT, HERS, (0, 0, 0), (), claim)

    for user, claim in (("mallory", opened.claim), ("alice", ""), ("alice", "x" * 32)):
        with pytest.raises(PermissionDenied):
            resume(user, claim)
    assert resume("alice", opened.claim) == opened


def test_a_block_size_below_the_least_of_the_configuration_is_refused(core: Core) -> None:
    for size in (1, 4095):
        with pytest.raises(InvalidArgument, match="less than the minimum of 4096"):
            connect(core, "alice").exposed_create((CLIENT, 1), "/all/new", False, 0, size, 0o600)
    assert connect(core, "alice").exposed_create((CLIENT, 1), "/all/new", False, 0, 4096, 0o600)
