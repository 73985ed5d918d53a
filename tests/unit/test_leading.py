"""A namenode process that loses its term: it leads again, or lets another lead, whatever happened.

Real zookeeper, metadata service and namenode in this process, over real connections.
"""

import gc
import getpass
import threading
import weakref
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Set

import pytest

from data_service.namenode.daemon import NameNode
from data_service.namenode.calls import names
from data_service.namenode.calls.service import NameNodeService
from data_service.namenode.decisions import Decided
from data_service.namenode.leading import pauses
from data_service.namenode.leading.record_reader import RecordReader
from data_service.namenode.leading.term import Term
from data_service.namenode.namespace.tree_check import TreeCheck
from metadata_service.calls import MemberCalls
from metadata_service.service import Metadata
from tests.support.models.record_leader import fence
from tests.support.clusters.coordination import World, credentials
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.fabric.errors import (
    CorruptData,
    InternalError,
    NotLeader,
    PathExists,
    PathNotFound,
)
from zookeeper.fabric.pools import RemotePool
from zookeeper.fabric.rpc import ServerConnection
from zookeeper.fabric.settings import Address, MetadataSettings, NameNodeSettings, Settings


def await_following_over() -> None:
    """Who still waits for news of the record holds everything of a company."""
    wait_until(lambda: "following" not in [one.name for one in threading.enumerate()])


class Company:
    """A zookeeper behind a proxy, a metadata service, and a namenode that is not started."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder / "zookeeper")
        self.world.start_zookeeper()
        self.proxy = self.world.proxy()
        settings = self.world.settings(Address(*self.proxy.address))
        at = [Address("127.0.0.1", self.world.ports.take()) for _ in range(2)]
        self.settings: Settings = replace(
            settings,
            metadata=MetadataSettings(hosts=(at[0],), metadata_dir=str(folder / "metadata")),
            name_node=NameNodeSettings(hosts=(at[1],), name_node_dir=str(folder / "name_node")),
        )
        self.metadata = Metadata(self.settings, credentials("metadata"))
        self.metadata.start()
        self.pool = RemotePool("metadata", at[0], credentials("name_node"), settings.network)
        self.namenode = NameNode(self.settings, credentials("name_node"))

    def start(self) -> NameNode:
        """Start the namenode, which leads then."""
        self.namenode.start()
        assert self.leads()
        return self.namenode

    def leads(self) -> bool:
        """Whether the namenode serves."""
        try:
            return not self.namenode.namesystem().over
        except NotLeader:
            return False

    def fence(self) -> None:
        """Claim an epoch, as a namenode would that nobody elected."""
        fence(MemberCalls(self.pool.perform, PATIENCE_SECONDS))
        wait_until(lambda: not self.leads(), what="the end of the fenced term")

    def epoch(self) -> int:
        """The newest that was claimed."""
        return int(self.pool.call("status")[2])

    def end_term(self) -> None:
        """The journal fails."""
        journal = self.namenode.namesystem().journal
        with journal._lock:
            journal._queue.fail(InternalError("of this test"))
            journal._tell_failure()

    def close(self) -> None:
        """Stop everything."""
        self.proxy.heal()
        self.namenode.stop()
        self.pool.close()
        self.metadata.stop()
        self.world.close()
        await_following_over()


@pytest.fixture(name="company")
def _company(tmp_path: Path) -> Iterator[Company]:
    company = Company(tmp_path)
    yield company
    company.close()


def failing(times: int, error: Exception, real: Callable[..., Any]) -> Callable[..., Any]:
    """A method that fails so many times, and works afterwards."""
    calls: List[int] = []

    def method(*args: Any) -> Any:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return real(*args)

    return method


def test_a_fenced_namenode_leads_again_also_while_the_zookeeper_is_away(company: Company) -> None:
    """It helps people and datanodes to see who leads, and decides nothing."""
    company.start()
    company.proxy.stall()
    company.fence()
    wait_until(company.leads, what="a new term")


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_a_defect_while_a_term_begins_is_outlived(
    company: Company, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The thread had ended: leader for ever, serving nothing."""
    monkeypatch.setattr(Term, "begin", failing(2, error, Term.begin))
    company.start()


