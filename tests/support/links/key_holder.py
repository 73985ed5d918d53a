"""Credentials of mode `secret` without files: of who holds a cluster's key, or keys of his own."""

import time
from typing import Dict, Iterator, Tuple

from zookeeper.fabric.auth import SECRET, Credentials, Introduction, Keyring
from zookeeper.fabric.identity import Principal, server_at
from zookeeper.fabric.key_file import ClusterKey, Keys


class KeyHolder(Credentials):
    """Introduces himself by these keys, and checks others by what comes from them."""

    mode = SECRET

    def __init__(self, principal: Principal, *keys: Keys, **limits: float) -> None:
        super().__init__(principal)
        self._keys = keys
        self.revoked: Dict[str, float] = {}
        self._limits = limits
        self.renew()

    def renew(self) -> None:
        """What is `revoked` counts from now on."""
        server_keys: Dict[bytes, bytes] = {}
        for one in self._keys:
            server_keys.update(one.serving(str(self.principal)))
        self._keyring = Keyring(server_keys, dict(self.revoked), b"nobody's", **self._limits)

    def replace(self, *keys: Keys) -> None:
        """Hold these keys from now on."""
        self._keys = keys
        self.renew()

    def to(self, server: str, address: Tuple[str, int]) -> Iterator[Introduction]:
        """See Credentials."""
        name, own, now = str(server_at(server, address)), str(self.principal), int(time.time())
        for one in self._keys:
            for key in one.calling(name, own, now):
                yield Introduction(SECRET, self.principal, *key)

    def keyring(self) -> Keyring:
        """See Credentials."""
        return self._keyring


def holder(key: bytes, principal: str) -> KeyHolder:
    """Who holds a cluster's key."""
    return KeyHolder(Principal.parse(principal), ClusterKey(key))
