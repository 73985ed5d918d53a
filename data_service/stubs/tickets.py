"""Tickets: what gets users and datanodes into a datanode, whose keys they do not have.

The namenode gives them out, and a datanode believes one for a few minutes. So a key that is revoked
at the namenode is soon worth nothing anywhere; and a connection that is kept needs no new one.
"""

import time
from typing import Callable, Dict, Iterator, NamedTuple, Tuple

from data_service.protocol.nodes import Ticket
from zookeeper.fabric.auth import Credentials, Introduction
from zookeeper.fabric.keys import TICKET_SECONDS


class _Kept(NamedTuple):
    """A ticket, and until when (time.monotonic) it is shown."""

    ticket: Ticket
    until: float


class TicketCredentials(Credentials):
    """Somebody's `own` credentials, and where he has no key by them, tickets that `fetch` brings.
    May be used by any thread."""

    def __init__(self, own: Credentials, fetch: Callable[[str, int], Ticket]) -> None:
        super().__init__(own.principal)
        self.mode, self.tls = own.mode, own.tls
        self._own = own
        self._fetch = fetch
        self._kept: Dict[Tuple[str, int], _Kept] = {}

    def to(self, server: str, address: Tuple[str, int]) -> Iterator[Introduction]:
        """See Credentials. A ticket that is refused may have been made of a key that is no more
        valid: then a new one follows."""
        has_key = False
        for introduction in self._own.to(server, address):
            has_key = True
            yield introduction
        if has_key:
            return
        kept = self._kept.get(address)
        if kept is not None and time.monotonic() < kept.until:
            yield self._introduction(kept.ticket)
        asked_at = time.monotonic()
        ticket = self._fetch(*address)
        self._kept[address] = _Kept(ticket, asked_at + TICKET_SECONDS)
        yield self._introduction(ticket)

    def _introduction(self, ticket: Ticket) -> Introduction:
        return Introduction(self.mode, self.principal, *ticket)
