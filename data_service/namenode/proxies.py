"""Who may act for whom without a token: the proxies of the settings."""

from typing import Iterable, Tuple

from zookeeper.fabric.identity import GATEWAY, USER, Principal

EVERYBODY = "*"
"""In the place of a user. Superusers are nobody's to act for, whoever is named."""


class Proxies:
    """The pairs of a proxy and a user for whom he acts. A proxy is a user by his name, or a gateway
    as `gateway:NAME`."""

    def __init__(self, pairs: Iterable[Tuple[str, str]]) -> None:
        self._pairs = frozenset((_principal(proxy), user) for proxy, user in pairs)

    def allows(self, proxy: Principal, user: str) -> bool:
        """Whether the proxy may act for this user, who is no superuser."""
        return not self._pairs.isdisjoint({(proxy, user), (proxy, EVERYBODY)})

    def __repr__(self) -> str:
        return f"<Proxies {len(self._pairs)} pairs>"


def _principal(text: str) -> Principal:
    named = Principal.parse(text)
    return named if named.role == GATEWAY and named.name else Principal(USER, text)
