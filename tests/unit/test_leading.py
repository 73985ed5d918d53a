"""A namenode process that loses its term: it leads again, or lets another lead, whatever happened.

Real zookeeper, metadata service and namenode in this process, over real connections.
"""

import gc
import threading
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional

import pytest

from data_service.namenode import daemon
from data_service.namenode.daemon import LASTING_SECONDS, RETRY_SECONDS, NameNode, _Pauses
from data_service.namenode.leading.leader_lease import Office
from data_service.namenode.term import Term
from metadata_service.service import Metadata
from tests.support.clusters.coordination import World, credentials
from tests.support.clusters.waiting import PATIENCE_SECONDS, wait_until
from zookeeper.election import Leadership
from zookeeper.fabric.errors import CorruptData, NotLeader
from zookeeper.fabric.pools import RemotePool
from zookeeper.fabric.settings import Address, MetadataSettings, NameNodeSettings, Settings


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
            return not self.namenode.term().over
        except NotLeader:
            return False

    def fence(self) -> None:
        """Claim an epoch, as a namenode would that nobody elected."""
        newest = self.pool.call("status")[1]
        assert self.pool.call("claim_epoch", "a stranger", newest) == newest + 1
        wait_until(lambda: not self.leads(), what="the end of the fenced term")

    def end_term(self) -> None:
        """The journal fails."""
        self.namenode.term().journal.close()
        self.namenode._stir.set()

    def close(self) -> None:
        """Stop everything."""
        self.proxy.heal()
        self.namenode.stop()
        self.pool.close()
        self.metadata.stop()
        self.world.close()


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


def test_a_fenced_namenode_leads_again_also_when_the_zookeeper_was_slow(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It resigned and stood again while the zookeeper hung for longer than the pause between: the
    resignation was never sent, nobody was told anything, and nobody could lead any more."""
    monkeypatch.setattr(daemon, "FENCED_PAUSE_SECONDS", 0.05)
    namenode = company.start()
    stood: List[str] = []
    campaign = namenode._coordinator.campaign

    def remember(*args: Any) -> None:
        campaign(*args)
        stood.append("again")

    monkeypatch.setattr(namenode._coordinator, "campaign", remember)
    company.proxy.stall()
    company.fence()
    wait_until(lambda: stood, what="the next candidacy, of which the zookeeper has heard nothing")
    company.proxy.heal()
    wait_until(company.leads, what="a new term")


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()])
def test_a_defect_while_a_term_begins_is_outlived(
    company: Company, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The thread had ended: leader for ever, serving nothing."""
    monkeypatch.setattr(Term, "load", failing(2, error, Term.load))
    company.start()


def test_a_defect_in_the_proof_of_leadership_ends_the_term_and_no_more(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.start()
    first = company.namenode.term()
    monkeypatch.setattr(
        first._office, "_prove", failing(1, KeyError("a defect"), first._office._prove)
    )
    wait_until(lambda: first.over, what="the end of the term")
    wait_until(company.leads, what="a new term")
    assert not first.fenced


def test_an_image_that_cannot_be_read_does_not_keep_the_role(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A namenode that met damage claimed an epoch twice a second, for ever, and kept the role."""
    namenode = company.start()
    pauses: List[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        assert zookeeper_says_nobody_leads(company)

    monkeypatch.setattr(namenode, "_pause", pause)
    monkeypatch.setattr(Term, "load", failing(4, CorruptData("damage"), Term.load))
    company.end_term()
    wait_until(lambda: len(pauses) >= 5, what="failures")
    wait_until(company.leads, what="a new term")
    assert all(second > first for first, second in zip(pauses[1:], pauses[2:])), pauses


def zookeeper_says_nobody_leads(company: Company) -> bool:
    """Once the resignation has arrived; the first pause comes before any."""
    zookeeper = company.world.zookeeper
    assert zookeeper is not None
    if company.namenode._leads:
        return True
    wait_until(lambda: zookeeper._coordination.leader("name_node") is None, what="a free role")
    return True


def test_an_error_says_what_the_namenode_waits_for(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "RETRY_SECONDS", 0.05)
    namenode = company.start()
    address = company.settings.metadata.hosts[0]
    company.metadata.stop()
    company.end_term()

    def said() -> Optional[str]:
        try:
            namenode.term()
        except NotLeader as error:
            return error.message
        return None

    wait_until(lambda: "waits for the metadata service" in (said() or ""))
    assert f"metadata {address}: Connection refused" in (said() or "")


def test_pauses_grow_to_a_limit_and_a_good_term_ends_them() -> None:
    pauses = _Pauses()
    taken = [pauses.after_failure() for _ in range(20)]
    assert RETRY_SECONDS / 2 < taken[0] <= RETRY_SECONDS
    assert 20 < max(taken) == max(taken[7:]) <= daemon.FAILED_PAUSE_SECONDS_MAX
    assert pauses.after_term(LASTING_SECONDS / 2) > 20
    assert pauses.after_term(LASTING_SECONDS) == 0.0
    assert pauses.after_failure() <= RETRY_SECONDS


def test_an_ended_term_leaves_nothing_in_memory(company: Company) -> None:
    """What was frozen after loading was never looked at by the collector: each term cost as much
    memory as the namespace has."""
    company.start()
    ended = weakref.ref(company.namenode.term()._state)
    assert gc.get_freeze_count() > 0
    company.end_term()
    wait_until(lambda: ended() is None, what="the memory of the old term")
    wait_until(company.leads, what="a new term")


def test_the_threads_of_a_term_end_with_it(company: Company) -> None:
    company.start()
    for _ in range(3):
        company.end_term()
        wait_until(lambda: not company.leads())
        wait_until(company.leads, PATIENCE_SECONDS, what="a new term")
    names = [thread.name for thread in threading.enumerate()]
    for name in ("housekeeping", "purge", "office", "leading"):
        wait_until(lambda name=name: names.count(name) == 1, what=f"one thread {name}")


def test_an_office_whose_thread_meets_a_defect_is_lost() -> None:
    told: List[str] = []

    def prove(_seconds: float) -> None:
        raise KeyError("a defect")

    office = Office(prove, lambda: (1, 0.0), 0.3, True, lambda: told.append("lost"))
    office.hold()
    wait_until(lambda: office.lost and told == ["lost"])
    assert not office.fenced


def test_a_term_that_ended_is_given_up_also_by_who_may_not_lead_any_more(company: Company) -> None:
    namenode = company.start()
    namenode._leads = False
    namenode.term().journal.close()
    namenode._stir.set()
    wait_until(lambda: namenode._term is None, what="the end of a term that is over")


def test_late_news_of_a_role_that_was_given_up_is_no_news_of_the_next(company: Company) -> None:
    namenode, believed = company.namenode, []

    class Late:
        """Tells what it had heard before, when the role is given up."""

        def resign(self, _role: str) -> None:
            namenode._on_leadership(Leadership(True, 1, str(namenode.address)))

        def campaign(self, *_: object) -> None:
            believed.append(namenode._leads)

        def stop(self) -> None:
            """There is nothing to stop."""

    namenode._coordinator.stop()
    namenode._coordinator = Late()  # type: ignore[assignment]
    namenode._stand_again(0.0)
    assert believed == [False]
