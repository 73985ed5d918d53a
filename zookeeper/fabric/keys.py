"""Every key of a cluster, derived from one: who holds a part of them can make no other part.

    cluster key ─┬─ key id                     public: tells which cluster key, and which cluster
                 └─ server key, one a server ─┬─ caller key, one for each who calls that server
                                              ├─ token key, with which a datanode checks tokens
                                             └─ delegation key, with which a namenode does

So a server, which holds its own server key, can check everybody who calls it and mint nothing for
others; a caller holds nothing but his own keys; and there is no list of users to keep anywhere.
"""

import struct
from typing import NamedTuple

KEY_BYTES = 32
KEY_ID_BYTES = 8

TICKET_SECONDS = 600.0
"""How long a caller key to a datanode is good: it is given out for the next dials only."""

CLOCK_SKEW_SECONDS = 300.0
"""How far the clocks of two machines may be apart, of which one checks what the other made."""


class CallerKey(NamedTuple):
    """A key to one server: from which cluster key, and the second since 1970 of its issue."""

    key: bytes
    key_id: bytes
    issued: int

    def __repr__(self) -> str:
        return f"<CallerKey {self.key_id.hex()}, issued {self.issued}>"


def key_id(cluster_key: bytes) -> bytes:
    """Which cluster key it is; tells nothing of the key itself."""
    return _derived(cluster_key, b"id")[:KEY_ID_BYTES]


def server_key(cluster_key: bytes, server: str) -> bytes:
    """The key of one server: `name_node`, `metadata`, `zookeeper`, `data_node:HOST:PORT`."""
    return _derived(cluster_key, b"serves", server.encode("utf-8", "replace"))


def caller_key(server_key: bytes, principal: str, issued: int) -> bytes:
    """With what a principal calls the holder of `server_key`; `issued` in seconds since 1970."""
    return _derived(
        server_key, b"calls", principal.encode("utf-8", "replace"), struct.pack("!Q", issued)
    )


def token_key(server_key: bytes) -> bytes:
    """With what the holder of `server_key`, a datanode, checks the tokens of its blocks."""
    return _derived(server_key, b"block tokens")


def delegation_key(server_key: bytes) -> bytes:
    """With what the holder of `server_key`, a namenode, seals the tokens that let their bearer act
    for a user."""
    return _derived(server_key, b"delegation tokens")


def _derived(key: bytes, *fields: bytes) -> bytes:
    # In mode `simple` nobody waits for the library of ciphers.
    import hmac

    # Each field carries its length, so that no two lists of fields are the same bytes.
    message = b"".join(struct.pack("!I", len(field)) + field for field in fields)
    return hmac.digest(key, message, "sha256")
