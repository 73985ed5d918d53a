"""Tickets: when one is fetched, shown again, and replaced."""

from typing import Iterator, List, Tuple

import pytest

from data_service.namenode.calls.tokens import Tokens, no_key
from data_service.protocol.nodes import Ticket
from data_service.stubs import tickets
from data_service.stubs.tickets import TicketCredentials
from tests.support.links.key_holder import KeyHolder, holder
from tests.support.links.loopback import KEY
from zookeeper.fabric.auth import Credentials, Introduction
from zookeeper.fabric.errors import InvalidArgument
from zookeeper.fabric.identity import Principal, server_at
from zookeeper.fabric.key_file import ClusterKey
from zookeeper.fabric.keys import TICKET_SECONDS
from zookeeper.fabric.settings import Address

ALICE = Principal("user", "alice")
NODE = Address("10.0.0.2", 1801)
NAMENODE = Tokens(lambda: KEY, 600.0)


class Office:
    """The namenode's part; `given` tells where tickets led to."""

    def __init__(self) -> None:
        self.given: List[Address] = []
        self.now = 0.0

    def ticket(self, host: str, port: int) -> Ticket:
        """See AdmissionCalls."""
        self.given.append(Address(host, port))
        return NAMENODE.ticket(str(ALICE), Address(host, port))

    def monotonic(self) -> float:
        """In the place of time.monotonic."""
        return self.now


@pytest.fixture(name="office")
def _office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    office = Office()
    monkeypatch.setattr(tickets, "time", office)
    yield office


def of_alice(office: Office) -> TicketCredentials:
    """Those of a user who has a key to the namenode only, if at all."""
    return TicketCredentials(KeyHolder(ALICE), office.ticket)


def first(credentials: Credentials, address: Tuple[str, int] = NODE) -> Introduction:
    """What is said at a dial that succeeds."""
    return next(iter(credentials.to("data_node", address)))


def test_a_ticket_is_what_a_key_holder_would_derive(office: Office) -> None:
    given = first(of_alice(office))
    server = str(server_at("data_node", NODE))
    key = ClusterKey(KEY).calling(server, "user:alice", given.issued)[0]
    assert (given.key, given.key_id) == (key.key, key.key_id)
    assert given.principal == ALICE


def test_a_ticket_is_fetched_when_one_dials_and_kept_for_a_while(office: Office) -> None:
    alice = of_alice(office)
    assert office.given == []
    assert first(alice) == first(alice) and office.given == [NODE]
    other = Address("10.0.0.2", 1802)
    first(alice, other)
    assert office.given == [NODE, other]
    office.now = TICKET_SECONDS + 1
    first(alice)
    assert office.given == [NODE, other, NODE]


def test_a_ticket_that_is_refused_is_replaced_once(office: Office) -> None:
    alice = of_alice(office)
    assert len(list(alice.to("data_node", NODE))) == 1
    # The second time one that was kept is refused first.
    assert len(list(alice.to("data_node", NODE))) == 2 == len(office.given)


@pytest.mark.parametrize("own", [holder(KEY, "user:alice"), Credentials(ALICE)])
def test_who_is_let_in_anyway_needs_no_ticket(office: Office, own: Credentials) -> None:
    assert first(TicketCredentials(own, office.ticket))[:2] == (own.mode, ALICE)
    assert len(list(TicketCredentials(own, office.ticket).to("data_node", NODE))) == 1
    assert office.given == []


def test_there_are_no_tickets_in_mode_simple() -> None:
    with pytest.raises(InvalidArgument):
        Tokens(no_key, 1.0).ticket("user:alice", NODE)