def test_a_defect_in_the_proof_of_leadership_ends_the_term_and_no_more(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.start()
    first = company.namenode._keeper._term
    assert first is not None
    keeper, defect = first._lease_keeper, KeyError("a defect")
    monkeypatch.setattr(keeper, "_prove", failing(1, defect, keeper._prove))
    wait_until(lambda: first.namesystem.over, what="the end of the term")
    wait_until(company.leads, what="a new term")
    assert first._ending.cause is defect


def test_an_image_that_cannot_be_read_does_not_keep_the_role(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A namenode that met damage claimed an epoch twice a second, for ever, and kept the role."""
    monkeypatch.setattr(pauses, "RETRY_SECONDS", 0.05)
    namenode, member = company.start(), MemberCalls(company.pool.perform)
    epoch = company.epoch()
    load, damaged = RecordReader.load, []

    def damage(*args: Any) -> Any:
        if len(damaged) >= 3:
            return load(*args)
        damaged.append(member.status().silent_seconds)
        raise CorruptData("damage")

    monkeypatch.setattr(RecordReader, "load", damage)
    # What is in memory may never be recorded: it is worth nothing.
    company.namenode.namesystem().decisions.state.commits.last_txid += 1
    monkeypatch.setattr(namenode._leadership, "_alone", False)
    company.end_term()
    wait_until(lambda: len(damaged) == 3, what="failures")
    wait_until(company.leads, what="a new term")
    assert damaged == [inf] * 3 and company.epoch() == epoch + 1


def test_an_error_says_what_the_namenode_waits_for(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    namenode = company.start()
    address = company.settings.metadata.hosts[0]
    company.metadata.stop()
    company.end_term()

    def said() -> Optional[str]:
        try:
            namenode.namesystem()
        except NotLeader as error:
            return error.message
        return None

    wait_until(lambda: f"waits for the metadata service: {address}" in (said() or ""))


def test_an_ended_term_leaves_nothing_in_memory(company: Company) -> None:
    """What was frozen after loading was never looked at by the collector: each term cost as much
    memory as the namespace has."""
    company.start()
    address, network = company.settings.name_node.hosts[0], company.settings.network
    pool = RemotePool("name_node", address, credentials(f"user:{getpass.getuser()}"), network)
    pool.call("mkdir", ("an idle client", 1, 0), "/d", True, 0o755)
    ended = weakref.ref(company.namenode.namesystem().decisions.state)
    assert gc.get_freeze_count() > 0
    company.namenode.namesystem().decisions.state.commits.last_txid += 1
    company.end_term()
    wait_until(lambda: ended() is None, what="the memory of the old term")
    wait_until(company.leads, what="a new term")
    pool.close()


def test_what_is_recorded_in_memory_goes_on_without_its_term(company: Company) -> None:
    """It was loaded anew each time, which takes a namenode of a million files 20 seconds."""
    namenode = company.start()
    core = namenode.namesystem().core
    company.end_term()
    wait_until(lambda: not company.leads())
    wait_until(company.leads, what="a new term")
    assert namenode.namesystem().core is core


def test_calls_and_connections_leave_nothing_for_the_collector(company: Company) -> None:
    """It never looks for what was alive for a while: each would stay until the end of the term."""
    company.start()
    address, network = company.settings.name_node.hosts[0], company.settings.network

    def alive() -> List[str]:
        # A refusal that leads back to itself does so by the decision that it came with.
        kinds = (NameNodeService, ServerConnection, Decided)
        found = [one for one in gc.get_objects() if isinstance(one, kinds)]
        return [type(one).__name__ for one in found if id(one) not in known]

    # That of the record stays, on which the namenode has waited for news until it led.
    known: Set[int] = set()
    await_following_over()
    gc.collect()
    known |= {id(one) for one in gc.get_objects() if isinstance(one, ServerConnection)}
    gc.disable()
    try:
        for number in range(3):
            own = credentials(f"user:{getpass.getuser()}")
            pool = RemotePool("name_node", address, own, network)
            pool.call("mkdir", ("a client", number, 0), f"/d{number}", True, 0o755)
            with pytest.raises(PathExists):
                pool.call("mkdir", ("another", number, 0), f"/d{number}", False, 0o755)
            with pytest.raises(PathNotFound):
                pool.call("stat", "/none")
            pool.close()
        wait_until(lambda: not alive(), what=f"the end of {alive()}")
    finally:
        gc.enable()


def test_a_tree_is_counted_and_deleted_with_others_in_between(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.start()
    monkeypatch.setattr(names, "TreeCheck", lambda: TreeCheck(2))
    sliced: List[int] = []
    core = company.namenode.namesystem().core
    in_slices = core.in_slices

    def counted(step: Callable[[], bool]) -> None:
        if threading.current_thread().name.startswith("client"):  # Others keep house meanwhile.
            sliced.append(1)
        in_slices(step)

    monkeypatch.setattr(core, "in_slices", counted)
    address, network = company.settings.name_node.hosts[0], company.settings.network
    pools = [
        RemotePool("name_node", address, credentials(f"user:{user}"), network)
        for user in (getpass.getuser(), "alice")
    ]
    for number, path in enumerate(["/home", *(f"/home/t/{name}" for name in "abcdef")]):
        pools[bool(number)].call("mkdir", ("a client", number, 0), path, True, 0o777)
    assert tuple(pools[1].call("content_summary", "/home/t"))[:2] == (7, 0) and len(sliced) == 1
    assert pools[1].call("delete", ("a client", 9, 0), "/home/t", True) and len(sliced) == 2
    for pool in pools:
        pool.close()


def test_the_threads_of_a_term_end_with_it(company: Company) -> None:
    company.start()
    for _ in range(3):
        company.end_term()
        wait_until(lambda: not company.leads())
        wait_until(company.leads, PATIENCE_SECONDS, what="a new term")
    for name in ("housekeeping", "recording", "purge", "sweep", "leader-lease", "leading"):
        wait_until(
            lambda name=name: [one.name for one in threading.enumerate()].count(name) == 1,
            what=f"one thread {name}",
        )


def test_stopping_while_a_term_begins_leaves_no_term(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`stop` came between the image and its service: a term that nobody ends would go on."""
    begun, may_go_on = threading.Event(), threading.Event()
    begin, terms = Term.begin, []

    def slow(term: Term) -> None:
        begin(term)
        terms.append(term)
        begun.set()
        assert may_go_on.wait(PATIENCE_SECONDS)

    monkeypatch.setattr(Term, "begin", slow)
    starting = threading.Thread(target=company.namenode.start, daemon=True)
    starting.start()
    assert begun.wait(PATIENCE_SECONDS)
    company.namenode.stop()
    may_go_on.set()
    starting.join(PATIENCE_SECONDS)
    wait_until(lambda: terms[0].namesystem.over, what="the end of the term")
    assert not company.leads()


def test_an_action_that_meets_a_defect_is_outlived(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever it is: the thread goes on, the role is given up for a while."""
    keeper = company.start()._keeper
    for name in ("serve", "end_term", "follow", "take_over"):
        monkeypatch.setattr(
            keeper, name, failing(1, RuntimeError("a defect"), getattr(keeper, name))
        )
    company.end_term()
    wait_until(lambda: not company.leads())
    wait_until(company.leads, what="a new term")


def test_an_event_that_meets_a_defect_is_outlived(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread had ended, and with it all that could give the role up."""
    namenode = company.start()
    machine = namenode._leadership
    monkeypatch.setattr(
        machine, "handle", failing(1, KeyError("a defect of the machine's"), machine.handle)
    )
    company.end_term()
    wait_until(lambda: not company.leads())
    wait_until(company.leads, what="a new term")
