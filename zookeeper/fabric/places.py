"""Who has a place at a server, and who makes room for a newcomer: rules without sockets.

A connection is *idle* between two calls, *busy* while one runs, and *waiting* while its call does
nothing but wait for something to happen (a long poll). Running calls keep their place. Waiting
ones do not keep it for ever: as many as one likes, each as long as one likes, would lock everybody
else out. Who holds the most places gives one up first, and of these the call that has waited for
longest: its client asks again, and those who are in and out in a moment are not met at all.
"""

import ipaddress
from typing import Dict, Hashable, Iterable, List, Optional, TypeVar

from zookeeper.fabric.identity import Principal

WAITING_SECONDS_MIN = 1.0
"""How long a waiting call is left alone, unless nobody else can make room."""

_MAPPED = "::ffff:"


class Place:
    """One connection, as far as places go; times are monotonic seconds."""

    def __init__(self, host: str, now: float) -> None:
        self.host = host
        self.neighbourhood = neighbourhood(host)
        """Whose limit of connections it counts for."""
        self.principal: Optional[Principal] = None
        """Who it is; None as long as it did not get through the handshake."""
        self.busy = False
        """Whether a call runs: from the last byte of its request to the last one of its reply."""
        self.idle_since = now
        self.waiting_since: Optional[float] = None
        """Since when its call does nothing but wait; None when it does not."""

    @property
    def known(self) -> bool:
        """Whether it is no stranger: those make room before anybody else."""
        return self.principal is not None

    @property
    def group(self) -> Hashable:
        """Who shares a part of the host's places: one principal on one host."""
        return self.neighbourhood, self.principal


Holder = TypeVar("Holder", bound=Place)


def who_makes_room(places: Iterable[Holder], now: float) -> Optional[Holder]:
    """Whose connection ends so that another can be made; None when everybody is busy."""
    rivals = list(places)
    sizes: Dict[Hashable, int] = {}
    for place in rivals:
        sizes[place.group] = sizes.get(place.group, 0) + 1
    waiting, idle = _longest_waiting(rivals, sizes), idle_longest(rivals)
    if waiting is None or idle is None:
        return idle or waiting
    is_young = now - _since(waiting) < WAITING_SECONDS_MIN
    if is_young or not idle.known or sizes[idle.group] > sizes[waiting.group]:
        return idle
    return waiting


def idle_longest(places: Iterable[Holder]) -> Optional[Holder]:
    """The idle connection that has been so for longest, of strangers first."""
    idle = [place for place in places if not place.busy]
    return min(idle, key=lambda place: (place.known, place.idle_since), default=None)


def share_of(limit: int) -> int:
    """How many of a host's places one principal may have."""
    return max(1, limit // 2)


def crowd_of(
    newcomer: Holder, places: Iterable[Holder], of_host: int, in_all: int
) -> List[Holder]:
    """The connections of a newcomer's principal, itself among them, when they are more than one may
    have: of the `of_host` places of its host, or of those `in_all`, if it has a name of its own."""
    own = [place for place in places if place.principal == newcomer.principal]
    here = [place for place in own if place.group == newcomer.group]
    if len(here) > share_of(of_host):
        return here
    named = newcomer.principal is not None and newcomer.principal.name != ""
    return own if named and len(own) > max(share_of(of_host), share_of(in_all)) else []


def _longest_waiting(places: List[Holder], sizes: Dict[Hashable, int]) -> Optional[Holder]:
    """Of the largest group that has calls which wait, the one that has waited for longest."""
    waiting = [place for place in places if place.waiting_since is not None]
    return min(waiting, key=lambda place: (-sizes[place.group], _since(place)), default=None)


def _since(place: Place) -> float:
    assert place.waiting_since is not None
    return place.waiting_since


def plain_host(host: str) -> str:
    """An IPv4 address as such, also where a socket of IPv6 shows it in its own form."""
    return host[len(_MAPPED):] if host.startswith(_MAPPED) and "." in host else host


def neighbourhood(host: str) -> str:
    """Who shares the limits of a host: with IPv6 a network of 64 bits, in which one machine may
    have as many addresses as it likes."""
    if ":" not in host:
        return host
    return str(ipaddress.ip_network(f"{host.partition('%')[0]}/64", strict=False))
